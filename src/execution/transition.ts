/** From what happened to what is committed. Pure, save for the user's `onExit`. */
import { encode } from "../values/encode.js";
import { isolate } from "../values/isolate.js";
import type { StepDefinition, WorkflowDefinition } from "../definition/definition.js";
import { due, isPastPivot, route, type Action, type Passage, type Shape } from "./router.js";
import type { Position } from "./position.js";
import type { Status } from "../definition/flow.js";
import { type Transition, type HistoryEntry, untilBits } from "./records.js";
import { attemptOf, isInDoubt, leftNothing, type ActiveExecution, type Happening } from "./execution.js";
import { irreversibleUpTo } from "./irreversible.js";

/** Something outside the step wants the execution to turn: a rollback request, or its deadline. */
export interface Turn {
  readonly reason: string;
  readonly by: string | undefined;
  /** Undefined for a deadline: its reason says all. */
  readonly why: string | undefined;
  /** The request's row in the mailbox; undefined for a deadline. */
  readonly arrival: string | undefined;
}

export interface Conclusion {
  readonly transition: Transition;
  readonly action: Action;
}

/** What observers hear when it has come to rest. */
const reportOf = { succeed: "success", finish: "failure", park: "stuck" } as const;

/** The store's time, in milliseconds since 1970. */
interface StoreTime {
  /** It is not earlier than this: for what is compared and shown. */
  storeNow(): number;
  /** It is not later than this: for what is set, so that it is never early. */
  storeNowAtMost(): number;
}

export interface Circumstances {
  readonly definition: WorkflowDefinition;
  readonly shape: Shape;
  /** Asked for the store's time only where it matters: most transitions need none. */
  readonly clock: StoreTime;
  /** What came while the step ran. */
  readonly turn: Turn | undefined;
  /** Whether a message that the paused step waits for is there already. */
  readonly messageWaits: boolean;
  /** Where someone must be told how it came to rest, that is before the execution is let go. */
  readonly observing: { hears(callback: (typeof reportOf)[keyof typeof reportOf]): boolean };
  /** The launcher stops: let go of the execution with this commit. */
  readonly stopping: boolean;
  /** What observers gave this burst to carry; null: nothing new. */
  readonly carried: string | null;
  readonly onExit: (reason: string) => string;
}

const statusOf: Record<Action, Status> = {
  init: "running",
  execute: "running",
  wait: "waiting",
  startRollback: "running",
  succeed: "completed",
  finish: "rolledBack",
  park: "stuck",
  none: "running",
};

const interruptible = new Set<string>(["stepOk", "stepCompleted", "stepPaused", "stepFailed", "retry", "again"]);

/** What a turn from outside does to the result of a step that ran meanwhile: all that the step gave is kept. */
function interrupted(course: ActiveExecution, happening: Happening, turn: Turn | undefined): Happening {
  if (turn === undefined || course.position.direction === "down" || !interruptible.has(happening.event.type)) {
    return happening;
  }
  const { reason, by, why } = turn;
  return {
    ...happening,
    event: { type: "rollbackRequested", reason, begun: true },
    result: reason,
    by,
    why,
    isUnexpected: false,
  };
}

export function conclude(course: ActiveExecution, happened: Happening, circumstances: Circumstances): Conclusion {
  const { definition, shape, turn } = circumstances;
  const done = happened.event.type === "stepOk" || happened.event.type === "stepCompleted";
  // A pivot that succeeded is a point of no return: a request that came while it ran is too late.
  const tooLate = done && course.position.stepIndex === shape.pivot;
  const happening = tooLate ? happened : interrupted(course, happened, turn);
  const step = definition.steps[course.position.stepIndex];
  const nothingLeft = !commitsWork(happened) && leftNothing(course, step);
  const { flow, action } = decide(course, nothingLeft ? withoutTrace(happening) : happening, shape, step);
  const position = positionAfter(course, happening, flow, action, circumstances);
  const isPassedOver = nothingLeft && course.position.direction === "up" && flow.direction === "down";
  // One whose state was patched stays stuck, one that was migrated is as it was, and what is due is seen after that.
  const kept = keptStatus(happening.event);
  const resting = kept === undefined ? restOf(position, action, course, circumstances) : undefined;
  const transition: Transition = {
    id: course.identity.id,
    owner: course.owner,
    revision: course.revision + 1,
    signals: course.signals,
    status: resting?.status ?? kept ?? statusOf[action],
    position,
    state: course.unsaved,
    rests: resting !== undefined,
    dueInMs: resting?.dueInMs ?? null,
    settled: settledBy(course, happening, turn, tooLate),
    ends: action === "succeed" || action === "finish",
    leaves: course.admission !== null && (action === "succeed" || action === "finish" || action === "park"),
    carried: circumstances.carried,
    history: isPassedOver ? { ...entryOf(course, happening), leftNothing: true } : entryOf(course, happening),
  };
  const unsubscribes = course.subscribed === 0 ? undefined : endsOf(course, transition, happening.event);
  return { action, transition: unsubscribes === undefined ? transition : { ...transition, unsubscribes } };
}

/** Whether what the function did in the store's transaction is committed with it. */
function commitsWork({ called, event: { type } }: Happening): boolean {
  return called && (type === "stepOk" || type === "stepCompleted" || type === "stepPaused" || type === "again");
}

/** The same of a step of which nothing is there: there is nothing to undo of it. */
function withoutTrace(happening: Happening): Happening {
  const { event } = happening;
  switch (event.type) {
    case "stepFailed":
    case "rollbackRequested":
      return { ...happening, event: { ...event, leftNothing: true } };
    case "initVetoed":
    case "beforeStepVetoed":
      return { ...happening, event: { ...event, begun: false } };
    default:
      return happening;
  }
}

function keptStatus(event: Happening["event"]): Status | undefined {
  if (event.type === "patched") return "stuck";
  return event.type === "migrated" ? event.status : undefined;
}

/** Which subscriptions are over: all with the execution, those of a step once it is done, or left, in its direction. */
function endsOf(
  course: ActiveExecution,
  { position, ends }: Transition,
  event: Happening["event"],
): Transition["unsubscribes"] {
  if (ends) return "all";
  const before = course.position;
  const isLeft =
    event.type === "migrated"
      ? !event.stays
      : position.stepIndex !== before.stepIndex || position.direction !== before.direction;
  return isLeft && (course.subscribed & untilBits.step) !== 0 ? "step" : undefined;
}

const patchOptions = { what: "A patch", limit: Infinity };

function entryOf(course: ActiveExecution, happening: Happening): HistoryEntry {
  const { guardErrors, others, initial } = course;
  const { direction, step, stepIndex } = course.position;
  const { func, attempt, result, durationMs, cause, error, by, why, event } = happening;
  const patch = happening.patch === undefined ? null : encode(happening.patch, patchOptions);
  const entry: Writable<HistoryEntry> = { direction, step, stepIndex, func, attempt, result, durationMs, patch };
  // Field by field: most entries have one of these or none, and spreading costs.
  if (cause?.kind === "message") entry.message = { id: cause.messageId ?? cause.id, name: cause.name };
  if (error !== null) entry.error = error;
  if (guardErrors.length > 0) entry.guardErrors = guardErrors;
  if (by !== undefined) entry.by = by;
  if (why !== undefined) entry.why = why;
  if (others !== undefined) entry.others = encode(fieldsOf(course.state, others), patchOptions);
  if (initial !== undefined) entry.initial = initial;
  if (event.type === "migrated") {
    entry.migration = event.migration;
    if (course.unsaved !== null) entry.replaced = course.unsaved;
  }
  return entry;
}

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

function fieldsOf(state: object, names: ReadonlySet<string>): object {
  return isolate(Object.fromEntries(Object.entries(state).filter(([name]) => names.has(name))));
}

function decide(
  course: ActiveExecution,
  { event }: Happening,
  shape: Shape,
  step: StepDefinition | undefined,
): { flow: Passage; action: Action } {
  const { position } = course;
  // One that was parked while it waited waits again.
  if (event.type === "resumed") return { flow: position, action: due(position) };
  if (event.type === "cutOff" || event.type === "patched" || event.type === "migrated")
    return { flow: position, action: "none" };
  if (event.type === "parked") return { flow: { ...position, lastResult: event.reason }, action: "park" };
  // The init observers are not asked again: the first step has their consent, and begins.
  if (event.type === "begins") {
    const lifecycle = position.lifecycle === "init" ? "beforeStep" : position.lifecycle;
    return { flow: { ...position, lifecycle }, action: "none" };
  }
  if (event.type !== "retry" && event.type !== "again")
    return unbegunPassed(course, route(position, event, shape), step);
  const start = position.direction === "up" ? ("run" as const) : ("rollback" as const);
  return {
    flow: {
      ...position,
      stepFunc: event.type === "retry" && event.afresh ? start : position.stepFunc,
      lifecycle: position.direction === "up" ? "step" : "rollback",
      lastResult: event.type === "retry" ? event.reason : "again",
    },
    action: "none",
  };
}

/** Where it turns at a step whose `when` was not asked yet, nothing of that step has begun, and nothing of it is undone. */
function unbegunPassed(
  { position }: ActiveExecution,
  routed: { flow: Passage; action: Action },
  step: StepDefinition | undefined,
): { flow: Passage; action: Action } {
  if (step?.when === undefined) return routed;
  const { flow, action } = routed;
  const turns = position.direction === "up" && flow.direction === "down" && flow.stepIndex === position.stepIndex;
  const isUnbegun =
    position.begins !== true &&
    position.lifecycle !== "success" &&
    position.stepFunc === "run" &&
    position.attempts + position.uncounted === 0;
  if (!turns || !isUnbegun) return routed;
  return { flow: { ...flow, passed: [...(flow.passed ?? []), flow.stepIndex] }, action };
}

function positionAfter(
  course: ActiveExecution,
  happening: Happening,
  flow: Passage,
  action: Action,
  { definition, clock, onExit }: Circumstances,
): Position {
  const { position } = course;
  const { event, error } = happening;
  if (event.type === "patched") return position;
  if (event.type === "migrated") return event.position;
  const stays =
    event.type !== "resumed" &&
    (event.type === "retry" ||
      event.type === "cutOff" ||
      event.type === "begins" ||
      action === "park" ||
      action === "wait");
  // What was parked untouched is no further than it was: one that had not begun has still not begun.
  const failed = event.type === "retry" || (action === "park" && !(event.type === "parked" && event.untouched));
  const ends = action === "succeed" || action === "finish";
  const turns = position.direction === "up" && flow.direction === "down";
  const irreversible = turns && !ends ? irreversibleUpTo(flow.stepIndex, definition) : position.irreversible;
  const after: Position = {
    direction: flow.direction,
    reason: ends ? onExit(flow.reason) : flow.reason,
    stepIndex: flow.stepIndex,
    stepFunc: flow.stepFunc,
    lifecycle: flow.lifecycle,
    lastResult: flow.lastResult,
    // A parked execution keeps the name that it stands at: the definition may be the wrong one.
    step: event.type === "parked" ? position.step : (definition.steps[flow.stepIndex]?.name ?? position.step),
    attempts: stays ? position.attempts + (failed ? 1 : 0) : 0,
    firstAttemptAt: firstAttemptAt(position, happening, stays, failed, clock),
    uncounted: uncounted(course, event, stays),
    waitUntil: waitUntil(position, happening, action, clock),
    resumeAt: event.type === "retry" || event.type === "again" ? clock.storeNowAtMost() + event.wait : null,
    error: turns ? error : position.error,
    stuckBy: action === "park" ? error : null,
  };
  const { keys, gone } = position;
  const { passed } = flow;
  const { begins, stepDeadlineAt, polls } = ends ? nothingMore : moreOf(position, event, flow, definition, clock);
  const isSame = !ends && flow.stepIndex === position.stepIndex;
  const doubtful = doubtfulAfter(course, happening, flow, action, definition);
  const inDoubt = isSame && staysInDoubt(course, happening, definition);
  const partly = isSame && isPartlyDone(position, flow, event);
  const warned = position.warned === true || happening.isUnexpected === true;
  // Most have none, and are all of one shape.
  if (
    !inDoubt &&
    !partly &&
    !warned &&
    irreversible === undefined &&
    keys === undefined &&
    gone === undefined &&
    passed === undefined &&
    doubtful === undefined &&
    begins === undefined &&
    stepDeadlineAt === undefined &&
    polls === undefined
  )
    return after;
  return {
    ...after,
    ...(inDoubt && { inDoubt }),
    ...(partly && { partly }),
    ...(warned && { warned }),
    ...(irreversible !== undefined && { irreversible }),
    ...(keys !== undefined && { keys }),
    ...(gone !== undefined && { gone }),
    ...(passed !== undefined && { passed }),
    ...(doubtful !== undefined && { doubtful }),
    ...(begins !== undefined && { begins }),
    ...(stepDeadlineAt !== undefined && { stepDeadlineAt }),
    ...(polls !== undefined && { polls }),
  };
}

type More = Pick<Position, "begins" | "stepDeadlineAt" | "polls">;

const nothingMore: More = {};

/** What is remembered of a step for as long as the execution stands at it, in one direction. */
function moreOf(
  position: Position,
  event: Happening["event"],
  flow: Passage,
  { steps }: WorkflowDefinition,
  clock: Circumstances["clock"],
): More {
  if (flow.stepIndex !== position.stepIndex || flow.direction !== position.direction) return nothingMore;
  const { type } = event;
  const deadline = flow.direction === "up" ? steps[flow.stepIndex]?.deadline : undefined;
  // An operator's retry has all the time again.
  const isBegun = position.begins === true || type === "begins";
  const starts = type === "begins" || (type === "resumed" && position.stepDeadlineAt !== undefined);
  const stepDeadlineAt = starts && deadline !== undefined ? clock.storeNowAtMost() + deadline : position.stepDeadlineAt;
  const polls = pollsAfter(position, type, flow);
  return {
    ...(isBegun && { begins: true as const }),
    ...(stepDeadlineAt !== undefined && { stepDeadlineAt }),
    ...(polls !== undefined && { polls }),
  };
}

/** A function that is called from its beginning for another reason has not polled yet. */
function pollsAfter(position: Position, type: Happening["event"]["type"], flow: Passage): number | undefined {
  if (type === "again") return (position.polls ?? 0) + 1;
  return type === "resumed" || flow.stepFunc !== position.stepFunc ? undefined : position.polls;
}

/** Whether the step where it stood is in doubt now. */
function staysInDoubt(course: ActiveExecution, { called, gave }: Happening, { steps }: WorkflowDefinition): boolean {
  const step = steps[course.position.stepIndex];
  if (!called || course.position.direction === "down") return isInDoubt(course, step);
  if (gave) return false;
  // What a transaction did was taken back.
  return !leftNothing(course, step);
}

/** Where it goes on up though nobody knows what became of the step: that recovered, or an operator skipped it. */
function doubtfulAfter(
  course: ActiveExecution,
  happening: Happening,
  { direction, stepIndex, passed }: Passage,
  action: Action,
  definition: WorkflowDefinition,
): Position["doubtful"] {
  const { doubtful, stepIndex: left } = course.position;
  const goesOn = action === "succeed" || (direction === "up" && stepIndex > left);
  if (!goesOn || passed?.includes(left) === true || !staysInDoubt(course, happening, definition)) return doubtful;
  return [...(doubtful ?? []), left];
}

/** Whether its `run` is called again though something that it did was committed. */
function isPartlyDone(position: Position, flow: Passage, { type }: Happening["event"]): boolean {
  if (flow.direction === "down") return false;
  if (position.partly === true || type === "again") return true;
  return position.stepFunc === "runContinue" && flow.stepFunc === "run";
}

/** A wait for a message is no attempt: the limit of a retry policy counts from the first failure on. */
function firstAttemptAt(
  position: Position,
  happening: Happening,
  stays: boolean,
  failed: boolean,
  clock: Circumstances["clock"],
): number | null {
  if (!stays) return null;
  return position.firstAttemptAt ?? (failed ? clock.storeNowAtMost() - happening.durationMs : null);
}

/** Attempts that were begun and count for nothing, so that the number of an attempt never comes twice. */
function uncounted(course: ActiveExecution, event: Happening["event"], stays: boolean): number {
  const { attempts } = course.position;
  if (event.type === "again") return attemptOf(course);
  const before = attemptOf(course) - attempts - 1;
  if (event.type === "cutOff") return before + 1;
  if (event.type === "resumed") return before + attempts;
  return stays ? before : 0;
}

/** A pause in a handler keeps the timeout that runs; a new value restarts it, `null` clears it. */
function waitUntil(
  position: Position,
  { event, pause, func, cause }: Happening,
  action: Action,
  clock: Circumstances["clock"],
): number | null {
  const { type } = event;
  if (type === "cutOff" || type === "parked" || type === "resumed" || type === "begins") return position.waitUntil;
  if (event.type === "retry") return event.afresh ? null : position.waitUntil;
  if (action !== "wait" || pause === undefined) return null;
  // A handler without a message is `onTimeout`: the timeout that it answers is over.
  const isTimeoutHandler = cause === undefined && func === "runContinue";
  if (pause.until !== undefined) return pause.until;
  if (pause.timeout === undefined) return isTimeoutHandler ? null : position.waitUntil;
  return pause.timeout === null ? null : clock.storeNowAtMost() + pause.timeout;
}

/** Whether the launcher lets go of the execution with this commit, and when it is due again. */
function restOf(
  position: Position,
  action: Action,
  course: ActiveExecution,
  { clock, shape, messageWaits, observing, stopping }: Circumstances,
): { status: Status; dueInMs: number | null } | undefined {
  if (action === "succeed" || action === "finish" || action === "park")
    return observing.hears(reportOf[action]) ? undefined : { status: statusOf[action], dueInMs: null };
  if (action === "wait" && !messageWaits)
    return { status: "waiting", dueInMs: dueIn(course, position, shape, clock.storeNow()) };
  if (position.resumeAt !== null && position.resumeAt > clock.storeNow()) {
    return { status: "scheduled", dueInMs: dueIn(course, position, shape, clock.storeNow()) };
  }
  return stopping ? { status: statusOf[action], dueInMs: 0 } : undefined;
}

/** How long until the execution wants to be taken up again by itself. Null: only an arrival wakes it. */
export function dueIn(course: ActiveExecution, position: Position, shape: Shape, storeNow: number): number | null {
  // Where the deadline turns nothing it wakes nobody: once it had passed, it would do so again and again.
  const mayTurn = position.direction === "up" && !isPastPivot(position, shape);
  const deadline = (mayTurn ? course.deadlineAt : null) ?? Infinity;
  const stepDeadline = (position.direction === "up" ? position.stepDeadlineAt : undefined) ?? Infinity;
  const at = Math.min(position.resumeAt ?? position.waitUntil ?? Infinity, deadline, stepDeadline);
  return at === Infinity ? null : Math.max(0, at - storeNow);
}

/** Until it is admitted only its deadline wakes it. */
export function dueWhileQueued({ deadlineAt }: ActiveExecution, storeNow: number): number | null {
  return deadlineAt === null ? null : Math.max(0, deadlineAt - storeNow);
}

const nothing: Transition["settled"] = [];

function settledBy(
  course: ActiveExecution,
  { event, cause }: Happening,
  turn: Turn | undefined,
  tooLate: boolean,
): Transition["settled"] {
  if (course.pending.length === 0 && course.dead.length === 0) return nothing;
  const settled: { arrival: string; as: "consumed" | "dead" }[] = [];
  for (const arrival of course.dead) settled.push({ arrival, as: "dead" });
  if (event.type === "parked") {
    // A request that could not be followed must not stand in the way of the next one.
    for (const { id, kind } of course.pending) if (kind !== "message") settled.push({ arrival: id, as: "dead" });
  }
  // A handler that failed or was cut off, and will be tried again, leaves its message where it is.
  if (cause !== undefined && event.type !== "retry" && event.type !== "cutOff")
    settled.push({ arrival: cause.id, as: "consumed" });
  if (turn?.arrival !== undefined && turn.arrival !== cause?.id) {
    // Where a guard's veto turned it first, the request has what it wanted.
    const turned =
      event.type === "rollbackRequested" || event.type === "initVetoed" || event.type === "beforeStepVetoed";
    if (tooLate) settled.push({ arrival: turn.arrival, as: "dead" });
    else if (turned) settled.push({ arrival: turn.arrival, as: "consumed" });
  }
  return settled;
}

/** What leaves an execution at the step where it stands, unless it turns. */
const standing = new Set<Happening["event"]["type"]>([
  ...(["retry", "resumed", "patched", "cutOff", "stepPaused", "stepFailed"] as const),
  ...(["initVetoed", "beforeStepVetoed", "rollbackRequested"] as const),
]);

/**
 * A mistake of the engine's own, seen before it is committed. An execution goes up or down one step at a time, and only
 * where the step is done; it turns once, and undoes the step where it stands, unless that never began or left
 * nothing; it ends with its last step done or its first undone, and after that only a completed one goes on, when it is asked back. Undefined: none.
 */
export function brokenInvariant(
  { position: before, revision }: Pick<ActiveExecution, "position" | "revision">,
  { event }: Happening,
  { position: after, revision: next, history }: Pick<Transition, "position" | "revision" | "history">,
): string | undefined {
  // Where it was parked or migrated it stands where that says: there is no way that it went.
  if (event.type === "parked" || event.type === "migrated") return undefined;
  if (next !== revision + 1) return `it would go from revision ${revision} to ${next}`;
  const turns = before.direction === "up" && after.direction === "down";
  if (before.direction === "down" && after.direction === "up") return "it would go up again after it has turned";
  if (before.lifecycle === "failure" || (before.lifecycle === "success" && !turns))
    return "it would go on after it has ended";
  const mayMove = turns
    ? ("begun" in event && !event.begun) || history.leftNothing === true
    : !standing.has(event.type);
  const moved = after.stepIndex - before.stepIndex;
  if (moved !== 0 && !(mayMove && moved === (after.direction === "up" ? 1 : -1)))
    return `it would go ${after.direction} from step ${before.stepIndex} to step ${after.stepIndex}`;
  if (after.lifecycle === "success" && (after.direction === "down" || !mayMove))
    return `it would go to its end with step ${before.stepIndex} not done`;
  if (after.lifecycle === "failure" && (after.stepIndex > 0 || !mayMove))
    return `it would go to its end with step ${after.stepIndex} not undone`;
  return undefined;
}
