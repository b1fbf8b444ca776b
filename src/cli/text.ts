/** Text for people: what comes from users, modules and stores is cleaned before a terminal sees it. */
import { inspect } from "node:util";
import { StepwellError } from "../index.js";

/** Control characters, and those that turn the direction of writing: they can forge lines and hide text. */
const unsafe = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu;

export function clean(text: string): string {
  return text.replace(unsafe, " ");
}

/** The same, and what JSON lets through of control characters. */
const unsafeInJson = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** One line of JSON that a terminal may see: what could forge is written as an escape, so that it reads back the same. */
export function jsonLine(value: object): string {
  return JSON.stringify(value, plain).replace(
    unsafeInJson,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** What a state may hold and JSON has no form for. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Map || value instanceof Set ? [...(value as Iterable<unknown>)] : value;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One line; with `debug`, the stack and the causes behind it. */
export function described(error: unknown, debug: boolean): string {
  const code = error instanceof StepwellError ? ` ${error.code}` : "";
  const line = `error${code}: ${clean(messageOf(error)).trim()}`;
  return debug ? `${line}\n${inspect(error).split("\n").map(clean).join("\n")}` : line;
}
