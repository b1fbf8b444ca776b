/** What stores keep of an execution: its row, its history, its mailbox; and the transition that changes them, all or nothing. */
import type { Encoded } from "../values/encode.js";
import type { Direction, StepFunc, Status } from "../definition/flow.js";
import type { Position } from "./position.js";
import type { SerializedError } from "../values/serialize-error.js";

/**
 * An execution as it is stored. Times are the store's own, in milliseconds since 1970. What can't be read of it, since
 * somebody has damaged it, throws STEPWELL_NOT_DECODABLE when it is asked for: the others that were read with it go on.
 */
export interface ExecutionRecord {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  /** The fingerprint of the list of steps with which the execution last went on. Null: it is not known. */
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
  /** When the execution is to be taken up. Null: never by itself. */
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
  /** The line of a list of children that it is. Null: it was launched by itself, or was let go. */
  readonly line: Line | null;
  /** The execution at the top of the tree that it was created in. Null: it is that itself. */
  readonly root: string | null;
}

/** The line of a list that an execution is: what it becomes is told there. */
export interface Line {
  readonly list: string;
  /** In the list, from 0. */
  readonly position: number;
  /** The execution whose list it is. */
  readonly parent: string;
  /** How many are above it, from 1. */
  readonly depth: number;
}

/** What has become of a line. `staged`: nobody reads it, or its execution is still to be created. */
export type LinePhase = "staged" | "begun" | "stuck" | "completed" | "rolledBack";

/** The phase of a line that has begun, by the status of its execution. */
export function phaseOf(status: string): LinePhase {
  return status === "stuck" || status === "completed" || status === "rolledBack" ? status : "begun";
}

/** Lines of a list that went from one phase to another. */
export interface News {
  readonly was: LinePhase;
  readonly phase: LinePhase;
  readonly positions: readonly number[];
  /** The positions of rolled-back lines that were asked to go back. */
  readonly asked: readonly number[];
}

/** The fields of a line that a list needs to go on. */
export interface SeenLine {
  readonly position: number;
  readonly phase: LinePhase;
  readonly isAsked: boolean;
}

/** What an execution becomes is told to the list whose line it is, together with it. */
export interface LineChange {
  readonly list: string;
  readonly position: number;
  /** The phase in which it was, another one. */
  readonly was: LinePhase;
  readonly phase: LinePhase;
}

/** What a transition does to a list of its execution. */
export type ListChange =
  /**
   * The list is there from now on, with the lines that are given, or, where none are, with the slices that were staged for it before
   * `count`; all else that was staged goes. It is open, at revision 1, and wants to be advanced.
   */
  | {
      readonly list: string;
      readonly opens: { readonly count: number; readonly data: string; readonly lines: readonly StagedLine[] };
    }
  /** An open list is closed, at its next revision, and wants to be advanced. Any other is left as it is. */
  | { readonly list: string; readonly closes: true };

/** An execution that may be created later. */
export interface StagedLine {
  readonly position: number;
  readonly key: string;
  /** The id of the execution. */
  readonly execution: string;
  /** All that is needed to create the execution; no store looks into it. */
  readonly launch: Encoded;
}

/** Where an execution stands, without what it holds. */
export type Standing = Pick<
  ExecutionRecord,
  "id" | "workflow" | "version" | "status" | "revision" | "signals" | "owner" | "dueAt"
>;

/** One row of an execution's history: one committed transition. */
export interface HistoryEntry {
  readonly direction: Direction;
  readonly step: string;
  readonly stepIndex: number;
  readonly func: StepFunc;
  readonly attempt: number;
  /** `ok`, `continue`, `again`, `begins`, `passed-over`, `recovered`, or a reason. */
  readonly result: string;
  readonly durationMs: number;
  readonly message?: { readonly id: string; readonly name: string };
  readonly error?: SerializedError;
  /** What guards failed with where their failure may change nothing. */
  readonly guardErrors?: readonly SerializedError[];
  /** Who did it, for an operator's act or a rollback request. */
  readonly by?: string;
  /** Why, for the same. */
  readonly why?: string;
  /** What came with a rollback request that turned the execution. */
  readonly details?: Encoded;
  /** What the step itself gave; null where it gave nothing. */
  readonly patch: Encoded | null;
  /** Fields that others changed in the state, guards or an operator, as they are after this transition. */
  readonly others?: Encoded;
  /** With the first transition: the state as it began, where it was not the input as it was given. */
  readonly initial?: Encoded;
  /** The state as a whole, where it was replaced rather than added to. */
  readonly replaced?: Encoded;
  readonly migration?: Migration;
  readonly leftNothing?: true;
  /** In which round the step was begun that was worked on here. Left out: before any rewind. */
  readonly round?: number;
  /** A rewind was asked for: the step to which it goes back. */
  readonly backTo?: string;
  /** With `backTo`: the patch that is merged into the state where the execution goes up again. */
  readonly patchThen?: Encoded;
  /** The last undo of a rewind: the execution goes up again from this step, in this round. */
  readonly upInto?: number;
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

/** How long a subscription lasts: until its step is done in this direction, or until the execution ends. */
export type Until = "step" | "end";

/** What an execution's `subscribed` is the sum of. */
export const untilBits: Readonly<Record<Until, number>> = { step: 1, end: 2 };

/** What stays of `subscribed` after a transition that ends subscriptions. */
export const bitsKept: Readonly<Record<"step" | "all", number>> = { step: untilBits.end, all: 0 };

/** `message` is for steps; `told` only wakes: what it is about is read elsewhere. The others are requests to the engine. */
export type ArrivalKind = "message" | "told" | RequestKind;

export type RequestKind = "rollback" | "rewind" | "retry" | "skip" | "patch" | "resolve";

/** An object, so that the compiler misses none. */
const requests: Readonly<Record<RequestKind, true>> = {
  rollback: true,
  rewind: true,
  retry: true,
  skip: true,
  patch: true,
  resolve: true,
};

export const requestKinds = Object.keys(requests) as readonly RequestKind[];

/** The kinds of arrivals other than messages: a reader of a mailbox is given all of these. */
export const otherKinds: readonly ArrivalKind[] = ["told", ...requestKinds];

export function isRequest(kind: MailboxRecord["kind"]): kind is RequestKind {
  return Object.hasOwn(requests, kind);
}

/** `resent`: it was a dead letter, and another arrival stands for it now. */
export type ArrivalStatus = "pending" | "consumed" | "dead" | "resent";

/** An arrival as it is stored. `sequence` grows in the order of acceptance. */
export interface MailboxRecord {
  readonly id: string;
  readonly execution: string;
  readonly sequence: number;
  /** `resend`: a note of how a dead letter of this mailbox was sent again. Consumed from the start. */
  readonly kind: ArrivalKind | "resend";
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
  /**
   * Fields, as they are after this transition: all in which the state may differ from the one that was last given without
   * them. A store may keep these beside that one, in place of `state`. Left out: it keeps `state`.
   */
  readonly changes?: Encoded | undefined;
  /** Whether the launcher lets go of the execution. Kept: `claims` becomes 1. Let go: 0. */
  readonly rests: boolean;
  /** With `rests`: due again after this many milliseconds of the store's clock. Null: not by itself. */
  readonly dueInMs: number | null;
  /** Mailbox rows that this transition settles. */
  readonly settled: readonly { readonly arrival: string; readonly as: "consumed" | "dead" }[];
  /** The execution ends: what is still pending in its mailbox becomes dead. */
  readonly ends: boolean;
  /** The execution leaves its queue, or gives its place back: its `admission` becomes null. */
  readonly leaves?: boolean;
  /** What the execution carries from now on. Null: what it carried before. */
  readonly carried: string | null;
  /** The list of steps that the execution goes on with from now on. Left out: the one that it has. */
  readonly definition?: { readonly version: string; readonly fingerprint: string } | undefined;
  readonly history: HistoryEntry;
  /** Subscriptions that end with it: those until the end of their step, or all. Undefined: none. */
  readonly unsubscribes?: "step" | "all" | undefined;
  /**
   * Of steps that were undone to be done again: subscriptions that they made end, and messages of these names that are still
   * pending become dead. Left out: nothing does.
   */
  readonly forgets?: { readonly subscriptionsOf: readonly string[]; readonly messages: readonly string[] } | undefined;
  /** What the list is told whose line the execution is. Left out: nothing. */
  readonly line?: LineChange | undefined;
  /** What becomes of a list of the execution's own children. Left out: nothing. */
  readonly list?: ListChange | undefined;
}
