import { createRequire } from "node:module";
import type { Logger } from "../definition/logger.js";
import { observer, type Observer, type ObserverEvent } from "../definition/observer.js";
import { missingFunction } from "../definition/options.js";
import { StepwellError } from "../errors.js";

/**
 * A watcher that logs the life of every execution, in structured fields: `execution`, `workflow`,
 * `step`, `direction`, `attempt`, `durationMs`, `reason`, `errorCode`, `errorMessage`. Never the state.
 *
 * Levels: `info` for the start and the success, `debug` for each attempt of a step, `warn` for an attempt
 * that failed, a turn, and a rolled-back end.
 *
 * @param target anything with pino's `debug`, `info` and `warn`. Default: a new pino logger, which writes
 * to standard output; `pino` must be installed for that
 * @example
 * fulfilOrder.observe(logger());
 * fulfilOrder.observe(logger(pino({ level: "debug" }).child({ service: "orders" })));
 *
 * @throws STEPWELL_INVALID_ARGUMENT if the target is no logger, or none is given and pino is not installed
 */
export function logger(target: Pick<Logger, "debug" | "info" | "warn"> = pinoLogger()): Observer {
  const missing = missingFunction(target, ["debug", "info", "warn"]);
  if (missing !== undefined) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `logger(…) takes a logger such as pino's, but what it was given has no function "${missing}".`,
    );
  }
  return observer<unknown>({
    name: "logger",
    init: (event) => target.info(fieldsOf(event), "execution started"),
    beforeStep: (event) => target.debug(fieldsOf(event), "step started"),
    afterStep: (event) =>
      hasFailed(event) ? target.warn(fieldsOf(event), "step failed") : target.debug(fieldsOf(event), "step done"),
    startRollback: (event) => target.warn(fieldsOf(event), "rollback started"),
    success: (event) => target.info(fieldsOf(event), "execution completed"),
    failure: (event) => target.warn(fieldsOf(event), "execution rolled back"),
  });
}

function pinoLogger(): Logger {
  try {
    return (createRequire(import.meta.url)("pino") as () => Logger)();
  } catch (cause) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `logger() needs the package "pino", which could not be loaded. Install it (npm install pino), or give a logger: logger(myLogger).`,
      { cause },
    );
  }
}

function hasFailed({ error, flow }: ObserverEvent): boolean {
  return error !== undefined || (flow.lastResult !== "ok" && flow.lastResult !== "continue");
}

/** Only what is known not to be the user's data: no state, no details, no stack. */
function fieldsOf({ execution, step, flow, attempt, durationMs, reason, error }: ObserverEvent): object {
  const errorCode = textOf(error, "code");
  const errorMessage = textOf(error, "message");
  return {
    execution: oneLine(execution.id),
    workflow: oneLine(execution.workflow),
    ...(step !== undefined && { step: oneLine(step.name) }),
    direction: flow.direction,
    ...(attempt !== undefined && { attempt }),
    ...(durationMs !== undefined && { durationMs }),
    ...(reason !== undefined && { reason: oneLine(reason) }),
    ...(errorCode !== undefined && { errorCode: oneLine(errorCode) }),
    ...(errorMessage !== undefined && { errorMessage: oneLine(errorMessage) }),
  };
}

/** A step may throw anything, and so may what it threw when it is read. */
function textOf(error: unknown, key: "code" | "message"): string | undefined {
  if (key === "message" && typeof error === "string") return error;
  try {
    const text = (error as Partial<Record<string, unknown>> | null | undefined)?.[key];
    return typeof text === "string" ? text : undefined;
  } catch {
    return undefined;
  }
}

const longest = 1000;

// Line breaks of Unicode and marks that turn the direction of writing forge a line as well as "\n" does.
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g;

/** Text from outside can't begin a line of its own, nor speak to a terminal, however the target prints it. */
function oneLine(text: string): string {
  const cut = text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
  return cut.replaceAll(unprintable, " ").toWellFormed();
}
