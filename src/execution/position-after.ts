/** Where an execution stands after an event: its next position, field by field. */
import type { StepDefinition, WorkflowDefinition } from "../definition/definition.js";
import { doubtsAfter, openDoubt, nothingLost } from "./doubt.js";
import { attemptOf, isInDoubt, leftNothing, type ActiveExecution } from "./execution.js";
import type { Event } from "./events.js";
import { irreversibleIn, nextRounds, positionOf, type TurnRequest, type Position } from "./position.js";
import type { Action, Passage, RoutedEvent, Routed } from "./router.js";
import type { StoreTime } from "./time.js";

/** What a position depends on beside the execution and the event. */
export interface Surroundings {
  readonly definition: WorkflowDefinition;
  readonly time: StoreTime;
  /** The reason with which the execution ends. */
  onExit(reason: string): string;
}

export function positionAfter(
  execution: ActiveExecution,
  event: Event,
  { flow, action }: Routed,
  facts: Surroundings,
): Position {
  const { position } = execution;
  const { definition, time } = facts;
  const { what, error } = event;
  if (what.type === "patched") return position;
  if (what.type === "migrated") return positionOf(what.position);
  // A rollback request takes over from a rewind that goes down already.
  if (what.type === "rollbackRequested" && position.direction === "down")
    return positionOf(numbered(execution, takenOver(execution, what.reason, event.asked, definition)));
  const stays = staysAt(what, action, position.direction === flow.direction && position.stepIndex === flow.stepIndex);
  const failed = isFailure(what, action);
  const ends = action === "succeed" || action === "finish";
  const turns = position.direction === "up" && flow.direction === "down";
  const rises = flow.round !== position.round;
  const after: Position = {
    direction: flow.direction,
    reason: ends ? facts.onExit(flow.reason) : flow.reason,
    stepIndex: flow.stepIndex,
    stepFunc: flow.stepFunc,
    lifecycle: flow.lifecycle,
    lastResult: flow.lastResult,
    // A parked execution keeps the name that it stands at: the definition may be the wrong one.
    step: what.type === "parked" ? position.step : (definition.steps[flow.stepIndex]?.name ?? position.step),
    attempts: stays ? position.attempts + (failed ? 1 : 0) : 0,
    firstAttemptAt: firstAttemptAt(position, event.durationMs, stays, failed, time),
    uncounted: uncounted(execution, what, stays),
    waitUntil: waitUntil(position, event, action, time),
    resumeAt: resumeAt(what, time),
    error: turns ? error : rises ? null : position.error,
    stuckBy: action === "park" ? error : null,
  };
  const { keys, gone, priority } = position;
  const { passed, round, until } = flow;
  const request = flow.direction === "down" ? (event.asked ?? position.request) : undefined;
  const irreversible = irreversibleAfter(position, { flow, turns: turns && !ends, rises }, definition);
  const here = ends ? nothingMore : moreOf(position, event, flow, definition, time);
  const isSame = !ends && !rises && flow.stepIndex === position.stepIndex;
  const sealedAt = action === "succeed" ? sealedFrom(definition, time) : undefined;
  const inDoubt = isSame && staysInDoubt(execution, event, definition) ? (true as const) : undefined;
  const partly = isSame && isPartlyDone(position, flow, what) ? (true as const) : undefined;
  const doubtful = doubtfulAfter(execution, event, flow, action, definition);
  const doubts = doubtsAfter(execution, event, flow, action, definition, time);
  const warned = position.warned === true || event.isUnexpected ? (true as const) : undefined;
  // Most positions have none of these, and are all of one shape.
  const rare = inDoubt ?? partly ?? warned ?? irreversible ?? keys ?? gone ?? passed ?? doubtful ?? doubts ?? priority;
  const rarer =
    here.begins ?? here.stepDeadlineAt ?? here.failing ?? here.polls ?? request ?? round ?? until ?? sealedAt;
  if ((rare ?? rarer) === undefined && flow.stepFunc !== "probe") return after;
  const { rounds, deadlineAt } = rises ? countedAnew(position, round!, flow.stepIndex, definition, time) : position;
  const kept = { keys, gone, priority, passed, doubtful, doubts, irreversible, request };
  const way = { round, rounds, until, deadlineAt, sealedAt };
  const stands = { ...after, inDoubt, partly, warned, ...here, ...kept, ...way };
  return positionOf(asksFirst(stands as Position, what, action, definition.steps[flow.stepIndex]));
}

/** What was parked untouched is no further than it was: a step that had not begun has still not begun. */
function isFailure(what: RoutedEvent, action: Action): boolean {
  if (what.type === "retry" || what.type === "doubted") return true;
  return action === "park" && what.type !== "probed" && !(what.type === "parked" && what.untouched);
}

function sealedFrom({ undoFor }: WorkflowDefinition, time: StoreTime): number | undefined {
  return undoFor === undefined ? undefined : time.storeNowAtMost() + undoFor;
}

/**
 * The position of an execution on its way down after a request: it goes on where it is, and all the way down; parked, it is tried again.
 */
export function takenOver(
  execution: ActiveExecution,
  reason: string,
  asked: TurnRequest | undefined,
  definition: WorkflowDefinition,
): Position {
  const { position, status } = execution;
  const { until: _until, irreversible: above = [], request: _request, ...kept } = position;
  const below = irreversibleIn(0, position.stepIndex, definition) ?? [];
  const irreversible = [...below, ...above.filter(({ step }) => below.every((it) => it.step !== step))];
  const request = asked && { request: asked };
  const there: Position = { ...kept, reason, ...request, ...(irreversible.length > 0 && { irreversible }) };
  if (status !== "stuck") return there;
  const uncounted = attemptOf(execution) - 1;
  return { ...there, attempts: 0, firstAttemptAt: null, uncounted, resumeAt: null, stuckBy: null };
}

/** The undo goes on where it stands: an attempt of it that was lost is one, and another attempt follows under the same key. */
function numbered({ position, claims, uncommittedAttempts, status }: ActiveExecution, there: Position): Position {
  if (status === "stuck" || (claims <= 1 && uncommittedAttempts === 0)) return there;
  return { ...there, uncounted: position.uncounted + Math.max(1, claims) - 1 + uncommittedAttempts };
}

/** What can't be undone of that through which the execution goes down. */
function irreversibleAfter(
  position: Position,
  { flow, turns, rises }: { readonly flow: Passage; readonly turns: boolean; readonly rises: boolean },
  definition: WorkflowDefinition,
): Position["irreversible"] {
  if (rises) return undefined;
  return turns ? irreversibleIn(flow.until ?? 0, flow.stepIndex, definition) : position.irreversible;
}

/** In another round the workflow's own deadline counts from now. */
function countedAnew(
  position: Position,
  round: number,
  from: number,
  { deadline }: WorkflowDefinition,
  time: StoreTime,
): { readonly rounds: Position["rounds"]; readonly deadlineAt: number | undefined } {
  const rounds = nextRounds(position, round, from);
  return { rounds, deadlineAt: deadline === undefined ? undefined : time.storeNowAtMost() + deadline };
}

/** Where the step is in doubt, the next function of it is its probe. */
function asksFirst(position: Position, what: RoutedEvent, action: Action, step: StepDefinition | undefined): Position {
  const { direction, stepFunc } = position;
  // What is parked untouched is as it was: the definition may be one that it could not go on with.
  if (what.type === "parked" && what.untouched) return position;
  if (action === "wait" || action === "succeed" || action === "finish") return position;
  if (step?.probe !== undefined && openDoubt({ position, ...nothingLost }, step) !== undefined)
    return { ...position, stepFunc: "probe" };
  return stepFunc === "probe" ? { ...position, stepFunc: direction === "up" ? "run" : "rollback" } : position;
}

function resumeAt(what: RoutedEvent, time: StoreTime): number | null {
  if (what.type !== "retry" && what.type !== "again" && what.type !== "probed") return null;
  return what.wait === null ? null : time.storeNowAtMost() + what.wait;
}

/** Whether the attempts at the step that is due go on being counted. */
function staysAt({ type }: RoutedEvent, action: Action, isThere: boolean): boolean {
  switch (type) {
    case "retry":
    case "cutOff":
    case "begins":
    case "doubted":
    case "probed":
      return true;
    case "resumed":
      return false;
    case "probeDidNotHappen":
      return isThere;
    default:
      return action === "park" || action === "wait";
  }
}

type More = Pick<Position, "begins" | "stepDeadlineAt" | "failing" | "polls">;

const nothingMore: More = {};

/** What is remembered of a step for as long as the execution stands at it, in one direction. */
function moreOf(
  position: Position,
  { what, list, failing = position.failing }: Event,
  flow: Passage,
  { steps }: WorkflowDefinition,
  time: StoreTime,
): More {
  if (flow.stepIndex !== position.stepIndex || flow.direction !== position.direction) return nothingMore;
  const { type } = what;
  const deadline = flow.direction === "up" ? steps[flow.stepIndex]?.deadline : undefined;
  // An operator's retry has all the time again.
  const isBegun = position.begins === true || type === "begins";
  const starts = type === "begins" || (type === "resumed" && position.stepDeadlineAt !== undefined);
  const stepDeadlineAt = starts && deadline !== undefined ? time.storeNowAtMost() + deadline : position.stepDeadlineAt;
  const polls = pollsAfter(position, type, flow);
  return {
    ...(isBegun && { begins: true as const }),
    // The step has failed, and waits only until its children are back.
    ...(stepDeadlineAt !== undefined && !(list !== undefined && "closes" in list) && { stepDeadlineAt }),
    ...(failing !== undefined && { failing }),
    ...(polls !== undefined && { polls }),
  };
}

/** A function that is called from its beginning for another reason has not polled yet. */
function pollsAfter(position: Position, type: RoutedEvent["type"], flow: Passage): number | undefined {
  if (type === "again") return (position.polls ?? 0) + 1;
  return type === "resumed" || flow.stepFunc !== position.stepFunc ? undefined : position.polls;
}

/** Whether the step where the execution stood is in doubt now. */
function staysInDoubt(
  execution: ActiveExecution,
  { called, gave, answered }: Event,
  { steps }: WorkflowDefinition,
): boolean {
  const step = steps[execution.position.stepIndex];
  if (answered === "did-not-happen") return false;
  // It is known that it happened; what it gave may not be kept.
  if (answered === "happened") return !gave;
  if (answered !== undefined) return isInDoubt(execution, step);
  if (!called || execution.position.direction === "down") return isInDoubt(execution, step);
  if (gave) return false;
  // What a transaction did was rolled back.
  return !leftNothing(execution, step);
}

/** The steps in doubt that the execution has gone on after: what became of them nobody knows, and they recovered or were skipped. */
function doubtfulAfter(
  execution: ActiveExecution,
  event: Event,
  { direction, stepIndex, passed }: Passage,
  action: Action,
  definition: WorkflowDefinition,
): Position["doubtful"] {
  const { stepIndex: left, direction: before } = execution.position;
  const doubtful = settledIn(execution.position.doubtful, left, event);
  // What is in doubt from there on has been undone.
  if (before === "down" && direction === "up") return doubtful && beforeStep(doubtful, stepIndex);
  const goesOn = action === "succeed" || (direction === "up" && stepIndex > left);
  if (!goesOn || passed?.includes(left) === true || !staysInDoubt(execution, event, definition)) return doubtful;
  return [...(doubtful ?? []), left];
}

function beforeStep(doubtful: readonly number[], stepIndex: number): Position["doubtful"] {
  return filled(doubtful.filter((index) => index < stepIndex));
}

function withoutStep(doubtful: readonly number[], stepIndex: number): Position["doubtful"] {
  return filled(doubtful.filter((index) => index !== stepIndex));
}

function filled(indices: readonly number[]): Position["doubtful"] {
  return indices.length === 0 ? undefined : indices;
}

/** The doubts that stay, where what became of a step is known now. */
function settledIn(doubtful: Position["doubtful"], index: number, { answered, gave }: Event): Position["doubtful"] {
  const isSettled = (answered === "happened" && gave) || answered === "did-not-happen";
  if (!isSettled || doubtful?.includes(index) !== true) return doubtful;
  return withoutStep(doubtful, index);
}

/** Whether the `run` of the step is called again though something that it did was committed. */
function isPartlyDone(position: Position, flow: Passage, { type }: RoutedEvent): boolean {
  if (flow.direction === "down") return false;
  if (position.partly === true || type === "again") return true;
  return position.stepFunc === "runContinue" && flow.stepFunc === "run";
}

/** A wait for a message is no attempt: the limit of a retry policy counts from the first failure on. */
function firstAttemptAt(
  position: Position,
  durationMs: number,
  stays: boolean,
  failed: boolean,
  time: StoreTime,
): number | null {
  if (!stays) return null;
  return position.firstAttemptAt ?? (failed ? time.storeNowAtMost() - durationMs : null);
}

/**
 * Attempts that were begun and count for nothing, so that no number of an attempt comes twice; save that of work in the store's
 * transaction which was rolled back, where its launcher then dies: of that work nothing is left either.
 */
function uncounted(execution: ActiveExecution, what: RoutedEvent, stays: boolean): number {
  const { attempts } = execution.position;
  if (what.type === "again") return attemptOf(execution);
  // What was lost while the probe was asked was no attempt.
  const isAsked = execution.position.stepFunc === "probe" && what.type !== "resumed";
  const before = isAsked ? execution.position.uncounted : attemptOf(execution) - attempts - 1;
  if (what.type === "cutOff") return isAsked ? before : before + 1;
  // Of one that is rewound where it was parked on its way down the same undo goes on; where it had waited, from its beginning.
  const goesOnDown = what.type === "rewindRequested" && execution.position.direction === "down";
  const waited = goesOnDown && execution.position.stepFunc === "rollbackContinue" ? 1 : 0;
  if (what.type === "resumed" || what.type === "probeHappened" || goesOnDown) return before + attempts + waited;
  return stays ? before : 0;
}

/** A pause in a handler keeps the timeout that runs; a new value restarts it, `null` clears it. */
function waitUntil(
  position: Position,
  { what, pause, func, cause }: Event,
  action: Action,
  time: StoreTime,
): number | null {
  switch (what.type) {
    case "cutOff":
    case "parked":
    case "resumed":
    case "begins":
    case "probeHappened":
      return position.waitUntil;
    case "retry":
      return what.afresh ? null : position.waitUntil;
    default:
      if (action !== "wait" || pause === undefined) return null;
  }
  // A handler without a message is `onTimeout`: the timeout that it answers is over.
  const isTimeoutHandler = cause === undefined && func === "runContinue";
  if (pause.until !== undefined) return pause.until;
  if (pause.timeout === undefined) return isTimeoutHandler ? null : position.waitUntil;
  return pause.timeout === null ? null : time.storeNowAtMost() + pause.timeout;
}
