/** What the parts of a client need of their host: a worker, which also drives executions, or the session of a client alone. */
import type { AnyWorkflow } from "../definition/bag.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { MaybePromise, Store } from "../stores/contract.js";
import type { Host } from "./host.js";
import type { Follows } from "./follows.js";
import type { Registered } from "./registry.js";
import type { Waiter } from "./outcome-waiters.js";

/** Room of a worker for executions that are launched here and driven at once. */
export interface Places {
  /** The owner of one more execution, if there is room for it; the room is kept until `take` or `giveUp`. Null: no room. */
  reserve(): number | null;
  giveUp(): void;
  /** Begins to drive an execution for which room was reserved. */
  take(record: ExecutionRecord, state: object, registered: Registered): void;
  isDriving(id: string): boolean;
}

export interface ClientHost extends Pick<
  Host,
  "clock" | "committer" | "sizeLimit" | "storeNow" | "storeNowAtMost" | "stepLists" | "report"
> {
  readonly store: Store;
  /** For how long a publication is kept, in milliseconds. */
  readonly keepPublications: number;
  /** For how long a launcher that decides on a request is waited for, in milliseconds. */
  readonly patience: number;
  /** The launcher's places for executions. Undefined: no executions are driven here. */
  readonly places: Places | undefined;
  /** Opens the store of a client that is not open yet. */
  opened(): MaybePromise<void>;
  /** As `mustRun`, and opens the store. */
  ready(what: string): MaybePromise<void>;
  readonly isRunning: boolean;
  /** @throws STEPWELL_LAUNCHER_NOT_RUNNING, STEPWELL_CLIENT_STOPPED */
  mustRun(what: string): void;
  /** @throws STEPWELL_UNKNOWN_WORKFLOW */
  registered(workflow: AnyWorkflow): MaybePromise<Registered>;
  /** Callers that follow executions. */
  readonly follows: Follows;
  /** Tells when the execution comes to rest, until the returned function is called. */
  whenAtRest(id: string, waiter: Waiter): () => void;
  /** Calls `tell` when a commit of this process settles the arrival, until the returned function is called. */
  onSettled(arrival: string, tell: () => void): () => void;
  /** A schedule was changed; it launches next in so many milliseconds. */
  scheduled(inMs: number): void;
  stop(): Promise<void>;
}
