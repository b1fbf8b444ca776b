/** Whether an execution that is taken up can go on with the list of steps that is registered: seen to before anything of it runs. */
import type { StepOutline } from "../definition/outline.js";
import type { StepwellError } from "../errors.js";
import { changeInTheWay } from "../flow/compatibility.js";
import type { ExecutionRecord } from "../stores/records.js";
import type { Course } from "./course.js";
import type { Registered } from "./host.js";
import { changedError, missingStepError } from "./reports.js";

/** It began, or last went on, with another list than the one that is registered. */
export interface Misfit {
  /** Null: with which one is not known. */
  readonly fingerprint: string | null;
}

export function misfitOf(record: ExecutionRecord, { listed }: Registered): Misfit | undefined {
  const { fingerprint } = record;
  return fingerprint === listed.fingerprint ? undefined : { fingerprint };
}

/** @param before the list that it knows; undefined: it was not kept, and all that can be compared is the name of its step */
export function problemOf(
  course: Course,
  before: readonly StepOutline[] | undefined,
  { definition, listed }: Registered,
): StepwellError | undefined {
  const { position } = course;
  if (before === undefined) {
    return definition.steps[position.stepIndex]?.name === position.step ? undefined : missingStepError(course);
  }
  const change = changeInTheWay(before, listed.outline, position);
  return change === undefined ? undefined : changedError(course, change);
}
