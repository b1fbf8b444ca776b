/** What came to an execution from outside, and what it asks for: messages, requests, and the workflow's deadline. */
import type { StepDefinition } from "../definition/definition.js";
import { isPastPivot, type Shape } from "./router.js";
import { isSealed, type TurnRequest, type Position } from "./position.js";
import type { ActiveExecution } from "./execution.js";
import { isRequest, type ExecutionRecord, type MailboxRecord, type Transition } from "./records.js";
import type { StoreTime } from "./time.js";

/** The payload of a `rollback` arrival. */
export interface RollbackRequest {
  readonly reason: string;
  readonly ifCompleted: "undo" | "refuse";
  readonly by?: string;
  /** As text. */
  readonly details?: string;
  /** The request comes from the execution's parent, and is never lost. An execution that can't follow it is parked with it. */
  readonly isParents?: true;
  /** The caller was told that the execution will turn, and hears no more of it: so the request is never lost either. */
  readonly isPromised?: true;
  /** In a parent's request: the request that turned the parent. Left out: none did, the parent has turned by itself. */
  readonly asked?: TurnRequest;
}

/** The request as undos are told it. Undefined: nobody asked. */
export function askedIn({ reason, by, details, isParents, asked }: RollbackRequest): TurnRequest | undefined {
  if (isParents === true) return asked;
  return { reason, ...(by !== undefined && { by }), ...(details !== undefined && { details }) };
}

/** The payload of a `retry`, `skip`, `patch` or `resolve` arrival. */
export interface OperatorAct {
  /** Always there but for a `retry`. */
  readonly reason?: string;
  readonly patch?: object;
  /** In a `resolve`: what became of the attempt in doubt; if it happened, `patch` is what the step gave. */
  readonly resolved?: "happened" | "did-not-happen";
  readonly by?: string;
  /** The caller did not know the workflow: the launcher that takes the execution up checks the patch before it is merged. */
  readonly unchecked?: true;
}

export type RefusedRollback =
  "already-rolling-back" | "past-pivot" | "already-rolled-back" | "completed" | "belongs-to-parent" | "sealed";

/** Why a request can't be followed that was damaged after it had been accepted. Undefined: it can be read. */
export function requestProblem({ kind, payload }: MailboxRecord): string | undefined {
  try {
    const request: unknown = payload.value;
    if (typeof request !== "object" || request === null) return "it is no object";
    if ((kind === "rollback" || kind === "rewind") && typeof (request as RollbackRequest).reason !== "string")
      return "it gives no reason";
    if (kind === "rewind" && typeof (request as RewindRequest).to !== "string") return "it names no step";
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Whether a rollback request would be taken as things stand; undefined: yes.
 *
 * @param at when it was accepted (the store's time)
 */
export function refuseRollback(
  { status, position, line }: Pick<ExecutionRecord, "status" | "position" | "line">,
  shape: Shape,
  request: RollbackRequest,
  at: number,
): RefusedRollback | undefined {
  if (status === "rolledBack") return "already-rolled-back";
  if (isPastPivot(position, shape)) return "past-pivot";
  // From a rewind it takes over.
  if (position.direction === "down") return position.until === undefined ? "already-rolling-back" : undefined;
  if (status !== "completed" || request.isParents === true) return undefined;
  // What it has done is part of what its parent has done.
  if (line !== null) return "belongs-to-parent";
  if (request.ifCompleted === "refuse") return "completed";
  return isSealed(position, at) ? "sealed" : undefined;
}

/** The payload of a `rewind` arrival. */
export interface RewindRequest {
  /** The name of the step to go back to. */
  readonly to: string;
  readonly reason: string;
  readonly by: string;
  readonly patch?: object;
  /** Irreversible steps that may be done again. */
  readonly repeat?: readonly string[];
  /** The caller did not know the workflow: the launcher that takes the execution up checks the patch before it follows the request. */
  readonly unchecked?: true;
}

export type RefusedRewind =
  Exclude<RefusedRollback, "completed"> | "already-rewinding" | "step-not-found" | "step-not-begun" | "would-repeat";

export interface ActRequest {
  readonly type: "retry" | "skip" | "patch" | "resolve";
  readonly arrival: MailboxRecord;
  readonly act: OperatorAct;
}

export interface RewindArrival {
  readonly type: "rewind";
  readonly arrival: MailboxRecord;
  readonly request: RewindRequest;
  /** The index of the step to go back to. */
  readonly to: number;
}

export type Request =
  | { readonly type: "rollback"; readonly arrival: MailboxRecord; readonly request: RollbackRequest }
  | RewindArrival
  | ActRequest;

/** Whether the execution turns where the request is followed. */
export function turns(request: Request): request is Exclude<Request, ActRequest> {
  return request.type === "rollback" || request.type === "rewind";
}

/** The mailbox of an execution as it was last looked at. */
export interface Mail {
  /** How many arrivals this look covers. */
  readonly signals: number;
  /** What nobody has taken, in the order of acceptance. */
  readonly pending: readonly MailboxRecord[];
  /** Rows that nobody will take; the next commit settles them. */
  readonly dead: readonly string[];
}

/** Whether the request comes from the execution's parent. */
export function isParents(row: MailboxRecord): boolean {
  return rollbackIn(row)?.isParents === true;
}

/** Whether the request waits until the execution can follow it, however often that is parked. */
export function isLasting(row: MailboxRecord): boolean {
  const request = rollbackIn(row);
  return request?.isParents === true || request?.isPromised === true;
}

function rollbackIn({ kind, payload }: MailboxRecord): RollbackRequest | undefined {
  try {
    return kind === "rollback" ? (payload.value as RollbackRequest) : undefined;
  } catch {
    return undefined;
  }
}

/** The mail with these rows dead. */
export function withDead(mail: Mail, dead: readonly string[]): Mail {
  if (dead.length === 0) return mail;
  return {
    signals: mail.signals,
    pending: mail.pending.filter(({ id }) => !dead.includes(id)),
    dead: [...mail.dead, ...dead],
  };
}

/** What a transition leaves of the mail. */
export function mailAfter(mail: Mail, transition: Pick<Transition, "settled" | "forgets">): Mail {
  const { settled, forgets } = transition;
  return settled.length === 0 && forgets === undefined ? mail : withoutSettled(mail, transition);
}

function withoutSettled(mail: Mail, { settled, forgets }: Pick<Transition, "settled" | "forgets">): Mail {
  const gone = new Set(settled.map(({ arrival }) => arrival));
  const isForgotten = ({ kind, name }: MailboxRecord): boolean =>
    kind === "message" && forgets?.messages.includes(name) === true;
  const pending = mail.pending.filter((it) => !gone.has(it.id) && !isForgotten(it));
  return { signals: mail.signals, pending, dead: [] };
}

/** The oldest request that applies, and the mail in which those before it, that came too late, are dead. */
export interface Sifted {
  readonly request: Request | undefined;
  readonly mail: Mail;
}

type Judged = Pick<ExecutionRecord, "status" | "position" | "line" | "owner" | "admission">;

/**
 * Whether a rewind would be taken as things stand, and to which step; a word: why it would not.
 *
 * @param at when the request was accepted (the store's time)
 */
export function judgeRewind(
  execution: Judged,
  { pivot, steps = [] }: Shape,
  request: RewindRequest,
  at: number,
): number | RefusedRewind {
  const { status, position, line } = execution;
  if (status === "rolledBack") return "already-rolled-back";
  // What it has done is part of what its parent has done.
  if (line !== null) return "belongs-to-parent";
  if (position.direction === "down") {
    if (position.until !== undefined && status !== "stuck") return "already-rewinding";
    if (position.until === undefined && (status !== "stuck" || position.request !== undefined))
      return "already-rolling-back";
  }
  const to = steps.findIndex(({ name }) => name === request.to);
  if (to < 0) return "step-not-found";
  if (!isReached(execution, to, at)) return "step-not-begun";
  if (isPivotDone(position, pivot) && pivot >= to) return "past-pivot";
  if (isSealed(position, at)) return "sealed";
  const repeats = doneForGood(execution, steps, to, at).some((name) => request.repeat?.includes(name) !== true);
  return repeats ? "would-repeat" : to;
}

/** The irreversible steps that were begun, from that one on; on the way down also those that the execution has come past. */
export function doneForGood(
  execution: Judged,
  steps: NonNullable<Shape["steps"]>,
  from: number,
  at: number,
): readonly string[] {
  const { direction, irreversible: marked = [], passed } = execution.position;
  const isLeft = (name: string, index: number): boolean =>
    direction === "down" && passed?.includes(index) !== true && marked.some(({ step }) => step === name);
  return steps.flatMap(({ name, irreversible }, index) =>
    irreversible && index >= from && (isReached(execution, index, at) || isLeft(name, index)) ? name : [],
  );
}

/**
 * Whether the step of this index was begun, or may have been, and is not undone: an attempt of which nothing is committed may be under
 * way.
 */
function isReached({ status, position, owner, admission }: Judged, index: number, at: number): boolean {
  const { stepIndex, direction, lifecycle, stepFunc, attempts, uncounted, begins, inDoubt, passed, resumeAt } =
    position;
  if (passed?.includes(index) === true && index < stepIndex) return true;
  if (index !== stepIndex) return index < stepIndex;
  if (direction === "down" || lifecycle === "success" || stepFunc !== "run" || status === "stuck") return true;
  if (attempts + uncounted > 0 || begins === true || inDoubt === true) return true;
  // A launcher that only looks at an execution which waits to begin, delayed or by its limits, calls nothing of it.
  return owner !== null && admission !== "queued" && (resumeAt === null || resumeAt <= at);
}

function isPivotDone({ passed, direction, stepIndex, lifecycle, until = 0 }: Position, pivot: number): boolean {
  if (pivot < 0 || passed?.includes(pivot) === true) return false;
  if (direction === "down") return until > pivot;
  return lifecycle === "success" ? stepIndex >= pivot : stepIndex > pivot;
}

/**
 * The first pending request that can be followed, and the mail without the requests before it, which came too late. What comes after it is
 * judged next time, by what it leaves. Undefined: nothing is pending.
 */
export function sift(mail: Mail, execution: Judged, shape: Shape): Sifted | undefined {
  if (mail.pending.length === 0) return undefined;
  const late: string[] = [];
  let found: Request | undefined;
  /** A parent's, that waits for what an operator says of the pivot in doubt. */
  let held: Request | undefined;
  for (const arrival of mail.pending) {
    const { kind } = arrival;
    if (!isRequest(kind)) continue;
    if (kind === "rollback") {
      const request = arrival.payload.value as RollbackRequest;
      if (refuseRollback(execution, shape, request, arrival.receivedAt) === undefined)
        found = { type: "rollback", arrival, request };
    } else if (kind === "rewind") {
      const request = arrival.payload.value as RewindRequest;
      const to = judgeRewind(execution, shape, request, arrival.receivedAt);
      if (typeof to === "number") found = { type: "rewind", arrival, request, to };
    } else if (execution.status === "stuck" && (kind !== "resolve" || isDoubtful(execution.position))) {
      found = { type: kind, arrival, act: arrival.payload.value as OperatorAct };
    }
    if (found !== undefined && isParents(arrival) && isParkedInDoubt(execution, shape)) {
      held ??= found;
      found = undefined;
      continue;
    }
    if (found !== undefined) break;
    late.push(arrival.id);
  }
  return { request: found ?? held, mail: withDead(mail, late) };
}

/** At its pivot, of which only an operator can say what became of it. */
function isParkedInDoubt({ status, position }: Judged, { pivot }: Shape): boolean {
  const isUp = position.direction === "up";
  return status === "stuck" && isUp && position.stepIndex === pivot && isDoubtful(position);
}

/** Whether an operator can say what became of the step where it stands. */
export function isDoubtful({ doubts, stepIndex }: Position): boolean {
  return doubts?.some(({ index }) => index === stepIndex) === true;
}

/** Something outside the step wants the execution to turn: a request for a rollback or a rewind, or the workflow's deadline. */
export interface Turn {
  readonly reason: string;
  readonly by: string | undefined;
  /** Undefined for a deadline: its reason says all. */
  readonly why: string | undefined;
  /** The row of the request in the mailbox; undefined for a deadline. */
  readonly arrival: string | undefined;
  readonly asked: TurnRequest | undefined;
  /** Set: the execution is to go up again, since a rewind was requested. */
  readonly rewind?: RewindArrival;
}

/** What turns the execution, whatever its step has given meanwhile. */
export function turnOf(
  execution: Pick<ActiveExecution, "deadlineAt" | "position">,
  request: Request | undefined,
  shape: Shape,
  time: StoreTime,
): Turn | undefined {
  if (request?.type === "rollback") {
    const asked = askedIn(request.request);
    const { reason } = request.request;
    return { reason, by: asked?.by, why: reason, arrival: request.arrival.id, asked };
  }
  if (request?.type === "rewind") {
    const { reason, by } = request.request;
    const asked = { reason, by, to: request.request.to };
    return { reason, by, why: reason, arrival: request.arrival.id, asked, rewind: request };
  }
  if (!deadlinePassed(execution, shape, time)) return undefined;
  return { reason: "deadline", by: undefined, why: undefined, arrival: undefined, asked: undefined };
}

/** Whether the workflow's deadline has passed where it still turns the execution. */
export function deadlinePassed(
  { deadlineAt, position }: Pick<ActiveExecution, "deadlineAt" | "position">,
  shape: Shape,
  time: StoreTime,
): boolean {
  if (deadlineAt === null || time.storeNow() < deadlineAt || position.direction === "down") return false;
  return position.lifecycle !== "success" && !isPastPivot(position, shape);
}

/** The oldest message that the step waits for in that direction. */
export function awaitedMessage(
  pending: readonly MailboxRecord[],
  step: StepDefinition,
  position: Position,
): MailboxRecord | undefined {
  const awaited = position.direction === "up" ? step.messages : step.rollbackMessages;
  return pending.find((arrival) => arrival.kind === "message" && Object.hasOwn(awaited, arrival.name));
}
