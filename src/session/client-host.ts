/** What the parts of a client need of who they belong to: a launcher, which also drives, or a client alone, which only asks. */
import type { AnyWorkflow } from "../definition/bag.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { MaybePromise, Within } from "../stores/contract.js";
import type { Host } from "./host.js";
import type { Registered } from "./registry.js";
import type { Waiter } from "./outcome-waiters.js";

/** Room for executions that are launched here and driven at once. */
export interface Places {
  /** The owner of one more execution, if there is room for it; its place is kept until `take` or `giveUp`. */
  reserve(): number | null;
  giveUp(): void;
  /** Begins to drive an execution that was created in a reserved place. */
  take(record: ExecutionRecord, state: object, registered: Registered): void;
}

export interface ClientHost extends Pick<
  Host,
  "clock" | "committer" | "sizeLimit" | "storeNow" | "storeNowAtMost" | "history" | "listOf" | "report"
> {
  /** In milliseconds. */
  readonly keepPublications: number;
  /** For how long the word of the launcher that follows a request is waited for, in milliseconds. */
  readonly patience: number;
  /** Undefined: nothing is driven here. */
  readonly places: Places | undefined;
  /** Opens the store where it is not open and is opened by whoever asks first. */
  opened(): MaybePromise<void>;
  /** As `mustRun`, with the store open. */
  ready(what: string): MaybePromise<void>;
  readonly isRunning: boolean;
  /** @throws where nothing may be asked now */
  mustRun(what: string): void;
  /** @throws STEPWELL_UNKNOWN_WORKFLOW */
  registered(workflow: AnyWorkflow): MaybePromise<Registered>;
  /** @throws STEPWELL_INVALID_ARGUMENT where the store has no transactions that a caller could have */
  within(tx: unknown, where: string): Within;
  isDriving(id: string): boolean;
  /** Tells when the execution comes to rest, until the returned function is called. */
  whenAtRest(id: string, waiter: Waiter): () => void;
  /** Calls `tell` when one of the commits made here settles the arrival, until the returned function is called. */
  onSettled(arrival: string, tell: () => void): () => void;
  /** A schedule was changed; it launches next in so many milliseconds. */
  scheduled(inMs: number): void;
  stop(): Promise<void>;
}
