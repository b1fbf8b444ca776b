/** A launcher's options, checked and with their defaults. */
import { systemClock, type Clock } from "../clock.js";
import { defaultSizeLimit } from "../codec.js";
import { milliseconds, type Duration } from "../definition/duration.js";
import { silentLogger, type Logger } from "../definition/logger.js";
import { refuseUnknownOptions } from "../definition/options.js";
import { definitionOf, type AnyWorkflow } from "../definition/workflow.js";
import { StepwellError } from "../errors.js";
import type { Store } from "../stores/store.js";
import type { Registered } from "./host.js";
import { Observing } from "./observing.js";

export interface LauncherOptions {
  /** Where executions live. Opened by `start` if it is not open yet, and then closed by `stop`. */
  readonly store: Store;
  /** The workflows that this launcher drives; several versions of one may stand side by side. */
  readonly workflows: readonly AnyWorkflow[];
  /** How many executions are worked on at the same time. More wait in the store. Default: 1000. */
  readonly concurrency?: number;
  /** How often the store is asked for due work, behind its hints. Default: "1s". */
  readonly pollInterval?: Duration;
  /**
   * How often this launcher says that it lives, and after what silence another one is taken for dead.
   * Default: every "3s", "10s". A dead process of the same machine is found sooner.
   */
  readonly heartbeat?: { readonly interval?: Duration; readonly timeout?: Duration };
  /** How long `stop` lets running steps finish before it aborts them. Default: "10s". */
  readonly drainTimeout?: Duration;
  /** How long an aborted step may take to settle before the engine goes on without it. Default: "5s". */
  readonly abortGrace?: Duration;
  /** The largest encoded state, input or message, in bytes. Default: 1 MiB. */
  readonly sizeLimit?: number;
  /** Default: the store's, where it has one, else the system's. */
  readonly clock?: Clock;
  /** Handed to steps as `logger`, and told of what goes wrong. Anything like pino. Default: silent. */
  readonly logger?: Logger;
  /** Hears every error that no caller hears: a watcher that threw, an execution that got stuck. Default: the logger, else `console.error`. */
  readonly onError?: (error: StepwellError) => void;
}

export interface LauncherSettings {
  readonly store: Store;
  readonly concurrency: number;
  readonly pollInterval: number;
  readonly heartbeat: { readonly interval: number; readonly timeout: number };
  readonly drainTimeout: number;
  readonly grace: number;
  readonly sizeLimit: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onError: (error: StepwellError) => void;
}

const names = [
  "store",
  "workflows",
  "concurrency",
  "pollInterval",
  "heartbeat",
  "drainTimeout",
  "abortGrace",
  "sizeLimit",
  "clock",
  "logger",
  "onError",
];

export function settingsOf(options: LauncherOptions): LauncherSettings {
  const where = "new Launcher(…)";
  refuseUnknownOptions(options, names, where);
  refuseUnknownOptions(options.heartbeat ?? {}, ["interval", "timeout"], `${where}, heartbeat`);
  if (typeof options.store?.write !== "function") {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `${where}: "store" must be a store, such as memoryStore() or sqliteStore("orders.db").`,
    );
  }
  const interval = milliseconds(options.heartbeat?.interval ?? "3s", `${where}, heartbeat.interval`);
  const timeout = milliseconds(options.heartbeat?.timeout ?? "10s", `${where}, heartbeat.timeout`);
  if (timeout <= interval) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `${where}: heartbeat.timeout (${timeout} ms) must be longer than heartbeat.interval (${interval} ms), ` +
        `or every launcher is taken for dead between two beats.`,
    );
  }
  return {
    store: options.store,
    concurrency: positive(options.concurrency ?? 1000, `${where}, concurrency`),
    pollInterval: positive(
      milliseconds(options.pollInterval ?? "1s", `${where}, pollInterval`),
      `${where}, pollInterval`,
    ),
    heartbeat: { interval: positive(interval, `${where}, heartbeat.interval`), timeout },
    drainTimeout: milliseconds(options.drainTimeout ?? "10s", `${where}, drainTimeout`),
    grace: milliseconds(options.abortGrace ?? "5s", `${where}, abortGrace`),
    sizeLimit: positive(options.sizeLimit ?? defaultSizeLimit, `${where}, sizeLimit`),
    clock: options.clock ?? options.store.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
    onError: options.onError ?? defaultOnError(options.logger),
  };
}

/** What a workflow is registered under: executions keep the version that they started with. */
export function registryKey(workflow: string, version: string): string {
  // Neither can hold a line break.
  return `${workflow}\n${version}`;
}

export function registryOf(workflows: readonly AnyWorkflow[], clock: Clock): Map<string, Registered> {
  const registry = new Map<string, Registered>();
  if (!Array.isArray(workflows) || workflows.length === 0) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `new Launcher(…): "workflows" must list at least one workflow.`,
    );
  }
  for (const workflow of workflows) {
    const definition = definitionOf(workflow);
    const key = registryKey(definition.name, definition.version);
    if (registry.has(key)) {
      throw new StepwellError(
        "STEPWELL_INVALID_ARGUMENT",
        `new Launcher(…): workflow "${definition.name}" version "${definition.version}" is listed twice. Give a changed one a new version.`,
        { workflow: definition.name },
      );
    }
    const shape = { count: definition.steps.length, pivot: definition.pivot };
    registry.set(key, { definition, shape, observing: new Observing(definition, clock) });
  }
  return registry;
}

function positive(value: number, where: string): number {
  if (typeof value === "number" && value > 0) return value;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `${where} must be a number greater than 0, not ${String(value)}.`,
  );
}

function defaultOnError(logger: Logger | undefined): (error: StepwellError) => void {
  if (logger === undefined) return (error) => console.error(error);
  return (error) =>
    logger.error(
      { code: error.code, execution: error.execution, workflow: error.workflow, step: error.step },
      error.message,
    );
}
