/**
 * What changed between two states, as JSON Patch (RFC 6902): for people, logs and audits. It is a
 * description, not a way to store a state: `execution.stateAt` is the exact one.
 *
 * A state holds more than JSON does, so the difference is one of two views:
 *
 * | value | in the view |
 * | --- | --- |
 * | text, boolean, null, finite number | itself |
 * | `NaN`, `Infinity`, `-Infinity`, `-0` | that text |
 * | bigint | its digits, as text |
 * | `undefined` | left out of an object; `null` elsewhere |
 * | Date | text in ISO 8601, UTC; `Invalid Date` |
 * | Map | an array of `[key, value]`, in its order |
 * | Set | an array, in its order |
 * | typed array, ArrayBuffer | its bytes, as text in base64 |
 *
 * Two values with the same view, a Date and its text, count as the same.
 */
import { isDeepStrictEqual, types } from "node:util";
import slowRedact from "@pinojs/redact";
import { createPatch, Pointer, type Operation } from "rfc6902";
import { shown } from "./options.js";
import { StepwellError } from "../errors.js";

/** One operation of a JSON Patch (RFC 6902). `path` is a JSON Pointer into the state: `/items/0/price`. */
export type ChangeOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** Applied to the view of the first state, in order, the operations give that of the second. */
export type Difference = (before: object, after: object) => ChangeOperation[];

/** A field with more values inside is not compared: that would hold up the process. */
const manyValues = 100_000;

type View = Record<string, unknown>;

/**
 * Makes the function that compares two states. A value that a path of `redact` leads to never shows, whatever its shape, but it
 * shows that the value was added, changed or removed.
 *
 * @param redact paths into the view, in the notation of pino: `card.number`, `items[*].price`, `*.secret`,
 * `["a.b"]`. In a Map, `[*][1]` leads to the values: `cards[*][1].number`
 * @param where whose option it is, for an error's message
 * @throws STEPWELL_INVALID_ARGUMENT for a text that is no such path
 */
export function stateDifference(redact: unknown, where: string): Difference {
  if (redact === undefined) return (before, after) => difference(before, after, undefined);
  const redactor = redactorOf(checkedPaths(redact, where), where);
  return (before, after) => difference(before, after, redactor);
}

function difference(before: object, after: object, redactor: Redactor | undefined): ChangeOperation[] {
  // A transition changes few fields, and states share the others: those need not be looked into.
  const isChanged = (name: string): boolean => !Object.is((before as View)[name], (after as View)[name]);
  const names = Object.keys(after).filter(isChanged);
  for (const name of Object.keys(before)) if (!Object.hasOwn(after, name) && isChanged(name)) names.push(name);
  names.sort();
  if (names.length === 0) return [];
  let [from, to] = [viewOfFields(before, names), viewOfFields(after, names)];
  if (redactor !== undefined) [from, to] = redactor(from, to);
  return operationsOf(from, to, names).map(covered);
}

function operationsOf(from: View, to: View, names: readonly string[]): ChangeOperation[] {
  try {
    return createPatch(from, to, compared) as ChangeOperation[];
  } catch (error) {
    // The library passes operations on as arguments, and there can be too many of them for the stack.
    if (!(error instanceof RangeError)) throw error;
    return names.flatMap((name) => wholeField(from, to, name));
  }
}

function wholeField(from: View, to: View, name: string): ChangeOperation[] {
  const path = new Pointer().add(name).toString();
  if (!Object.hasOwn(to, name)) return Object.hasOwn(from, name) ? [{ op: "remove", path }] : [];
  if (!Object.hasOwn(from, name)) return [{ op: "add", path, value: to[name] }];
  return isDeepStrictEqual(from[name], to[name]) ? [] : [{ op: "replace", path, value: to[name] }];
}

// ---- Comparing --------------------------------------------------------------------------------

/** Takes over from the library values that it must not look into, and arrays, for which it takes too long. Undefined: the library compares. */
function compared(from: unknown, to: unknown, at: Pointer): Operation[] | undefined {
  if (isCover(from) || isCover(to)) return from === to ? [] : [{ op: "replace", path: at.toString(), value: to }];
  return Array.isArray(from) && Array.isArray(to) ? comparedArrays(from, to, at) : undefined;
}

/**
 * The library looks for the fewest operations, in time and memory that grow with the product of the
 * lengths. This takes one pass: items that both arrays have at the beginning and at the end are left alone.
 */
function comparedArrays(from: readonly unknown[], to: readonly unknown[], at: Pointer): Operation[] {
  const shorter = Math.min(from.length, to.length);
  let begin = 0;
  let end = shorter;
  if (from.length !== to.length) {
    while (begin < shorter && isDeepStrictEqual(from[begin], to[begin])) begin++;
    const isSameFromEnd = (left: number): boolean =>
      isDeepStrictEqual(from[from.length - 1 - shorter + left], to[to.length - 1 - shorter + left]);
    while (end > begin && isSameFromEnd(end)) end--;
  }
  const operations: Operation[] = [];
  for (let index = begin; index < end; index++) {
    const inside = createPatch(from[index], to[index], compared);
    if (inside.length === 0) continue;
    const path = at.add(String(index)).toString();
    for (const operation of inside) operations.push({ ...operation, path: path + operation.path });
  }
  const path = at.add(String(end)).toString();
  for (let index = to.length; index < from.length; index++) operations.push({ op: "remove", path });
  for (let index = end; index < end + to.length - from.length; index++) {
    operations.push({ op: "add", path: at.add(String(index)).toString(), value: to[index] });
  }
  return operations;
}

// ---- The view ---------------------------------------------------------------------------------

interface Budget {
  left: number;
}

/** A copy, since redacting changes it. */
function viewOfFields(state: object, names: readonly string[]): View {
  const view: View = {};
  for (const name of names) {
    const field: unknown = Object.hasOwn(state, name) ? (state as View)[name] : undefined;
    if (field === undefined) continue;
    const budget = { left: manyValues };
    view[name] = viewOf(field, budget);
    if (budget.left < 0) view[name] = cover("[TOO LARGE]");
  }
  return view;
}

function viewOf(value: unknown, budget: Budget): unknown {
  if (budget.left-- <= 0) return null;
  switch (typeof value) {
    case "number":
      if (Object.is(value, -0)) return "-0";
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return String(value);
    case "undefined":
      return null;
    case "object":
      return value === null ? null : viewOfObject(value, budget);
    default:
      return value;
  }
}

function viewOfObject(value: object, budget: Budget): unknown {
  if (Array.isArray(value)) return value.map((item) => viewOf(item, budget));
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (types.isMap(value))
    return Array.from(value as ReadonlyMap<unknown, unknown>, (pair) => pair.map((it) => viewOf(it, budget)));
  if (types.isSet(value)) return Array.from(value as ReadonlySet<unknown>, (item) => viewOf(item, budget));
  if (types.isTypedArray(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  if (types.isArrayBuffer(value)) return Buffer.from(value).toString("base64");
  const view: View = {};
  for (const [name, field] of Object.entries(value)) if (field !== undefined) view[name] = viewOf(field, budget);
  return view;
}

// ---- Covering ---------------------------------------------------------------------------------

/**
 * Stands for a value that is not to be shown while two views are compared, and equals itself only. No state
 * holds a symbol, and no path leads into one.
 */
function cover(text: string): symbol {
  return Symbol(text);
}

function isCover(value: unknown): value is symbol {
  return typeof value === "symbol";
}

function covered(operation: ChangeOperation): ChangeOperation {
  return operation.op === "remove" ? operation : { ...operation, value: withCoverTexts(operation.value) };
}

function withCoverTexts(value: unknown): unknown {
  if (isCover(value)) return value.description;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withCoverTexts);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withCoverTexts(field)]));
}

// ---- Redacting --------------------------------------------------------------------------------

type Redactor = (from: View, to: View) => [View, View];

function redactorOf(paths: readonly string[], where: string): Redactor {
  /** Of one comparison: equal values get the same cover. */
  let covers = new Map<string, symbol>();
  let numbers = new Map<symbol, number>();
  const censor = (value: unknown): unknown => {
    if (value === undefined || isCover(value)) return value;
    const key = canonical(value, numbers);
    const known = covers.get(key);
    if (known !== undefined) return known;
    const made = cover("[REDACTED]");
    covers.set(key, made);
    numbers.set(made, numbers.size);
    return made;
  };
  const redacts = paths.map((path) => {
    try {
      return slowRedact({ paths: [path], censor, serialize: (redacted: View) => redacted });
    } catch (cause) {
      throw invalidPath(path, where, cause);
    }
  });
  const redacted = (view: View): View => {
    try {
      return redacts.reduce((it, redact) => redact(it) as unknown as View, view);
    } catch {
      // The library stumbles over a path such as "list.length". What can't be redacted in part is not shown at all.
      return Object.fromEntries(Object.keys(view).map((name) => [name, cover("[REDACTED]")]));
    }
  };
  return (from, to) => {
    covers = new Map();
    numbers = new Map();
    return [redacted(from), redacted(to)];
  };
}

/** The same text for equal values, whatever the order of their fields. A cover's is one that no value has. */
function canonical(value: unknown, covers: ReadonlyMap<symbol, number>): string {
  if (isCover(value)) return `@${covers.get(value)}`;
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, covers)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}:${canonical(field, covers)}`);
  return `{${fields.toSorted().join(",")}}`;
}

function checkedPaths(paths: unknown, where: string): readonly string[] {
  if (!Array.isArray(paths)) {
    const message = `${where}: "redact" takes an array of paths such as "card.number", not ${shown(paths)}.`;
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message);
  }
  for (const path of paths as unknown[]) {
    // Such a path would be taken, would lead to nothing, and nothing would be redacted.
    if (typeof path !== "string" || /^$|^[./]|\.$|__proto__/.test(path)) throw invalidPath(path, where);
  }
  return paths as string[];
}

function invalidPath(path: unknown, where: string, cause?: unknown): StepwellError {
  return new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `${where}: "redact" has ${shown(path)}, which is no path into a state. Write "card.number", "items[*].price" or '["a.b"]'.`,
    { cause },
  );
}
