/**
 * Observers: synchronous code around the steps of a workflow. A watcher only looks; a guard takes
 * part: it may give back a patch, or veto with `fail(reason)`.
 */

import type { Flow } from "./flow.js";

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

/** A callback may return nothing; a guard's also a patch or `fail(…)`. A promise is a type error. */
export interface ObserverCallbacks<Returned> {
  init?(event: ObserverEvent): Returned;
  beforeStep?(event: ObserverEvent): Returned;
  afterStep?(event: ObserverEvent): Returned;
  startRollback?(event: ObserverEvent): Returned;
  success?(event: ObserverEvent): Returned;
  failure?(event: ObserverEvent): Returned;
}

/** An observer as the engine sees it. */
export interface Observer extends ObserverCallbacks<unknown> {
  readonly name: string;
  readonly guard: boolean;
}
