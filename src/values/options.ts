/** Checks of what users hand over, shared by everything that takes options or names. */
import { closest, distance } from "fastest-levenshtein";
import { StepwellError, type ErrorDetails } from "../errors.js";
import { isLine } from "./text.js";

/** Throws for an option that does not exist, with a hint at the one that was probably meant. */
export function refuseUnknownOptions(
  options: unknown,
  names: readonly string[],
  where: string,
  about: ErrorDetails = {},
): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `${where} takes an object of options.`, about);
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw new StepwellError(
      "STEPWELL_UNKNOWN_OPTION",
      `${where} has no option "${name}".${hint(name, names)} It takes: ${names.join(", ")}.`,
      about,
    );
  }
}

/** " Did you mean …?" where one of the names is near; else nothing. */
function hint(name: string, names: readonly string[]): string {
  if (names.length === 0) return "";
  const nearest = closest(name, names);
  return distance(name, nearest) <= Math.max(2, name.length / 3) ? ` Did you mean "${nearest}"?` : "";
}

/** Names stand in keys, logs and columns. */
export const longestName = 255;

export function checkName(name: unknown, what: string, about: ErrorDetails = {}): asserts name is string {
  if (isLine(name, longestName)) return;
  throw new StepwellError(
    "STEPWELL_INVALID_DEFINITION",
    `${what} must be a name of 1 to ${longestName} characters without control characters, not ${shown(name)}.`,
    about,
  );
}

/** An argument of a call that is not usable. The problem is a sentence that names the call, without its full stop. */
export function invalidArgument(problem: string, cause?: unknown): StepwellError {
  return new StepwellError("STEPWELL_INVALID_ARGUMENT", `${problem}.`, { cause });
}

/** A workflow, step or observer that is not well formed. The problem is a sentence without its full stop. */
export function invalidDefinition(problem: string, about: ErrorDetails = {}): StepwellError {
  return new StepwellError("STEPWELL_INVALID_DEFINITION", `${problem}.`, about);
}

/** The first of these functions that a user's object lacks; undefined: it has them all. */
export function missingFunction<Name extends string>(thing: unknown, names: readonly Name[]): Name | undefined {
  const given = thing as Partial<Record<Name, unknown>> | null | undefined;
  return names.find((name) => typeof given?.[name] !== "function");
}

/** Any value as text for an error's message: short, on one line. Never throws. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 100 ? `${value.slice(0, 99)}…` : value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? "an array" : "an object";
    default:
      return String(value);
  }
}
