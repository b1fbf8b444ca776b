/** What stores keep: the rows, as the engine reads them. */
import type { Encoded } from "../codec.js";
import type { Direction, StepFunc } from "../definition/flow.js";
import type { Position, SerializedError, Status } from "../flow/flow.js";

/**
 * An execution as it is stored. Times are the store's own, in milliseconds since 1970. What can't be read of it, since
 * somebody has damaged it, throws STEPWELL_NOT_DECODABLE when it is asked for: the others that were read with it go on.
 */
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

/** `message` is for steps; the others are requests to the engine. */
export type ArrivalKind = "message" | "rollback" | "retry" | "skip" | "patch";

export type RequestKind = Exclude<ArrivalKind, "message">;

/** An object, so that the compiler misses none. */
const requests: Readonly<Record<RequestKind, true>> = { rollback: true, retry: true, skip: true, patch: true };

export const requestKinds = Object.keys(requests) as readonly RequestKind[];

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

/** A list of steps that some launcher has had. */
export interface StoredDefinition {
  readonly workflow: string;
  readonly version: string;
  readonly fingerprint: string;
  /** What matters of the steps, as JSON. */
  readonly steps: string;
}

/**
 * What is known of a launcher that is buried. `left`: it said itself that it lets go of all. `died`: its process is gone.
 * `silent`: nobody can tell; one that lives says so when it registers again.
 */
export type Fate = "left" | "died" | "silent";

/** That a launcher was buried which had called a function of an execution, since the execution's last commit. */
export interface Death {
  readonly fate: Exclude<Fate, "left">;
  /** How long ago. */
  readonly sinceMs: number;
}

export interface LauncherRecord {
  readonly owner: number;
  /** Where its process is, and since when; only launchers look into it. */
  readonly host: string;
  readonly pid: number;
  /** How long since its last heartbeat, by the store's clock. */
  readonly silentMs: number;
}
