/** A launcher's options, checked and with their defaults. */
import { systemClock, type Clock } from "../clock.js";
import { defaultSizeLimit } from "../values/encode.js";
import { milliseconds, type Duration } from "../definition/duration.js";
import { silentLogger, type Logger } from "../definition/logger.js";
import { invalidArgument, missingFunction, refuseUnknownOptions, shown } from "../values/options.js";
import type { AnyWorkflow } from "../definition/bag.js";
import type { StepwellError } from "../errors.js";
import type { Store } from "../stores/contract.js";
import { agesOf, type Ages, type RetentionPolicy } from "./retention.js";

export interface ClientOptions {
  /** Where executions live. Opened by the first call if it is not open yet, and then closed by `stop`. */
  readonly store: Store;
  /**
   * Messages to executions of these, and patches of their states, are checked before they are stored. A workflow need not be listed
   * to be launched. Default: none.
   */
  readonly workflows?: readonly AnyWorkflow[];
  /**
   * For how long a call waits for a launcher to decide on a request, where only a launcher can. Then the call rejects with
   * STEPWELL_UNDECIDED; the request stays stored. Default: "10s".
   */
  readonly patience?: Duration;
  /** The largest encoded state, input or message, in bytes: a whole number from 1, or Infinity. Default: 1 MiB. */
  readonly sizeLimit?: number;
  /** Hears every error that no caller hears, such as an outage of the store while an outcome is waited for. Default: `console.error`. */
  readonly onError?: (error: StepwellError) => void;
}

export interface ClientSettings {
  readonly store: Store;
  readonly workflows: readonly AnyWorkflow[];
  /** In milliseconds. */
  readonly patience: number;
  readonly sizeLimit: number;
  readonly clock: Clock;
  readonly onError: (error: StepwellError) => void;
}

export interface LauncherOptions {
  /** Where executions live. Opened by `start` if it is not open yet, and then closed by the last `stop` of those that share it. */
  readonly store: Store;
  /** The workflows that this launcher drives; several versions of one may stand side by side. */
  readonly workflows: readonly AnyWorkflow[];
  /** How many executions are worked on at the same time: a whole number from 1, or Infinity. More wait in the store. Default: 1000. */
  readonly concurrency?: number;
  /** How often the store is asked for due work, behind its hints. Default: "1s". */
  readonly pollInterval?: Duration;
  /**
   * How often this launcher says that it lives, and after what silence another one is taken for dead.
   * Default: every "3s", "10s". A dead process is found sooner by a launcher that sees the process numbers of the same machine.
   */
  readonly heartbeat?: { readonly interval?: Duration; readonly timeout?: Duration };
  /** How long `start` waits for a store that can't be reached yet, or is busy; 0: not at all. Default: "10s". */
  readonly startTimeout?: Duration;
  /** How long `stop` lets running steps finish before it aborts them. Default: "10s". */
  readonly drainTimeout?: Duration;
  /** How long an aborted step may take to settle before the engine goes on without it. Default: "5s". */
  readonly abortGrace?: Duration;
  /** The largest encoded state, input or message, in bytes: a whole number from 1, or Infinity. Default: 1 MiB. */
  readonly sizeLimit?: number;
  /**
   * For how long a call waits for another launcher to decide on a request, where this one can't. Then the call rejects with
   * STEPWELL_UNDECIDED; the request stays stored. Default: until this launcher stops.
   */
  readonly patience?: Duration;
  /** For how long a publication is kept for steps that subscribe to its topic later; 0: not at all. Default: "3d". */
  readonly keepPublications?: Duration;
  /** Which executions are pruned in the background, once an hour, and at what age: `{ completed: "30d" }`. Default: none. */
  readonly retention?: RetentionPolicy;
  /** Default: the store's, where it has one, else the system's. */
  readonly clock?: Clock;
  /** Handed to steps as `logger`, and told of what goes wrong. Anything with `debug`, `info`, `warn` and `error` like pino's. Default: silent, but for the first failure of an execution. */
  readonly logger?: Logger;
  /** Hears every error that no caller hears: a watcher that threw, an execution that got stuck. Default: the logger, else `console.error`. */
  readonly onError?: (error: StepwellError) => void;
}

export interface LauncherSettings {
  readonly store: Store;
  readonly concurrency: number;
  readonly pollInterval: number;
  readonly heartbeat: { readonly interval: number; readonly timeout: number };
  readonly startTimeout: number;
  readonly drainTimeout: number;
  readonly grace: number;
  readonly sizeLimit: number;
  /** In milliseconds. */
  readonly patience: number;
  /** In milliseconds. */
  readonly keepPublications: number;
  readonly retention: Ages | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly warn: Logger["warn"];
  readonly onError: (error: StepwellError) => void;
  /** `onError` was not given: errors that an observer logs need not be reported again. */
  readonly onErrorIsDefault: boolean;
}

const clientNames = ["store", "workflows", "patience", "sizeLimit", "onError"];

/** The options of a client without a worker, checked. */
export function clientSettingsOf(options: ClientOptions): ClientSettings {
  const place = "new Client(…)";
  refuseUnknownOptions(options, clientNames, place);
  const { store, workflows = [], patience = "10s", sizeLimit = defaultSizeLimit, onError = defaultOnError() } = options;
  checkStore(store, place);
  checkOnError(onError, place);
  if (!Array.isArray(workflows))
    throw invalidArgument(`${place}: "workflows" must be an array of workflows, not ${shown(workflows)}`);
  return {
    store,
    workflows,
    patience: milliseconds(patience, `${place}, patience`),
    sizeLimit: fromOne(sizeLimit, "sizeLimit", place),
    clock: store.clock ?? systemClock,
    onError,
  };
}

const names = [
  "store",
  "workflows",
  "concurrency",
  "pollInterval",
  "heartbeat",
  "startTimeout",
  "drainTimeout",
  "abortGrace",
  "sizeLimit",
  "patience",
  "keepPublications",
  "retention",
  "clock",
  "logger",
  "onError",
];

const where = "new Launcher(…)";

export function settingsOf(options: LauncherOptions): LauncherSettings {
  refuseUnknownOptions(options, names, where);
  // A default stands only for an option that is left out: null is a mistake, such as a setting that is missing.
  const { store, logger, concurrency = 1000, pollInterval = "1s", sizeLimit = defaultSizeLimit } = options;
  const {
    startTimeout = "10s",
    drainTimeout = "10s",
    abortGrace = "5s",
    keepPublications = "3d",
    onError = defaultOnError(logger),
  } = options;
  checkStore(store, where);
  if (logger !== undefined) checkLogger(logger);
  checkOnError(onError, where);
  return {
    store,
    concurrency: fromOne(concurrency, "concurrency"),
    pollInterval: positive(pollInterval, "pollInterval"),
    heartbeat: heartbeatOf(options.heartbeat),
    startTimeout: milliseconds(startTimeout, `${where}, startTimeout`),
    drainTimeout: milliseconds(drainTimeout, `${where}, drainTimeout`),
    grace: milliseconds(abortGrace, `${where}, abortGrace`),
    sizeLimit: fromOne(sizeLimit, "sizeLimit"),
    patience: options.patience === undefined ? Infinity : milliseconds(options.patience, `${where}, patience`),
    keepPublications: milliseconds(keepPublications, `${where}, keepPublications`),
    retention: options.retention === undefined ? undefined : agesOf(options.retention, `${where}, retention,`),
    clock: clockOf(options),
    logger: logger ?? silentLogger,
    warn: logger === undefined ? warnOnConsole : (fields, message) => logger.warn(fields, message),
    onError,
    onErrorIsDefault: options.onError === undefined,
  };
}

function checkStore(store: unknown, place: string): void {
  if (missingFunction(store, ["write"]) === undefined) return;
  throw invalidArgument(
    `${place}: "store" must be a store, such as memoryStore() or sqliteStore("orders.db"), not ${shown(store)}`,
  );
}

function checkOnError(onError: unknown, place: string): void {
  if (typeof onError !== "function")
    throw invalidArgument(`${place}: "onError" must be a function, not ${shown(onError)}`);
}

function checkLogger(logger: unknown): void {
  const missing = missingFunction(logger, ["debug", "info", "warn", "error"]);
  if (missing === undefined) return;
  throw invalidArgument(
    `${where}: "logger" must be a logger such as pino's, but what was given has no function "${missing}"`,
  );
}

function clockOf({ clock, store }: LauncherOptions): Clock {
  if (clock === undefined) return store.clock ?? systemClock;
  const missing = missingFunction(clock, ["now", "monotonic", "after", "soon", "random"]);
  if (missing === undefined) return clock;
  throw invalidArgument(
    `${where}: "clock" must be a clock such as a VirtualClock, but what was given has no function "${missing}"`,
  );
}

function heartbeatOf(heartbeat: NonNullable<LauncherOptions["heartbeat"]> = {}): LauncherSettings["heartbeat"] {
  refuseUnknownOptions(heartbeat, ["interval", "timeout"], `${where}, heartbeat`);
  const { interval: given = "3s", timeout: silence = "10s" } = heartbeat;
  const interval = positive(given, "heartbeat.interval");
  const timeout = positive(silence, "heartbeat.timeout");
  if (timeout > interval) return { interval, timeout };
  throw invalidArgument(
    `${where}: heartbeat.timeout (${timeout} ms) must be longer than heartbeat.interval (${interval} ms), ` +
      `or every launcher is taken for dead between two beats`,
  );
}

function positive(duration: Duration, option: string): number {
  const length = milliseconds(duration, `${where}, ${option}`);
  if (length > 0) return length;
  throw invalidArgument(`${where}: "${option}" must be longer than 0`);
}

function fromOne(value: number, option: string, place = where): number {
  if (value === Infinity || (Number.isInteger(value) && value >= 1)) return value;
  throw invalidArgument(`${place}: "${option}" must be a whole number from 1, or Infinity, not ${shown(value)}`);
}

function warnOnConsole(fields: { readonly error?: { readonly stack?: string } }, message: string): void {
  const stack = fields.error?.stack;
  console.warn(stack === undefined ? message : `${message}\n${stack}`);
}

function defaultOnError(logger?: Logger): (error: StepwellError) => void {
  if (logger === undefined) return (error) => console.error(error);
  return (error) =>
    logger.error(
      { code: error.code, execution: error.execution, workflow: error.workflow, step: error.step },
      error.message,
    );
}
