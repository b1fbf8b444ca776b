/**
 * What the model is made from: the data of the public API, as this process has it or as JSON brought it. A time is a `Date` here,
 * and a text in ISO 8601 there, so that the terminal and the page draw from the same functions.
 */
import type { ExecutionSummary, HistoryRow, SerializedError } from "../../index.js";

/** A `Date`, or its text in ISO 8601. */
export type Time = Date | string;

/** A committed transition. */
export type TransitionFacts = Omit<HistoryRow, "at" | "error" | "guardErrors"> & {
  readonly at: Time;
  readonly error?: ErrorFacts;
  readonly guardErrors?: readonly ErrorFacts[];
};

export type ErrorFacts = Pick<SerializedError, "name" | "message"> & { readonly code?: string };

/** A step of the list that an execution goes on with. */
export interface StepFacts {
  readonly name: string;
  /** It is passed over where a condition is false. */
  readonly when?: true;
  /** It has an undo. */
  readonly rollback?: true;
  readonly pivot?: true;
  readonly transactional?: true;
  readonly onTimeout?: true;
  readonly messages?: readonly string[];
  readonly rollbackMessages?: readonly string[];
}

/** An execution where it stands. */
export interface ExecutionFacts extends Omit<ExecutionSummary, "createdAt" | "updatedAt" | "error"> {
  readonly createdAt: Time;
  readonly updatedAt: Time;
  readonly error?: ErrorFacts;
  /** How many transitions have been committed. */
  readonly revision: number;
  /** Failed attempts of the step, in the direction in which the execution goes. */
  readonly attempts: number;
  /** When the wait of the step ends by itself. */
  readonly waitUntil?: Time;
  /** Nothing is to be done before: the next attempt, a delayed launch. */
  readonly resumeAt?: Time;
  /** When the workflow's deadline passes. */
  readonly deadlineAt?: Time;
  /** On the way down: the steps that can't be undone, and why. */
  readonly irreversible: readonly { readonly step: string; readonly reason: string }[];
  /** The steps that were passed over, by index. */
  readonly passedOver: readonly number[];
  /** The steps in order. Left out: no launcher has kept the list in this store. */
  readonly steps?: readonly StepFacts[];
}
