/**
 * What is to be done with an execution now, by where it stands and what is there. The order is the law: read it from top to
 * bottom. So an execution that a launcher takes up after a crash and one that was never interrupted are one case.
 */
import type { StepDefinition } from "../definition/definition.js";
import type { StepwellError } from "../errors.js";
import { dueIn } from "./decide.js";
import { doubtOf, holdsTurns, openDoubt } from "./doubt.js";
import type { ActiveExecution } from "./execution.js";
import { awaitedMessage, deadlinePassed, type Mail, type Request } from "./mail.js";
import { isRequest, type MailboxRecord } from "./records.js";
import { due, type Action, type Shape } from "./router.js";
import type { StoreTime } from "./time.js";

export type Task =
  /** Tell the observers that the execution has come to rest. */
  | { readonly type: "tellRest" }
  /** See whether the execution can go on with the list of steps that is registered. */
  | { readonly type: "checkDefinition" }
  /** The execution can't go on, or the request for which it was taken up can't be followed. */
  | { readonly type: "turnAway"; readonly error: StepwellError }
  | { readonly type: "follow"; readonly request: Request | "deadline" }
  /** Let go of it; due again after so many milliseconds (null: not by itself). */
  | { readonly type: "release"; readonly dueInMs: number | null }
  /** The launcher stops: leave it to the next one, which must know of an attempt that was begun. */
  | { readonly type: "cutOff" }
  /** Ask the store how many launchers have died with a function of it running. */
  | { readonly type: "countDeaths" }
  /** Note in the store that a function of it is about to be called. */
  | { readonly type: "noteCall" }
  /** The step's own deadline has passed. */
  | { readonly type: "stepOverdue" }
  /** Read back what each step gave on the way up. */
  | { readonly type: "recall" }
  /** See how far the children are. */
  | { readonly type: "children" }
  /** Check the message, and hand it to its handler. */
  | { readonly type: "handle"; readonly message: MailboxRecord }
  | { readonly type: "waitTimedOut" }
  /** The step is in doubt, and its probe is to be asked; the observers before what is due are told. */
  | { readonly type: "probe"; readonly action: Action }
  /** The step is in doubt, and nobody can be asked. */
  | { readonly type: "parkInDoubt" }
  /** The step has failed for good, which waited for what became of its last attempt. */
  | { readonly type: "fail"; readonly reason: string }
  /** Call the function that is due, with the observers before it. */
  | { readonly type: "call"; readonly action: Action };

/** After so many processes died in a row while a function of an execution ran, the execution is taken for what kills them. */
export const mostDeaths = 10;

/** So many messages that are refused are given up together, and the execution is taken up anew: each look would have to read past them. */
const mostDead = 64;

export interface Moment {
  /** Undefined: a parked execution may stand where its list has none. */
  readonly step: StepDefinition | undefined;
  readonly shape: Shape;
  readonly time: StoreTime;
  /** Without the requests that came too late. */
  readonly mail: Mail;
  readonly request: Request | undefined;
  /** A request could not be read back: what was asked for nobody knows. */
  readonly unreadable: StepwellError | undefined;
  /** That the execution came to rest is committed, and those who want to know may not have heard of it. */
  readonly isRestUntold: boolean;
  /** The execution knows another list of steps than the registered one, and nobody has looked at that yet. */
  readonly isMismatched: boolean;
  readonly stopping: boolean;
  /** It is known that the execution does not kill processes. */
  readonly isCleared: boolean;
  /** The store knows that a function of the execution is being called. */
  readonly isNoted: boolean;
  /** It is known what each step gave on the way up. */
  readonly isRecalled: boolean;
}

export function nextTask(execution: ActiveExecution, moment: Moment): Task {
  const { status, position, claims } = execution;
  const { request, stopping, time } = moment;
  const action = due(position);
  const isAtRest = action === "none" || status === "stuck";
  // Only what was taken up more often can have so many deaths: the others need not be asked for.
  const isSuspect = claims > mostDeaths && !moment.isCleared;
  if (moment.isRestUntold && isAtRest) return { type: "tellRest" };
  if (moment.isMismatched && (!isAtRest || moment.mail.pending.some(({ kind }) => isRequest(kind)))) {
    if (stopping) return { type: "release", dueInMs: 0 };
    if (isSuspect) return { type: "countDeaths" };
    return mustNote(execution, moment) ? { type: "noteCall" } : { type: "checkDefinition" };
  }
  if (moment.unreadable !== undefined) return { type: "turnAway", error: moment.unreadable };
  const isHeld = holdsTurns(execution, moment.step, moment.shape);
  const isAsked = isHeld && (request?.type === "rollback" || request?.type === "rewind");
  if (request !== undefined && !isAsked) return { type: "follow", request };
  if (isAtRest && !isAsked) return { type: "release", dueInMs: null };
  if (stopping) return execution.uncommittedAttempts === 0 ? { type: "release", dueInMs: 0 } : { type: "cutOff" };
  if (isSuspect) return { type: "countDeaths" };
  if (!isHeld && deadlinePassed(execution, moment.shape, time)) return { type: "follow", request: "deadline" };
  if (execution.admission === "queued") return { type: "release", dueInMs: dueWhileQueued(execution, time) };
  if (isOverdue(execution, action, moment)) return { type: "stepOverdue" };
  const open = status === "stuck" ? doubtOf(execution, moment.step) : openDoubt(execution, moment.step);
  if (open !== undefined && moment.step?.probe === undefined) return { type: "parkInDoubt" };
  const { resumeAt } = position;
  if (resumeAt !== null && resumeAt > time.storeNow()) return rest(execution, moment, isHeld);
  if (action !== "wait" && mustNote(execution, moment)) return { type: "noteCall" };
  if (position.direction === "down" && !moment.isRecalled) return { type: "recall" };
  if (open !== undefined) return { type: "probe", action };
  const failed = position.direction === "up" ? doubtOf(execution, moment.step)?.failed : undefined;
  if (failed !== undefined) return { type: "fail", reason: failed };
  return action === "wait" ? nextOfWait(execution, moment) : { type: "call", action };
}

/** A step waits: for a message that is there, for its timeout, or on. */
function nextOfWait(execution: ActiveExecution, moment: Moment): Task {
  const { position } = execution;
  const { mail, time } = moment;
  const step = moment.step!;
  if (mail.dead.length >= mostDead) return { type: "release", dueInMs: 0 };
  if (step.children !== undefined) return mustNote(execution, moment) ? { type: "noteCall" } : { type: "children" };
  const message = awaitedMessage(mail.pending, step, position);
  if (message !== undefined) return { type: "handle", message };
  if (position.waitUntil === null || position.waitUntil > time.storeNow()) return rest(execution, moment);
  if (position.direction === "down" || step.onTimeout === undefined) return { type: "waitTimedOut" };
  return mustNote(execution, moment) ? { type: "noteCall" } : { type: "call", action: "wait" };
}

function rest(execution: ActiveExecution, { shape, time }: Moment, isHeld = false): Task {
  return { type: "release", dueInMs: dueIn(execution, execution.position, shape, time, isHeld) };
}

/** Whether it was taken up before without a commit: then it is noted before anything of it is called. */
export function mustNote({ claims }: ActiveExecution, { isNoted }: Pick<Moment, "isNoted">): boolean {
  return claims > 1 && !isNoted;
}

function isOverdue({ position }: ActiveExecution, action: Action, { step, time }: Moment): boolean {
  const { stepDeadlineAt, stepIndex, doubts } = position;
  if (doubts?.some(({ index, failed }) => index === stepIndex && failed !== undefined) === true) return false;
  if (stepDeadlineAt === undefined || step?.deadline === undefined) return false;
  return (action === "execute" || action === "wait") && stepDeadlineAt <= time.storeNow();
}

/** Until it is admitted only its deadline wakes it. */
function dueWhileQueued({ deadlineAt }: ActiveExecution, time: StoreTime): number | null {
  return deadlineAt === null ? null : Math.max(0, deadlineAt - time.storeNow());
}
