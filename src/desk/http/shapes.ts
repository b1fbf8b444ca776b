/**
 * The JSON of the desk's HTTP interface. All addresses are relative to where the desk is mounted.
 *
 * Names that users make (ids, workflows, schedules) are always query parameters or fields, never parts of a path: a proxy may
 * rewrite a path, and `..` is an id like any other. Times are texts in ISO 8601, UTC.
 *
 * | GET | gives |
 * | --- | --- |
 * | `api/session` | `Session` |
 * | `api/overview` | `Overview` |
 * | `api/executions?…` (`ExecutionsQuery`) | `ExecutionsPage` |
 * | `api/executions/count?…` (`ExecutionsQuery`) | `Count` |
 * | `api/execution?id=` | `ExecutionView` |
 * | `api/execution/count?id=` | `CountedView`: counts some more of a history that the lanes are not made of as a whole |
 * | `api/execution/history?id=&before=&limit=` | `HistoryPage`, the newest first |
 * | `api/execution/state?id=&revision=` | `StateView`; without `revision`: as it is now |
 * | `api/execution/mailbox?id=` | `Mailbox` |
 * | `api/execution/preview?id=&to=` | `PreviewView`: what a rollback would do; with `to`: what a rewind to that step would |
 * | `api/execution/children?id=&step=&round=&number=&status=&from=&limit=` | `ChildrenPage`; without `round` and `number`: the last group |
 * | `api/execution/certificate?id=` | `CertificateView`, of one that is at rest |
 * | `api/execution/value?id=&of=state&revision=`, `…&of=message&message=` | `text/plain`: the whole of a value that was folded |
 * | `api/workflows` | `WorkflowsView` |
 * | `api/workflows/names` | `WorkflowNames` |
 * | `api/workflow?name=&version=` | `WorkflowView` |
 * | `api/schedules` | `SchedulesView` |
 * | `api/dead-letters?workflow=&execution=&name=&limit=&after=` | `DeadLettersPage` |
 * | `api/limits` | `LimitsView` |
 * | `api/launchers` | `LaunchersView` |
 * | `api/recalls?after=` | `RecallsView` |
 * | `api/recall?id=` | `RecallView` |
 * | `api/events?workflow=&status=…` | server-sent events, each `DeskEvent` |
 * | `api/execution/events?id=&after=` | server-sent events of one execution |
 *
 * | POST | takes | gives |
 * | --- | --- | --- |
 * | `api/session` | `{ token }` | `Session`, and a cookie |
 * | `api/session/end` | `{}` | `{}`, and no cookie any more |
 * | `api/acts/<ActName>` | that act's body, one of `Acts` in `act-shapes.ts` | `ActAnswer` |
 *
 * Every POST has the header `x-stepwell-desk: 1`, the type `application/json`, and the origin of the page.
 * An answer that is not 2xx is a `Refusal`.
 */
import type { CertificateTables, certificateHeads, ChildGroup, RollbackPreview, Status } from "../../index.js";
import type { StepFacts, TransitionFacts } from "../model/facts.js";
import type { Lanes } from "../model/lanes.js";
import type { Words } from "../model/words.js";
import type { ActivityWindow } from "./feed-shapes.js";
import type { ShownChange, ShownError, ShownValue } from "./value-shapes.js";

// ---- Who is there ------------------------------------------------------------------------------

/** What `authorize` is asked about. `act-one`: on one execution, schedule or letter; `act-many`: on all that a filter finds. */
export type DeskRight = "read" | "act-one" | "act-many" | "launch";

export interface Session {
  /** Who acts, as `authorize` says; the history keeps it. */
  readonly by: string;
  readonly rights: readonly DeskRight[];
  /** The store's time; a page shows times relative to it. */
  readonly now: string;
  /** "memory", "sqlite", "postgres". */
  readonly store: string;
  /** Of Stepwell. */
  readonly version: string;
  /** Where there are events; else the page asks again from time to time. */
  readonly live: boolean;
}

// ---- Overview ----------------------------------------------------------------------------------

/** Exact up to 10,000; then `more` is true, and there are at least so many. */
export interface Count {
  readonly count: number;
  readonly more: boolean;
  /** The filter fits too few of too many: nobody has counted. */
  readonly unknown?: true;
}

/** Of all executions, children too. */
export interface Overview {
  readonly now: string;
  readonly counts: Readonly<Record<Status, Count>>;
  /** By workflow, as far as they are counted. */
  readonly deadLetters: readonly (Count & { readonly workflow: string })[];
  /** What needs a person: stuck, the newest first. At most 20. */
  readonly stuck: readonly ExecutionLine[];
  /** Tried again and again, among the newest that are not at rest. At most 20. */
  readonly struggling: readonly ExecutionLine[];
  /** What this process has seen since it looks. Null: it does not look. */
  readonly window: ActivityWindow | null;
}

// ---- Executions --------------------------------------------------------------------------------

/** All of it stands in the page's address too. `status` and `tag` may come more than once. */
export interface ExecutionsQuery {
  readonly workflow?: string;
  readonly status?: readonly Status[];
  readonly tag?: readonly string[];
  /** Only what is below this execution, which is at the top: children and theirs. */
  readonly root?: string;
  /** Children too. Left out: only what was launched by itself. */
  readonly children?: true;
  readonly direction?: "up" | "down";
  readonly reason?: string;
  /** The id, or its beginning. */
  readonly id?: string;
  /** Created at or after, and before: ISO 8601. */
  readonly from?: string;
  readonly before?: string;
  /** From 1 to 200. Default: 50. */
  readonly limit?: number;
  /** The `cursor` of the page before. */
  readonly after?: string;
}

/** An execution in a list. */
export interface ExecutionLine {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: Status;
  readonly struggling: boolean;
  readonly queued: boolean;
  readonly direction: "up" | "down";
  readonly reason: string;
  readonly step: string;
  readonly stepIndex: number;
  readonly tags: readonly string[];
  /** What the last error said, on one line. */
  readonly error?: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly attempts: number;
  /** When its wait ends, or when it is tried again. */
  readonly dueAt?: string;
}

/** A row that can't be read. */
export interface DamagedLine {
  readonly id: string;
  readonly workflow: string;
  readonly problem: string;
}

export interface ExecutionsPage {
  readonly now: string;
  /** Newest first. */
  readonly executions: readonly ExecutionLine[];
  readonly damaged: readonly DamagedLine[];
  /** For the next page; null: this was the last. */
  readonly cursor: string | null;
  /**
   * The page is not full, and there is a cursor: so many executions were looked at for `direction`, `reason` or `id`, which no
   * index serves. Ask with the cursor to look further.
   */
  readonly lookedAt?: number;
}

// ---- One execution -----------------------------------------------------------------------------

export interface ExecutionView extends ExecutionLine {
  readonly now: string;
  readonly parent?: string;
  readonly root?: string;
  readonly children: readonly ChildGroup[];
  readonly deadlineAt?: string;
  readonly words: Words;
  readonly lanes: Lanes;
  /** The error that parked it, else the one that turned it. */
  readonly failure?: ShownError;
  readonly state: ShownValue;
  /** The names of messages that a step of it takes; for a form. */
  readonly messages: readonly string[];
  /** How many messages no step has taken yet. */
  readonly pending: Count;
  /** The newest 100. */
  readonly history: HistoryPage;
}

export interface CertificateView extends CertificateTables {
  readonly execution: string;
  readonly heads: typeof certificateHeads;
}

export interface PreviewView {
  /** What was looked at. */
  readonly revision: number;
  /** Why it would be refused, or held. */
  readonly said?: string;
  /** The word for why it would be refused. */
  readonly refused?: NonNullable<RollbackPreview["refused"]>;
  /** Of a rewind: from where it then goes up again, and in which round. */
  readonly upAgain?: NonNullable<RollbackPreview["upAgain"]>;
  /** What was done, and what would become of it. */
  readonly lanes: Lanes;
}

export interface CountedView {
  /** As in `Lanes`. 0: all is counted, and the lanes may be read again. */
  readonly countedAfter: number;
}

/** A transition: as the model reads it, with errors in full. */
export interface TransitionView extends Omit<TransitionFacts, "at" | "error" | "guardErrors"> {
  readonly at: string;
  readonly error?: ShownError;
  readonly guardErrors?: readonly ShownError[];
  /** What came with a rollback request. */
  readonly details?: ShownValue;
}

export interface HistoryPage {
  /** Newest first. */
  readonly rows: readonly TransitionView[];
  /** The `before` of the next page, which is older. Null: there is no older one. */
  readonly before: number | null;
}

export interface StateView {
  readonly revision: number;
  readonly state: ShownValue;
  /** What the transition of this revision changed; empty at 0. */
  readonly changes: readonly ShownChange[];
}

export interface Mailbox {
  /** The newest first; at most 200. */
  readonly messages: readonly MessageView[];
  /** There are older ones, which are not shown. */
  readonly more: boolean;
}

export interface MessageView {
  readonly id: string;
  readonly name: string;
  readonly payload: ShownValue;
  readonly receivedAt: string;
  readonly status: "pending" | "consumed" | "dead" | "resent";
  readonly step?: string;
  readonly topic?: string;
  readonly resent?: { readonly to: string; readonly as: string; readonly by?: string; readonly at: string };
}

// ---- Workflows, schedules, letters, limits, launchers ------------------------------------------

export interface WorkflowsView {
  readonly workflows: readonly WorkflowLine[];
}

/** Of all that were seen here, in order: for a choice, which needs no counts. */
export interface WorkflowNames {
  readonly names: readonly string[];
}

export interface WorkflowLine {
  readonly name: string;
  readonly versions: readonly string[];
  /** The desk's own process knows its code, so that it can be launched from here. */
  readonly launchable: boolean;
  /** These count children too. */
  readonly running: Count;
  readonly waiting: Count;
  readonly scheduled: Count;
  readonly stuck: Count;
  readonly findings: number;
}

export interface WorkflowView {
  readonly name: string;
  readonly version: string;
  readonly versions: readonly VersionInFlight[];
  /** Empty: no launcher has kept the list of steps. */
  readonly steps: readonly StepFacts[];
  readonly findings: readonly { readonly step: string; readonly kind: string; readonly problem: string }[];
  readonly launchable: boolean;
}

export interface VersionInFlight {
  readonly version: string;
  /** Executions that are not at rest, or stuck, among the newest that were looked at. */
  readonly inFlight: Count;
  /** The desk's own process has the code of this version. */
  readonly known: boolean;
}

export interface SchedulesView {
  readonly now: string;
  readonly schedules: readonly ScheduleView[];
}

export interface ScheduleView {
  readonly name: string;
  readonly workflow: string;
  readonly version: string;
  /** "0 2 * * *, Europe/Berlin", "every 5 min", "once, 2026-03-01T02:00:00.000Z". */
  readonly timing: string;
  readonly missed: "skip" | "once" | "all";
  readonly tags: readonly string[];
  readonly paused: boolean;
  readonly nextAt: string | null;
  readonly lastAt: string | null;
  readonly setAt: string;
  readonly input: ShownValue;
  /** The desk's own process has the code, which a launch out of turn needs. */
  readonly triggerable: boolean;
}

export interface DeadLettersPage {
  readonly letters: readonly DeadLetterView[];
  readonly damaged: readonly DamagedLine[];
  readonly cursor: string | null;
}

export interface DeadLetterView {
  readonly execution: string;
  readonly workflow: string;
  readonly id: string;
  readonly name: string;
  readonly payload: ShownValue;
  readonly receivedAt: string;
  readonly step?: string;
  readonly topic?: string;
}

export interface LimitsView {
  readonly limits: readonly LimitView[];
}

export interface LimitView {
  readonly workflow: string;
  /** At most so many at a time, and by key. Null: no such limit. */
  readonly limit: number | null;
  readonly keyLimit: number | null;
  /** "100 per 1 min". Null: no such limit. */
  readonly rate: string | null;
  /** How many have a place. */
  readonly held: number;
  /** How many wait, as far as they are counted. */
  readonly queued: Count;
}

export interface LaunchersView {
  readonly launchers: readonly LauncherView[];
  /** What has been due for more than a minute, and no launcher has taken: none that runs knows this version. */
  readonly unattended: readonly {
    readonly what: "executions" | "schedules";
    readonly workflow: string;
    readonly version: string;
  }[];
}

export interface LauncherView {
  readonly number: number;
  /** The name of its machine. */
  readonly host: string;
  /** Which machine, boot or container: for telling those apart that share a name. */
  readonly place: string;
  readonly pid: number;
  /** How long since its last heartbeat. */
  readonly silentMs: number;
}
