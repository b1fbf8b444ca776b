/**
 * The engine's own small record beside the state, as it begins and as it is stored.
 * Pure data; `router.ts` says how it changes.
 */
import type { Flow } from "../definition/flow.js";

export const initialFlow: Flow = {
  direction: "up",
  reason: "normal",
  stepIndex: 0,
  stepFunc: "run",
  lifecycle: "init",
  lastResult: "ok",
};

/**
 * - `scheduled`: nothing to do before a given time (a delayed launch, a retry that is due later)
 * - `running`: being worked on, or due
 * - `waiting`: a step has paused and waits for a message
 * - `stuck`: parked; needs an operator
 * - `completed`, `rolledBack`: ended
 */
export type Status = "scheduled" | "running" | "waiting" | "stuck" | "completed" | "rolledBack";

/** An error as it is stored: plain data, always encodable. */
export interface SerializedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  /** What `fail` was given, or a field `details` of the error: JSON, or a text that describes what JSON can't hold. */
  readonly details?: unknown;
  readonly cause?: SerializedError;
}

/** The flow as it is stored, with what the engine must remember of retries and waits. */
export interface Position extends Flow {
  /** The name of the step at `stepIndex`. */
  readonly step: string;
  /** Failed attempts of the current step in the current direction. A pause does not reset it. */
  readonly attempts: number;
  /** When the first of them began (the store's time); for a retry policy's `within`. */
  readonly firstAttemptAt: number | null;
  /** When the wait of a paused step times out (the store's time). */
  readonly waitUntil: number | null;
  /** Nothing is to be done before this: a retry, a delayed launch (the store's time). */
  readonly resumeAt: number | null;
  /** The error that turned or parked the execution. */
  readonly error: SerializedError | null;
}
