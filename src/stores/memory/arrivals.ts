/** What comes from outside into the mailboxes of a memory store. */
import type { Arrival, ArrivalResult, Publication, PublishResult, SubscribeResult, Subscription } from "../batch.js";
import type { MailboxRecord } from "../../execution/records.js";
import type { Hint } from "../contract.js";
import type { MemoryData } from "./shared.js";
import { isDeadLetter } from "../held.js";
import { Mailbox } from "./mailbox.js";
import type { Row } from "./rows.js";
import { idOf } from "./topics.js";

type Content = Pick<MailboxRecord, "id" | "kind" | "name" | "payload" | "messageId" | "carried" | "topic">;

export function deliver(data: MemoryData, it: Arrival, at: number, hints: Hint[]): ArrivalResult {
  const row = data.rows.get(it.execution);
  if (row === undefined) return { result: "not-found" };
  const known = it.messageId === null ? undefined : row.mailbox?.byMessageId(it.messageId);
  if (known !== undefined) return { result: "duplicate", id: known.id };
  const { status, revision, signals } = row.record;
  if (!it.acceptedIn.includes(status)) return { result: "ended" };
  if (it.only !== undefined && (it.only.revision !== revision || it.only.signals !== signals)) {
    return { result: "moved" };
  }
  if (it.resends !== undefined && !takeOut(data, it.resends, at)) return { result: "not-dead" };
  const { id, kind, messageId } = it;
  put(data, row, { id, kind, name: it.name, payload: it.payload, messageId, carried: it.carried, topic: null }, at);
  if (data.dueQueue.signal(row, it.wakes, at, hints)) hints.push({ type: "due", inMs: 0 });
  return { result: "stored", id };
}

export function subscribe(
  data: MemoryData,
  { execution, owner, revision, topic, until, step }: Subscription,
  at: number,
  hints: Hint[],
): SubscribeResult {
  const row = data.rows.get(execution);
  if (row === undefined || row.record.owner !== owner || row.record.revision !== revision) return "lost";
  const kept = data.topics.subscribe(row, topic, { until, step }, at);
  // Each is tried, so that all that is new is there.
  const isNew = kept.filter((publication) => putPublication(data, row, publication, at)).length > 0;
  if (isNew) data.dueQueue.signal(row, [], at, hints);
  return "taken";
}

export function publish(data: MemoryData, it: Publication, at: number, hints: Hint[]): PublishResult {
  const reached = data.topics.publish(it, at);
  if (!("length" in reached)) {
    return { result: "duplicate", id: reached.publication.id, delivered: reached.delivered };
  }
  let isDue = false;
  for (const row of reached) {
    if (putPublication(data, row, it, at) && data.dueQueue.signal(row, it.wakes, at, hints)) isDue = true;
  }
  if (isDue) hints.push({ type: "due", inMs: 0 });
  return { result: "stored", id: it.id, delivered: reached.length };
}

/** A dead letter that is sent again. False: it is none. */
function takeOut(data: MemoryData, { execution, arrival, note }: NonNullable<Arrival["resends"]>, at: number): boolean {
  const row = data.rows.get(execution);
  const letter = row?.mailbox?.get(arrival);
  if (letter === undefined || !isDeadLetter(letter)) return false;
  row!.mailbox!.resent(arrival);
  const { id, payload } = note;
  const what = { id, kind: "resend", name: "resend", payload, messageId: null, carried: null, topic: null } as const;
  append(data, row!, what, at, "consumed");
  return true;
}

/** False: the execution has it already. */
function putPublication(data: MemoryData, row: Row, it: Publication, at: number): boolean {
  const messageId = idOf(it);
  if (row.mailbox?.byMessageId(messageId) !== undefined) return false;
  const { id, name, payload, carried, topic } = it;
  put(data, row, { id, kind: "message", name, payload, messageId, carried, topic }, at);
  return true;
}

function put(data: MemoryData, row: Row, it: Content, at: number): void {
  append(data, row, it, at, "pending");
  row.record.signals++;
}

function append(data: MemoryData, row: Row, it: Content, at: number, status: "pending" | "consumed"): void {
  row.mailbox ??= new Mailbox();
  row.mailbox.add({
    id: it.id,
    execution: row.record.id,
    sequence: ++data.lastMailSequence,
    kind: it.kind,
    name: it.name,
    payload: it.payload,
    messageId: it.messageId,
    status,
    receivedAt: at,
    step: null,
    carried: it.carried,
    topic: it.topic,
  });
}
