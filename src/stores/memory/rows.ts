/** An execution as the memory store keeps it. */
import type { ExecutionRecord, HistoryEntry, HistoryRecord } from "../../execution/records.js";
import type { HistoryRange } from "../contract.js";
import type { Due } from "./due-heap.js";
import type { Mailbox } from "./mailbox.js";
import type { Subscriber } from "./topics.js";

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A history, from its end: most are short and never read, and an array keeps room for sixteen more. */
interface Committed {
  readonly entry: HistoryEntry;
  readonly at: number;
  readonly before: Committed | undefined;
}

/** An execution with all that belongs to it, and what only this store keeps of it. */
export interface Row extends Due, Subscriber {
  readonly record: Mutable<ExecutionRecord>;
  /** `signals` as the last commit knew them. */
  seen: number;
  /** At a revision: under whom it may have been what killed the process. */
  deaths: { readonly revision: number; readonly owners: readonly number[] } | undefined;
  /** Who was about to call a function of it. */
  begun: number | undefined;
  last: Committed | undefined;
  /** Most executions never get one. */
  mailbox: Mailbox | undefined;
}

/** A copy, of the same shape: the row goes on changing. */
export function recordOf({ record: it }: Row): ExecutionRecord {
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
    revision: it.revision,
    signals: it.signals,
    owner: it.owner,
    claims: it.claims,
    dueAt: it.dueAt,
    deadlineAt: it.deadlineAt,
    createdAt: it.createdAt,
    updatedAt: it.updatedAt,
    carried: it.carried,
    subscribed: it.subscribed,
    admission: it.admission,
    line: it.line,
    root: it.root,
  };
}

/** In order of revision. */
export function historyOf(row: Row, { after, limit }: HistoryRange = { after: 0, limit: Infinity }): HistoryRecord[] {
  const records: HistoryRecord[] = [];
  let { revision } = row.record;
  for (let it = row.last; it !== undefined && revision > after; it = it.before, revision--) {
    if (revision - after <= limit) records.push({ revision, at: it.at, ...it.entry });
  }
  return records.toReversed();
}
