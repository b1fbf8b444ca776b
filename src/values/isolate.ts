/** Copies of values that nobody else can change. A value that would not come back deep-equal from a store is refused, with its path. */
import { types } from "node:util";
import { StepwellError } from "../errors.js";

/** The deepest value that is taken: every walk over a value recurses, and at this depth no walk overflows the stack. */
export const deepest = 1000;

/** From this many objects on, `isolate` remembers copies: shared references can't multiply any more. */
const manyObjects = 1000;

/**
 * A deep copy that nobody else can change: objects and arrays are frozen. Date, Map, Set and typed
 * arrays are copied, but JavaScript can't freeze them. Refuses what `encode` refuses.
 *
 * @throws STEPWELL_NOT_ENCODABLE
 */
export function isolate<T>(value: T): T {
  try {
    return isolated(value, "A value") as T;
  } catch (cause) {
    throw unreadable(value, "A value", cause);
  }
}

/**
 * A new frozen object: the state's fields, with those of the patch in their place. Shallow. A field
 * that the patch has as `undefined` is kept as `undefined`. A key `__proto__` is left out.
 */
export function merge(state: object, patch: object): object {
  const merged: Record<string, unknown> = { ...state, ...patch };
  if (Object.hasOwn(merged, "__proto__")) delete merged["__proto__"];
  return Object.freeze(merged);
}

/** Whether a patch changes nothing. Without a list of its fields: each step asks. */
export function isEmpty(patch: object | undefined): boolean {
  for (const field in patch) if (Object.hasOwn(patch, field)) return false;
  return true;
}

/** One step from a value to one inside it: a field, an index, or a piece of source text. */
type Segment = string | number | { readonly text: string };

interface Walk {
  readonly what: string;
  /** From the root to where the walk is; `ancestors[n]` is reached through `segments[n - 1]`. */
  readonly ancestors: object[];
  readonly segments: Segment[];
  objects: number;
  copies: Map<object, object> | undefined;
}

export function isolated(value: unknown, what: string): unknown {
  const quick = quickCopy(value, 0);
  return quick === undefined
    ? copied(value, { what, ancestors: [], segments: [], objects: 0, copies: undefined })
    : quick;
}

/** A copy of a small plain object of texts and numbers, as most values are; undefined: this value needs the whole walk. */
function quickCopy(value: unknown, depth: number): object | undefined {
  if (typeof value !== "object" || value === null || depth > 4) return undefined;
  if (Object.getPrototypeOf(value) !== Object.prototype || types.isProxy(value)) return undefined;
  // Symbols, and fields that can't be seen, are for the whole walk to judge.
  const names = Object.keys(value);
  if (Object.getOwnPropertyNames(value).length !== names.length) return undefined;
  if (Object.getOwnPropertySymbols(value).length > 0) return undefined;
  const copy: Record<string, unknown> = {};
  for (const name of names) {
    if (name === "__proto__") return undefined;
    const field = (value as Record<string, unknown>)[name];
    if (typeof field === "function" || typeof field === "symbol") return undefined;
    if (typeof field !== "object" || field === null) copy[name] = field;
    else if ((copy[name] = quickCopy(field, depth + 1)) === undefined) return undefined;
  }
  return Object.freeze(copy);
}

function copied(value: unknown, walk: Walk): unknown {
  switch (typeof value) {
    case "object":
      return value === null ? null : copiedObject(value, walk);
    case "function":
    case "symbol":
      throw refused(walk, `is a ${typeof value}`);
    default:
      return value;
  }
}

function copiedObject(value: object, walk: Walk): object {
  const { ancestors } = walk;
  if (ancestors.includes(value)) throw refused(walk, "contains itself (a cycle)");
  if (ancestors.length >= deepest) throw refused(walk, `is nested more than ${deepest} levels deep`);
  const known = walk.copies?.get(value);
  if (known !== undefined) return known;
  ancestors.push(value);
  const copy = copyOf(value, walk);
  ancestors.pop();
  walk.objects += 1;
  if (walk.objects > manyObjects) (walk.copies ??= new Map()).set(value, copy);
  return copy;
}

function copyOf(value: object, walk: Walk): object {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype || prototype === null) return copiedFields(value, walk);
  const levels = levelsAbove(prototype);
  if (Array.isArray(value) && levels === 1) return copiedArray(value, walk);
  if (types.isTypedArray(value) && levels === 2) return value.slice();
  if (levels === 1 && types.isArrayBuffer(value)) return value.slice(0);
  if (levels === 1 && (types.isDate(value) || types.isMap(value) || types.isSet(value))) {
    refuseFields(value, walk);
    if (types.isDate(value)) return new Date(value.getTime());
    return types.isMap(value) ? copiedMap(value, walk) : copiedSet(value, walk);
  }
  // The plain objects of another realm: those of a test runner that gives each file its own globals.
  if (levels === 0 && Object.hasOwn(prototype, "isPrototypeOf") && !isExotic(value)) return copiedFields(value, walk);
  throw refused(walk, `is ${describeInstance(value)}`);
}

/** How far a prototype is from the root. Says the same in every realm: 1 for Map, 2 for a subclass of it. */
function levelsAbove(prototype: object): number {
  let levels = 0;
  let above = Object.getPrototypeOf(prototype) as object | null;
  while (above !== null) {
    levels += 1;
    above = Object.getPrototypeOf(above) as object | null;
  }
  return levels;
}

/** Built into JavaScript with data behind the fields, whatever its prototype was set to. */
function isExotic(value: object): boolean {
  return Object.prototype.toString.call(value) !== "[object Object]";
}

function copiedFields(value: object, walk: Walk): object {
  if (isExotic(value)) throw refused(walk, `is ${describeInstance(value)}`);
  const copy: Record<string, unknown> = {};
  for (const key of Reflect.ownKeys(value)) {
    if (typeof key === "symbol") throw refused(walk, `has a symbol as a key (${String(key)})`);
    walk.segments.push(key);
    if (key === "__proto__") throw refused(walk, "has a key that is reserved");
    if (Object.prototype.propertyIsEnumerable.call(value, key)) copy[key] = copied(fieldOf(value, key), walk);
    walk.segments.pop();
  }
  return Object.freeze(copy);
}

/** A getter is read like any other field: what it gives is what is stored. */
function fieldOf(value: object, key: string): unknown {
  return (value as Record<string, unknown>)[key];
}

function copiedArray(value: readonly unknown[], walk: Walk): object {
  const { segments } = walk;
  const copy: unknown[] = [];
  for (let index = 0; index < value.length; index += 1) {
    const item = value[index];
    segments.push(index);
    if (item === undefined && !Object.hasOwn(value, index)) throw refused(walk, "is a hole in an array");
    copy.push(copied(item, walk));
    segments.pop();
  }
  // Besides its items an array has a length, and nothing else that could be stored.
  if (Reflect.ownKeys(value).length !== value.length + 1) throw refused(walk, "is an array with extra fields");
  return Object.freeze(copy);
}

function copiedMap(value: ReadonlyMap<unknown, unknown>, walk: Walk): object {
  const copy = new Map<unknown, unknown>();
  for (const [key, item] of value) {
    walk.segments.push({ text: ".keys()" });
    const copiedKey = copied(key, walk);
    walk.segments.pop();
    walk.segments.push({ text: `.get(${typeof key === "string" ? JSON.stringify(key) : describe(key)})` });
    copy.set(copiedKey, copied(item, walk));
    walk.segments.pop();
  }
  return copy;
}

function copiedSet(value: ReadonlySet<unknown>, walk: Walk): object {
  const copy = new Set<unknown>();
  walk.segments.push({ text: ".values()" });
  for (const item of value) copy.add(copied(item, walk));
  walk.segments.pop();
  return copy;
}

/** Fields on a Date, Map or Set would be lost. */
function refuseFields(value: object, walk: Walk): void {
  if (Reflect.ownKeys(value).length > 0) throw refused(walk, `is ${describeInstance(value)} with extra fields`);
}

// ---- Refusing ---------------------------------------------------------------------------------

function refused({ what, segments }: Walk, problem: string): StepwellError {
  const path = segments.map(printedSegment).join("");
  const shown = path.length > 500 ? `${path.slice(0, 240)} … ${path.slice(-240)}` : path;
  return new StepwellError(
    "STEPWELL_NOT_ENCODABLE",
    `${what} can't be stored: ${rootOf(what)}${shown} ${problem}. Store plain objects, arrays, texts, numbers, ` +
      `booleans, null, undefined, bigint, Date, Map, Set and typed arrays.`,
  );
}

/** "The state" → "state", for a path such as `state.items[2].owner`. */
function rootOf(what: string): string {
  return /^(?:The|A|An) (\w+)$/.exec(what)?.[1] ?? "value";
}

function printedSegment(segment: Segment): string {
  if (typeof segment === "object") return segment.text;
  if (typeof segment === "number") return `[${segment}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(segment) ? `.${segment}` : `[${JSON.stringify(segment)}]`;
}

function describeInstance(value: object): string {
  if (Buffer.isBuffer(value)) return "a Buffer (use new Uint8Array(buffer))";
  if (types.isBoxedPrimitive(value)) return "a boxed primitive";
  const { constructor } = value as { readonly constructor?: { readonly name?: unknown } };
  return `an instance of ${typeof constructor?.name === "string" && constructor.name !== "" ? constructor.name : "a class"}`;
}

/** A proxy may throw whatever it likes from anywhere: that is a value that can't be stored, too. */
export function unreadable(value: unknown, what: string, cause: unknown): StepwellError {
  if (cause instanceof StepwellError) return cause;
  const kind = types.isProxy(value) ? "a proxy" : `a ${typeof value}`;
  const message = `${what} can't be stored: reading it (${kind}) failed: ${describe(cause)}.`;
  return new StepwellError("STEPWELL_NOT_ENCODABLE", message, { cause });
}

/** A text for anything; never throws. */
export function describe(value: unknown): string {
  try {
    return value instanceof Error ? value.message : String(value);
  } catch {
    return typeof value;
  }
}
