/**
 * Whether an execution can go on where its list of steps has changed under it. Pure: two lists and a place
 * come in, and what stands in the way goes out.
 *
 * What lies ahead may change: nothing of it has begun. What lies behind must be found again by an undo, and
 * where the execution stands it must be able to stand.
 */
import { childrenChange, type StepOutline } from "../definition/outline.js";
import { isPastPivot, type Passage, type Shape } from "./router.js";

/** Where an execution stands, as far as a change of its list matters. */
export type Standing = Passage & { readonly waitUntil: number | null };

/** The part of the change that keeps an execution at this place from going on; undefined: none does. */
export function changeInTheWay(
  before: readonly StepOutline[],
  after: readonly StepOutline[],
  standing: Standing,
): string | undefined {
  const { stepIndex } = standing;
  for (let index = 0; index <= stepIndex; index++) {
    const problem = moved(index, before[index], after[index]);
    if (problem !== undefined) return problem;
  }
  const wasPast = isPastPivot(standing, shapeOf(before));
  if (wasPast !== isPastPivot(standing, shapeOf(after))) return pivotMoved(before, after, wasPast);
  const from = firstToUndo(standing, wasPast);
  return (
    childrenChanged(before, after, standing, from) ??
    undoGone(before, after, standing, from) ??
    waitBroken(before[stepIndex]!, after[stepIndex]!, standing)
  );
}

export function shapeOf(steps: readonly StepOutline[]): Shape {
  return {
    count: steps.length,
    pivot: steps.findIndex(({ pivot }) => pivot === true),
    steps: steps.map(({ name, irreversible }) => ({ name, irreversible: irreversible !== undefined })),
  };
}

function moved(index: number, was: StepOutline | undefined, is: StepOutline | undefined): string | undefined {
  if (was?.name === is?.name) return undefined;
  const then = was === undefined ? "was not there" : `was "${was.name}"`;
  return `step ${index + 1} ${then} and ${is === undefined ? "is not there any more" : `is "${is.name}" now`}`;
}

/** What could be undone when the step was done could not be any more, or the other way round. */
export function pivotMoved(before: readonly StepOutline[], after: readonly StepOutline[], wasPast: boolean): string {
  const { name } = (wasPast ? before : after).find(({ pivot }) => pivot === true)!;
  return wasPast
    ? `step "${name}", which is done, was a pivot and is none any more`
    : `step "${name}", which is done, was no pivot and is one now`;
}

/** The first step that may have to be undone: past the pivot nothing is, but what a rewind goes back over. */
export function firstToUndo({ until = Infinity }: Pick<Standing, "until">, isPast: boolean): number {
  return isPast ? until : 0;
}

/** Where nothing is undone, only the children for which it waits are in the way. */
function childrenChanged(
  before: readonly StepOutline[],
  after: readonly StepOutline[],
  { stepIndex, passed }: Standing,
  from: number,
): string | undefined {
  for (let index = Math.min(from, stepIndex); index <= stepIndex; index++) {
    const { name, children } = before[index]!;
    const change = childrenChange(name, children, after[index]!.children);
    if (change !== undefined && passed?.includes(index) !== true) return change;
  }
  return undefined;
}

function undoGone(
  before: readonly StepOutline[],
  after: readonly StepOutline[],
  { stepIndex, passed }: Standing,
  from: number,
): string | undefined {
  // Nothing of what was passed over is undone.
  const gone = before.find(
    ({ rollback }, index) =>
      index >= from &&
      index <= stepIndex &&
      rollback === true &&
      after[index]!.rollback !== true &&
      passed?.includes(index) !== true,
  );
  return gone === undefined ? undefined : `step "${gone.name}" has no rollback any more and could not be undone`;
}

/** What may still come, a message or a timeout, must find somebody who waits for it. */
export function waitBroken(
  was: StepOutline,
  is: StepOutline,
  { stepFunc, waitUntil }: Pick<Standing, "stepFunc" | "waitUntil">,
): string | undefined {
  if (stepFunc !== "runContinue" && stepFunc !== "rollbackContinue") return undefined;
  const field = stepFunc === "runContinue" ? "messages" : "rollbackMessages";
  const missing = (was[field] ?? []).find((name) => is[field]?.includes(name) !== true);
  if (missing !== undefined)
    return `step "${was.name}" waits for message "${missing}", which it does not declare any more`;
  const timesOut = stepFunc === "runContinue" && waitUntil !== null;
  if (timesOut && was.onTimeout === true && is.onTimeout !== true) {
    return `step "${was.name}" waits until a timeout, and has no onTimeout any more`;
  }
  return undefined;
}
