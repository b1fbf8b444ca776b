/** Text for people: what comes from users, modules and stores is cleaned before a terminal sees it. */
import { inspect } from "node:util";
import { StepwellError } from "../index.js";

/** Control characters, and those that turn the direction of writing: they can forge lines and hide text. */
const unsafe = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu;

export function clean(text: string): string {
  return text.replace(unsafe, " ");
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
