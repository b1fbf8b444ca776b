/** Text for people: texts of users, modules and stores are cleaned before they are printed on a terminal. */
import { inspect, styleText } from "node:util";

/** Control characters, and those that turn the direction of writing: they can forge lines and hide text. */
const unsafe = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu;

export function clean(text: string): string {
  return text.replace(unsafe, " ");
}

/** The same characters, as far as JSON does not escape them itself. */
const unsafeInJson = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** One line of JSON for a terminal: characters that could forge a line or hide text are escaped, so that the line reads back the same. */
export function jsonLine(value: object): string {
  return JSON.stringify(value, plain).replace(
    unsafeInJson,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Makes JSON of values that a state may hold and JSON has no form for. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Map || value instanceof Set ? [...(value as Iterable<unknown>)] : value;
}

/** As one word of a command line. */
export function shellWord(text: string): string {
  return /^[\w.:@/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** By its name, so that nothing of the engine is loaded to print a line. */
function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && code.startsWith("STEPWELL_") ? ` ${code}` : "";
}

/** One line; with `debug`, the stack and the causes behind it. */
export function described(error: unknown, debug: boolean): string {
  const line = `error${codeOf(error)}: ${clean(messageOf(error)).trim()}`;
  return debug ? `${line}\n${inspect(error).split("\n").map(clean).join("\n")}` : line;
}

export type Tone = "plain" | "bold" | "dim" | "red" | "yellow" | "green" | "cyan";

/** Colours a text, which is clean by then. */
export type Paint = (tone: Tone, text: string) => string;

/** Colours on a terminal, where NO_COLOR does not forbid them. What colours say, words say as well. */
export function paintFor(output: { hasColors?(): boolean }): Paint {
  const isColoured = output.hasColors?.() === true;
  return (tone, text) => (isColoured && tone !== "plain" && text !== "" ? styleText(tone, text) : text);
}
