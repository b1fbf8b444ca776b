/**
 * What a rollback would do with an execution as it stands, step by step. Pure: one committed record and the stored list of its steps
 * come in. It follows what the router and `decide` do of a request that comes now; a property test holds it against them.
 */
import type { StepOutline } from "../definition/outline.js";
import type { Status } from "../definition/flow.js";
import { shapeOf } from "./definition-change.js";
import type { Doubt } from "./doubt.js";
import { isInDoubt, leftNothing } from "./execution.js";
import { judgeRewind, refuseRollback, type RefusedRewind, type RefusedRollback } from "./mail.js";
import { doubtAt, keyNameOf } from "./position.js";
import type { ExecutionRecord } from "./records.js";
import { isPastPivot, type Shape } from "./router.js";

/**
 * What becomes of a step:
 *
 * - `undo`: it was done, and is undone
 * - `half-done`: it has begun and is not done, or nobody knows what became of it: its undo is called all the same
 * - `in-doubt`: nobody knows whether it happened: its probe is asked before anything of it is undone, or it is parked for an operator
 * - `irreversible`: it was begun, and can't be undone, as its workflow says
 * - `no-undo`: it was begun, and has no undo: what it did stays
 * - `waited`: it only waited, and there is nothing to undo
 * - `never-ran`: it has not begun, or was passed over
 */
export type PreviewedWhat = "undo" | "half-done" | "in-doubt" | "irreversible" | "no-undo" | "waited" | "never-ran";

export interface StepPreview {
  readonly step: string;
  readonly index: number;
  readonly what: PreviewedWhat;
  /** Why the step is irreversible. Left out: it is not. */
  readonly why?: string;
  /** Its undo may wait for one of these messages. */
  readonly waits?: readonly string[];
}

export interface ExecutionPreview {
  /** Why it would be refused. Left out: it would be accepted. */
  readonly refused?: RefusedRollback | RefusedRewind;
  /** Its pivot runs: a request is held until it has ended, and refused where it has succeeded. */
  readonly held?: true;
  /** The steps in the order in which the execution goes back. Empty where the request would be refused, unless the execution goes back already: then the steps still to come. */
  readonly steps: readonly StepPreview[];
}

/** The fields of a record on which a preview depends. */
export type Previewed = Pick<ExecutionRecord, "status" | "position" | "line" | "claims" | "admission" | "owner">;

const anyRequest = { reason: "preview", ifCompleted: "undo" } as const;

/** What one would ask of an execution. */
export type Asking =
  | "rollback"
  /** The execution's parent asks: a child that has completed goes back with it. */
  | "parents"
  /** The step to which it would be rewound. */
  | { readonly to: string };

/**
 * @param begun the steps that have begun children, by the names under which others know them
 * @param at the store's time
 */
export function previewOf(
  record: Previewed,
  steps: readonly StepOutline[],
  begun: ReadonlySet<string>,
  at: number,
  asking: Asking = "rollback",
): ExecutionPreview {
  const { position, status } = record;
  const shape = shapeOf(steps);
  const refused = refusal(record, shape, asking, at);
  if (refused !== undefined && !isShown(refused)) return { refused, steps: [] };
  const last = typeof asking === "string" ? 0 : shape.steps!.findIndex(({ name }) => name === asking.to);
  const isHeld =
    refused === undefined &&
    status !== "completed" &&
    position.stepIndex === shape.pivot &&
    !isPastPivot(position, shape);
  const going = steps.flatMap((step, index) => {
    // What lies behind it on the way down is undone already, or never ran.
    if (index < last || (position.direction === "down" && index > position.stepIndex)) return [];
    const hasRun = step.children === undefined || begun.has(keyNameOf(step.name, position.keys));
    return stepPreview(step, index, hasRun ? whatOf(record, step, index) : "never-ran");
  });
  return {
    ...(refused !== undefined && { refused }),
    ...(isHeld && { held: true as const }),
    steps: going.toReversed(),
  };
}

function refusal(
  record: Previewed,
  shape: Shape,
  asking: Asking,
  at: number,
): RefusedRollback | RefusedRewind | undefined {
  if (typeof asking === "string")
    return refuseRollback(record, shape, { ...anyRequest, ...(asking === "parents" && { isParents: true }) }, at);
  const judged = judgeRewind(record, shape, { ...asking, reason: "preview", by: "preview" }, at);
  return typeof judged === "string" ? judged : undefined;
}

/** What is still to come, or would be done where the steps that would be repeated are named, is of use all the same. */
function isShown(refused: RefusedRollback | RefusedRewind): boolean {
  return refused === "already-rolling-back" || refused === "already-rewinding" || refused === "would-repeat";
}

function stepPreview(step: StepOutline, index: number, what: PreviewedWhat): StepPreview {
  const { name, irreversible, rollbackMessages } = step;
  const isCalled = what === "undo" || what === "half-done" || what === "in-doubt";
  return {
    step: name,
    index,
    what,
    ...(what === "irreversible" && irreversible !== undefined && { why: irreversible }),
    ...(isCalled && rollbackMessages !== undefined && { waits: rollbackMessages }),
  };
}

function whatOf(record: Previewed, step: StepOutline, index: number): PreviewedWhat {
  const { position, status } = record;
  if (index > position.stepIndex || position.passed?.includes(index) === true) return "never-ran";
  const isHere = index === position.stepIndex && status !== "completed";
  if (isHere && hasNotBegun(record, step)) return "never-ran";
  if (step.irreversible !== undefined) return "irreversible";
  if (step.rollback !== true && step.children === undefined) return step.waits === true ? "waited" : "no-undo";
  const doubt = doubtAt(position.doubts, index);
  const isUp = position.direction === "up";
  if (isHere && isUp && status !== "stuck" && doubt?.answer === "did-not-happen" && doubt.partly !== true)
    return "never-ran";
  const isHalf = doubt !== undefined || position.doubtful?.includes(index) === true;
  if (!isHalf && !(isHere && isUndoneHalfDone(record, step))) return "undo";
  return isAskedFor(step, doubt, status) && !(isHere && position.stepFunc === "runContinue") ? "in-doubt" : "half-done";
}

/** Whether somebody is to say what became of the attempt. Where the execution is parked that is asked anew, whatever was said before. */
function isAskedFor({ probe, inDoubt }: StepOutline, doubt: Doubt | undefined, status: Status): boolean {
  if (probe !== true && inDoubt !== "park") return false;
  const said = doubt?.answer;
  return status === "stuck" || said === undefined || said === "again" || said === "failed";
}

const free = { uncommittedAttempts: 0 } as const;

/** Whether nothing of the step where the execution stands is there, so that it is not undone. */
function hasNotBegun(record: Previewed, step: StepOutline): boolean {
  const { position, owner, claims, admission } = record;
  if (position.direction === "down" || position.lifecycle === "success") return false;
  if (admission === "queued") return true;
  if (leftNothing({ ...record, ...free }, step)) return true;
  const isFresh = position.stepFunc === "run" && position.attempts + position.uncounted === 0;
  if (!isFresh || position.begins === true) return false;
  // That it begins is committed before.
  if (step.when === true || step.inDoubt === "park") return true;
  // Of the first step that a launcher has in work nobody knows whether it has begun.
  return position.lifecycle === "init" && owner === null && claims === 0;
}

/** Whether the step has begun and is not done. While it waits, all that it did is known. */
function isUndoneHalfDone(record: Previewed, step: StepOutline): boolean {
  const { position } = record;
  if (isInDoubt({ ...record, ...free }, step)) return true;
  return position.direction === "up" && position.stepFunc === "run";
}
