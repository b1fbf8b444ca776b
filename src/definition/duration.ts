import ms from "ms";
import { StepwellError } from "../errors.js";
import { shown } from "../values/options.js";

/** Milliseconds, or a text of a number with a unit: `"200ms"`, `"10s"`, `"5m"`, `"2h"`, `"1d"`, `"1w"`. */
export type Duration = number | `${number}${Unit}` | `${number} ${Unit}`;
type Unit = "ms" | "s" | "m" | "h" | "d" | "w";

const form = /^\d+(\.\d+)? ?(ms|s|m|h|d|w)$/;

/** A hundred years: beyond it, dates stop being dates. */
const longest = 36_525 * 24 * 60 * 60 * 1000;

/** A duration in whole milliseconds. `where` says for the error's message which option it was given for. */
export function milliseconds(duration: Duration, where: string): number {
  const value = typeof duration === "string" ? ofText(duration) : duration;
  if (typeof value !== "number" || !(value >= 0 && value <= longest)) throw refused(duration, where);
  return Math.ceil(value);
}

/**
 * Checks a duration that comes as plain text, as from a configuration or the environment. Gives milliseconds.
 *
 * @example
 * const payment = order.step("charge", { timeout: duration(process.env.CHARGE_TIMEOUT ?? "10s"), … });
 *
 * @throws STEPWELL_INVALID_DURATION
 */
export function duration(text: string): number {
  return milliseconds(text as Duration, "duration(…)");
}

/** Undefined: no duration. A text without a unit is no duration: "5" may be meant as seconds, and "" comes from a missing setting. */
function ofText(text: string): number | undefined {
  return form.test(text) ? ms(text as Parameters<typeof ms>[0]) : undefined;
}

function refused(duration: unknown, where: string): StepwellError {
  return new StepwellError(
    "STEPWELL_INVALID_DURATION",
    `${where}: ${shown(duration)} is not a duration. Give milliseconds, or a number with a unit (ms, s, m, h, d, w), ` +
      `such as "200ms" or "5m"; at most 100 years.`,
  );
}
