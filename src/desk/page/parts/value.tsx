/** A value as the desk printed it. A large one is folded, and fetched when it is asked for. */
import { useState } from "react";
import { useQuery } from "@tanstack/react-query";
import type { ShownChange, ShownValue } from "../../http/value-shapes.js";
import { readText } from "../base/api.js";
import { Button } from "./button.js";

function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const kib = bytes / 1024;
  return kib < 1024 ? `${kib.toFixed(kib < 10 ? 1 : 0)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}

export function Value({
  value: { text, bytes, whole },
  label,
}: {
  readonly value: ShownValue;
  readonly label: string;
}) {
  const [open, setOpen] = useState(false);
  const fetched = useQuery({
    queryKey: ["whole", whole],
    queryFn: () => readText(whole!),
    enabled: open && whole !== undefined,
    staleTime: Infinity,
  });
  const shown = fetched.data ?? text;
  return (
    <div className="min-w-0">
      <pre
        tabIndex={0}
        aria-label={label}
        className="max-h-[26rem] overflow-auto rounded-lg border border-line bg-raised p-3 font-mono text-sm break-words whitespace-pre-wrap"
      >
        {shown}
      </pre>
      {whole !== undefined && fetched.data === undefined && (
        <p className="mt-1.5 flex flex-wrap items-center gap-3 text-sm text-soft">
          The beginning of {sizeText(bytes)}.
          <Button small disabled={fetched.isFetching} onClick={() => setOpen(true)}>
            {fetched.isFetching ? "Fetching …" : "Show all of it"}
          </Button>
          {fetched.error !== null && <span role="alert">{fetched.error.message}</span>}
        </p>
      )}
    </div>
  );
}

const signs = {
  add: ["+", "added", "text-good"],
  remove: ["−", "removed", "text-bad"],
  replace: ["→", "changed", "text-wait"],
} as const;

/** What a transition changed, a line for each place. */
export function Changes({ changes }: { readonly changes: readonly ShownChange[] }) {
  if (changes.length === 0) return <p className="text-sm text-faint">It changed nothing in the state.</p>;
  return (
    <ul aria-label="Changes" className="flex flex-col gap-1 font-mono text-sm">
      {changes.map(({ op, path, value }) => {
        const [sign, word, ink] = signs[op];
        return (
          <li key={`${op} ${path}`} className="grid grid-cols-[1.1rem_minmax(0,1fr)] gap-1">
            <span className={`${ink} font-bold`}>
              <span aria-hidden="true">{sign}</span>
              <span className="sr-only">{word}</span>
            </span>
            <span className="text-any">
              {path === "" ? "/" : path}
              {value !== undefined && (
                <span className="text-soft">
                  {" "}
                  {value.text.length > 400 ? `${value.text.slice(0, 400)} …` : value.text}
                </span>
              )}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
