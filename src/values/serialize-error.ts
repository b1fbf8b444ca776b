/**
 * Errors as data. Whatever a step throws must be recorded, or the execution could not go on: nothing
 * here throws, and every text is one that any store can hold.
 */
import { inspect } from "node:util";
import { encode, isPlain } from "./encode.js";
import { isolate } from "./isolate.js";
import type { Mutable } from "./mutable.js";
import { meansSuccess, withoutControlCharacters } from "./text.js";

/** An error as it is stored: plain data, always encodable. */
export interface SerializedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  /** What `fail` was given, or a field `details` of the error: JSON, or a text that describes what JSON can't hold. */
  readonly details?: unknown;
  readonly cause?: SerializedError;
}

/** In UTF-16 units. Longer texts are cut, and end in "…". */
const longest = { name: 200, reason: 200, message: 4096, stack: 8192, description: 1024 } as const;

/** In bytes when encoded. */
const largestDetails = 64 * 1024;

/** How many errors are kept of a chain of causes, the first one included. */
const longestChain = 5;

/**
 * An error as plain data that any store can hold: name, message (up to 4 KiB), code, stack (up to 8 KiB),
 * details (JSON of up to 64 KiB, else a text that describes them) and up to four causes. Takes anything that can be
 * thrown, and what `fail(…)` gives. Never throws.
 */
export function serializeError(error: unknown): SerializedError {
  return serialized(error, longestChain);
}

function serialized(error: unknown, chain: number): SerializedError {
  if (typeof error !== "object" && typeof error !== "function") return ofThrownValue(error);
  if (error === null) return ofThrownValue(error);
  const message = textOf(error, "message") ?? textOf(error, "reason") ?? described(error);
  const code = textOf(error, "code");
  const stack = textOf(error, "stack");
  const details = detailsOf(error);
  const cause = chain > 1 ? causeOf(error) : undefined;
  const kept: Mutable<SerializedError> = {
    name: cleaned(nameOf(error), longest.name),
    message: cleaned(message, longest.message),
  };
  if (code !== undefined) kept.code = cleaned(code, longest.name);
  if (stack !== undefined) kept.stack = cleaned(stack, longest.stack);
  if (details !== undefined) kept.details = details;
  if (cause !== undefined && cause !== null) kept.cause = serialized(cause, chain - 1);
  return kept;
}

/** The language allows `throw "no stock"`. */
function ofThrownValue(value: unknown): SerializedError {
  return { name: "Error", message: cleaned(typeof value === "string" ? value : described(value), longest.message) };
}

/**
 * The word for why: an error's `reason`, else its `code`, else its `name`; the first that is a text.
 * At most 200 characters. Never `normal` or `ok`, which mean success. Never throws.
 */
export function reasonOf(error: unknown): string {
  for (const key of ["reason", "code", "name"]) {
    const text = textOf(error, key);
    if (text === undefined) continue;
    const reason = cleaned(withoutControlCharacters(text).trim(), longest.reason);
    if (reason !== "" && !meansSuccess(reason)) return reason;
  }
  return "error";
}

function nameOf(error: object): string {
  const name = textOf(error, "name");
  if (name !== undefined) return name;
  const constructor = read(error, "constructor");
  const className = typeof constructor === "function" ? textOf(constructor, "name") : undefined;
  return className === undefined || className === "Object" ? "Error" : className;
}

/** Its `cause`; of several errors in one, the first. */
function causeOf(error: object): unknown {
  const cause = read(error, "cause");
  if (cause !== undefined) return cause;
  const errors = read(error, "errors");
  return Array.isArray(errors) ? read(errors, 0) : undefined;
}

function detailsOf(error: object): unknown {
  const details = read(error, "details");
  if (details === undefined) return undefined;
  try {
    const copy: unknown = isolate(details);
    encode(copy, { what: "The details", limit: largestDetails });
    // Stores keep an error as JSON: what only the codec can hold becomes a text.
    return isPlain(copy) ? copy : cleaned(described(details), longest.description);
  } catch {
    return cleaned(described(details), longest.description);
  }
}

function textOf(value: unknown, key: string): string | undefined {
  const text = read(value, key);
  return typeof text === "string" && text.trim() !== "" ? text : undefined;
}

/** A field, or undefined where reading it throws. */
function read(value: unknown, key: PropertyKey): unknown {
  try {
    return (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

function described(value: unknown): string {
  try {
    return inspect(value, {
      depth: 3,
      breakLength: 120,
      maxStringLength: 500,
      maxArrayLength: 50,
      customInspect: false,
    });
  } catch {
    return `a ${typeof value} that can't be shown`;
  }
}

/** PostgreSQL refuses NUL in a text, and UTF-8 has no lone surrogates. */
function cleaned(text: string, length: number): string {
  const cut = text.length > length ? `${text.slice(0, length - 1)}…` : text;
  const storable = cut.includes("\0") ? cut.replaceAll("\0", "\ufffd") : cut;
  return storable.toWellFormed();
}
