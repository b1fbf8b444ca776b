/** The words for where an execution is and which way it goes. How it moves is in `src/flow/router.ts`. */
export type Direction = "up" | "down";

export type StepFunc = "run" | "runContinue" | "rollback" | "rollbackContinue";

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
}
