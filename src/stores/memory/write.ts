import { newRecord } from "../batch.js";
import type { CommitResult, CreateResult, NewExecution, Queueing, Release } from "../batch.js";
import type { Hint, Store } from "../contract.js";
import { phaseOf, type Transition } from "../../execution/records.js";
import { movedBy } from "../moves.js";
import { changeLists } from "./lists.js";
import { deliver, publish, subscribe } from "./arrivals.js";
import type { MemoryData } from "./shared.js";
import { recordOf, type Row } from "./rows.js";

const owned: CreateResult = { created: true, owned: true };
const unowned: CreateResult = { created: true, owned: false };

const taken: readonly CommitResult[] = ["taken"];

/** Most batches of a store that gathers nothing hold one row in all. */
const none: readonly never[] = [];

export function writing(data: MemoryData): Pick<Store, "write"> {
  let hints: Hint[] = [];
  return {
    write(batch) {
      const at = data.now();
      const { creates, transitions, releases, arrivals, subscriptions, publications } = batch;
      const result = {
        at,
        creates: answers(creates, create, data, at, hints),
        transitions: answers(transitions, commit, data, at, hints),
        releases: answers(releases, release, data, at, hints),
        arrivals: answers(arrivals, deliver, data, at, hints),
        subscriptions: answers(subscriptions, subscribe, data, at, hints),
        publications: answers(publications, publish, data, at, hints),
      };
      if (hints.length > 0) {
        const told = hints;
        // Whoever hears may write.
        hints = [];
        data.hints.tell(told);
      }
      if (data.moves.isWatched) data.moves.tell(movedBy(batch));
      return result;
    },
  };
}

type Writes<Item, Answer> = (data: MemoryData, row: Item, at: number, hints: Hint[]) => Answer;

/** What `write` makes of each row. Without a closure where there is one row or none: this is what is done most often. */
function answers<Item, Answer>(
  rows: readonly Item[] = none,
  write: Writes<Item, Answer>,
  data: MemoryData,
  at: number,
  hints: Hint[],
): readonly Answer[] {
  if (rows.length === 0) return none;
  if (rows.length > 1) return eachOf(rows, write, data, at, hints);
  const answer = write(data, rows[0]!, at, hints);
  // The same for all that are taken.
  return answer === "taken" ? (taken as readonly Answer[]) : [answer];
}

function eachOf<Item, Answer>(
  rows: readonly Item[],
  write: Writes<Item, Answer>,
  data: MemoryData,
  at: number,
  hints: Hint[],
): readonly Answer[] {
  return rows.map((row) => write(data, row, at, hints));
}

function create(data: MemoryData, it: NewExecution, at: number, hints: Hint[]): CreateResult {
  const existing = data.rows.get(it.id);
  if (existing !== undefined) return { created: false, existing: recordOf(existing) };
  // As in a claim: what a removed launcher creates is for another one to take up.
  const isOwned = it.owner !== null && data.launchers.has(it.owner);
  const row: Row = {
    record: newRecord(it, isOwned ? it.owner : null, at),
    sequence: ++data.lastSequence,
    place: -1,
    seen: 0,
    deaths: undefined,
    begun: undefined,
    last: undefined,
    mailbox: undefined,
    topics: undefined,
  };
  data.rows.set(it.id, row);
  if (it.queue !== undefined) queue(data, row, it.queue, it.dueInMs, at, hints);
  else if (!isOwned) data.dueQueue.dueIn(row, it.owner === null ? it.dueInMs : 0, at, hints);
  return isOwned ? owned : unowned;
}

function queue(data: MemoryData, row: Row, queueing: Queueing, dueInMs: number, at: number, hints: Hint[]): void {
  data.gates.queue(row.record.id, row.record.version, row.sequence, queueing, at + dueInMs);
  data.dueQueue.setDue(row, row.record.deadlineAt);
  hints.push({ type: "due", inMs: dueInMs });
}

function commit(data: MemoryData, it: Transition, at: number, hints: Hint[]): CommitResult {
  const row = data.rows.get(it.id);
  if (row === undefined) return "lost";
  const { record } = row;
  if (record.owner !== it.owner || record.revision !== it.revision - 1) return "lost";
  if (record.signals !== it.signals) return "signalled";
  record.status = it.status;
  record.position = it.position;
  if (it.state !== null) record.state = it.state;
  record.revision = it.revision;
  record.updatedAt = at;
  if (it.carried !== null) record.carried = it.carried;
  // While it has an owner it is in no heap, which its version decides.
  if (it.definition !== undefined) Object.assign(record, it.definition);
  row.last = { entry: it.history, at, before: row.last };
  if (row.mailbox !== undefined) {
    for (const { arrival, as } of it.settled) row.mailbox.settle(arrival, as, it.history.step);
    if (it.ends) row.mailbox.end();
    data.dueQueue.see(row);
  }
  if (it.unsubscribes !== undefined) data.topics.unsubscribe(row, it.unsubscribes);
  if (it.forgets !== undefined) {
    data.topics.unsubscribeSteps(row, it.forgets.subscriptionsOf);
    row.mailbox?.forget(it.forgets.messages);
  }
  if (it.leaves === true) leave(data, row, hints);
  if (it.line !== undefined || it.list !== undefined) changeLists(data, it);
  if (it.rests) data.dueQueue.letGo(row, it.dueInMs, at, hints);
  else record.claims = 1;
  return "taken";
}

function release(data: MemoryData, it: Release, at: number, hints: Hint[]): CommitResult {
  const row = data.rows.get(it.id);
  if (row === undefined || row.record.owner !== it.owner) return "lost";
  if (it.signals !== null && row.record.signals !== it.signals) return "signalled";
  if (row.mailbox !== undefined) {
    for (const id of it.dead) row.mailbox.settle(id, "dead", null);
    if (it.signals !== null) data.dueQueue.see(row);
  }
  if (it.position !== undefined) row.record.position = it.position;
  if (it.parks === true) {
    if (it.line !== undefined) data.lists.tell({ ...it.line, was: phaseOf(row.record.status), phase: "stuck" });
    row.record.status = "stuck";
    row.record.updatedAt = at;
    leave(data, row, hints);
  }
  data.dueQueue.letGo(row, it.dueInMs, at, hints, it.position === undefined ? row.record.claims - 1 : 0);
  return "taken";
}

function leave(data: MemoryData, { record }: Row, hints: Hint[]): void {
  data.gates.leave(record.id);
  record.admission = null;
  hints.push({ type: "due", inMs: 0 });
}
