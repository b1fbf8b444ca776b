/** A large tree is pruned in several transactions. From the first one on its root stands in a table of its own, and nothing of it is to be found. */
import { StepwellError } from "../../errors.js";

/**
 * Says of a row of executions that nobody is pruning its tree. The root of one that is being pruned is its own root. What has no root
 * is not looked for.
 */
export const reachable = (row = "stepwell_executions"): string =>
  `(${row}.root IS NULL OR (SELECT 1 FROM stepwell_pruning AS going WHERE going.root = ${row}.root) IS NULL)`;

/** It was in the way, and is gone now or soon: asked again, it is created. */
export function prunedMeanwhile(id: string): never {
  const message = `Execution "${id}" was pruned in the moment in which another one of this id was created.`;
  throw new StepwellError("STEPWELL_STORE_BUSY", message, { execution: id, retryable: true });
}
