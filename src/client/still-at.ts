/** Acts that are meant for an execution as somebody has seen it: once it has gone on, they are refused. */
import { StepwellError } from "../errors.js";
import type { Standing } from "../execution/records.js";
import { invalidArgument, shown } from "../values/options.js";

export interface StillAt {
  /**
   * Only if the execution still stands at this revision: has it gone on, the act is refused with STEPWELL_EXECUTION_CHANGED, and
   * nothing was changed. Left out: wherever it stands.
   */
  readonly ifRevision?: number;
}

/** @throws STEPWELL_INVALID_ARGUMENT */
export function checkStillAt(revision: unknown, where: string): void {
  if (revision === undefined || (Number.isSafeInteger(revision) && (revision as number) >= 0)) return;
  throw invalidArgument(`${where}: "ifRevision" must be a revision, a whole number from 0 on, not ${shown(revision)}`);
}

/** Undefined: it still stands there, or that was not asked. */
export function changedSince(
  record: Pick<Standing, "id" | "workflow" | "revision" | "status">,
  revision: number | undefined,
  method: string,
): StepwellError | undefined {
  if (revision === undefined || record.revision === revision) return undefined;
  const { id, workflow, status } = record;
  return new StepwellError(
    "STEPWELL_EXECUTION_CHANGED",
    `${method}: execution "${id}" has gone on from revision ${revision} to ${record.revision}, and is ${status} now. Nothing was ` +
      `changed: look at it again, and ask again where you still mean it.`,
    { execution: id, workflow },
  );
}
