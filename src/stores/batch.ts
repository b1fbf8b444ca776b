/** What the engine wants written, and how each part of it is answered. */
import type { Encoded } from "../values/encode.js";
import type { Position } from "../execution/position.js";
import type { Status } from "../definition/flow.js";
import type { ArrivalKind, ExecutionRecord, Line, LineChange, Transition, Until } from "../execution/records.js";

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
  /** Due after this many milliseconds of the store's clock (0: now). What is running and nobody's is due at once, here and below. */
  readonly dueInMs: number;
  readonly deadlineInMs: number | null;
  readonly carried: string | null;
  /** Set: it waits in a queue, and until it is admitted it is due with its deadline only. `dueInMs`: not to be admitted before. */
  readonly queue?: Queueing | undefined;
  /** Set: it is a line of a list, below this root. */
  readonly line?: Line | undefined;
  readonly root?: string | undefined;
}

/** What is kept of one when it is created. With an owner it is in work; without one, the store says when it is due. */
export function newRecord(it: NewExecution, owner: number | null, at: number): ExecutionRecord {
  return {
    id: it.id,
    workflow: it.workflow,
    version: it.version,
    fingerprint: it.fingerprint,
    tags: it.tags,
    status: it.status,
    position: it.position,
    state: it.state,
    input: it.input,
    revision: 0,
    signals: 0,
    owner,
    claims: owner === null ? 0 : 1,
    dueAt: null,
    deadlineAt: it.deadlineInMs === null ? null : at + it.deadlineInMs,
    createdAt: at,
    updatedAt: at,
    carried: it.carried,
    subscribed: 0,
    admission: it.queue === undefined ? null : "queued",
    line: it.line ?? null,
    root: it.root ?? null,
  };
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

/**
 * Lets go of an execution without a transition, since there was nothing to do: `claims` goes down by one, as if it had not been
 * taken up; with a position, it becomes 0.
 */
export interface Release {
  readonly id: string;
  readonly owner: number;
  /** As in a transition: an arrival that the engine has not seen refuses the release. Null: whatever came. */
  readonly signals: number | null;
  readonly dueInMs: number | null;
  /** Of an execution that goes on waiting: the same place, with another time. Left out: unchanged. */
  readonly position?: Position;
  /** It can't be read, so it is parked as it is: it becomes `stuck`, and leaves its queue or gives its place back. */
  readonly parks?: true;
  /** Mailbox rows that became dead while looking (refused by their step's schema, or by the law). */
  readonly dead: readonly string[];
  /** With `parks`: its line, whose list is told of it where it was not stuck before. */
  readonly line?: Pick<LineChange, "list" | "position">;
}

/**
 * An execution wants the publications of a topic: those that are kept, at once, and those to come. The same
 * one again changes nothing, save that `end` outlasts `step`, and is then of the step that asked for it first.
 */
export interface Subscription {
  readonly execution: string;
  readonly owner: number;
  /** The row's revision; must match, as its owner must. */
  readonly revision: number;
  readonly topic: string;
  readonly until: Until;
  /** Which step asks. */
  readonly step: string;
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
   * otherwise); that one becomes `resent` with it. The note goes into its mailbox, of kind `resend` and consumed.
   */
  readonly resends?: {
    readonly execution: string;
    readonly arrival: string;
    readonly note: { readonly id: string; readonly payload: Encoded };
  };
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
