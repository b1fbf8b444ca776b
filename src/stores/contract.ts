/**
 * What a store must do. Stores only remember: every rule about workflows stands in the engine, and
 * comes here as plain data (which statuses accept an arrival, whether a commit rests, when it is due).
 *
 * A method may answer at once or with a promise; the engine takes either.
 *
 * Two ideas carry the contract:
 *
 * **Fencing.** An execution in work belongs to one launcher (`owner`, a number that only grows).
 * A transition is taken only if the row still has that owner, the revision before it, and no signal
 * that the engine has not seen. Otherwise nothing of it is written and the answer says why.
 *
 * **Signals.** Whatever comes from outside (a message, a rollback request, an operator's act) is a
 * row in the execution's mailbox, and raises the execution's `signals` by one in the same
 * transaction. So an arrival can't slip in between the engine's last look and its commit.
 */
import type { Clock } from "../clock.js";
import type { Status } from "../definition/flow.js";
import type { Batch, BatchResult, CommitResult, NewExecution } from "./batch.js";
import type { Transition, ExecutionRecord, HistoryRecord, Standing } from "../execution/records.js";
import type { MaybePromise } from "../values/promise.js";
export type { MaybePromise };
export type * from "./mail-filters.js";
import type { ListStore } from "./lists.js";
import type {
  MailFilter,
  DeadMailConditions,
  DeadMailFilter,
  DeadMailPage,
  MailRecord,
  MailCounts,
} from "./mail-filters.js";
import type {
  Admission,
  Death,
  Fate,
  GateQuery,
  GateState,
  LauncherRecord,
  ScheduleRecord,
  StoredDefinition,
} from "./records.js";

export interface ClaimOptions {
  readonly owner: number;
  readonly limit: number;
  /**
   * Only executions of these are taken: one of each in turn, in this order, and round again, so that a
   * long queue of one workflow never keeps another one waiting.
   */
  readonly workflows: readonly { readonly name: string; readonly version: string }[];
}

export interface Claimed {
  /** Due executions in the order of turns, of each workflow the longest due first, now owned by the caller, with `claims` raised by one. */
  readonly records: readonly ExecutionRecord[];
  /** For each of the records: since when it had been due. */
  readonly dueSince: readonly number[];
  /** The store's time of the claim. */
  readonly at: number;
  /** How long until the next one of these workflows is due. Null: none is. 0: the limit was reached. */
  readonly nextDueInMs: number | null;
  /** Executions of this owner with an arrival that no commit has seen yet. */
  readonly signalled: readonly string[];
  /** False: the launcher was removed, and takes nothing. */
  readonly alive: boolean;
}

export interface Beat {
  /** False: this launcher was removed. */
  readonly alive: boolean;
  /** All other registered launchers. */
  readonly others: readonly LauncherRecord[];
  /** Left out: that was not asked. */
  readonly waiting?: Waiting;
}

export interface Waiting {
  /** Of which workflows and versions something has been due for longer than was asked, and nobody has taken it. */
  readonly overdue: readonly Overdue[];
  /** All gates at which somebody waits, also one that is not to be admitted before a time to come. */
  readonly gates: readonly string[];
}

export interface Overdue {
  readonly what: "executions" | "schedules";
  /** Of the workflow. */
  readonly name: string;
  readonly version: string;
}

export interface ScheduleChange {
  readonly name: string;
  /** The revision that the row must have; null: it must not be there. */
  readonly expected: string | null;
  /** The new row. Null: it goes. */
  readonly schedule: ScheduleRecord | null;
  /** Launched in the same transaction. They belong to nobody; one whose id is there already is left as it is. */
  readonly creates: readonly NewExecution[];
}

export interface DueSchedules {
  /** Longest due first. */
  readonly records: readonly ScheduleRecord[];
  /** The store's time. */
  readonly at: number;
  /** How long until the next one of these workflows is due. Null: none is. 0: the limit was reached. */
  readonly nextDueInMs: number | null;
}

export interface PruneOptions {
  /**
   * How long ago an execution must have come to rest in a status, by the store's clock. Others are kept, and so is one whose position
   * has a `sealedAt` to come.
   */
  readonly olderThanMs: Readonly<Partial<Record<Status, number>>>;
  /** How many executions are looked at. */
  readonly limit: number;
  /** The `cursor` of the call before. Null: from the oldest on. */
  readonly after: string | null;
  /** Only counts. */
  readonly dry: boolean;
}

export interface Pruned {
  readonly counts: Readonly<Partial<Record<Status, number>>>;
  /** Where to go on. Null: nothing that is old enough is left to be looked at. */
  readonly cursor: string | null;
}

/** All of what is given must hold. */
export interface ListConditions {
  readonly workflow?: string | undefined;
  readonly status?: readonly Status[] | undefined;
  /** All of these. */
  readonly tags?: readonly string[] | undefined;
  /** Created at or after; milliseconds since 1970. */
  readonly createdFrom?: number | undefined;
  /** Created before. */
  readonly createdBefore?: number | undefined;
  /** Only those that are no line of a list. */
  readonly isFree?: true | undefined;
  /** Only those below this execution, which is at the top. */
  readonly root?: string | undefined;
}

export interface ListFilter extends ListConditions {
  readonly limit: number;
  /** The `cursor` of the page before. */
  readonly after?: string | undefined;
  /** The other way round: by creation time from the first one on. */
  readonly oldestFirst?: true | undefined;
}

/** An execution without what may be large. */
export type ListedExecution = Omit<ExecutionRecord, "state" | "input">;

/** Newest first, unless the filter says otherwise. */
export interface ListPage {
  readonly records: readonly ListedExecution[];
  /**
   * For the next page. Null: this was the last. A page that is not full and has one is where the looking ended: the filter leaves
   * out much, and what it leaves out is not read to its end.
   */
  readonly cursor: string | null;
}

/**
 * A hint that something happened: an execution without an owner wants to be taken up after `inMs`
 * milliseconds (0: now), or one that has an owner got an arrival. May get lost, so the engine polls behind it.
 */
export type Hint =
  { readonly type: "due"; readonly inMs: number } | { readonly type: "signalled"; readonly execution: string };

/** Executions that are followed: these, by their ids, or all. */
export type Wanted = readonly string[] | "all";

/** What is read of executions: where they stand, or all but what may be large. Undefined: all. */
export type LoadOnly = "standing" | "listed" | undefined;

/** In the order of the ids that were asked for. */
export type Loaded<Only extends LoadOnly> = readonly (
  // As tuples, so that a record with all fits whatever was asked for: a store may read more than that.
  ([Only] extends ["standing"] ? Standing : [Only] extends ["listed"] ? ListedExecution : ExecutionRecord) | undefined
)[];

/** A part of a history. */
export interface HistoryRange {
  /** Only what was committed after this revision; 0: from the first one on. */
  readonly after: number;
  /** At most so many: those that come first. */
  readonly limit: number;
}

/** The store within a transaction that somebody else has begun: nothing of it is begun or ended here. */
export type StoreWithin = Pick<Store, "load" | "mail" | "write">;

/** Keeps the lists of steps that launchers have had, so that an execution whose workflow has changed is compared with its own. */
export interface DefinitionStore {
  /** One that is there already stays as it is. */
  keep(definitions: readonly StoredDefinition[]): MaybePromise<void>;
  /** All that were kept for a workflow, whatever the version, by version and fingerprint; left out: of all workflows, by name. */
  of(workflow?: string): MaybePromise<readonly StoredDefinition[]>;
}

/** Keeps queues and places, for workflows with `concurrency` or `rate`. Needs `NewExecution.queue` and `Transition.leaves` too. */
export interface LimitStore {
  /** Who waits at a gate, and how many have a place. */
  read(query: GateQuery): MaybePromise<GateState>;
  /**
   * Gives places to executions that wait and are nobody's, and makes them due. Says how many that were.
   * Null: the gate has another revision by now, and nothing was done.
   */
  admit(admission: Admission): MaybePromise<number | null>;
}

export interface ScheduleStore {
  /** All schedules, or the one of that name. In the order of their names. */
  find(name?: string): MaybePromise<readonly ScheduleRecord[]>;
  due(options: Omit<ClaimOptions, "owner">): MaybePromise<DueSchedules>;
  /** False: the row was not as expected, and nothing was written. The same change again is one change. */
  change(change: ScheduleChange): MaybePromise<boolean>;
}

/** Topics: a batch may have `subscriptions` and `publications`. */
export interface TopicStore {
  /** Deletes publications that have been over for at least `forMs`, the longest over first, at most `limit`. Says how many. */
  prune(forMs: number, limit: number): MaybePromise<number>;
}

/** Transactions that others can join. */
export interface TransactionStore {
  /**
   * Runs `work` in a transaction of its own, with the store's connection, and commits with it the
   * transition that it gives. Null, or a transition that is refused: all of it is rolled back. Rejects with
   * what `work` threw, rolled back too. An error that is retryable says nothing of whether it was committed.
   */
  run(work: (connection: unknown) => MaybePromise<Transition | null>): MaybePromise<CommitResult | null>;
  /** This store as seen within a transaction of the caller's own, on the caller's connection. */
  within(connection: unknown): StoreWithin;
  /** Whether that is the connection which `run` gives to work that is synchronous. Default: there is none. */
  waitsForNothing?(connection: unknown): boolean;
}

/** What a store may be able to do, or not: an engine that needs what is not there says so before it writes anything. */
export interface Capabilities {
  readonly definitions?: DefinitionStore;
  readonly limits?: LimitStore;
  readonly lists?: ListStore;
  readonly schedules?: ScheduleStore;
  readonly topics?: TopicStore;
  readonly transactions?: TransactionStore;
}

export interface Store extends Capabilities {
  /** For messages: "memory", "sqlite", "postgres". */
  readonly name: string;
  /** The clock whose time this store keeps, where it is one of this process. The launcher takes it as its own by default. */
  readonly clock?: Clock;
  /**
   * False where a commit costs nothing by itself, so that gathering transitions into batches gains nothing. Such a store is in this
   * process: no answer of its can get lost, and it is not given the same rows again.
   */
  readonly gathers: boolean;
  /** How many batches may be on their way at the same time; no execution is in two of them but by an arrival. Default: 1. */
  readonly lanes?: number;
  /** With several lanes: how many batches of subscriptions and publications besides, of different topics. Default: 1. */
  readonly topicLanes?: number;

  /** Connects and migrates. A second call while it is open is an error of the caller. */
  open(): MaybePromise<void>;
  close(): MaybePromise<void>;
  readonly isOpen: boolean;

  /**
   * A new launcher: a number greater than any before.
   *
   * @param formerly under which number it was removed and lives all the same: nobody died then
   */
  register(launcher: { readonly host: string; readonly pid: number }, formerly?: number): MaybePromise<number>;
  /**
   * Heartbeat; waits for nobody.
   *
   * @param overdueForMs given: it looks at what waits too, and answers what has been due for longer
   */
  beat(owner: number, overdueForMs?: number): MaybePromise<Beat>;
  /**
   * Removes launchers; what they owned is due at once. Says how many executions were freed. Waits for no lock of
   * somebody else: what is locked stays owned, and its owner is one of the `others` of a beat until it is removed again.
   *
   * @param fate `died` and `silent` count against what they owned, as `begin` says; `left` takes back what counted.
   * Left out, or for owners that are not registered: nothing counts
   */
  removeLaunchers(owners: readonly number[], fate?: Fate): MaybePromise<number>;
  /**
   * Its owner is about to call a function of it. After a removal that counted, further ones count only where this was said.
   * False: it has another owner.
   */
  begin(id: string, owner: number): MaybePromise<boolean>;
  /** The removals that count against an execution since its last commit, save those of launchers that turned out to live. */
  deaths(id: string): MaybePromise<readonly Death[]>;

  /**
   * Takes the batch atomically; each part is answered by itself, a refused one does not touch the others.
   * After an error that is retryable the same rows, as the same objects, may be given again, alone or with
   * others: if it was not known whether they had been written, the answer says so then.
   */
  write(batch: Batch): MaybePromise<BatchResult>;
  /** That create is not asked again, for its caller waits no more: if it was written, a claim of its owner gives it out. */
  abandon?(create: NewExecution): void;
  claim(options: ClaimOptions): MaybePromise<Claimed>;

  /**
   * Deletes executions that have been at rest for long enough, with all that they own: history, mailbox, tags, lists.
   * One that somebody owns, or that is due, is kept: whoever asks something of one at rest makes it due. Looks at
   * them in the order in which they were created. What has a root goes with it, and with it only: while something below
   * it is not at rest, or a list is still to be advanced, all of it is kept. A large tree goes in several transactions, the root last; from the first one on nothing
   * of it can be found or reached.
   */
  prune(options: PruneOptions): MaybePromise<Pruned>;

  /** In the order of the ids; undefined where there is none. With `standing` or `listed` nothing large is read. */
  load<Only extends LoadOnly = undefined>(ids: readonly string[], only?: Only): MaybePromise<Loaded<Only>>;
  list(filter: ListFilter): MaybePromise<ListPage>;
  /**
   * How many executions all pages of a list would show, and what is left of a tree that is being pruned; of more than `upTo` one that
   * is greater. Null: as with a page that is not full, it has looked at enough and does not know.
   */
  count(filter: ListConditions, upTo: number): MaybePromise<number | null>;
  /** In order of revision. Of a part no more is read than it holds, and at most where each entry after it stands. */
  history(id: string, range?: HistoryRange): MaybePromise<readonly HistoryRecord[]>;
  mail(filter: MailFilter): MaybePromise<readonly MailRecord[]>;
  /** Dead messages of all executions, by pages. */
  deadMail(filter: DeadMailFilter): MaybePromise<DeadMailPage>;
  /** How many dead messages each workflow has; those that have any. Looks at so many as a page does: those received last. */
  countDeadMail(conditions: DeadMailConditions, lookAt: number): MaybePromise<MailCounts>;
  /** How many messages in the mailbox of an execution nobody has taken yet; of more than `upTo` one that is greater. */
  countPending(execution: string, upTo: number): MaybePromise<number>;

  /**
   * Tells which executions have moved, until the returned function is called: a transition of theirs was committed, or they were
   * parked as they are. It tells of what other processes do as far as it can. May report executions that have not moved and miss
   * others, so followers poll too. Left out: followers only poll.
   *
   * @param wanted ids of executions; `all`: every one
   */
  follow?(wanted: Wanted, listener: (moved: readonly string[]) => void): () => void;

  /** Calls the listener on every hint until the returned function is called. */
  watch(listener: (hint: Hint) => void): () => void;
}
