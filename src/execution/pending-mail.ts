/** What an execution should do about what came from outside. Pure: the rows come in, a decision comes out. */
import type { StepDefinition } from "../definition/definition.js";
import { isPastPivot, type Shape } from "./router.js";
import type { Position } from "./position.js";
import type { Status } from "../definition/flow.js";
import type { MailboxRecord } from "./records.js";

/** The payload of a `rollback` arrival. */
export interface RollbackRequest {
  readonly reason: string;
  readonly ifCompleted: "undo" | "refuse";
  readonly by?: string;
}

/** The payload of a `retry`, `skip` or `patch` arrival. */
export interface OperatorAct {
  /** Always there but for a `retry`. */
  readonly reason?: string;
  readonly patch?: object;
  readonly by?: string;
  /** Who asked did not know the workflow: whoever takes it up checks the patch before it is merged. */
  readonly unchecked?: true;
}

export type RefusedRollback = "already-rolling-back" | "past-pivot" | "already-rolled-back" | "completed";

/** Why a request can't be followed that was damaged after it had been accepted. Undefined: it can be read. */
export function requestProblem({ kind, payload }: MailboxRecord): string | undefined {
  try {
    const request: unknown = payload.value;
    if (typeof request !== "object" || request === null) return "it is no object";
    if (kind === "rollback" && typeof (request as RollbackRequest).reason !== "string") return "it gives no reason";
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Whether a rollback request would be taken as things stand; undefined: yes. */
export function refuseRollback(
  status: Status,
  position: Position,
  shape: Shape,
  request: RollbackRequest,
): RefusedRollback | undefined {
  if (status === "rolledBack") return "already-rolled-back";
  if (isPastPivot(position, shape)) return "past-pivot";
  if (position.direction === "down") return "already-rolling-back";
  if (status === "completed" && request.ifCompleted === "refuse") return "completed";
  return undefined;
}

export interface ActRequest {
  readonly type: "retry" | "skip" | "patch";
  readonly arrival: MailboxRecord;
  readonly act: OperatorAct;
}

export type Request =
  { readonly type: "rollback"; readonly arrival: MailboxRecord; readonly request: RollbackRequest } | ActRequest;

/**
 * The oldest request that applies, and those before it that came too late and are dead. What comes
 * after it is judged next time, by what it leaves.
 */
export function triage(
  pending: readonly MailboxRecord[],
  status: Status,
  position: Position,
  shape: Shape,
): { readonly request: Request | undefined; readonly dead: readonly string[] } {
  const dead: string[] = [];
  for (const arrival of pending) {
    if (arrival.kind === "message" || arrival.kind === "resend") continue;
    if (arrival.kind === "rollback") {
      const request = arrival.payload.value as RollbackRequest;
      if (refuseRollback(status, position, shape, request) === undefined) {
        return { request: { type: "rollback", arrival, request }, dead };
      }
    } else if (status === "stuck") {
      return { request: { type: arrival.kind, arrival, act: arrival.payload.value as OperatorAct }, dead };
    }
    dead.push(arrival.id);
  }
  return { request: undefined, dead };
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
