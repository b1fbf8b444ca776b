/**
 * The one door through which values become text and come back: states, inputs, patches, payloads.
 *
 * What is plain JSON is stored as plain JSON, so that it is small and can be queried. Anything richer
 * (Date, bigint, Map, Set, typed arrays, undefined, NaN, ±Infinity, -0) goes through devalue, behind a
 * tag that no JSON text begins with. What would not come back deep-equal is refused, with its path.
 */
import { isDeepStrictEqual, types } from "node:util";
import { parse, stringify } from "devalue";
import { StepwellError } from "./errors.js";

/** 1 MiB: how large a value may be when encoded, in bytes of UTF-8, where nothing else is said. */
export const defaultSizeLimit = 1024 * 1024;

/** No JSON text begins with it. */
const richTag = "~";

/** Every part of the codec recurses; at this depth none of them can overflow the stack. */
const deepest = 1000;

/** From this many objects on, `isolate` remembers copies: shared references can't multiply any more. */
const manyObjects = 1000;

/** From this many values on, the scan gives up: what shares that much is smaller in the rich form. */
const manyValues = 1_000_000;

export interface EncodeOptions {
  /** What the value is, for an error's message: `The state`. */
  readonly what: string;
  /** In bytes of UTF-8; Infinity: none. Default: `defaultSizeLimit`. */
  readonly limit?: number;
}

/**
 * A value on its way to a store or back from one: as text and as value, each made when it is first asked
 * for. So a store in memory costs no text, and one that writes text no second value.
 */
export class Encoded {
  #text: string | undefined;
  readonly #value: unknown;

  private constructor(text: string | undefined, value: unknown) {
    this.#text = text;
    this.#value = value;
  }

  /** What was read from a store. */
  static ofText(text: string): Encoded {
    return new Encoded(text, undefined);
  }

  /** @internal For `encode`: the value is plain, and nobody can change it. */
  static ofPlain(value: unknown): Encoded {
    return new Encoded(undefined, value);
  }

  get text(): string {
    return (this.#text ??= JSON.stringify(this.#value));
  }

  /** Isolated: to be changed by nobody. @throws STEPWELL_NOT_DECODABLE */
  get value(): unknown {
    return this.#value === undefined ? isolate(decode(this.#text!)) : this.#value;
  }

  /** Whether the value is frozen through and through; else it holds a Map, a Date or the like. */
  get isPlain(): boolean {
    return this.#value !== undefined || !this.#text!.startsWith(richTag);
  }

  /** Whether both are known to stand for the same value, without looking into it. */
  isSame(other: Encoded): boolean {
    return this.#value === undefined || other.#value === undefined
      ? this.text === other.text
      : this.#value === other.#value;
  }

  /** Whether both stand for the same value, whatever the order of its fields. */
  equals(other: Encoded): boolean {
    return this.text === other.text || isDeepStrictEqual(this.value, other.value);
  }
}

/**
 * Makes a value ready to be stored. `decode` gives back a deep-equal one; an object without a prototype
 * comes back as an ordinary object.
 *
 * A frozen value is taken for one that `isolate` or `merge` gave, and only scanned: that is what makes
 * this fast. In one that was frozen elsewhere, getters are read and symbol keys and extra fields of
 * arrays are lost: isolate it first. Any other value is isolated here.
 *
 * @throws STEPWELL_NOT_ENCODABLE with the path of what can't be stored; STEPWELL_TOO_LARGE
 */
export function encode(value: unknown, about: EncodeOptions): Encoded {
  const { what, limit = defaultSizeLimit } = about;
  try {
    const isTrusted = Object.isFrozen(value);
    let copy = isTrusted ? value : isolated(value, what);
    const size = plainSize(copy);
    const isPlain = size < Infinity;
    if (isPlain && size <= limit) return Encoded.ofPlain(copy);
    // Rich values can't be frozen through and through, so their text is made before anyone changes them.
    if (!isPlain && isTrusted) copy = isolated(value, what);
    return measured(isPlain ? JSON.stringify(copy) : richTag + stringify(copy), what, limit);
  } catch (cause) {
    throw unreadable(value, what, cause);
  }
}

function measured(text: string, what: string, limit: number): Encoded {
  // A character takes at most three bytes: most texts need not be measured.
  const size = text.length * 3 > limit ? Buffer.byteLength(text) : 0;
  if (size <= limit) return Encoded.ofText(text);
  throw new StepwellError(
    "STEPWELL_TOO_LARGE",
    `${what} is too large: ${size} bytes when encoded, and the limit is ${limit}. ` +
      `Keep large data elsewhere and store a reference to it.`,
  );
}

/** Reads back the text of what `encode` gave. @throws STEPWELL_NOT_DECODABLE */
export function decode(text: string): unknown {
  try {
    return text.startsWith(richTag) ? parse(text.slice(richTag.length)) : (JSON.parse(text) as unknown);
  } catch (cause) {
    throw new StepwellError(
      "STEPWELL_NOT_DECODABLE",
      `A stored value can't be read back: ${describe(cause)}. It was damaged, or written by something else.`,
      { cause },
    );
  }
}

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
 * that the patch gives as `undefined` is there, as undefined. A key `__proto__` is left out.
 */
export function merge(state: object, patch: object): object {
  const merged: Record<string, unknown> = { ...state, ...patch };
  if (Object.hasOwn(merged, "__proto__")) delete merged["__proto__"];
  return Object.freeze(merged);
}

// ---- Is it plain JSON? ------------------------------------------------------------------------

/** Whether JSON gives an isolated value back as it is. False may also mean: too deep or too much to say. */
export function isPlain(value: unknown): boolean {
  return plainSize(value) < Infinity;
}

/** How many values the scan that is under way may still see. */
let valuesLeft = 0;

/** As JSON, it takes at most this many bytes. Infinity: JSON does not give it back, or it is too much to say. */
function plainSize(value: unknown): number {
  valuesLeft = manyValues;
  return sizeOfValue(value, 0);
}

/** A control character or half a surrogate pair takes six bytes; the quotes and the comma three. */
const sizeOfText = (text: string): number => text.length * 6 + 3;

/** No number is written in more bytes, comma included; nor are `true`, `false` and `null`. */
const sizeOfOther = 26;

function sizeOfValue(value: unknown, depth: number): number {
  switch (typeof value) {
    case "string":
      return sizeOfText(value);
    case "boolean":
      return sizeOfOther;
    case "number":
      // The difference is NaN for NaN and for both infinities; the reciprocal tells -0 from 0.
      return value - value === 0 && (value !== 0 || 1 / value > 0) ? sizeOfOther : Infinity;
    case "object":
      return value === null ? sizeOfOther : sizeOfObject(value, depth);
    default:
      return Infinity;
  }
}

function sizeOfObject(value: object, depth: number): number {
  valuesLeft -= 1;
  if (depth >= deepest || valuesLeft < 0) return Infinity;
  let size = 3;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) {
    if (!Array.isArray(value)) return Infinity;
    valuesLeft -= value.length;
    for (let index = 0; index < value.length && size < Infinity; index += 1)
      size += sizeOfValue(value[index], depth + 1);
    return size;
  }
  if (prototype !== Object.prototype && prototype !== null) return Infinity;
  for (const key in value) {
    if (key === "__proto__") return Infinity;
    size += sizeOfText(key) + sizeOfValue((value as Record<string, unknown>)[key], depth + 1);
    if (size === Infinity) return size;
  }
  return size;
}

// ---- Copying ----------------------------------------------------------------------------------

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

function isolated(value: unknown, what: string): unknown {
  const quick = quickCopy(value, 0);
  return quick === undefined
    ? copied(value, { what, ancestors: [], segments: [], objects: 0, copies: undefined })
    : quick;
}

/** Most values are small plain objects of texts and numbers; undefined: this one needs the whole walk. */
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
function unreadable(value: unknown, what: string, cause: unknown): StepwellError {
  if (cause instanceof StepwellError) return cause;
  const kind = types.isProxy(value) ? "a proxy" : `a ${typeof value}`;
  const message = `${what} can't be stored: reading it (${kind}) failed: ${describe(cause)}.`;
  return new StepwellError("STEPWELL_NOT_ENCODABLE", message, { cause });
}

/** A text for anything; never throws. */
function describe(value: unknown): string {
  try {
    return value instanceof Error ? value.message : String(value);
  } catch {
    return typeof value;
  }
}
