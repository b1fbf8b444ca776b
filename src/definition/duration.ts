import ms from "ms";
import { StepwellError } from "../errors.js";

/** Milliseconds, or a number with a unit: `"200ms"`, `"10s"`, `"5m"`, `"2h"`, `"1d"`, `"1w"`. */
export type Duration = number | `${number}${Unit}` | `${number} ${Unit}`;
type Unit = "ms" | "s" | "m" | "h" | "d" | "w";

const form = /^\d+(\.\d+)? ?(ms|s|m|h|d|w)$/;

/** A hundred years: beyond it, dates stop being dates. */
const longest = 36_525 * 24 * 60 * 60 * 1000;

/** A duration in whole milliseconds. `where` says for the error's message what it was given for. */
export function milliseconds(duration: Duration, where: string): number {
  const value =
    typeof duration === "string" && form.test(duration) ? ms(duration as Parameters<typeof ms>[0]) : Number(duration);
  if (typeof duration !== "string" && typeof duration !== "number") throw refused(duration, where);
  if (!(value >= 0 && value <= longest)) throw refused(duration, where);
  return Math.ceil(value);
}

function refused(duration: unknown, where: string): StepwellError {
  const given = typeof duration === "string" ? JSON.stringify(duration) : String(duration);
  return new StepwellError(
    "STEPWELL_INVALID_DURATION",
    `${where}: ${given} is not a duration. Give milliseconds, or a number with a unit (ms, s, m, h, d, w), ` +
      `such as "200ms" or "5m"; at most 100 years.`,
  );
}
