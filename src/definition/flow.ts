/** The words for where an execution is and which way it goes. How it moves is in `src/execution/router.ts`. */
export type Direction = "up" | "down";

export type StepFunc = "run" | "runContinue" | "rollback" | "rollbackContinue" | "probe";

/** What produced the last result. */
export type Lifecycle = "init" | "beforeStep" | "step" | "startRollback" | "rollback" | "success" | "failure";

export interface Flow {
  readonly direction: Direction;
  /** Why the execution stopped or turned. `normal` is success. */
  readonly reason: string;
  /** The step that is being worked on, from 0. */
  readonly stepIndex: number;
  /** The function that is executed next, or waited for. */
  readonly stepFunc: StepFunc;
  readonly lifecycle: Lifecycle;
  /** `ok`, `continue`, or the reason of an error. */
  readonly lastResult: string;
  /** How often the execution was rewound. Left out: never. */
  readonly round?: number;
  /** During a rewind on its way down: the index, from 0, of the step where it goes up again. Left out otherwise. */
  readonly until?: number;
}

/**
 * - `scheduled`: nothing to do before a given time (a delayed launch, a retry that is due later)
 * - `running`: being worked on, or due
 * - `waiting`: a step has paused and waits for a message
 * - `stuck`: parked; needs an operator
 * - `completed`, `rolledBack`: ended
 */
export type Status = "scheduled" | "running" | "waiting" | "stuck" | "completed" | "rolledBack";
