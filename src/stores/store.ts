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
import type { Encoded } from "../codec.js";
import type { Direction, StepFunc } from "../definition/flow.js";
import type { Position, SerializedError, Status } from "../flow/flow.js";

export type MaybePromise<T> = T | Promise<T>;

/** An execution as it is stored. Times are the store's own, in milliseconds since 1970. */
export interface ExecutionRecord {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  /** Of the list of steps that it last went on with. Null: that is not known. */
  readonly fingerprint: string | null;
  readonly tags: readonly string[];
  readonly status: Status;
  readonly position: Position;
  readonly state: Encoded;
  /** As it was given to `launch`. */
  readonly input: Encoded;
  /** How many transitions have been committed. */
  readonly revision: number;
  /** How many arrivals there have been. */
  readonly signals: number;
  /** The launcher that works on it, or null. While it has an owner, `dueAt` is null. */
  readonly owner: number | null;
  /** How often it was taken up since the last commit; 1 while it is worked on without a crash. */
  readonly claims: number;
  /** When it wants to be taken up. Null: never by itself. */
  readonly dueAt: number | null;
  /** When the workflow's deadline passes. */
  readonly deadlineAt: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** What observers gave it to carry, as JSON. */
  readonly carried: string | null;
  /** Whether it has subscriptions: the sum of `untilBits` of those that it may have. 0: none. */
  readonly subscribed: number;
  /** `queued`: it waits for its admission. `admitted`: it holds a place. Null: no limit is on it, or no longer. */
  readonly admission: "queued" | "admitted" | null;
}

export interface NewExecution {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly fingerprint: string | null;
  readonly tags: readonly string[];
  readonly status: Status;
  readonly position: Position;
  readonly state: Encoded;
  readonly input: Encoded;
  /**
   * Set: the row is created already claimed by this launcher (`claims` 1), and `dueInMs` is ignored. Where that one was
   * buried, it is nobody's and due at once.
   */
  readonly owner: number | null;
  /** Due after this many milliseconds of the store's clock (0: now). */
  readonly dueInMs: number;
  readonly deadlineInMs: number | null;
  readonly carried: string | null;
  /** Set: it waits in a queue, and until it is admitted it is due with its deadline only. `dueInMs`: not to be admitted before. */
  readonly queue?: Queueing | undefined;
}

/** How an execution waits for its admission. */
export interface Queueing {
  /** Whose limits it waits for. */
  readonly gate: string;
  /** Of those with the same key so many may have a place. Null: only the gate's own limit counts. */
  readonly key: string | null;
  /** Of those with the same key so many may be admitted in a while. Null: all of the gate count together. */
  readonly rateKey: string | null;
  /** Goes before those that could have been admitted up to so many milliseconds earlier. */
  readonly leadMs: number;
}

/** One row of an execution's history: one committed transition. */
export interface HistoryEntry {
  readonly direction: Direction;
  readonly step: string;
  readonly stepIndex: number;
  readonly func: StepFunc;
  readonly attempt: number;
  /** `ok`, `continue`, or a reason. */
  readonly result: string;
  readonly durationMs: number;
  readonly message?: { readonly id: string; readonly name: string };
  readonly error?: SerializedError;
  /** What a guard failed with where its failure may change nothing. */
  readonly guardError?: SerializedError;
  /** Who did it, for an operator's act or a rollback request. */
  readonly by?: string;
  /** Why, for the same. */
  readonly why?: string;
  /** What the step itself gave; null where it gave nothing. */
  readonly patch: Encoded | null;
  /** Fields that others changed in the state, guards or an operator, as they are after this transition. */
  readonly others?: Encoded;
  /** With the first transition: the state as it began, where it was not the input as it was given. */
  readonly initial?: Encoded;
  /** The state as a whole, where it was replaced rather than added to. */
  readonly replaced?: Encoded;
  readonly migration?: Migration;
}

/** From one version of a workflow to another. */
export interface Migration {
  readonly from: string;
  readonly to: string;
  /** What became of steps that have another name now; null: they are gone. */
  readonly steps?: Readonly<Record<string, string | null>>;
}

export interface HistoryRecord extends HistoryEntry {
  readonly revision: number;
  readonly at: number;
}

export interface Transition {
  readonly id: string;
  readonly owner: number;
  /** The revision that this transition makes; the row must have the one before. */
  readonly revision: number;
  /** The row's `signals` as the engine knows them; must match. */
  readonly signals: number;
  readonly status: Status;
  readonly position: Position;
  /** The new state. Null: unchanged. */
  readonly state: Encoded | null;
  /** Whether the launcher lets go of the execution. Kept: `claims` becomes 1. Let go: 0. */
  readonly rests: boolean;
  /** With `rests`: due again after this many milliseconds of the store's clock. Null: not by itself. */
  readonly dueInMs: number | null;
  /** Mailbox rows that this transition settles. */
  readonly settled: readonly { readonly arrival: string; readonly as: "consumed" | "dead" }[];
  /** The execution ends: what is still pending in its mailbox becomes dead. */
  readonly ends: boolean;
  /** It leaves its queue, or gives its place back: its `admission` becomes null. */
  readonly leaves?: boolean;
  /** What the execution carries from now on. Null: what it carried before. */
  readonly carried: string | null;
  /** The list of steps that the execution goes on with from now on. Left out: the one that it has. */
  readonly definition?: { readonly version: string; readonly fingerprint: string };
  readonly history: HistoryEntry;
  /** Subscriptions that end with it: those until the end of their step, or all. Undefined: none. */
  readonly unsubscribes?: "step" | "all";
}

/** Lets go of an execution without a transition, since there was nothing to do: `claims` goes down by one, as if it had not been taken up. */
export interface Release {
  readonly id: string;
  readonly owner: number;
  /** As in a transition: an arrival that the engine has not seen refuses the release. Null: whatever came. */
  readonly signals: number | null;
  readonly dueInMs: number | null;
  /** Mailbox rows that became dead while looking (refused by their step's schema, or by the law). */
  readonly dead: readonly string[];
}

/** How long a subscription lasts: until its step is done in this direction, or until the execution ends. */
export type Until = "step" | "end";

/** What an execution's `subscribed` is the sum of. */
export const untilBits: Readonly<Record<Until, number>> = { step: 1, end: 2 };

/** What stays of `subscribed` after a transition that ends subscriptions. */
export const bitsKept: Readonly<Record<"step" | "all", number>> = { step: untilBits.end, all: 0 };

/**
 * An execution wants the publications of a topic: those that are kept, at once, and those to come. The same
 * one again changes nothing, save that `end` outlasts `step`.
 */
export interface Subscription {
  readonly execution: string;
  readonly owner: number;
  /** The row's revision; must match, as its owner must. */
  readonly revision: number;
  readonly topic: string;
  readonly until: Until;
}

/**
 * A message for each execution that is subscribed to its topic, or will be within `keepForMs`. In a mailbox it
 * has the publication's id, and its own as `messageId` where the publisher gave none.
 */
export interface Publication {
  /** Made by the engine; unique. */
  readonly id: string;
  readonly topic: string;
  readonly name: string;
  readonly payload: Encoded;
  /** The publisher's id: while the first one is kept, the same one twice for a topic is one publication. */
  readonly messageId: string | null;
  readonly keepForMs: number;
  /** As in an arrival. */
  readonly wakes: readonly Status[];
  readonly carried: string | null;
}

/** `message` is for steps; the others are requests to the engine. */
export type ArrivalKind = "message" | "rollback" | "retry" | "skip" | "patch";

/** Something from outside, for one execution. */
export interface Arrival {
  /** Made by the engine; unique. */
  readonly id: string;
  readonly execution: string;
  readonly kind: ArrivalKind;
  readonly name: string;
  readonly payload: Encoded;
  /** The sender's id: the same one twice for an execution is one arrival. Null: always a new one. */
  readonly messageId: string | null;
  /** Refused (`ended`) in any other status. A duplicate `messageId` is recognised before this. */
  readonly acceptedIn: readonly Status[];
  /** An execution without an owner in one of these becomes due at once. */
  readonly wakes: readonly Status[];
  readonly carried: string | null;
  /** Set: taken only if revision and signals are still these (`moved` otherwise). */
  readonly only?: { readonly revision: number; readonly signals: number };
  /**
   * Set: it is a dead letter that is sent again. Taken only if that one is still dead, and a message (`not-dead`
   * otherwise); that one becomes `resent` with it.
   */
  readonly resends?: { readonly execution: string; readonly arrival: string };
}

/** `resent`: it was a dead letter, and another arrival stands for it now. */
export type ArrivalStatus = "pending" | "consumed" | "dead" | "resent";

/** An arrival as it is stored. `sequence` grows in the order of acceptance. */
export interface MailboxRecord {
  readonly id: string;
  readonly execution: string;
  readonly sequence: number;
  readonly kind: ArrivalKind;
  readonly name: string;
  readonly payload: Encoded;
  readonly messageId: string | null;
  readonly status: ArrivalStatus;
  readonly receivedAt: number;
  /** The step whose transition settled it. */
  readonly step: string | null;
  readonly carried: string | null;
  /** The topic that it was published to. Null: it was sent to this execution. */
  readonly topic: string | null;
}

/** All that the engine wants written, in one atomic group. Applied in the order of the fields. */
export interface Batch {
  readonly creates: readonly NewExecution[];
  readonly transitions: readonly Transition[];
  readonly releases: readonly Release[];
  readonly arrivals: readonly Arrival[];
  readonly subscriptions?: readonly Subscription[];
  readonly publications?: readonly Publication[];
}

/**
 * `owned`: by the launcher that was named. Not, if there was none, or it has been buried in the meantime: then
 * the execution is for another one to take up.
 */
export type CreateResult =
  { readonly created: true; readonly owned: boolean } | { readonly created: false; readonly existing: ExecutionRecord };

/**
 * - `taken`
 * - `signalled`: still owned, but something arrived that the engine has not seen; look and commit again
 * - `lost`: another launcher owns it, or the revision is not the one expected
 */
export type CommitResult = "taken" | "signalled" | "lost";

export type ArrivalResult =
  | { readonly result: "stored" | "duplicate"; readonly id: string }
  | { readonly result: "not-found" | "ended" | "moved" | "not-dead" };

/** `lost`: as for a transition. Taken: it is stored, and all that was kept is in the mailbox. */
export type SubscribeResult = "taken" | "lost";

/** `delivered`: how many executions were subscribed when it was stored, so that it is in their mailboxes. */
export interface PublishResult {
  readonly result: "stored" | "duplicate";
  readonly id: string;
  readonly delivered: number;
}

/** Answers in the order of the batch. `at` is the store's time of this commit. */
export interface BatchResult {
  readonly at: number;
  readonly creates: readonly CreateResult[];
  readonly transitions: readonly CommitResult[];
  readonly releases: readonly CommitResult[];
  readonly arrivals: readonly ArrivalResult[];
  readonly subscriptions: readonly SubscribeResult[];
  readonly publications: readonly PublishResult[];
}

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
  /** False: the launcher was buried, and takes nothing. */
  readonly alive: boolean;
}

/** When a schedule wants to launch, as the engine reads it. Times in milliseconds since 1970. */
export type ScheduleTiming =
  | { readonly cron: string; readonly timezone: string }
  | { readonly every: number; readonly from: number }
  | { readonly at: number };

/** What of a schedule no store looks into. */
export interface SchedulePlan {
  readonly timing: ScheduleTiming;
  readonly missed: "skip" | "once" | "all";
  /** Of what it launches. */
  readonly tags: readonly string[];
  readonly paused: boolean;
  readonly setAt: number;
  /** The time for which it last launched something. */
  readonly lastAt: number | null;
}

export interface ScheduleRecord {
  readonly name: string;
  readonly workflow: string;
  readonly version: string;
  /** As it was given. */
  readonly input: Encoded;
  readonly plan: SchedulePlan;
  /** When it is due. Null: never by itself. */
  readonly nextAt: number | null;
  /** Another one with each change, made by the engine. */
  readonly revision: string;
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
  /** How long ago an execution must have come to rest in a status, by the store's clock. Others are kept. */
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

/** What is asked of a gate. The numbers only leave out who could not be admitted now. */
export interface GateQuery {
  readonly gate: string;
  /** Of the executions that wait, only those of these versions of the workflow. */
  readonly versions: readonly string[];
  /** At most so many candidates. */
  readonly limit: number;
  /** Keys that have so many places are left out. Null: none is. */
  readonly keyLimit: number | null;
  /** Keys of which so many have been admitted in that time are left out. Null: none is. */
  readonly rate: { readonly limit: number; readonly perMs: number } | null;
}

export interface Candidate {
  readonly id: string;
  readonly key: string | null;
  readonly rateKey: string | null;
  /** How many places its key has; 0 without a key. */
  readonly heldByKey: number;
  /** How many with its `rateKey` were admitted in the time asked for; 0 where none was asked for. */
  readonly startedByKey: number;
}

export interface GateState {
  /** Grows with each admission. */
  readonly revision: number;
  /** How many have a place. */
  readonly held: number;
  /** Who could be admitted now and is nobody's, first the one that goes first. */
  readonly candidates: readonly Candidate[];
  /** How long until the next one, of whatever version, could be admitted that is not to be admitted before. Null: there is none. */
  readonly readyInMs: number | null;
  /** How long until the first one of those left out for the rate is forgotten. Null: none was left out. */
  readonly rateInMs: number | null;
}

/** Lets executions through a gate. */
export interface Admission {
  readonly gate: string;
  /** Taken only if the gate still has this revision. */
  readonly revision: number;
  readonly ids: readonly string[];
  /** For how long the admission counts for the rate. Null: not at all. */
  readonly perMs: number | null;
}

/** A list of steps that some launcher has had. */
export interface StoredDefinition {
  readonly workflow: string;
  readonly version: string;
  readonly fingerprint: string;
  /** What matters of the steps, as JSON. */
  readonly steps: string;
}

export interface LauncherRecord {
  readonly owner: number;
  readonly host: string;
  readonly pid: number;
  /** How long since its last heartbeat, by the store's clock. */
  readonly silentMs: number;
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
}

export interface ListFilter extends ListConditions {
  readonly limit: number;
  /** The `cursor` of the page before. */
  readonly after?: string | undefined;
}

/** Newest first. */
export interface ListPage {
  readonly records: readonly ExecutionRecord[];
  /** For the next page. Null: this was the last. */
  readonly cursor: string | null;
}

/** Which dead letters: all of what is given must hold. */
export interface LetterConditions {
  /** Of executions of this workflow. */
  readonly workflow?: string | undefined;
  /** In the mailbox of this execution. */
  readonly execution?: string | undefined;
  /** The name of the message. */
  readonly name?: string | undefined;
}

export interface LetterFilter extends LetterConditions {
  readonly limit: number;
  /** The `cursor` of the page before. */
  readonly after?: string | undefined;
}

export interface LetterRecord extends MailboxRecord {
  /** Of its execution. */
  readonly workflow: string;
}

/** The last that was received first. */
export interface LetterPage {
  readonly records: readonly LetterRecord[];
  /** For the next page. Null: this was the last. */
  readonly cursor: string | null;
}

/**
 * A hint that something happened: an execution without an owner wants to be taken up after `inMs`
 * milliseconds (0: now), or one that has an owner got an arrival. May get lost, so the engine polls behind it.
 */
export type Hint =
  { readonly type: "due"; readonly inMs: number } | { readonly type: "signalled"; readonly execution: string };

export type Within = Pick<Store, "load" | "mailbox" | "write">;

export interface Store {
  /** For messages: "memory", "sqlite", "postgres". */
  readonly name: string;
  /** The clock whose time this store keeps, where it is one of this process. The launcher takes it as its own by default. */
  readonly clock?: Clock;
  /** False where a commit costs nothing by itself, so that gathering transitions into batches gains nothing. */
  readonly gathers: boolean;
  /** How many batches may be on their way at the same time; no execution is in two of them but by an arrival. Default: 1. */
  readonly lanes?: number;

  /** Connects and migrates. A second call while it is open is an error of the caller. */
  open(): MaybePromise<void>;
  close(): MaybePromise<void>;
  readonly isOpen: boolean;

  /** A new launcher: a number greater than any before. */
  register(launcher: { readonly host: string; readonly pid: number }): MaybePromise<number>;
  /** Heartbeat. `alive` is false if this launcher was buried. `others` are all other registered ones. */
  beat(owner: number): MaybePromise<{ readonly alive: boolean; readonly others: readonly LauncherRecord[] }>;
  /** Keeps lists of steps; one that is there already stays as it is. */
  define(definitions: readonly StoredDefinition[]): MaybePromise<void>;
  /** All that were kept for a workflow, whatever the version, by version and fingerprint. */
  definitions(workflow: string): MaybePromise<readonly StoredDefinition[]>;
  /** Removes launchers; what they owned is due at once. Says how many executions were freed. */
  bury(owners: readonly number[]): MaybePromise<number>;

  /**
   * Takes the batch atomically; each part is answered by itself, a refused one does not touch the others.
   * After an error that is retryable the same rows, as the same objects, may be given again, alone or with
   * others: if it was not known whether they had been written, the answer says so then.
   */
  write(batch: Batch): MaybePromise<BatchResult>;
  claim(options: ClaimOptions): MaybePromise<Claimed>;
  /** Reads a gate: who waits, and how many have a place. */
  gate(query: GateQuery): MaybePromise<GateState>;
  /**
   * Gives places to executions that wait and are nobody's, and makes them due. Says how many that were.
   * Null: the gate has another revision by now, and nothing was done.
   */
  admit(admission: Admission): MaybePromise<number | null>;
  /** The workflows and versions of which something has been due for longer than `forMs` and nobody has taken it. */
  overdue(forMs: number): MaybePromise<readonly { readonly name: string; readonly version: string }[]>;
  /** Deletes publications that have been over for at least `forMs`, the longest over first, at most `limit`. Says how many. */
  prunePublications(forMs: number, limit: number): MaybePromise<number>;

  /** All schedules, or the one of that name. In the order of their names. */
  schedules(name?: string): MaybePromise<readonly ScheduleRecord[]>;
  dueSchedules(options: Omit<ClaimOptions, "owner">): MaybePromise<DueSchedules>;
  /** False: the row was not as expected, and nothing was written. The same change again is one change. */
  changeSchedule(change: ScheduleChange): MaybePromise<boolean>;

  /**
   * Deletes executions that have been at rest for long enough, with all that they own: history, mailbox, tags.
   * One that somebody owns, that is due, or that has an arrival which no commit has seen, is kept. Looks at
   * them in the order in which they were created.
   */
  prune(options: PruneOptions): MaybePromise<Pruned>;

  /** In the order of the ids; undefined where there is none. */
  load(ids: readonly string[]): MaybePromise<readonly (ExecutionRecord | undefined)[]>;
  list(filter: ListFilter): MaybePromise<ListPage>;
  /** How many executions all pages of a list would show. */
  count(filter: ListConditions): MaybePromise<number>;
  /** In order of revision. */
  history(id: string): MaybePromise<readonly HistoryRecord[]>;
  /** In order of acceptance; with `pending`, only what nobody has taken yet. */
  mailbox(id: string, only?: "pending"): MaybePromise<readonly MailboxRecord[]>;
  /** Messages that are dead, of all executions. */
  deadLetters(filter: LetterFilter): MaybePromise<LetterPage>;
  /** How many dead letters all pages would show. */
  countDeadLetters(conditions: LetterConditions): MaybePromise<number>;

  /**
   * Runs `work` in a transaction of its own, with the store's connection, and commits with it the
   * transition that it gives. Null, or a transition that is refused: all of it is rolled back. Rejects with
   * what `work` threw, rolled back too. An error that is retryable says nothing of whether it was committed.
   * Undefined: this store has no transactions that others could join.
   */
  transact?(work: (connection: unknown) => MaybePromise<Transition | null>): MaybePromise<CommitResult | null>;
  /** This store as seen within a transaction of the caller's own, on the caller's connection. */
  within?(connection: unknown): Within;

  /** Calls the listener on every hint until the returned function is called. */
  watch(listener: (hint: Hint) => void): () => void;
}
