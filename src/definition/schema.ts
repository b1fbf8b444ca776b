/** Checks values with any library that follows Standard Schema (zod, valibot, arktype and others). */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { isPromise } from "../values/promise.js";
import { messageOf } from "../values/text.js";

export type Checked = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problem: string };

/** How many issues an error names: a payload with a thousand mistakes needs no thousand lines. */
const mostIssues = 5;

export function isSchema(value: unknown): value is StandardSchemaV1 {
  // The schemas of some libraries are functions.
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard: unknown = "~standard" in value ? value["~standard"] : undefined;
  return (
    typeof standard === "object" &&
    standard !== null &&
    "validate" in standard &&
    typeof standard.validate === "function"
  );
}

/** The schema of a value that the engine itself hands over: the value was checked before, and `outputOf` makes the output of it. */
export function ownSchema<Input, Output>(outputOf: (input: Input) => Output): StandardSchemaV1<Input, Output> {
  const isInput = (value: unknown): value is Input => typeof value === "object" && value !== null;
  const validate = (value: unknown): StandardSchemaV1.Result<Output> =>
    isInput(value) ? { value: outputOf(value) } : { issues: [{ message: "it must be an object" }] };
  return { "~standard": { version: 1, vendor: "stepwell", validate } };
}

/** A schema may answer at once or later. One that throws refuses. */
export function validate(schema: StandardSchemaV1, value: unknown): Checked | Promise<Checked> {
  try {
    const result = schema["~standard"].validate(value);
    return isPromise(result) ? Promise.resolve(result).then(read).catch(refusedBy) : read(result);
  } catch (error) {
    return refusedBy(error);
  }
}

function read(result: StandardSchemaV1.Result<unknown>): Checked {
  if (result.issues === undefined) return { ok: true, value: result.value };
  const shown = result.issues.slice(0, mostIssues).map(describe);
  const more = result.issues.length - shown.length;
  if (more > 0) shown.push(`and ${more} more`);
  return { ok: false, problem: shown.length === 0 ? "the schema gave no reason" : shown.join("; ") };
}

function describe({ path, message }: StandardSchemaV1.Issue): string {
  if (path === undefined || path.length === 0) return message;
  return `${path.map((part) => String(typeof part === "object" ? part.key : part)).join(".")}: ${message}`;
}

function refusedBy(error: unknown): Checked {
  return { ok: false, problem: `the schema threw: ${messageOf(error)}` };
}
