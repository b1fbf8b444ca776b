/**
 * The one door through which values become text and come back: states, inputs, patches, payloads.
 *
 * A value that is plain JSON is stored as plain JSON, so that it is small and can be queried. A richer value
 * (Date, bigint, Map, Set, typed arrays, undefined, NaN, ±Infinity, -0) goes through devalue, behind a
 * tag that no JSON text begins with. A value that would not come back deep-equal is refused, with its path.
 */
import { isDeepStrictEqual } from "node:util";
import { parse, stringify } from "devalue";
import { StepwellError } from "../errors.js";
import { deepest, describe, isolate, isolated, merge, unreadable } from "./isolate.js";

/** 1 MiB: how large an encoded value may be by default, in bytes of UTF-8. */
export const defaultSizeLimit = 1024 * 1024;

/** A character of a text takes at most so many in UTF-8. */
const bytesOfCharacter = 3;

/** No JSON text begins with it. */
const richTag = "~";

/** From this many values on, the scan gives up: a value with so many inside shares parts, and is smaller in the rich form. */
const manyValues = 1_000_000;

export interface EncodeOptions {
  /** What the value is, for an error's message: `The state`. */
  readonly what: string;
  /** In bytes of UTF-8; Infinity: none. Default: `defaultSizeLimit`. */
  readonly limit?: number;
}

/**
 * A value on its way to a store or back from one: as text and as value, each made when it is first read. So a store in memory needs no
 * text, and a store that writes text needs no second value.
 */
export class Encoded {
  #text: string | undefined;
  readonly #value: unknown;
  readonly #sizeAtMost: number | undefined;

  protected constructor(text: string | undefined, value: unknown, sizeAtMost?: number) {
    this.#text = text;
    this.#value = value;
    this.#sizeAtMost = sizeAtMost;
  }

  /** A text that was read from a store. */
  static ofText(text: string): Encoded {
    return new Encoded(text, undefined);
  }

  /** An object that was read from a store in two parts: it is put together when it is asked for. */
  static ofParts(parts: EncodedParts): Encoded {
    return new EncodedInParts(parts);
  }

  /** @internal A value that is known to be plain, and that nobody can change. @param sizeAtMost see there */
  static ofPlain(value: unknown, sizeAtMost: number): Encoded {
    return new Encoded(undefined, value, sizeAtMost);
  }

  /** An object as it was once, and the fields that it has had since. Undefined: it is of one piece. */
  get parts(): EncodedParts | undefined {
    return undefined;
  }

  get text(): string {
    return (this.#text ??= textOf(this.value, this.isPlain));
  }

  /** How long its text is; 0 where nobody has needed one, as in a store that keeps values. */
  get textLength(): number {
    return this.#text?.length ?? 0;
  }

  /** The value, isolated: nobody can change it. @throws STEPWELL_NOT_DECODABLE */
  get value(): unknown {
    return this.#value === undefined ? isolatedOf(this.#text!) : this.#value;
  }

  /** Whether the value is frozen through and through; else it holds a Map, a Date or the like. */
  get isPlain(): boolean {
    return this.#value !== undefined || !this.#text!.startsWith(richTag);
  }

  /** So many bytes its text has at most, as far as that is known without making it. Infinity: it is not plain. */
  get sizeAtMost(): number {
    return this.#sizeAtMost ?? (this.isPlain ? this.#text!.length * bytesOfCharacter : Infinity);
  }

  /** Whether both are known to stand for the same value, without looking into it. */
  isSame(other: Encoded): boolean {
    const isKnown = this.#value !== undefined && other.#value !== undefined;
    if (isKnown && this.#value === other.#value) return true;
    // Two values are not compared as texts where nobody has needed those.
    return isKnown && (this.#text === undefined || other.#text === undefined) ? false : this.text === other.text;
  }

  /** Whether both stand for the same value, whatever the order of its fields. */
  equals(other: Encoded): boolean {
    return this.text === other.text || isDeepStrictEqual(this.value, other.value);
  }
}

export interface EncodedParts {
  readonly whole: Encoded;
  /** Fields that stand for those of the whole. */
  readonly changes: Encoded;
}

function objectIn({ value }: Encoded): object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw undecodable(new TypeError("a part of it is no object"));
}

class EncodedInParts extends Encoded {
  readonly #parts: EncodedParts;

  constructor(parts: EncodedParts) {
    super(undefined, undefined);
    this.#parts = parts;
  }

  override get parts(): EncodedParts {
    return this.#parts;
  }

  override get value(): unknown {
    const { whole, changes } = this.#parts;
    return merge(objectIn(whole), objectIn(changes));
  }

  override get isPlain(): boolean {
    return this.#parts.whole.isPlain && this.#parts.changes.isPlain;
  }

  override get sizeAtMost(): number {
    return this.#parts.whole.sizeAtMost + this.#parts.changes.sizeAtMost;
  }
}

/**
 * Makes a value ready to be stored. `decode` gives back a deep-equal one; an object without a prototype
 * comes back as an ordinary object.
 *
 * A frozen value is taken for a result of `isolate` or `merge`, and only scanned: that makes this fast. Of a value that was frozen
 * elsewhere, getters are read, and symbol keys and extra fields of arrays are lost: isolate it first. Any other value is isolated here.
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
    if (isPlain && size <= limit) return Encoded.ofPlain(copy, size);
    // Rich values can't be frozen through and through, so their text is made before anyone changes them.
    if (!isPlain && isTrusted) copy = isolated(value, what);
    return measured(textOf(copy, isPlain), what, limit);
  } catch (cause) {
    throw unreadable(value, what, cause);
  }
}

function textOf(value: unknown, isPlain: boolean): string {
  return isPlain ? JSON.stringify(value) : richTag + stringify(value);
}

function measured(text: string, what: string, limit: number): Encoded {
  // Most texts need not be measured.
  const size = text.length * bytesOfCharacter > limit ? Buffer.byteLength(text) : 0;
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
    throw undecodable(cause);
  }
}

/** A damaged text may also read as what nobody can have stored, such as a value that holds itself. */
function isolatedOf(text: string): unknown {
  const value = decode(text);
  try {
    return isolate(value);
  } catch (cause) {
    throw undecodable(cause);
  }
}

function undecodable(cause: unknown): StepwellError {
  return new StepwellError(
    "STEPWELL_NOT_DECODABLE",
    `A stored value can't be read back: ${describe(cause)}. It was damaged, or written by something else.`,
    { cause },
  );
}

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
