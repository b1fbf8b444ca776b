/** What the loop of an execution needs of its launcher. */
import type { Clock } from "../clock.js";
import type { Logger } from "../definition/logger.js";
import type { StepOutline } from "../definition/outline.js";
import type { StepwellError } from "../errors.js";
import type { Death } from "../stores/records.js";
import type { ExecutionRecord, HistoryRecord, MailboxRecord } from "../execution/records.js";
import type { MaybePromise, TransactionStore } from "../stores/contract.js";
import type { ListStore } from "../stores/lists.js";
import type { Registered } from "./registry.js";
import type { Committer } from "./group-commit.js";

/** Arrivals of an execution that are pending, and the value of `signals` that counts them all. */
export interface PendingMail {
  readonly signals: number;
  readonly pending: readonly MailboxRecord[];
  /** By name: messages of this name were read, and whether more of them may be pending. Left out: `pending` has all arrivals. */
  readonly names?: ReadonlyMap<string, boolean>;
}

export interface Host {
  readonly clock: Clock;
  readonly committer: Committer;
  readonly logger: Logger;
  /** How long a timed-out attempt may take to settle, in milliseconds. */
  readonly grace: number;
  /** The largest encoded state or payload, in bytes. */
  readonly sizeLimit: number;
  /** A lower bound of the store's time, in milliseconds since 1970: for times that are compared and shown. */
  storeNow(): number;
  /** An upper bound of the store's time: for timers that are set, so that none is early. */
  storeNowAtMost(): number;
  /** As `Store.begin` and `Store.deaths`. */
  begin(id: string, owner: number): MaybePromise<boolean>;
  deaths(id: string): MaybePromise<readonly Death[]>;
  /**
   * @param names of the messages that the execution's step waits for: messages of other names need not be read
   * @param dead how many messages become dead with the next commit
   */
  inbox(id: string, names: readonly string[], dead: number): MaybePromise<PendingMail>;
  history(id: string): MaybePromise<readonly HistoryRecord[]>;
  /** A list of steps that some launcher has had; undefined: the store does not have it. */
  listOf(workflow: string, version: string, fingerprint: string): MaybePromise<readonly StepOutline[] | undefined>;
  load(id: string): MaybePromise<ExecutionRecord | undefined>;
  /** As `Store.load`. */
  loadAll(ids: readonly string[]): MaybePromise<readonly (ExecutionRecord | undefined)[]>;
  /** @throws STEPWELL_CAPABILITY_MISSING */
  readonly lists: ListStore;
  /** A workflow of children: whoever has registered one has all that are below it. */
  registeredAs(name: string, version: string): Registered | undefined;
  /** There is news of this list, or more to do. */
  listMoved(list: string): void;
  readonly storeName: string;
  /** As `Store.transactions.run`; undefined where the store has none. */
  readonly transact: TransactionStore["run"] | undefined;
  report(error: StepwellError): void;
  /** Tells the logger, or the console where there is no logger. */
  warn(fields: object, message: string): void;
  /** These rows of mailboxes were consumed, or became dead. */
  settled(arrivals: readonly string[]): void;
}
