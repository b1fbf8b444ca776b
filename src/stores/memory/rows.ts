/** An execution as the memory store keeps it. */
import type { ExecutionRecord, HistoryEntry, HistoryRecord, MailboxRecord } from "../records.js";
import type { Due } from "./due-heap.js";
import type { Subscriber } from "./topics.js";

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A history, from its end: most are short and never read, and an array keeps room for sixteen more. */
interface Committed {
  readonly entry: HistoryEntry;
  readonly at: number;
  readonly before: Committed | undefined;
}

/** An execution with all that belongs to it. */
export interface Row extends Mutable<ExecutionRecord>, Due, Subscriber {
  /** `signals` as the last commit knew them. */
  seen: number;
  last: Committed | undefined;
  /** Most executions never get one. */
  mailbox: Mutable<MailboxRecord>[] | undefined;
}

/** A copy: the row goes on changing. */
export function recordOf(row: Row): ExecutionRecord {
  return {
    id: row.id,
    workflow: row.workflow,
    version: row.version,
    fingerprint: row.fingerprint,
    tags: row.tags,
    status: row.status,
    position: row.position,
    state: row.state,
    input: row.input,
    revision: row.revision,
    signals: row.signals,
    owner: row.owner,
    claims: row.claims,
    dueAt: row.dueAt,
    deadlineAt: row.deadlineAt,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    carried: row.carried,
    subscribed: row.subscribed,
    admission: row.admission,
  };
}

/** In order of revision. */
export function historyOf(row: Row): HistoryRecord[] {
  const records: HistoryRecord[] = [];
  let { revision } = row;
  for (let it = row.last; it !== undefined; it = it.before) {
    records.push({ ...it.entry, revision: revision--, at: it.at });
  }
  return records.toReversed();
}
