/**
 * Observers: synchronous code around the steps of a workflow. A watcher only looks; a guard takes
 * part: it may give back a patch, or veto with `fail(reason)`.
 */

import { StepwellError } from "../errors.js";
import type { Flow } from "./flow.js";
import { checkName, refuseUnknownOptions, shown } from "./options.js";
import type { Fail } from "./outcome.js";

/** Which execution a step, an observer or an error belongs to. */
export interface ExecutionIdentity {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
}

/** What every callback gets. `step`, `attempt`, `durationMs` and `error` are there where they mean something. */
export interface ObserverEvent<State = unknown> {
  readonly execution: ExecutionIdentity;
  readonly step?: { readonly name: string; readonly index: number };
  readonly flow: Flow;
  /** As it is at that moment: `beforeStep` what the step will see, `afterStep` with its patch merged. */
  readonly state: State;
  readonly attempt?: number;
  /** `afterStep`: how long the attempt took. */
  readonly durationMs?: number;
  /** What the step threw or failed with, or what turned the execution. */
  readonly error?: unknown;
  /** Why the execution turned or ended. */
  readonly reason?: string;
}

export interface ObserverCallbacks<Returned, State = unknown> {
  /** Before the first step. */
  readonly init?: (event: ObserverEvent<State>) => Returned;
  /** Before each attempt of `run` and `rollback`. A guard that fails here keeps a step from running. */
  readonly beforeStep?: (event: ObserverEvent<State>) => Returned;
  /** After each attempt that did not pause, whatever its result. */
  readonly afterStep?: (event: ObserverEvent<State>) => Returned;
  /** The execution has turned. */
  readonly startRollback?: (event: ObserverEvent<State>) => Returned;
  /** Completed, and committed. Called at least once. */
  readonly success?: (event: ObserverEvent<State>) => Returned;
  /** Rolled back, and committed. Called at least once. */
  readonly failure?: (event: ObserverEvent<State>) => Returned;
}

/** An observer as the engine sees it. */
export interface Observer extends ObserverCallbacks<unknown> {
  readonly name: string;
  readonly guard: boolean;
}

/** Anything but a promise: observers are synchronous. */
type Synchronous =
  void | null | undefined | string | number | bigint | boolean | symbol | (object & { readonly then?: never });

type GuardAnswer = void | null | undefined | Fail | (object & { readonly then?: never });

export interface WatcherOptions<State> extends ObserverCallbacks<Synchronous, State> {
  readonly name: string;
  readonly guard?: false;
}

export interface GuardOptions<State> extends ObserverCallbacks<GuardAnswer, State> {
  readonly name: string;
  readonly guard: true;
}

const callbacks = ["init", "beforeStep", "afterStep", "startRollback", "success", "failure"] as const;

/**
 * Makes an observer. A **watcher** (the default) only looks: what it gives back is ignored, what it
 * throws is reported and disturbs nothing. A **guard** takes part: it may give back a patch, or
 * `fail(reason)` (a throw counts as one) to veto. On the way down a guard's failure never stops an undo.
 *
 * @example
 * const spendingLimit = observer<{ cents: number }>({
 *   name: "spending-limit",
 *   guard: true,
 *   beforeStep: ({ step, state }) => (step?.name === "charge-card" && state.cents > 500_00 ? fail("too-expensive") : undefined),
 * });
 *
 * @throws STEPWELL_INVALID_DEFINITION, STEPWELL_UNKNOWN_OPTION
 */
export function observer<State = Readonly<Record<string, unknown>>>(
  options: WatcherOptions<State> | GuardOptions<State>,
): Observer {
  checkName(options?.name, "The name of an observer");
  refuseUnknownOptions(options, ["name", "guard", ...callbacks], `Observer "${options.name}"`);
  const invalid = (problem: string): StepwellError =>
    new StepwellError("STEPWELL_INVALID_DEFINITION", `Observer "${options.name}"${problem}.`);
  for (const callback of callbacks) {
    const given: unknown = options[callback];
    if (given !== undefined && typeof given !== "function")
      throw invalid(`: "${callback}" must be a function, not ${shown(given)}`);
  }
  const guard: unknown = options.guard;
  if (guard !== undefined && typeof guard !== "boolean")
    throw invalid(`: "guard" must be true or false, not ${shown(guard)}`);
  if (callbacks.every((callback) => options[callback] === undefined))
    throw invalid(" has no callback, so it would hear nothing");
  return Object.freeze({ ...options, guard: options.guard ?? false }) as Observer;
}
