import { asLine } from "../values/text.js";
import { createRequire } from "node:module";
import redactor from "@pinojs/redact";
import {
  checkedObserver,
  type CommitEvent,
  type ErrorEvent,
  type Observer,
  type ObserverEvent,
} from "../definition/observer.js";
import { invalidArgument, missingFunction, refuseUnknownOptions, shown } from "../values/options.js";
import { StepwellError, type ErrorCode } from "../errors.js";

type Level = "debug" | "info" | "warn" | "error";

/** A logger whose functions are called as pino's are: fields before the message. */
export type FieldsFirst = Readonly<Record<Level, (fields: object, message: string) => unknown>>;

/** A logger whose functions are called as those of winston and LogTape are: the message before fields. */
export type MessageFirst = Readonly<Record<Level, (message: string, fields: Record<string, unknown>) => unknown>>;

export interface LoggerOptions {
  /** Whether the state is logged too, as the field `state`. Default: false. */
  readonly state?: boolean;
  /**
   * What must not be read in the log: paths of `@pinojs/redact` (`state.card.number`, `state.cards[*].number`) or names of
   * fields (`errorMessage`). What stands in the state at such a path is taken out of reasons and error messages too,
   * also where the state is not logged. Default: nothing.
   */
  readonly redact?: readonly string[];
  /** Whether the target's functions take the message before the fields. Default: true for winston and LogTape, which are recognised, else false. */
  readonly messageFirst?: boolean;
}

const fieldNames = [
  ...["execution", "workflow", "root", "step", "direction", "attempt", "durationMs"],
  ...["reason", "errorCode", "errorMessage", "state"],
];

/**
 * A watcher that logs the life of every execution, in structured fields: `execution`, `workflow`, `root`, `step`, `direction`, `attempt`, `durationMs`, `reason`, `errorCode`, `errorMessage`. Not the state, unless asked to.
 *
 * Levels: `info` for the start and the success, `debug` for each attempt of a step, `warn` for an attempt
 * that failed, a turn, and a rolled-back end; `error` for an execution that is stuck. What a probe has found is `info`, what it does not
 * know `warn`. Reported errors are
 * `error` where someone must act, else `warn`.
 *
 * @param target a logger: pino, winston, LogTape, or anything with `debug`, `info`, `warn` and `error`. Default: a new pino
 * logger, which writes to standard output; `pino` must be installed for that
 * @example
 * fulfilOrder.observe(logger());
 * fulfilOrder.observe(logger(pino({ level: "debug" }).child({ service: "orders" })));
 * fulfilOrder.observe(logger(pino(), { state: true, redact: ["state.card.number"] }));
 *
 * @throws STEPWELL_INVALID_ARGUMENT if the target is no logger, none is given and pino is not installed, or a path is
 * no path; STEPWELL_UNKNOWN_OPTION
 */
export function logger(target: FieldsFirst | MessageFirst = pinoLogger(), options: LoggerOptions = {}): Observer {
  const missing = missingFunction(target, ["debug", "info", "warn", "error"]);
  if (missing !== undefined) {
    throw invalidArgument(
      `logger(…) takes a logger such as pino's, but what it was given has no function "${missing}"`,
    );
  }
  refuseUnknownOptions(options, ["state", "redact", "messageFirst"], "logger(…)");
  const { messageFirst = takesMessageFirst(target) } = options;
  const write = (level: Level, fields: LogFields, message: string): void => {
    if (messageFirst) (target as MessageFirst)[level](message, fields);
    else (target as FieldsFirst)[level](fields, message);
  };
  const { fieldsOf, fieldsOfError } = fieldMakers(options);
  const isOn = levelsOf(target);
  const log = (level: Level, event: ObserverEvent, message: string): void => {
    if (isOn(level)) write(level, fieldsOf(event), message);
  };
  return checkedObserver<unknown>({
    name: "logger",
    init: (event) => log("info", event, "execution started"),
    beforeStep: (event) => log("debug", event, "step started"),
    afterStep: (event) => (hasFailed(event) ? log("warn", event, "step failed") : log("debug", event, "step done")),
    startRollback: (event) => log("warn", event, "rollback started"),
    success: (event) => log("info", event, "execution completed"),
    failure: (event) => log("warn", event, "execution rolled back"),
    stuck: (event) => log("error", event, "execution stuck"),
    probed: (event) => {
      const [level, message] = lineOf(event) ?? [];
      if (level !== undefined && message !== undefined) log(level, committed(event, event.transition.result), message);
    },
    rewound: (event) => log("info", committed(event, event.flow.reason), "execution goes up again"),
    error: (event) => {
      const { code } = event.error;
      // An execution that is stuck was logged as `stuck`.
      if (code === "STEPWELL_EXECUTION_STUCK") return;
      const level = needSomeone.has(code) ? "error" : "warn";
      if (isOn(level)) write(level, fieldsOfError(event), "error reported");
    },
  });
}

/** Errors that only a person can mend. */
const needSomeone: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "STEPWELL_CRASHES_LAUNCHER",
  "STEPWELL_INVARIANT_VIOLATED",
  "STEPWELL_NOT_DECODABLE",
  "STEPWELL_STEP_MISSING",
  "STEPWELL_STORE_FAILED",
  "STEPWELL_STORE_TOO_NEW",
  "STEPWELL_UNKNOWN_WORKFLOW",
]);

/** What became of an attempt in doubt. */
function lineOf({ transition: { result }, called }: CommitEvent): readonly [Level, string] | undefined {
  const isFound = result === "happened" || result === "did-not-happen";
  // Without a probe the execution is parked, and that is logged.
  if (!called) return isFound ? ["info", "doubt resolved"] : undefined;
  return [isFound ? "info" : result === "again" || result === "cut-off" ? "debug" : "warn", "probe answered"];
}

/** The event as it is about the step that was committed, not about the one that comes next. */
function committed(event: CommitEvent, reason: string): ObserverEvent {
  const { step: name, stepIndex: index, direction } = event.transition;
  return { ...event, step: { name, index }, flow: { ...event.flow, direction }, reason };
}

function pinoLogger(): FieldsFirst {
  try {
    return (createRequire(import.meta.url)("pino") as () => FieldsFirst)();
  } catch (cause) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `logger() needs the package "pino", which could not be loaded. Install it (npm install pino), or give a logger: logger(myLogger).`,
      { cause },
    );
  }
}

/** winston is known by its transports, LogTape by its category; their children have them too. */
function takesMessageFirst(target: object): boolean {
  const isWinston = "transports" in target && "configure" in target;
  return isWinston || ("category" in target && "getChild" in target);
}

/** Whether the target shows lines of this level: a line that is not shown need not be made, and most are `debug`. */
function levelsOf(target: object): (level: Level) => boolean {
  const { isLevelEnabled, isEnabledFor } = target as Readonly<Record<string, unknown>>;
  if (typeof isLevelEnabled === "function") return (level) => Boolean(isLevelEnabled.call(target, level));
  if (typeof isEnabledFor !== "function") return () => true;
  // LogTape calls the level `warn` `warning`.
  return (level) => Boolean(isEnabledFor.call(target, level === "warn" ? "warning" : level));
}

function hasFailed({ error, flow }: ObserverEvent): boolean {
  return error !== undefined || (flow.lastResult !== "ok" && flow.lastResult !== "continue");
}

type LogFields = Record<string, unknown>;

interface FieldMakers {
  readonly fieldsOf: (event: ObserverEvent) => LogFields;
  readonly fieldsOfError: (event: ErrorEvent) => LogFields;
}

const censored = "[REDACTED]";

function fieldMakers({ state: showsState = false, redact = [] }: LoggerOptions): FieldMakers {
  const { paths, hidden } = sorted(redact);
  const hide = (fields: LogFields): LogFields => {
    for (const name of hidden) if (name in fields) fields[name] = censored;
    return fields;
  };
  const fieldsOfError = (event: ErrorEvent): LogFields => hide(reportedFields(event, paths.length > 0));
  if (!showsState && paths.length === 0) {
    return { fieldsOf: (event) => hide(knownFields(event, oneLine)), fieldsOfError };
  }
  let secrets: string[] = [];
  const redactState = redactorOf(paths, (value) => {
    collectTexts(value, secrets);
    return censored;
  });
  const fieldsOf = (event: ObserverEvent): LogFields => {
    secrets = [];
    const { state } = redactState({ state: plain(event.state, []) });
    secrets.sort((one, other) => other.length - one.length);
    const clean = (text: string): string =>
      oneLine(secrets.reduce((left, secret) => left.replaceAll(secret, censored), text));
    const fields = knownFields(event, clean);
    secrets = [];
    return hide(showsState ? { ...fields, state: tidied(state) } : fields);
  };
  return { fieldsOf, fieldsOfError };
}

/** Paths into the state, and fields that are hidden as a whole. A path that could never redact anything is a mistake. */
function sorted(redact: unknown): { readonly paths: string[]; readonly hidden: readonly string[] } {
  const paths: string[] = [];
  const hidden: string[] = [];
  if (!Array.isArray(redact))
    throw invalidArgument(`logger(…) takes an array of paths as "redact", not ${shown(redact)}`);
  for (const path of redact as readonly unknown[]) {
    const name = typeof path === "string" ? (/^\w*/.exec(path)?.[0] ?? "") : "";
    if (typeof path !== "string" || !fieldNames.includes(name)) {
      const hint = typeof path === "string" ? `. Is "state.${path}" meant?` : "";
      throw invalidArgument(
        `logger(…): "redact" has ${shown(path)}, but a path begins with one of ${fieldNames.join(", ")}${hint}`,
      );
    }
    if (name === "state") paths.push(path);
    else if (path === name) hidden.push(name);
    else throw invalidArgument(`logger(…): "redact" has ${shown(path)}, but ${name} has no parts`);
  }
  return { paths, hidden };
}

type Stated = { readonly state: unknown };

function redactorOf(paths: string[], censor: (value: unknown) => string): (fields: Stated) => Stated {
  if (paths.length === 0) return (fields) => fields;
  try {
    // With a function that gives it back as it is: `serialize: false` would add a function of its own to the fields.
    return redactor({ paths, censor, serialize: (redacted: Stated) => redacted }) as (fields: Stated) => Stated;
  } catch (cause) {
    throw invalidArgument(
      `logger(…): "redact" has a path that is none (${cause instanceof Error ? cause.message : "unreadable"})`,
      cause,
    );
  }
}

/** Only what is known not to be the user's data: no state, no details, no stack. */
function knownFields(
  { execution, step, flow, attempt, durationMs, reason, error }: ObserverEvent,
  clean: (text: string) => string,
): LogFields {
  const fields: LogFields = { execution: oneLine(execution.id), workflow: oneLine(execution.workflow) };
  if (execution.root !== undefined) fields.root = oneLine(execution.root);
  if (step !== undefined) fields["step"] = oneLine(step.name);
  fields["direction"] = flow.direction;
  if (attempt !== undefined) fields["attempt"] = attempt;
  if (durationMs !== undefined) fields["durationMs"] = durationMs;
  if (reason !== undefined) fields["reason"] = clean(reason);
  return error === undefined ? fields : { ...fields, ...errorFields(error, clean) };
}

function errorFields(error: unknown, clean: (text: string) => string): LogFields {
  const errorCode = textOf(error, "code");
  const errorMessage = textOf(error, "message");
  return {
    ...(errorCode !== undefined && { errorCode: clean(errorCode) }),
    ...(errorMessage !== undefined && { errorMessage: clean(errorMessage) }),
  };
}

/**
 * A reported error comes without the state, so nothing of it can be taken out of the message; and that of a refused
 * message is the schema's, which may quote the payload.
 */
function reportedFields({ error, workflow, execution, root }: ErrorEvent, hasSecrets: boolean): LogFields {
  const mayQuote = hasSecrets || error.code === "STEPWELL_INVALID_MESSAGE";
  return {
    ...(execution !== undefined && { execution: oneLine(execution) }),
    workflow: oneLine(workflow),
    ...(root !== undefined && { root: oneLine(root) }),
    ...(error.step !== undefined && { step: oneLine(error.step) }),
    ...errorFields(mayQuote ? { code: error.code } : error, oneLine),
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

function oneLine(text: string): string {
  return asLine(text, longest);
}

const deepest = 10;

/** A copy of objects, arrays and simple values, which paths can be followed in and every logger can print. */
function plain(value: unknown, inside: readonly object[]): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (inside.length === deepest || inside.includes(value)) return "…";
  const within = [...inside, value];
  if (Array.isArray(value)) return value.map((item) => plain(item, within));
  if (value instanceof Set) return [...value].map((item) => plain(item, within));
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `${value.byteLength} bytes`;
  const entries = value instanceof Map ? [...value].map(([key, item]) => [String(key), item]) : Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [key as string, plain(item, within)]));
}

/** As `plain` made it, with each text on one line. */
function tidied(value: unknown): unknown {
  if (typeof value === "string") return oneLine(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(tidied);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [oneLine(key), tidied(item)]));
}

/** Shorter ones would be found in half of all texts. */
const shortestSecret = 3;

function collectTexts(value: unknown, texts: string[]): void {
  if (typeof value === "string" || typeof value === "number") {
    if (String(value).length >= shortestSecret) texts.push(String(value));
  } else if (typeof value === "object" && value !== null) {
    for (const item of Object.values(value)) collectTexts(item, texts);
  }
}
