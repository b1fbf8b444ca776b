/** Subscriptions and publications; all of it is to be called within a transaction. */
import type { Status } from "../../definition/flow.js";
import type { Publication, PublishResult, SubscribeResult, Subscription } from "../batch.js";
import { type Transition, bitsKept, untilBits } from "../../execution/records.js";
import type { Hint, TopicStore } from "../contract.js";
import type { Database } from "./database.js";
import type { SqliteFile } from "./shared.js";

const findSubscriber = "SELECT sequence FROM stepwell_executions WHERE id = ? AND owner = ? AND revision = ?";

const insertSubscription =
  "INSERT INTO stepwell_subscriptions (topic, id, execution, until, step) VALUES (?, ?, ?, ?, ?) " +
  "ON CONFLICT (topic, id) DO UPDATE SET until = excluded.until, step = excluded.step WHERE until <> 'end'";

/** What is kept of the topic and not in the mailbox yet. */
const giveKept =
  "INSERT INTO stepwell_mailbox (execution, id, kind, name, payload, message_id, status, received_at, step, carried, topic) " +
  "SELECT ?1, id, 'message', name, payload, message_id, 'pending', ?2, NULL, carried, topic " +
  "FROM stepwell_publications WHERE topic = ?3 AND expires_at > ?2 ORDER BY sequence " +
  "ON CONFLICT (execution, message_id) DO NOTHING";

const updateSubscriber =
  "UPDATE stepwell_executions SET signals = signals + ?, subscribed = coalesce(subscribed, 0) | ? WHERE sequence = ?";

export function subscribe(database: Database, it: Subscription, at: number, hints: Hint[]): SubscribeResult {
  const row = database.statement(findSubscriber).get(it.execution, it.owner, it.revision);
  if (row === undefined) return "lost";
  const { sequence } = row as { sequence: number };
  database.statement(insertSubscription).run(it.topic, it.execution, sequence, it.until, it.step);
  const given = Number(database.statement(giveKept).run(sequence, at, it.topic).changes);
  database.statement(updateSubscriber).run(given, untilBits[it.until], sequence);
  if (given > 0) hints.push({ type: "signalled", execution: it.execution });
  return "taken";
}

const deleteSubscriptions = {
  step: "DELETE FROM stepwell_subscriptions WHERE execution = ? AND until = 'step'",
  all: "DELETE FROM stepwell_subscriptions WHERE execution = ?",
} as const;

export function unsubscribe(
  database: Database,
  execution: number,
  which: NonNullable<Transition["unsubscribes"]>,
): void {
  database.statement(deleteSubscriptions[which]).run(execution);
  database
    .statement("UPDATE stepwell_executions SET subscribed = subscribed & ? WHERE sequence = ?")
    .run(bitsKept[which], execution);
}

const deleteOfStep = "DELETE FROM stepwell_subscriptions WHERE execution = ? AND step = ?";

const buryMessages =
  "UPDATE stepwell_mailbox SET status = 'dead' WHERE execution = ? AND kind = 'message' AND name = ? AND status = 'pending'";

export function forget(
  database: Database,
  execution: number,
  { subscriptionsOf, messages }: NonNullable<Transition["forgets"]>,
): void {
  for (const step of subscriptionsOf) database.statement(deleteOfStep).run(execution, step);
  for (const name of messages) database.statement(buryMessages).run(execution, name);
}

interface Known {
  readonly sequence: number;
  readonly id: string;
  readonly delivered: number;
  readonly expires_at: number;
}

interface Reached {
  readonly sequence: number;
  readonly id: string;
  readonly status: Status;
  readonly owner: number | null;
}

const findKnown =
  "SELECT sequence, id, delivered, expires_at FROM stepwell_publications WHERE topic = ? AND message_id = ?";

const findReached =
  "SELECT e.sequence, e.id, e.status, e.owner FROM stepwell_subscriptions AS s " +
  "CROSS JOIN stepwell_executions AS e ON e.sequence = s.execution WHERE s.topic = ? ORDER BY s.id";

const insertPublication =
  "INSERT INTO stepwell_publications (topic, message_id, id, name, payload, carried, delivered, expires_at) " +
  "VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

export function publish(database: Database, it: Publication, at: number, hints: Hint[]): PublishResult {
  const messageId = it.messageId ?? it.id;
  const known = database.statement(findKnown).get(it.topic, messageId) as Known | undefined;
  if (known !== undefined && known.expires_at > at) {
    return { result: "duplicate", id: known.id, delivered: known.delivered };
  }
  // One that was over is replaced, at the end of the order.
  if (known !== undefined) {
    database.statement("DELETE FROM stepwell_publications WHERE sequence = ?").run(known.sequence);
  }
  const reached = database.statement(findReached).all(it.topic) as Reached[];
  database
    .statement(insertPublication)
    .run(it.topic, messageId, it.id, it.name, it.payload.text, it.carried, reached.length, at + it.keepForMs);
  let isDue = false;
  for (const row of reached) if (deliver(database, row, it, at, hints)) isDue = true;
  if (isDue) hints.push({ type: "due", inMs: 0 });
  return { result: "stored", id: it.id, delivered: reached.length };
}

const insertMessage =
  "INSERT INTO stepwell_mailbox (execution, id, kind, name, payload, message_id, status, received_at, step, carried, topic) " +
  "VALUES (?, ?, 'message', ?, ?, ?, 'pending', ?, NULL, ?, ?) ON CONFLICT (execution, message_id) DO NOTHING";

/** True: the execution has become due by it. */
function deliver(database: Database, row: Reached, it: Publication, at: number, hints: Hint[]): boolean {
  const { changes } = database
    .statement(insertMessage)
    .run(row.sequence, it.id, it.name, it.payload.text, it.messageId ?? it.id, at, it.carried, it.topic);
  if (Number(changes) === 0) return false;
  const isDue = row.owner === null && it.wakes.includes(row.status);
  if (row.owner !== null) hints.push({ type: "signalled", execution: row.id });
  if (isDue) {
    // One that has been due for longer keeps its place.
    database
      .statement(
        "UPDATE stepwell_executions SET signals = signals + 1, due_at = min(coalesce(due_at, ?1), ?1) WHERE sequence = ?2",
      )
      .run(at, row.sequence);
  } else
    database.statement("UPDATE stepwell_executions SET signals = signals + 1 WHERE sequence = ?").run(row.sequence);
  return isDue;
}

const deleteExpired =
  "DELETE FROM stepwell_publications WHERE sequence IN " +
  "(SELECT sequence FROM stepwell_publications WHERE expires_at <= ? ORDER BY expires_at LIMIT ? + 0)";

export function topics(file: SqliteFile): TopicStore {
  return {
    prune: (forMs, limit) =>
      file.patiently((database, at) =>
        database.transaction(() => Number(database.statement(deleteExpired).run(at - forMs, limit).changes)),
      ),
  };
}
