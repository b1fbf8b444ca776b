/** What the functions of a step are called with. */
import type { StepClient } from "./asking.js";
import type { Direction } from "./flow.js";
import type { SerializedError } from "../values/serialize-error.js";
import type { Shown } from "./frozen.js";
import type { Logger } from "./logger.js";
import type { MessageOf, Messages } from "./messages.js";
import type { GrowHalf } from "./objects.js";
import type { ExecutionIdentity } from "./observer.js";
import type { MayGive } from "./patches.js";

/** What the synchronous functions beside a step are called with, such as the function that gives the length of a sleep. */
export interface StateContext<State> {
  /** Read-only: changes go into the patch that the function gives back. */
  readonly state: Shown<State>;
}

/** What every step function is called with. */
export interface StepContext<State> extends StateContext<State> {
  /**
   * The same over all attempts of this function for this execution, and different from every other key: give it to the other
   * system, so that a second attempt has no second effect.
   */
  readonly idempotencyKey: string;
  /** From 1; grows with each attempt, also after a crash. */
  readonly attempt: number;
  /** How often this function has given `again`. */
  readonly polls: number;
  /** The round of the rewind, 0 before any; in an undo, the round of the work that is undone. Idempotency keys contain it. */
  readonly round: number;
  /** Aborted when the attempt times out, a rollback is requested, or the launcher stops or loses the execution. */
  readonly signal: AbortSignal;
  readonly execution: ExecutionIdentity;
  readonly step: { readonly name: string; readonly index: number };
  readonly direction: Direction;
  /**
   * Subscribes this execution to a topic: it gets the messages that are kept, at once, and those to come. When this resolves, the
   * subscription is stored. Messages of a topic go to a handler that declares their names, as sent messages do. To subscribe again,
   * also in a later attempt, changes nothing.
   *
   * @param topic 1 to 255 characters, without control characters
   * @throws (rejects) STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION; STEPWELL_OWNERSHIP_LOST;
   * STEPWELL_SUBSCRIBE_TOO_LATE once the function has given back its result
   * @example
   * await subscribe(`payment:${id}`);
   * return pause({ paymentId: id }, { timeout: "30m" });
   */
  readonly subscribe: (topic: string, options?: SubscribeOptions) => Promise<void>;
  /** Launches other executions, sends to them and publishes to topics, once over all attempts of this function. */
  readonly client: StepClient;
  readonly logger: Logger;
}

export interface SubscribeOptions {
  /** When the subscription ends: when this step is done, or left, in this direction; or with the execution. Default: "step". */
  readonly until?: "step" | "end";
}

/** What `probe` is called with. It changes nothing in other systems, and only asks. */
export interface ProbeContext<State> extends Omit<StepContext<State>, "client"> {
  /** The key that the step's `run` had: the same in each attempt. It names the work that is looked for. */
  readonly idempotencyKey: string;
  /** From 1; grows with each time that the probe is asked about this doubt. */
  readonly attempt: number;
  /** How often the probe has answered `again` about this doubt. */
  readonly polls: number;
  /** The earliest time at which an attempt with an unknown outcome may have begun. */
  readonly since: Date;
  /** On the way down: why the execution turned. */
  readonly reason?: string;
}

export interface MessageContext<State, M extends Messages> extends StepContext<State> {
  readonly message: MessageOf<M>;
}

/** The request for which an execution goes back. */
export interface UndoRequest {
  readonly reason: string;
  /** What was given with it: read-only, and of whatever type the asker gave. */
  readonly details?: unknown;
  /** Who asked. */
  readonly by?: string;
  /**
   * Set: it is a rewind, which goes back to the step of this name and then goes up again. An undo that tells somebody that all is
   * called off should not do so then.
   */
  readonly to?: string;
}

export interface RollbackContext<State, Given> extends StepContext<State> {
  /** What this step itself gave on the way up, even where a later step has overwritten a field. */
  readonly given: Shown<Given>;
  /** The key that this step's `run` had. Where the answer to `run` was lost, it names the work that is to be undone. */
  readonly runKey: string;
  /**
   * The last function of this step on the way up may have begun and gave nothing back: it threw, timed out, was aborted or
   * lost its launcher, so it is not known what it did. Look for what was requested under `runKey`. False: all that the step did is in
   * the state.
   */
  readonly halfDone: boolean;
  /** Why the execution turned. */
  readonly reason: string;
  /**
   * The request that turned the execution, or the one at the top of its tree. Undefined: nobody asked, a failure or a deadline turned it.
   */
  readonly request: UndoRequest | undefined;
}

export interface RollbackMessageContext<State, Given, M extends Messages> extends RollbackContext<State, Given> {
  readonly message: MessageOf<M>;
}

/** What `recover` is called with. */
export interface RecoverContext<State> extends StateContext<State> {
  /** The reason with which the step failed. */
  readonly reason: string;
  readonly error?: SerializedError;
}

/** The state in a step's own undo: what the step itself gives may be missing. */
export type Undoing<State, Run, Handler, Recover = never, Rollback = never> = GrowHalf<
  State,
  MayGive<Run, Handler, Recover, Rollback>
>;
