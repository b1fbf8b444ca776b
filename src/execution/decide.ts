/**
 * The one decision: an execution, what happened to it and the facts of the moment come in; what is committed of that, and
 * what is to be done next, comes out. Pure, save for the user's `onExit`. The way goes by the router's table; everything
 * beside the way (turns from outside, doubt, status, when it is due again, mail, history) is decided here.
 */
import type { StepDefinition } from "../definition/definition.js";
import type { Status } from "../definition/flow.js";
import { holdsTurns, isClean, nothingLost } from "./doubt.js";
import { changesOf, leftNothing, withPosition, type ActiveExecution } from "./execution.js";
import { rewound, type RewindBase } from "./contributions.js";
import { eventWith, type Event } from "./events.js";
import { lineAfter } from "./children.js";
import { awaitedMessage, sift, turnOf, turns, type Mail, type Turn } from "./mail.js";
import { doubtAt, keyNameOf, roundOf, type Position } from "./position.js";
import { positionAfter, takenOver, type Surroundings } from "./position-after.js";
import { isRequest, type Transition } from "./records.js";
import { isPastPivot, route, type Action, type Routed, type RoutedEvent, type Shape } from "./router.js";
import type { StoreTime } from "./time.js";
import { entryOf, settledBy, unsubscribedBy, type SettledRow } from "./transition.js";

export interface Decision {
  readonly transition: Transition;
  readonly action: Action;
  /** The execution is parked as one that can't go on: no request to it could be followed. */
  readonly isTurnedAway: boolean;
  /** The execution as it goes up again. Left out: it does not. */
  readonly rewound?: ActiveExecution;
}

/** What observers hear when an execution has come to rest. */
const callbackOf = { succeed: "success", finish: "failure", park: "stuck" } as const;

export interface Facts extends Surroundings {
  readonly shape: Shape;
  /** The mail, with what came while the step ran. */
  readonly mail: Mail;
  /** Where observers hear how the execution came to rest, that is before it is let go. */
  readonly observing: { hears(callback: (typeof callbackOf)[keyof typeof callbackOf]): boolean };
  /** What the execution would go up again with. Undefined: that was not read, since it can't go up again with this event. */
  readonly rewindBase: RewindBase | undefined;
  /** The largest encoded state, in bytes. */
  readonly limit: number;
  /** The launcher stops: let go of the execution with this commit. */
  readonly stopping: boolean;
  /** The list of steps that the execution takes over; undefined: it has the registered one. */
  readonly list: Transition["definition"];
  /** What observers gave this activation to carry; null: nothing new. */
  readonly carried: string | null;
  /** The id of the first list of children that a step has in a round. */
  firstListOf(step: string, round: number): string;
}

export function decide(stood: ActiveExecution, happened: Event, facts: Facts): Decision {
  const found = judged(stood, happened, facts);
  const { execution, event, mail, step, routed, nothingLeft, request } = found;
  const { action } = routed;
  const upInto = event.what.type === "migrated" ? undefined : roundInto(execution, routed);
  const committed = upInto === undefined ? execution : rewound(execution, event, facts.rewindBase!, facts.limit);
  const position = positionAfter(execution, event, routed, facts);
  const isPassedOver = nothingLeft && execution.position.direction === "up" && routed.flow.direction === "down";
  // One whose state was patched stays stuck, one that was migrated is as it was, and what is due is seen after that.
  const kept = keptStatus(execution, event.what);
  // Its children may have been settled by now, of which nobody tells it again: while it was parked, or where the rewind has heard it.
  const hasHeard = event.what.type === "resumed" || event.what.type === "rollbackRequested";
  const looksAgain = action === "wait" && hasHeard && step?.children !== undefined;
  const isAsked = leavesRequest(stood, found, position, facts);
  const goesOn = kept !== undefined || looksAgain || isAsked;
  const resting = goesOn ? undefined : restOf(execution, position, action, mail, facts, step);
  const ends = (action === "succeed" && !isAsked) || action === "finish";
  const status = resting?.status ?? kept ?? statusOf(action);
  const history = entryOf(committed, event, upInto);
  if (isPassedOver) history.leftNothing = true;
  // All of one shape, with all fields: on Node 20 an object that is spread and then grows costs fifty times as much, and whoever reads it.
  const transition: Transition = {
    id: execution.identity.id,
    owner: execution.owner,
    revision: execution.revision + 1,
    signals: mail.signals,
    status,
    position,
    state: committed.unsaved,
    changes: changesOf(committed),
    rests: resting !== undefined,
    dueInMs: resting?.dueInMs ?? null,
    settled: settledBy(execution.position.step, mail, event, request),
    ends,
    leaves: execution.admission !== null && (ends || action === "park"),
    carried: facts.carried,
    // What is parked keeps the list that it knows: a later launcher looks again.
    definition: event.what.type === "parked" ? undefined : facts.list,
    history,
    unsubscribes: committed.subscribed === 0 ? undefined : unsubscribedBy(committed, { position, ends }, event.what),
    forgets: upInto === undefined ? undefined : forgottenAfter(committed, facts),
    line: lineAfter(committed.line, committed.status, status),
    list: listAfter(committed, event, position, facts),
  };
  const isTurnedAway = event.what.type === "parked";
  return upInto === undefined
    ? { action, transition, isTurnedAway }
    : { action, transition, isTurnedAway, rewound: committed };
}

/** Whether a request would stay behind that was not judged: an execution does not rest then, since nobody else would look at it. */
function leavesRequest(
  { position: stood }: ActiveExecution,
  { execution, event, mail, turn, routed, request }: Judged,
  position: Position,
  { shape }: Facts,
): boolean {
  if (turn === undefined && mail.pending.length === 0) return false;
  // A rollback takes over from the rewind: it is followed at once, also where its undo waits or has failed.
  if (request === undefined && stood.until !== undefined && turn?.arrival !== undefined) return true;
  // It has taken over: what else was asked for is judged by that.
  if (event.what.type === "rollbackRequested" && stood.direction === "down") return hasOtherRequest(mail, event);
  if (routed.action !== "succeed" || turn?.arrival !== undefined) return false;
  // An operator's act has completed it, and somebody has asked it to go back meanwhile: as if that had come just after.
  const last = sift(mail, { ...execution, status: "completed", position }, shape)?.request;
  return last !== undefined && turns(last);
}

function hasOtherRequest({ pending }: Mail, { cause }: Event): boolean {
  return pending.some(({ id, kind }) => isRequest(kind) && id !== cause?.id);
}

interface Judged {
  readonly execution: ActiveExecution;
  readonly event: Event;
  readonly mail: Mail;
  readonly turn: Turn | undefined;
  readonly step: StepDefinition | undefined;
  readonly routed: Routed;
  /** Nothing of the step was done. */
  readonly nothingLeft: boolean;
  /** What becomes of the request that wants the execution to turn. */
  readonly request: SettledRow | undefined;
}

/** Which event it is that is committed, since the execution may have been asked to turn meanwhile; and where it leads. */
function judged(stood: ActiveExecution, happened: Event, facts: Facts): Judged {
  const { definition, shape, time } = facts;
  // Until the execution is one of this version, this list can't say whether anything turns it; nor where it is parked for that.
  const { what } = happened;
  const isForeign = what.type === "migrated" || (what.type === "parked" && what.untouched);
  const sifted = isForeign ? undefined : sift(facts.mail, stood, shape);
  const mail = sifted?.mail ?? facts.mail;
  const turn = isForeign ? undefined : turnOf(stood, sifted?.request, shape, time);
  const isLeft = isDone(happened) || happened.what.type === "probeDidNotHappen";
  const takesOver = isLeft && stood.position.until !== undefined && turn?.arrival !== undefined;
  const execution = takesOver ? withPosition(stood, takenOver(stood, turn.reason, turn.asked, definition)) : stood;
  // A pivot that succeeded is a point of no return: a request that came while it ran is too late.
  const isPassed = happened.what.type === "stepPassedOver";
  const tooLate = !takesOver && !isPassed && isDone(happened) && execution.position.stepIndex === shape.pivot;
  const step = definition.steps[execution.position.stepIndex];
  const event = tooLate
    ? happened
    : takesOver
      ? askedBy(happened, turn)
      : interrupted(execution, happened, turn, step, shape);
  const nothingLeft =
    (!commitsWork(happened) && leftNothing(execution, step)) || (!happened.called && isClean(execution, step));
  const routed = passedUnbegun(
    execution,
    route(execution.position, nothingLeft ? withoutTrace(event.what) : event.what, shape),
    step,
  );
  return {
    execution,
    event,
    mail,
    turn,
    step,
    routed,
    nothingLeft,
    request: settledRequest(event, turn, { tooLate, takesOver }),
  };
}

/** The round into which the execution goes up again. Undefined: it does not. */
function roundInto({ position }: ActiveExecution, { flow }: Routed): number | undefined {
  return flow.round === position.round ? undefined : flow.round;
}

/** What becomes of the request that wants the execution to turn. */
function settledRequest(
  { what }: Event,
  turn: Turn | undefined,
  { tooLate, takesOver }: { readonly tooLate: boolean; readonly takesOver: boolean },
): SettledRow | undefined {
  if (turn?.arrival === undefined) return undefined;
  if (tooLate) return { arrival: turn.arrival, as: "dead" };
  // The deadline, or a guard's veto, turned it first: it goes all the way down, and not up again.
  if (turn.rewind !== undefined && turning.has(what.type) && what.type !== "rewindRequested")
    return { arrival: turn.arrival, as: "dead" };
  return takesOver || turning.has(what.type) ? { arrival: turn.arrival, as: "consumed" } : undefined;
}

/** Where a guard's veto turned it first, the request has what it wanted. */
const turning = new Set<RoutedEvent["type"]>([
  ...(["rollbackRequested", "rewindRequested", "initVetoed", "beforeStepVetoed"] as const),
]);

/** The last undo of a rewind is done, and it goes on all the way down: its row says who wanted that. */
function askedBy(event: Event, { by, why, asked }: Turn): Event {
  return eventWith(event, asked === undefined ? { by, why } : { by, why, asked });
}

function isDone({ what: { type } }: Event): boolean {
  return type === "stepOk" || type === "stepCompleted" || type === "stepPassedOver";
}

/** Subscriptions and messages of the undone steps: nobody waits for them any more, and none may be taken for an answer to what comes. */
function forgottenAfter(
  { position }: ActiveExecution,
  { definition, rewindBase }: Facts,
): NonNullable<Transition["forgets"]> {
  const undone = definition.steps.filter(({ name }) => rewindBase!.undone.includes(name));
  return {
    subscriptionsOf: undone.map(({ name }) => keyNameOf(name, position.keys)),
    messages: [...new Set(undone.flatMap((it) => Object.keys({ ...it.messages, ...it.rollbackMessages })))],
  };
}

/** What becomes of a list of children: its step says so, or it is closed where the execution turns at its step or comes back to it. */
function listAfter(
  { position: before }: ActiveExecution,
  { what, list }: Event,
  position: Position,
  facts: Facts,
): Transition["list"] {
  if (list !== undefined && what.type === "stepPaused") return list;
  const { direction, stepIndex, step, keys } = position;
  const isNew = direction === "down" && (before.direction === "up" || before.stepIndex !== stepIndex);
  if (!isNew || facts.definition.steps[stepIndex]?.children === undefined) return undefined;
  return { list: facts.firstListOf(keyNameOf(step, keys), roundOf(position, stepIndex)), closes: true };
}

function statusOf(action: Action): Status {
  switch (action) {
    case "wait":
      return "waiting";
    case "succeed":
      return "completed";
    case "finish":
      return "rolledBack";
    case "park":
      return "stuck";
    default:
      return "running";
  }
}

const interruptible = new Set<RoutedEvent["type"]>([
  ...(["stepOk", "stepPassedOver", "stepCompleted", "stepPaused", "stepFailed", "retry", "again", "doubted"] as const),
]);

/** What a turn from outside does to the result of a step that ran meanwhile: all that the step gave is kept. */
function interrupted(
  { position }: ActiveExecution,
  event: Event,
  turn: Turn | undefined,
  step: StepDefinition | undefined,
  { pivot }: Shape,
): Event {
  const { what: was, answered } = event;
  if (turn === undefined || position.direction === "down") return event;
  const asked =
    turn.asked === undefined || (!interruptible.has(was.type) && turn.rewind !== undefined)
      ? undefined
      : { asked: turn.asked };
  // A guard's veto turned it first, or the deadline: the undos are told of the request all the same, since it was accepted.
  const isTurnedFirst = isVeto(was) || (was.type === "rollbackRequested" && event.cause === undefined);
  if (isTurnedFirst) return asked === undefined ? event : eventWith(event, asked);
  const isPivot = position.stepIndex === pivot;
  // It need not be parked: it turns, and what became of the step is asked before that is undone.
  if (was.type === "probed" && was.parks && !isPivot) return eventWith(event, { what: { ...was, parks: false } });
  if (!interruptible.has(was.type)) return event;
  // An operator's act stands in the history; the deadline turns it after that.
  if (turn.arrival === undefined && event.cause !== undefined && isRequest(event.cause.kind)) return event;
  const isAsked = step?.probe !== undefined || step?.inDoubt === "park";
  // What became of the pivot decides what becomes of the turn.
  if (isPivot && isAsked && event.lost)
    return was.type === "retry" ? eventWith(event, { what: { ...was, wait: 0 } }) : event;
  // That asks the children to go back, whose end decides what becomes of the turn.
  if (event.list !== undefined && "closes" in event.list) return event;
  const { reason, by, why, rewind } = turn;
  const result = answered === undefined ? reason : event.result;
  const turned = { result, by, why, isUnexpected: false, ...asked };
  if (rewind === undefined)
    return eventWith(event, { ...turned, what: { type: "rollbackRequested", reason, begun: true } });
  const { to, request } = rewind;
  const what = { type: "rewindRequested", reason, to } as const;
  return eventWith(event, { ...turned, what, backTo: request.to, patchThen: request.patch });
}

function isVeto({ type }: RoutedEvent): boolean {
  return type === "initVetoed" || type === "beforeStepVetoed";
}

/** Whether what the function did in the store's transaction is committed with the event. */
function commitsWork({ called, what: { type } }: Event): boolean {
  return called && (type === "stepOk" || type === "stepCompleted" || type === "stepPaused" || type === "again");
}

/** The event where nothing of the step is there, so that there is nothing to undo of it. */
function withoutTrace(what: RoutedEvent): RoutedEvent {
  switch (what.type) {
    case "stepFailed":
    case "rollbackRequested":
    case "rewindRequested":
      return { ...what, leftNothing: true };
    case "initVetoed":
    case "beforeStepVetoed":
      return { ...what, begun: false };
    default:
      return what;
  }
}

/**
 * A step whose beginning is committed before it begins, for it has a `when`, or may park in doubt: where the execution turns before that,
 * it is passed over, and not undone.
 */
function passedUnbegun({ position }: ActiveExecution, routed: Routed, step: StepDefinition | undefined): Routed {
  if (step?.when === undefined && step?.inDoubt !== "park") return routed;
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

function keptStatus({ position }: ActiveExecution, what: RoutedEvent): Status | undefined {
  if (what.type === "patched") return "stuck";
  // It was parked after its end, by a request that could not be followed.
  if (what.type === "resumed" && position.lifecycle === "success") return "completed";
  return what.type === "migrated" ? what.status : undefined;
}

/** The status with which the launcher lets go of the execution, and when it is due again. Undefined: it goes on at once. */
function restOf(
  execution: ActiveExecution,
  position: Position,
  action: Action,
  { pending }: Mail,
  { time, shape, observing, stopping }: Facts,
  step: StepDefinition | undefined,
): { status: Status; dueInMs: number | null } | undefined {
  if (action === "succeed" || action === "finish" || action === "park")
    return observing.hears(callbackOf[action]) ? undefined : { status: statusOf(action), dueInMs: null };
  // A parked execution may stand where this list has no step.
  const waits =
    action === "wait" && (step === undefined || awaitedMessage(pending, step, execution.position) === undefined);
  // What it was told is settled with this: it looks at once what that was.
  if (waits && step?.children !== undefined && pending.some(({ kind }) => kind === "told")) return undefined;
  if (waits) return { status: "waiting", dueInMs: dueIn(execution, position, shape, time) };
  if (position.resumeAt !== null && position.resumeAt > time.storeNow()) {
    const isHeld = holdsTurns({ position, status: "running", ...nothingLost }, step, shape);
    return { status: "scheduled", dueInMs: dueIn(execution, position, shape, time, isHeld) };
  }
  return stopping ? { status: statusOf(action), dueInMs: 0 } : undefined;
}

/**
 * How long until the execution wants to be taken up again by itself. Null: only an arrival wakes it.
 *
 * @param isHeld what wants to turn it waits for what is said of its pivot
 */
export function dueIn(
  { deadlineAt }: Pick<ActiveExecution, "deadlineAt">,
  position: Position,
  shape: Shape,
  time: StoreTime,
  isHeld = false,
): number | null {
  // Where the deadline turns nothing it wakes nobody: once it had passed, it would do so again and again.
  const isUp = position.direction === "up";
  const doubt = doubtAt(position.doubts, position.stepIndex);
  const mayTurn = isUp && !isPastPivot(position, shape) && !isHeld;
  const deadline = (mayTurn ? deadlineAt : null) ?? Infinity;
  const stepDeadline = (isUp && doubt?.failed === undefined ? position.stepDeadlineAt : undefined) ?? Infinity;
  const at = Math.min(position.resumeAt ?? position.waitUntil ?? Infinity, deadline, stepDeadline);
  return at === Infinity ? null : Math.max(0, at - time.storeNow());
}
