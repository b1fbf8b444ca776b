/**
 * What the model is made from: the data of the public API, as this process has it or as JSON brought it. A time is a `Date` here,
 * and a text in ISO 8601 there, so that the terminal and the page draw from the same functions.
 */
import type { ExecutionDetails, HistoryRow, SerializedError, StepOutline } from "../../index.js";

/** A `Date`, or its text in ISO 8601. */
export type Time = Date | string;

export type ErrorFacts = Pick<SerializedError, "name" | "message" | "code">;

/** A committed transition. */
export interface TransitionFacts extends Omit<HistoryRow, "at" | "error" | "guardErrors" | "details"> {
  readonly at: Time;
  readonly error?: ErrorFacts;
  readonly guardErrors?: readonly ErrorFacts[];
}

/** A step of the list that an execution goes on with. */
export type StepFacts = StepOutline;

type InDoubt = NonNullable<ExecutionDetails["inDoubt"]>;

type Times = "createdAt" | "updatedAt" | "waitUntil" | "resumeAt" | "deadlineAt" | "sealedAt";

/** An execution where it stands. */
export interface ExecutionFacts extends Omit<ExecutionDetails, Times | "error" | "inDoubt"> {
  readonly createdAt: Time;
  readonly updatedAt: Time;
  readonly waitUntil?: Time;
  readonly resumeAt?: Time;
  readonly deadlineAt?: Time;
  readonly sealedAt?: Time;
  readonly error?: ErrorFacts;
  readonly inDoubt?: Omit<InDoubt, "since" | "answer"> & {
    readonly since: Time;
    readonly answer?: Pick<NonNullable<InDoubt["answer"]>, "said">;
  };
}
