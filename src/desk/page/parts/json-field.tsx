import { Labelled } from "./labelled.js";

/** A text that is to be JSON. Empty where it may be left out. */
export function problemWith(text: string, wanted: "any" | "object"): string | undefined {
  if (text.trim() === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (wanted === "any" || (typeof value === "object" && value !== null && !Array.isArray(value))) return undefined;
    return 'This must be an object of fields, such as {"attempts": 1}.';
  } catch (error) {
    return `This is no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}

interface JsonProps {
  readonly label: string;
  readonly text: string;
  readonly change: (text: string) => void;
  readonly wanted: "any" | "object";
  readonly hint?: string;
}

export function JsonField({ label, text, change, wanted, hint }: JsonProps) {
  const problem = problemWith(text, wanted);
  return (
    <Labelled label={label}>
      {(id) => (
        <>
          <textarea
            id={id}
            className="field min-h-24 font-mono text-sm"
            spellCheck={false}
            value={text}
            aria-invalid={problem !== undefined}
            aria-describedby={`${id} said`}
            onInput={(event) => change(event.currentTarget.value)}
          />
          <span id={`${id} said`} className={`text-any text-sm ${problem === undefined ? "text-faint" : "text-bad"}`}>
            {problem ?? hint}
          </span>
        </>
      )}
    </Labelled>
  );
}
