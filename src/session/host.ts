/** What a drive needs of the launcher that it belongs to. */
import type { Clock } from "../clock.js";
import type { Logger } from "../definition/logger.js";
import type { StepOutline } from "../definition/outline.js";
import type { StepwellError } from "../errors.js";
import type { Death } from "../stores/records.js";
import type { ExecutionRecord, HistoryRecord, MailboxRecord } from "../execution/records.js";
import type { MaybePromise, Store } from "../stores/contract.js";
import type { Committer } from "./group-commit.js";

/** What has arrived for an execution and nobody has taken, and the `signals` that covers it. */
export interface PendingMail {
  readonly signals: number;
  readonly pending: readonly MailboxRecord[];
  /** Of which names messages were read, and whether more of them may be there. Left out: `pending` is all there is. */
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
  /** The store's time, in milliseconds since 1970: it is not earlier than this. For what is compared and shown. */
  storeNow(): number;
  /** The store's time is not later than this: for what is set, so that it is never early. */
  storeNowAtMost(): number;
  /** As `Store.begin` and `Store.deaths`. */
  begin(id: string, owner: number): MaybePromise<boolean>;
  deaths(id: string): MaybePromise<readonly Death[]>;
  /**
   * @param names what its step waits for: of others nothing may be read
   * @param dead how many messages will be dead with the next commit
   */
  inbox(id: string, names: readonly string[], dead: number): MaybePromise<PendingMail>;
  history(id: string): MaybePromise<readonly HistoryRecord[]>;
  /** A list of steps that some launcher has had; undefined: nobody has kept it. */
  listOf(workflow: string, version: string, fingerprint: string): MaybePromise<readonly StepOutline[] | undefined>;
  load(id: string): MaybePromise<ExecutionRecord | undefined>;
  readonly storeName: string;
  /** As `Store.transact`; undefined where the store has none. */
  readonly transact: Store["transact"];
  report(error: StepwellError): void;
  /** Tells the logger, or the console where there is none. */
  warn(fields: object, message: string): void;
  /** These rows of mailboxes were consumed, or became dead. */
  settled(arrivals: readonly string[]): void;
}
