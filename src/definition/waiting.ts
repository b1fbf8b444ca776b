/** Steps that only wait, for a time or for messages: they have nothing to undo. */
import { StepwellError, type ErrorDetails } from "../errors.js";
import type { StepDefinition } from "./definition.js";
import { milliseconds, type Duration } from "./duration.js";
import { checkName, invalidDefinition, refuseUnknownOptions, shown } from "../values/options.js";
import { Pause, pause } from "./outcome.js";
import { stepDefinition } from "./step.js";

const conditions = ["when", "otherwise", "recover", "deadline"] as const;

type SleepLength = (context: { readonly state: never }) => Duration | Date;

export function sleepDefinition(name: unknown, time: unknown, options: unknown, about: ErrorDetails): StepDefinition {
  checkName(name, "The name of a step", about);
  const where = `Step "${name}", .sleep(…)`;
  const here = { ...about, step: name };
  if (options !== undefined) refuseUnknownOptions(options, conditions, where, here);
  const length = typeof time === "function" ? undefined : milliseconds(time as Duration, where);
  const run =
    length === undefined
      ? (context: { readonly state: never }) => pausedUntil((time as SleepLength)(context), where, here)
      : () => pause(undefined, { timeout: length });
  return stepDefinition(name, { ...(options as object), run, onTimeout: () => undefined }, about, { waits: "time" });
}

/** A time that has passed ends the wait at once. */
function pausedUntil(time: Duration | Date, where: string, about: ErrorDetails): Pause {
  if (!(time instanceof Date)) return pause(undefined, { timeout: milliseconds(time, where) });
  const until = time.getTime();
  if (!Number.isNaN(until)) return new Pause(undefined, undefined, until);
  throw new StepwellError("STEPWELL_INVALID_DURATION", `${where}: the function gave an invalid Date.`, about);
}

export function waitDefinition(
  name: unknown,
  messages: unknown,
  options: unknown,
  about: ErrorDetails,
): StepDefinition {
  checkName(name, "The name of a step", about);
  const where = `Step "${name}", .waitFor(…)`;
  const here = { ...about, step: name };
  if (options !== undefined)
    refuseUnknownOptions(options, ["timeout", "onMessage", "onTimeout", ...conditions], where, here);
  if (typeof messages !== "object" || messages === null || Object.keys(messages).length === 0) {
    const message = `${where} takes an object of schemas by the messages' names, with one at least, not ${shown(messages)}`;
    throw invalidDefinition(message, here);
  }
  const {
    timeout,
    onMessage = () => undefined,
    ...others
  } = (options ?? {}) as {
    readonly timeout?: Duration;
    readonly onMessage?: unknown;
  };
  const length = timeout === undefined ? undefined : milliseconds(timeout, `${where}, timeout`);
  const run = () => pause(undefined, length === undefined ? {} : { timeout: length });
  const waits = length === undefined ? "messages" : "messages, with a timeout";
  return stepDefinition(name, { ...others, messages, run, onMessage }, about, { waits });
}
