/** An execution in a list: where it stands, without what it holds. */
import type { Flow, Status } from "../definition/flow.js";
import { doubtAt, flowOf, isStruggling, keyNameOf, roundOf } from "../execution/position.js";
import { idempotencyKey } from "../ids.js";
import type { ListedExecution } from "../stores/contract.js";
import type { SerializedError } from "../values/serialize-error.js";

export interface ExecutionSummary {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: Status;
  /** How many transitions have been committed. */
  readonly revision: number;
  /** The execution waits until the limits of its workflow have a slot for it. False for one that is `scheduled` for a time to come. */
  readonly queued: boolean;
  /** Its step has failed five times or more and is tried again. */
  readonly struggling: boolean;
  /**
   * Its step is in doubt: the last attempt of `run` may have begun and gave nothing back, and it is not known what became of it. Left out:
   * it is not, as far as is known.
   */
  readonly inDoubt?: StepInDoubt;
  /** Failed attempts of its step, in the direction in which it goes. */
  readonly attempts: number;
  /** Until when its step waits, before it goes on by itself. Left out: it does not wait, or it waits without end. */
  readonly waitUntil?: Date;
  /** Nothing is done before this: the next attempt, a launch that was delayed. */
  readonly resumeAt?: Date;
  /** Until when the completed execution can be undone. Left out: for as long as it is kept, or with its parent only. */
  readonly sealedAt?: Date;
  readonly tags: readonly string[];
  /** The execution whose child it is. Left out: it is nobody's. */
  readonly parent?: string;
  /** The execution at the top of its tree. Left out: it is that itself. */
  readonly root?: string;
  readonly flow: Flow & { readonly step: string };
  /** The error that parked it, else the error that turned it. */
  readonly error?: SerializedError;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface StepInDoubt {
  /** The idempotency key that `run` had. */
  readonly key: string;
  /** The earliest time at which an attempt with an unknown outcome may have begun. */
  readonly since: Date;
  /** How often the step's probe was asked. */
  readonly asked: number;
  /** What the probe answered last. Left out: it has not answered yet. */
  readonly answer?: { readonly said: "again" | "unknown"; readonly at: Date };
}

/** @param now the store's time */
export function summaryOf(record: ListedExecution, now: number): ExecutionSummary {
  const { id, workflow, version, status, revision, tags, position } = record;
  const error = position.stuckBy ?? position.error;
  return {
    id,
    workflow,
    version,
    status,
    revision,
    queued: record.admission === "queued" && (position.resumeAt ?? now) <= now,
    struggling: isStruggling(status, position),
    ...inDoubtOf(record),
    attempts: position.attempts,
    ...(position.waitUntil !== null && { waitUntil: new Date(position.waitUntil) }),
    ...(position.resumeAt !== null && { resumeAt: new Date(position.resumeAt) }),
    ...(position.sealedAt !== undefined && record.line === null && { sealedAt: new Date(position.sealedAt) }),
    tags,
    ...(record.line !== null && { parent: record.line.parent }),
    ...(record.root !== null && { root: record.root }),
    flow: placeOf(record),
    ...(error !== null && { error }),
    createdAt: new Date(record.createdAt),
    updatedAt: new Date(record.updatedAt),
  };
}

export function placeOf({ position }: ListedExecution): Flow & { readonly step: string } {
  return { ...flowOf(position), step: position.step };
}

function inDoubtOf({ id, position, status }: ListedExecution): Pick<ExecutionSummary, "inDoubt"> {
  const { doubts, stepIndex, step, keys } = position;
  const doubt = doubtAt(doubts, stepIndex);
  if (doubt === undefined || doubt.answer === "did-not-happen" || status === "completed") return {};
  const { since, asked = 0, answer, answeredAt } = doubt;
  const said = answer === "again" || answer === "unknown" ? answer : undefined;
  const key = idempotencyKey(id, keyNameOf(step, keys), "run", undefined, roundOf(position, stepIndex));
  const inDoubt = { key, since: new Date(since), asked };
  if (said === undefined || answeredAt === undefined) return { inDoubt };
  return { inDoubt: { ...inDoubt, answer: { said, at: new Date(answeredAt) } } };
}
