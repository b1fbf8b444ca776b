/** What the list shows: every choice goes into the address at once. */
import { useEffect, useRef, useState } from "react";
import type { WorkflowNames } from "../../http/shapes.js";
import { useRead } from "../base/api.js";
import { Icon } from "../base/icons.js";
import { useKeys } from "../base/keys.js";
import { statuses } from "../base/query.js";
import type { Changes } from "../base/url.js";
import { Badge, standingOf } from "./badge.js";
import { Button } from "./button.js";
import { Labelled } from "./labelled.js";
import { ExecutionLink } from "./pieces.js";

interface Props {
  readonly asked: URLSearchParams;
  readonly ask: (changes: Changes, replace?: boolean) => void;
}

const more = ["direction", "reason", "tag", "from", "before"] as const;
const all = ["id", "workflow", "status", "root", ...more] as const;

export const isFiltered = (asked: URLSearchParams): boolean => all.some((name) => asked.has(name));

export function Filters({ asked, ask: askMore }: Props) {
  const [open, setOpen] = useState(more.some((name) => asked.has(name)));
  const search = useRef<HTMLInputElement>(null);
  // Another question begins at its first page.
  const ask: Props["ask"] = (changes, replace) => askMore({ ...changes, after: undefined }, replace);
  useKeys([{ keys: "/", does: "Search by id", act: () => search.current?.focus() }]);
  const others = more.filter((name) => asked.has(name)).length;
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <label className="relative min-w-0 flex-[1_1_14rem] sm:max-w-80">
          <span className="sr-only">Id, or its beginning</span>
          <Icon name="search" className="pointer-events-none absolute top-2.5 left-2.5 size-4 text-faint" />
          <Typed
            inputRef={search}
            value={asked.get("id") ?? ""}
            type="search"
            placeholder="Id, or its beginning"
            className="w-full pl-8"
            change={(id) => ask({ id }, true)}
          />
        </label>
        <WorkflowChoice value={asked.get("workflow") ?? ""} change={(workflow) => ask({ workflow })} />
        {!asked.has("root") && (
          <label className="inline-flex min-h-9 items-center gap-1.5">
            <input
              type="checkbox"
              checked={asked.get("children") === "true"}
              onChange={(event) => ask({ children: event.currentTarget.checked ? "true" : undefined })}
            />
            Children too
          </label>
        )}
        <Button aria-expanded={open} onClick={() => setOpen(!open)}>
          More filters{others > 0 && ` (${others})`}
        </Button>
        {isFiltered(asked) && (
          <Button
            look="quiet"
            icon="close"
            onClick={() => ask(Object.fromEntries(all.map((name) => [name, undefined])))}
          >
            Clear
          </Button>
        )}
      </div>
      {asked.has("root") && (
        <p className="text-any text-sm text-soft">
          Only what is below <ExecutionLink id={asked.get("root")!} className="!inline" />: its children, and theirs.
        </p>
      )}
      <StatusChoice chosen={asked.getAll("status")} change={(status) => ask({ status })} />
      {open && <More asked={asked} ask={ask} />}
    </div>
  );
}

function More({ asked, ask }: Props) {
  const value = (name: string): string => asked.get(name) ?? "";
  return (
    <div className="card grid gap-3 p-4 sm:grid-cols-2 xl:grid-cols-5">
      <Labelled label="Direction">
        {(id) => (
          <select
            id={id}
            className="field"
            value={value("direction")}
            onChange={(event) => ask({ direction: event.currentTarget.value })}
          >
            <option value="">Both ways</option>
            <option value="up">On the way up</option>
            <option value="down">On the way down</option>
          </select>
        )}
      </Labelled>
      <Labelled label="Reason">
        {(id) => <Typed id={id} value={value("reason")} change={(reason) => ask({ reason }, true)} />}
      </Labelled>
      <Labelled label="Tags, all of them">
        {(id) => (
          <Typed
            id={id}
            value={asked.getAll("tag").join(", ")}
            placeholder="vip, region:eu"
            change={(text) => ask({ tag: text.split(",").map((tag) => tag.trim()) }, true)}
          />
        )}
      </Labelled>
      <Labelled label="Launched from">
        {(id) => (
          <input
            id={id}
            type="datetime-local"
            className="field"
            value={value("from")}
            onChange={(event) => ask({ from: event.currentTarget.value })}
          />
        )}
      </Labelled>
      <Labelled label="Launched before">
        {(id) => (
          <input
            id={id}
            type="datetime-local"
            className="field"
            value={value("before")}
            onChange={(event) => ask({ before: event.currentTarget.value })}
          />
        )}
      </Labelled>
    </div>
  );
}

interface TypedProps {
  readonly value: string;
  readonly change: (value: string) => void;
  readonly id?: string;
  readonly type?: string;
  readonly placeholder?: string;
  readonly className?: string;
  readonly inputRef?: React.RefObject<HTMLInputElement | null>;
}

/** A field that asks when the typing has paused. */
function Typed({ value, change, inputRef, className = "", ...rest }: TypedProps) {
  const [text, setText] = useState(value);
  const later = useRef<ReturnType<typeof setTimeout>>(undefined);
  // Another address, by a link or the browser's way back, has another text.
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(later.current), []);
  return (
    <input
      {...rest}
      {...(inputRef !== undefined && { ref: inputRef })}
      className={`field ${className}`}
      value={text}
      autoComplete="off"
      spellCheck={false}
      onInput={(event) => {
        const next = event.currentTarget.value;
        setText(next);
        clearTimeout(later.current);
        later.current = setTimeout(() => change(next), 300);
      }}
    />
  );
}

function WorkflowChoice({ value, change }: { readonly value: string; readonly change: (name: string) => void }) {
  const names = useRead<WorkflowNames>("api/workflows/names").data?.names ?? [];
  const known = value === "" || names.includes(value) ? names : [value, ...names];
  return (
    <label className="min-w-0">
      <span className="sr-only">Workflow</span>
      <select className="field max-w-56" value={value} onChange={(event) => change(event.currentTarget.value)}>
        <option value="">Any workflow</option>
        {known.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function StatusChoice({
  chosen,
  change,
}: {
  readonly chosen: readonly string[];
  readonly change: (chosen: readonly string[]) => void;
}) {
  return (
    <fieldset className="flex flex-wrap gap-1.5">
      <legend className="sr-only">Status</legend>
      {statuses.map((status) => {
        const isChosen = chosen.includes(status);
        const [, tone, icon] = standingOf({ status });
        return (
          <label
            key={status}
            className={`inline-flex min-h-8 items-center rounded-full border px-1 py-0.5 text-sm has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-water ${
              isChosen ? "border-water bg-water-tint pr-1.5" : "border-line bg-card hover:border-edge"
            }`}
          >
            <input
              type="checkbox"
              className="sr-only"
              checked={isChosen}
              onChange={() => change(isChosen ? chosen.filter((one) => one !== status) : [...chosen, status])}
            />
            <Badge tone={tone} icon={icon}>
              {standingOf({ status })[0]}
            </Badge>
            {isChosen && (
              <span className="ml-1 text-water">
                <Icon name="close" className="size-3" />
              </span>
            )}
          </label>
        );
      })}
    </fieldset>
  );
}
