/** The invariants of the promises, held against what was committed, and against what callers and the other side know. */
import { isDeepStrictEqual } from "node:util";
import { merge } from "../../src/values/isolate.js";
import { idempotencyKey } from "../../src/ids.js";
import type { Connection } from "../../src/stores/sqlite/driver.js";
import type { ExecutionRecord, HistoryRecord, MailboxRecord } from "../../src/execution/records.js";
import type { Store } from "../../src/stores/contract.js";
import type { Books } from "./books.js";
import type { Trip } from "./plan.js";
import type { Case } from "./callers.js";
import { wrongCounts } from "./timers.js";

interface Evidence {
  readonly it: Case;
  readonly trip: Trip;
  readonly record: ExecutionRecord;
  readonly rows: readonly HistoryRecord[];
  readonly mailbox: readonly MailboxRecord[];
  readonly books: Books;
  readonly store: Store;
}

export function violationsOf(it: Case, trip: Trip, store: Store, books: Books): string[] {
  const [record] = store.load([it.id]) as (ExecutionRecord | undefined)[];
  if (record === undefined) return ["was never launched"];
  const rows = store.history(it.id) as readonly HistoryRecord[];
  const mailbox = store.mail({ executions: [it.id] }) as readonly MailboxRecord[];
  const evidence: Evidence = { it, trip, record, rows, mailbox, books, store };
  for (const row of rows)
    books.note(
      () =>
        `${it.id} history ${row.revision}: ${row.direction} ${row.func} ${row.step} #${row.attempt} ${row.result} ${row.message?.id ?? ""} ${row.by ?? ""} ${row.guardErrors?.[0]?.message ?? ""}`,
    );
  books.note(() => `${it.id} ends ${record.status} ${record.position.reason}`);
  for (const row of mailbox)
    books.note(() => `${it.id} mail ${row.kind} ${row.name} ${row.id} ${row.messageId} ${row.status}`);
  const found = [
    ...course(evidence),
    ...state(evidence),
    ...effects(evidence),
    ...entries(evidence),
    ...messages(evidence),
    ...answers(evidence),
    ...books.timers.early(it.id, rows, trip),
    ...wrongCounts(rows, trip),
  ];
  if (record.status !== "completed" && record.status !== "rolledBack") found.push(`is ${record.status}`);
  return found;
}

const advances = ({ result }: HistoryRecord): boolean =>
  result === "ok" || result === "skipped" || result === "passed-over" || result === "recovered";

/** 1: gapless revisions. 2: it turns once. 3: up 0, 1, 2 …; down f … 0. 4: honest ends. */
function course({ it, record, rows, trip, books }: Evidence): string[] {
  const found: string[] = [];
  rows.forEach(({ revision }, index) => {
    if (revision !== index + 1) found.push(`has revision ${revision} at place ${index + 1}`);
  });
  if (record.revision !== rows.length) found.push(`has ${rows.length} rows of history for revision ${record.revision}`);
  const turned = rows.findIndex(({ direction }) => direction === "down");
  const ups = (turned < 0 ? rows : rows.slice(0, turned)).filter(advances).map(({ stepIndex }) => stepIndex);
  const downs =
    turned < 0
      ? []
      : rows
          .slice(turned)
          .filter(advances)
          .map(({ stepIndex }) => stepIndex);
  if (turned >= 0 && rows.slice(turned).some(({ direction }) => direction === "up")) found.push("went up again");
  if (ups.some((index, place) => index !== place)) found.push(`went up ${ups.join(", ")}`);
  const first = downs[0] ?? -1;
  if (downs.some((index, place) => index !== first - place)) found.push(`went down ${downs.join(", ")}`);
  const end = record.status === "completed" ? "success" : "failure";
  if (trip.hasWatcher && !books.ends.includes(`${end} ${it.id}`)) found.push(`told nobody of its ${end}`);
  if (record.status === "completed") {
    if (turned >= 0) found.push("is completed and went down");
    if (record.position.reason !== "normal") found.push(`is completed for ${record.position.reason}`);
  } else {
    if (it.plan.from === null && ups.length > 0 && first < ups.at(-1)!)
      found.push(`did ${ups.at(-1)} and undid from ${first}`);
    if (downs.length > 0 && downs.at(-1) !== 0) found.push(`stopped undoing at ${downs.at(-1)}`);
  }
  const deadline = rows.find(({ result }) => result === "deadline");
  if (deadline !== undefined && deadline.at < record.deadlineAt!) found.push("turned before its deadline");
  return found;
}

/** The state is what the history says that steps, guards and operators gave. */
function state({ record, rows }: Evidence): string[] {
  let folded = (rows[0]?.initial ?? (rows.length === 0 ? record.state : record.input)).value as object;
  for (const { patch, others } of rows) {
    if (patch !== null) folded = merge(folded, patch.value as object);
    if (others !== undefined) folded = merge(folded, others.value as object);
  }
  return isDeepStrictEqual(folded, record.state.value) ? [] : ["has a state that its history does not give"];
}

/** 5: completed: each step's effect stands once for a key; rolled back: none does. */
function effects({ it, trip, record, rows, books }: Evidence): string[] {
  return trip.legs.flatMap((leg, index) => {
    if (leg.isIrreversible) return [];
    const step = `leg-${index}`;
    const standing = books.standing(it.id, step);
    const own = rows.filter((row) => row.stepIndex === index);
    if (own.some(({ result }) => result === "skipped")) return [];
    // It may have had an effect before it failed.
    if (record.status === "completed" && own.some(({ result }) => result === "recovered")) return [];
    if (record.status === "rolledBack") return standing.map((key) => `is rolled back and ${key} stands`);
    const key = idempotencyKey(it.id, step, "run");
    const isDone = own.some(({ result }) => result === "ok");
    return isDone === standing.includes(key)
      ? []
      : [`is completed, ${step} ${isDone ? "done" : "not done"}, and has ${standing.length} effects`];
  });
}

/** What a step wrote in its own transaction is there exactly where that was committed, and once. */
function entries({ it, trip, rows, store }: Evidence): string[] {
  const found: string[] = [];
  const keys = keysOf(store).filter((key) => key.startsWith(`${it.id}/`));
  if (new Set(keys).size !== keys.length) found.push(`has an entry twice: ${keys.join(", ")}`);
  for (const func of ["run", "rollback"] as const) {
    for (const [index, leg] of trip.legs.entries()) {
      if ((func === "run" ? leg.run : leg.undo).gives !== "transaction" || leg.isIrreversible) continue;
      const key = idempotencyKey(it.id, `leg-${index}`, func);
      const own = rows.filter((row) => row.stepIndex === index && row.func === func);
      const isThere = keys.includes(key);
      if (own.some(({ patch, result }) => patch !== null && result === "ok") && !isThere) found.push(`lost ${key}`);
      if (isThere && !own.some(({ patch }) => patch !== null)) found.push(`wrote ${key} without a commit`);
    }
  }
  return found;
}

function keysOf(store: Store): string[] {
  let keys: string[] = [];
  void store.transactions?.run((connection) => {
    const database = connection as Connection;
    const all = (sql: string): { key: string }[] => database.prepare(sql).all() as { key: string }[];
    const isThere = all("SELECT name AS key FROM sqlite_master WHERE name = 'entries'").length > 0;
    if (isThere) keys = all("SELECT key FROM entries").map(({ key }) => key);
    return null;
  });
  return keys;
}

/** 6: what was accepted is there once, was consumed once, in the order of acceptance, and nothing is pending. */
function messages({ it, rows, mailbox }: Evidence): string[] {
  const found: string[] = [];
  const own = mailbox.filter(({ kind }) => kind === "message");
  const ids = own.map(({ id, messageId }) => messageId ?? id);
  if (new Set(ids).size !== ids.length) found.push(`has a message twice: ${ids.join(", ")}`);
  for (const id of it.sent) if (!ids.includes(id)) found.push(`lost message ${id}`);
  for (const { status, kind, name } of mailbox)
    if (status === "pending") found.push(`ended with ${kind} ${name} pending`);
  const taking = rows.filter(({ message, result }) => message !== undefined && result !== "cut-off");
  for (const { id, messageId, status, name } of own) {
    const takers = taking.filter(({ message }) => message!.id === (messageId ?? id));
    if (status === "consumed" && takers.length === 0) found.push(`consumed ${name} in no step`);
  }
  const taken = own.filter(({ status }) => status === "consumed");
  for (const [place, one] of taken.entries()) {
    const other = taken.slice(place + 1).find(({ name, step }) => name === one.name && step === one.step);
    if (other === undefined) continue;
    const at = ({ id, messageId }: MailboxRecord): number =>
      rows.findLastIndex(({ message }) => message?.id === (messageId ?? id));
    if (at(one) > at(other)) found.push(`consumed ${one.name} out of order`);
  }
  return found;
}

/** What callers were told has come true. */
function answers({ it, record, rows }: Evidence): string[] {
  const found: string[] = [];
  const turned = record.position.direction === "down";
  for (const { reason, accepted, why, hasDoubts } of it.requests) {
    if (accepted && !turned) found.push(`accepted ${reason} and did not turn`);
    // A request whose answer was lost was sent again, and found itself on its way.
    const own = why?.startsWith("already-") === true && hasDoubts;
    if (!accepted && !own && record.position.reason === reason)
      found.push(`refused ${reason} (${why}) and turned for it`);
  }
  for (const by of it.operated) if (!rows.some((row) => row.by === by)) found.push(`accepted ${by} and did not follow`);
  for (const { outcome, requested } of it.outcomes) {
    if (outcome.status === "completed" && requested) found.push("gave an outcome from before an accepted request");
    if (outcome.status === "rolledBack" && record.status !== "rolledBack")
      found.push("gave an outcome that did not stay");
  }
  return found;
}
