/** What the loop of an execution needs of its launcher. */
import type { Clock } from "../clock.js";
import type { StepClient } from "../definition/asking.js";
import type { Logger } from "../definition/logger.js";
import type { StepwellError } from "../errors.js";
import type { MailboxRecord, StagedLine } from "../execution/records.js";
import type { Store } from "../stores/contract.js";
import type { ListStore } from "../stores/lists.js";
import type { Registered } from "./registry.js";
import type { Committer } from "./group-commit.js";
import type { StoredStepLists } from "./step-lists.js";

/** Arrivals of an execution that are pending, and the value of `signals` that counts them all. */
export interface PendingMail {
  readonly signals: number;
  readonly pending: readonly MailboxRecord[];
  /** By name: messages of this name were read, and whether more of them may be pending. Left out: `pending` has all arrivals. */
  readonly names?: ReadonlyMap<string, boolean>;
}

/** A list as it was opened, with those of its lines that were written then. */
export interface OpenedList {
  /** The execution that it belongs to. */
  readonly of: string;
  readonly data: string;
  readonly lines: readonly StagedLine[];
}

/** A call of a step function, as what it asks of other executions sees it. */
export interface AskingCall {
  readonly idempotencyKey: string;
  /** False: the engine has called the function off. */
  readonly isWanted: boolean;
  /**
   * The function's result waits for the answer.
   *
   * @param what for the error
   * @throws (rejects) STEPWELL_CLIENT_TOO_LATE, STEPWELL_OWNERSHIP_LOST
   */
  ask<Answer>(what: string, act: () => Promise<Answer>): Promise<Answer>;
}

export interface Host {
  readonly clock: Clock;
  /** For reading. What is written of an execution goes through the committer. */
  readonly store: Pick<Store, "name" | "load" | "mail" | "history" | "begin" | "deaths" | "transactions">;
  readonly committer: Committer;
  /** The `client` of a step function. */
  clientOf(call: AskingCall): StepClient;
  readonly logger: Logger;
  /** How long a timed-out attempt may take to settle, in milliseconds. */
  readonly grace: number;
  /** The largest encoded state or payload, in bytes. */
  readonly sizeLimit: number;
  /** A lower bound of the store's time, in milliseconds since 1970: for times that are compared and shown. */
  storeNow(): number;
  /** An upper bound of the store's time: for timers that are set, so that none is early. */
  storeNowAtMost(): number;
  /** The lists of steps that some launcher has had. */
  readonly stepLists: StoredStepLists;
  /** @throws STEPWELL_CAPABILITY_MISSING */
  readonly lists: ListStore;
  /** A workflow of children: whoever has registered one has all that are below it. */
  registeredAs(name: string, version: string): Registered | undefined;
  /** Tells that a list of children has news, or more to do. @param opened the list, if it was opened here */
  listMoved(list: string, opened?: OpenedList): void;
  report(error: StepwellError): void;
  /** Tells the logger, or the console where there is no logger. */
  warn(fields: object, message: string): void;
  /** Tells that rows of mailboxes were consumed, or became dead. */
  settled(arrivals: readonly string[]): void;
}
