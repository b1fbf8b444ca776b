/** What a store does that holds all executions in memory: how it lists, counts and prunes them, and whose turn it is. */
import type { Status } from "../definition/flow.js";
import type { ExecutionRecord, MailboxRecord } from "../execution/records.js";
import type {
  DeadMailConditions,
  DeadMailFilter,
  DeadMailPage,
  ListConditions,
  ListedExecution,
  ListFilter,
  ListPage,
} from "./contract.js";
import type { MailCounts, MailFilter, MailRecord, Pruned, PruneOptions } from "./contract.js";
import { cursorOf, firstPlace, placeOf, type ListPlace } from "./cursor.js";

/** An execution, with the number in the order of creation. */
export interface HeldExecution {
  readonly record: ExecutionRecord;
  readonly sequence: number;
  /** In order of acceptance. */
  readonly mailbox?: Iterable<MailboxRecord> | undefined;
}

export function listPage(
  rows: Iterable<HeldExecution>,
  { limit, after, oldestFirst, ...conditions }: ListFilter,
): ListPage {
  const direction = oldestFirst === true ? -1 : 1;
  const place = after === undefined ? undefined : placeOf(after);
  const found = [...rows]
    .filter((row) => fits(row.record, conditions) && (place === undefined || direction * past(place, row) > 0))
    .toSorted((one, other) => direction * newestFirst(one, other));
  const page = found.slice(0, limit);
  return { records: page.map(listedOf), cursor: found.length > limit ? cursorOf(placeIn(page.at(-1)!)) : null };
}

function listedOf({ record }: HeldExecution): ListedExecution {
  const { state: _state, input: _input, ...listed } = record;
  return listed;
}

export function countOf(rows: Iterable<HeldExecution>, conditions: ListConditions, upTo: number): number {
  let found = 0;
  for (const { record } of rows) {
    if (fits(record, conditions)) found++;
    if (found > upTo) break;
  }
  return found;
}

function fits(
  record: ExecutionRecord,
  { workflow, status, tags, createdFrom, createdBefore, isFree, root }: ListConditions,
): boolean {
  return (
    (workflow === undefined || record.workflow === workflow) &&
    (status === undefined || status.includes(record.status)) &&
    (tags === undefined || tags.every((tag) => record.tags.includes(tag))) &&
    (createdFrom === undefined || record.createdAt >= createdFrom) &&
    (createdBefore === undefined || record.createdAt < createdBefore) &&
    (isFree === undefined || record.line === null) &&
    (root === undefined || record.root === root)
  );
}

function newestFirst(one: HeldExecution, other: HeldExecution): number {
  return other.record.createdAt - one.record.createdAt || other.sequence - one.sequence;
}

/** Greater than 0: it is older than what stands at the place. */
function past({ createdAt, sequence }: ListPlace, row: HeldExecution): number {
  return createdAt - row.record.createdAt || sequence - row.sequence;
}

/**
 * @param rows in the order in which they were created; `remove` may take those out that it is given
 * @param below the rows whose root that one is; undefined: a list of theirs is still to be advanced. Default: it has none
 */
export function prune<Row extends HeldExecution>(
  rows: Iterable<Row>,
  { olderThanMs, limit, after, dry }: PruneOptions,
  at: number,
  remove: (row: Row) => void,
  below: (row: Row) => readonly Row[] | undefined = () => [],
): Pruned {
  // That order is the order of their numbers, even where the clock was set back.
  const { sequence } = after === null ? firstPlace : placeOf(after);
  const youngest = at - Math.min(...Object.values(olderThanMs));
  const counts: Partial<Record<Status, number>> = {};
  let looked = 0;
  let last: Row | undefined;
  for (const row of rows) {
    const { record } = row;
    if (row.sequence <= sequence || record.createdAt > youngest) continue;
    if (looked === limit) return { counts, cursor: cursorOf(placeIn(last!)) };
    looked++;
    last = row;
    const age = olderThanMs[record.status];
    if (age === undefined || record.root !== null || isBusy(row) || record.updatedAt > at - age) continue;
    if ((record.position.sealedAt ?? 0) > at) continue;
    const tree = below(row);
    if (tree === undefined || tree.some((it) => isBusy(it) || !atRest.includes(it.record.status))) continue;
    for (const it of [row, ...tree]) {
      counts[it.record.status] = (counts[it.record.status] ?? 0) + 1;
      if (!dry) remove(it);
    }
  }
  return { counts, cursor: null };
}

const atRest: readonly Status[] = ["completed", "rolledBack", "stuck"];

function isBusy({ record }: HeldExecution): boolean {
  return record.owner !== null || record.dueAt !== null;
}

/** The first of each queue in turn, and round again; what is given out is taken from its queue. */
export function inTurn<Row>(queues: readonly Row[][], isDue: (row: Row) => boolean, limit: number): Row[] {
  const taken: Row[] = [];
  let round = queues;
  while (taken.length < limit && round.length > 0) {
    round = round.filter(([first]) => first !== undefined && isDue(first));
    for (const queue of round.slice(0, limit - taken.length)) taken.push(queue.shift()!);
  }
  return taken;
}

/** Where it stands in a list. */
function placeIn({ record, sequence }: HeldExecution): ListPlace {
  return { createdAt: record.createdAt, sequence };
}

export function isDeadLetter({ kind, status }: MailboxRecord): boolean {
  return kind === "message" && status === "dead";
}

export function deadMail(
  rows: Iterable<HeldExecution>,
  { limit, before = Infinity, lookAt, ...conditions }: DeadMailFilter,
): DeadMailPage {
  const looked = lookedAt(rows, conditions, before).slice(0, lookAt + 1);
  const fitting = looked.slice(0, lookAt).filter((it) => fitsLetter(it, conditions));
  const records = fitting.slice(0, limit);
  const last = fitting.length > limit ? records.at(-1) : looked.length > lookAt ? looked[lookAt - 1] : undefined;
  return { records, next: last?.sequence ?? null };
}

export function countDeadMail(
  rows: Iterable<HeldExecution>,
  conditions: DeadMailConditions,
  lookAt: number,
): MailCounts {
  const looked = lookedAt(rows, conditions, Infinity);
  const counts = new Map<string, number>();
  for (const it of looked.slice(0, lookAt)) {
    if (fitsLetter(it, conditions)) counts.set(it.workflow, (counts.get(it.workflow) ?? 0) + 1);
  }
  return { counts: [...counts].map(([workflow, count]) => ({ workflow, count })), more: looked.length > lookAt };
}

/** Dead messages, the last received first; of all executions, or of the one that is asked for. */
function lookedAt(rows: Iterable<HeldExecution>, { execution }: DeadMailConditions, before: number): MailRecord[] {
  const found: MailRecord[] = [];
  for (const { record, mailbox = [] } of rows) {
    if (execution !== undefined && record.id !== execution) continue;
    for (const it of mailbox) {
      if (isDeadLetter(it) && it.sequence < before) found.push({ ...it, workflow: record.workflow });
    }
  }
  return found.toSorted((one, other) => other.sequence - one.sequence);
}

function fitsLetter(it: MailRecord, { workflow, name }: DeadMailConditions): boolean {
  return (workflow ?? it.workflow) === it.workflow && (name ?? it.name) === it.name;
}

export function countPending(mailbox: Iterable<MailboxRecord>, upTo: number): number {
  let found = 0;
  for (const { kind, status } of mailbox) {
    if (kind === "message" && status === "pending") found++;
    if (found > upTo) break;
  }
  return found;
}

function lastOf(mailbox: readonly MailboxRecord[], count: number): MailboxRecord[] {
  if (mailbox.length <= count) return [...mailbox];
  const byId = mailbox.map(({ id }) => id).toSorted((one, other) => (one < other ? 1 : -1));
  const first = byId[count - 1]!;
  return mailbox.filter(({ id }) => id >= first);
}

/** Copies: the rows go on changing. */
export function mailOf({ record, mailbox = [] }: HeldExecution, filter: MailFilter): MailRecord[] {
  if ("last" in filter) return lastOf([...mailbox], filter.last).map((it) => ({ workflow: record.workflow, ...it }));
  let left = "status" in filter ? (filter.limit ?? Infinity) : 0;
  const isWanted = (it: MailboxRecord): boolean => {
    if (!("status" in filter)) {
      return (filter.id ?? it.id) === it.id && (filter.messageId ?? it.messageId) === it.messageId;
    }
    if (it.status !== "pending") return false;
    if (it.kind !== "message") return filter.name === undefined;
    return (filter.name ?? it.name) === it.name && left-- > 0;
  };
  return [...mailbox].filter(isWanted).map((it) => ({ workflow: record.workflow, ...it }));
}
