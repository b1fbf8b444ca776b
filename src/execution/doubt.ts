/**
 * A step is in doubt where its last attempt of `run` may have begun and gave nothing back: it threw, timed out, was aborted, or lost
 * its launcher. What is known of that, who is asked, and what was said.
 */
import type { WorkflowDefinition } from "../definition/definition.js";
import type { Event } from "./events.js";
import { hasLostOne, isInDoubt, type ActiveExecution, type DoubtOptions } from "./execution.js";
import { doubtAt, type Position } from "./position.js";
import type { Action, Passage, Shape } from "./router.js";
import type { StoreTime } from "./time.js";

export interface Doubt {
  /** The index of the step. */
  readonly index: number;
  /** The earliest time at which an attempt with an unknown outcome may have begun (the store's time). */
  readonly since: number;
  /** Something that the step did before was committed, so it can't be that nothing of the step happened. */
  readonly partly?: true;
  /** The step has failed for good with this reason, unless it turns out that it happened. */
  readonly failed?: string;
  /**
   * What was said last. `failed`: the probe has failed for good. `consented`: an operator has tried the step again, and nobody can be asked. Left out: nobody was asked yet, or
   * somebody is to be asked anew.
   */
  readonly answer?: "again" | "unknown" | "did-not-happen" | "failed" | "consented";
  readonly answeredAt?: number;
  /** How often the probe was asked. */
  readonly asked?: number;
  /** How often it has answered `again`. */
  readonly polls?: number;
  /** How often in a row it has failed, and when the first of these began (the store's time). */
  readonly attempts?: number;
  readonly firstAttemptAt?: number;
}

type Standing = Pick<ActiveExecution, "position" | "claims" | "uncommittedAttempts" | "admission" | "changedAt">;

/** What an execution has beside its position right after a commit: no attempt was lost since. */
export const nothingLost = { claims: 1, uncommittedAttempts: 0, admission: null, changedAt: 0 } as const;

/** The doubt in which the step is where the execution stands. Undefined: none. */
export function doubtOf(execution: Standing, step: DoubtOptions | undefined): Doubt | undefined {
  const { position, changedAt } = execution;
  const { stepIndex: index, direction, stepFunc, resumeAt } = position;
  const known = doubtAt(position.doubts, index);
  const isLost = direction === "up" && stepFunc === "run" && hasLostOne(execution) && isInDoubt(execution, step);
  if (!isLost) return known;
  if (known !== undefined && known.answer !== "did-not-happen") {
    const { answer: _answer, ...open } = known;
    return open;
  }
  const since = Math.max(changedAt, resumeAt ?? 0);
  return { ...fresh(position, since), ...(known?.failed !== undefined && { failed: known.failed }) };
}

function fresh({ stepIndex: index, partly }: Position, since: number): Doubt {
  return partly === true ? { index, since, partly } : { index, since };
}

/** The doubt that somebody is to settle before anything else is done with the step: its probe, or an operator. */
export function openDoubt(execution: Standing, step: DoubtOptions | undefined): Doubt | undefined {
  if (step?.probe === undefined && step?.inDoubt !== "park") return undefined;
  const doubt = doubtOf(execution, step);
  return doubt !== undefined && isOpen(doubt) ? doubt : undefined;
}

function isOpen({ answer }: Doubt): boolean {
  return answer === undefined || answer === "again";
}

/** Whether it is known that no attempt of the step happened, so that nothing of it is there. */
export function isClean(execution: Standing, step: DoubtOptions | undefined): boolean {
  if (execution.position.direction === "down") return false;
  const doubt = doubtOf(execution, step);
  return doubt?.answer === "did-not-happen" && doubt.partly !== true;
}

/**
 * Whether what wants to turn the execution waits for an answer: the pivot is in doubt, and only if it did not happen can anything
 * still turn.
 */
export function holdsTurns(
  execution: Standing & Pick<ActiveExecution, "status">,
  step: DoubtOptions | undefined,
  shape: Shape,
): boolean {
  const { direction, stepIndex } = execution.position;
  if (direction === "down" || stepIndex !== shape.pivot) return false;
  if (step?.probe === undefined && step?.inDoubt !== "park") return false;
  const doubt = doubtOf(execution, step);
  if (doubt === undefined || doubt.answer === "did-not-happen") return false;
  return isOpen(doubt) || doubt.answer === "consented" || execution.status === "stuck";
}

/**
 * The position of the execution with its doubt written into it, before it takes over another list of steps: its step may be
 * transactional in only one of both lists.
 *
 * @param before the step in the list that the execution had
 */
export function withDoubtRecorded(execution: Standing, before: DoubtOptions | undefined): Position {
  const { position } = execution;
  const isNew = position.inDoubt !== true && isInDoubt(execution, before);
  const doubt = doubtOf(execution, before);
  const others = position.doubts?.filter(({ index }) => index !== position.stepIndex) ?? [];
  const doubts = doubt === undefined || position.doubts?.includes(doubt) === true ? undefined : [...others, doubt];
  if (!isNew && doubts === undefined) return position;
  return { ...position, ...(isNew && { inDoubt: true }), ...(doubts !== undefined && { doubts }) };
}

/** The position without its call of `probe`, where the step has no probe any more. */
export function withoutProbe(position: Position, step: DoubtOptions | undefined): Position {
  if (position.stepFunc !== "probe" || step?.probe !== undefined) return position;
  return { ...position, stepFunc: position.direction === "up" ? "run" : "rollback" };
}

/** The doubts after an event. Undefined: there is none. */
export function doubtsAfter(
  execution: ActiveExecution,
  event: Event,
  flow: Passage,
  action: Action,
  { steps }: WorkflowDefinition,
  time: StoreTime,
): Position["doubts"] {
  const { doubts = [], stepIndex } = execution.position;
  const own = ownAfter(execution, event, flow, action, steps[stepIndex], time);
  if (doubts.length === 0 && own === undefined) return undefined;
  return staying(execution.position, own, flow, action);
}

function staying(
  { doubts = [], stepIndex, direction }: Position,
  own: Doubt | undefined,
  flow: Passage,
  action: Action,
): Position["doubts"] {
  const others = doubts.filter(({ index }) => index !== stepIndex);
  const rises = direction === "down" && flow.direction === "up";
  // What lies behind on the way down is undone; so is all from the step on where a rewind goes up again.
  const after = (own === undefined ? others : [...others, own]).filter(({ index }) => {
    if (flow.direction === "up") return !rises || index < flow.stepIndex;
    return index <= flow.stepIndex && action !== "finish";
  });
  return after.length === 0 ? undefined : after;
}

/** The doubt, after the event, about the step where the execution stood. */
function ownAfter(
  execution: ActiveExecution,
  event: Event,
  flow: Passage,
  action: Action,
  step: DoubtOptions | undefined,
  time: StoreTime,
): Doubt | undefined {
  const doubt = doubtOf(execution, step);
  const { what } = event;
  if (event.called && event.func === "run") return event.lost ? lost(execution, event, step, time) : undefined;
  if (doubt === undefined || event.answered === "happened") return undefined;
  switch (what.type) {
    case "probed":
      return asked(doubt, event, what.wait !== null, time);
    case "probeDidNotHappen":
      return { ...doubt, answer: "did-not-happen", answeredAt: time.storeNow() };
    case "doubted":
      return { ...doubt, failed: what.reason };
    case "resumed":
      return step?.probe === undefined ? { ...anew(doubt), answer: "consented" } : anew(doubt);
    default:
      return leftBehind(execution, doubt, flow, action);
  }
}

/** An attempt of `run` was made, and gave nothing back. What a transaction did was rolled back. */
function lost(
  execution: ActiveExecution,
  event: Event,
  step: DoubtOptions | undefined,
  time: StoreTime,
): Doubt | undefined {
  if (step?.transactional === true) return undefined;
  const before = doubtOf(execution, step);
  const isLonger = before !== undefined && before.answer !== "did-not-happen";
  const { what, durationMs } = event;
  return {
    ...fresh(execution.position, isLonger ? before.since : Math.floor(time.storeNow()) - durationMs),
    ...(what.type === "doubted" && { failed: what.reason }),
  };
}

/** @param goesOn the probe is asked again, or has answered `again` */
function asked(doubt: Doubt, { answered, durationMs }: Event, goesOn: boolean, time: StoreTime): Doubt {
  const { attempts = 0, polls = 0, firstAttemptAt, answer, answeredAt, ...rest } = doubt;
  const now = Math.floor(time.storeNow());
  // Nobody is there to be asked.
  if (answered === undefined) return { ...doubt, answer: "unknown" };
  const all: Doubt = { ...rest, asked: (doubt.asked ?? 0) + 1 };
  if (answered === "again") return { ...all, answer: "again", answeredAt: now, polls: polls + 1 };
  const counted = polls > 0 ? { polls } : {};
  if (answered === "unknown") return { ...all, ...counted, answer: "unknown", answeredAt: now };
  const said = answer === undefined || answeredAt === undefined ? {} : { answer, answeredAt };
  const failures = { attempts: attempts + 1, firstAttemptAt: firstAttemptAt ?? now - durationMs };
  return { ...all, ...counted, ...said, ...failures, ...(!goesOn && { answer: "failed" as const }) };
}

/** The doubt as if nobody had been asked about it yet. */
function anew({ index, since, partly }: Doubt): Doubt {
  return partly === true ? { index, since, partly } : { index, since };
}

function leftBehind(
  { status, position }: ActiveExecution,
  doubt: Doubt,
  flow: Passage,
  action: Action,
): Doubt | undefined {
  const turns = position.direction === "up" && flow.direction === "down";
  // Time has passed since it was parked.
  if (turns && status === "stuck") return anew(doubt);
  const goesOn = action === "succeed" || (flow.direction === "up" && flow.stepIndex > position.stepIndex);
  if (!goesOn) return doubt;
  return doubt.answer === "did-not-happen" ? undefined : anew(doubt);
}
