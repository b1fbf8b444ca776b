/** The rows that the engine writes, as the built package has them: what is measured is what users install. */
import type { Store } from "stepwell";

export type Batch = Parameters<Store["write"]>[0];
export type NewExecution = Batch["creates"][number];
export type Transition = Batch["transitions"][number];

/** One row of the executions table that was inserted or updated; an update also writes a row of history. */
export type Written = NewExecution | Transition;
