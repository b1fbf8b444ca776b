/** What is wrong at the end of a play: whole or without trace, and all that callers were told has come true. */
import {
  isRequest,
  type ExecutionRecord,
  type HistoryRecord,
  type MailboxRecord,
} from "../../src/execution/records.js";
import { idempotencyKey } from "../../src/ids.js";
import type { Batch, BatchResult } from "../../src/stores/batch.js";
import type { MaybePromise, Store } from "../../src/stores/contract.js";
import { through } from "../../src/testing/faults/through.js";
import type { Outside } from "./sweep-outside.js";
import type { Ask, End, Scenario } from "./sweep-scenarios.js";

export interface Evidence {
  readonly scenario: Scenario;
  readonly store: Store;
  readonly outside: Outside;
  readonly accepted: ReadonlySet<Ask>;
  /** Ends that an observer has heard of, as `o completed`. */
  readonly told: ReadonlySet<string>;
  /** Keys in the user's own table. Undefined: there is none. */
  readonly entries: readonly string[] | undefined;
}

/** All of it is at rest. */
export async function isAtRest({ ends, asks }: Scenario, store: Store): Promise<boolean> {
  const ids = ends.map(({ id }) => id);
  const records = await store.load(ids);
  const rests = records.every((it, index) => it !== undefined && it.status === ends[index]!.status && isLetGo(it));
  if (!rests) return false;
  const { records: all } = await store.list({ limit: 1000 });
  const pending = await store.mail({
    executions: [...ids, ...asks.map(({ execution }) => execution)],
    status: "pending",
  });
  return pending.length === 0 && all.every(({ status }) => status === "completed" || status === "rolledBack");
}

const isLetGo = ({ owner, dueAt }: ExecutionRecord): boolean => owner === null && dueAt === null;

export async function violationsOf(evidence: Evidence): Promise<string[]> {
  const { scenario, store } = evidence;
  const found: string[] = [...evidence.outside.wrongs];
  for (const end of scenario.ends) {
    for (const what of await violationsAt(end, evidence)) found.push(`${end.id} ${what}`);
  }
  const known = new Set(scenario.ends.map(({ id }) => id));
  const { records } = await store.list({ limit: 1000 });
  for (const { id, workflow, status } of records) {
    if (!known.has(id) && id !== "recall") found.push(`${id} of ${workflow} is there, and nobody has launched it`);
    if (status !== "completed" && status !== "rolledBack") found.push(`${id} is ${status}`);
  }
  return found;
}

async function violationsAt(end: End, evidence: Evidence): Promise<string[]> {
  const { store, outside } = evidence;
  const [record] = await store.load([end.id]);
  if (record === undefined) return ["was never launched"];
  const rows = await store.history(end.id);
  const mailbox = await store.mail({ executions: [end.id] });
  const effects = outside.problem(end.id, end.effects);
  return [
    ...course(record, rows, end),
    ...(record.line === null && !evidence.told.has(`${end.id} ${end.status}`) ? ["told nobody of its end"] : []),
    ...(effects === undefined ? [] : [effects]),
    ...messages(rows, mailbox),
    ...promises(record, rows, mailbox, evidence),
    ...(evidence.entries === undefined ? [] : wrongEntries(end, evidence.entries)),
  ];
}

function course(record: ExecutionRecord, rows: readonly HistoryRecord[], end: End): string[] {
  const found: string[] = [];
  const { status, position, revision } = record;
  if (status !== end.status) found.push(`is ${status} for ${position.reason}`);
  if (end.reason !== undefined && position.reason !== end.reason) found.push(`ended for ${position.reason}`);
  if (!isLetGo(record)) found.push(`is ${record.owner}'s at rest, and due at ${record.dueAt}`);
  rows.forEach((row, index) => {
    if (row.revision !== index + 1) found.push(`has revision ${row.revision} at place ${index + 1}`);
    if (row.result === "STEPWELL_INVARIANT_VIOLATED") found.push("was parked by an invariant");
  });
  if (revision !== rows.length) found.push(`has ${rows.length} rows of history for revision ${revision}`);
  return found;
}

/** Each is there once, and was taken once or is a dead letter. */
function messages(rows: readonly HistoryRecord[], mailbox: readonly MailboxRecord[]): string[] {
  const found: string[] = [];
  const own = mailbox.filter(({ kind }) => kind === "message");
  const ids = own.map(({ id, messageId }) => messageId ?? id);
  if (new Set(ids).size !== ids.length) found.push(`has a message twice: ${ids.join(", ")}`);
  for (const { kind, name, status } of mailbox)
    if (status === "pending") found.push(`ended with ${kind} ${name} pending`);
  for (const { id, messageId, name, status } of own) {
    const takers = rows.filter(({ message, result }) => message?.id === (messageId ?? id) && result !== "cut-off");
    const wanted = status === "consumed" ? 1 : 0;
    if (takers.length !== wanted) found.push(`took ${name} ${takers.length} times, and it is ${status}`);
  }
  return found;
}

/** What was accepted is there, and was followed. */
function promises(
  { id, position, line }: ExecutionRecord,
  rows: readonly HistoryRecord[],
  mailbox: readonly MailboxRecord[],
  { accepted }: Evidence,
): string[] {
  const found: string[] = [];
  for (const { execution, promised } of accepted) {
    if (execution !== id) continue;
    if (promised.type === "message" && !mailbox.some(({ messageId }) => messageId === promised.id))
      found.push(`lost message ${promised.id}`);
    if (promised.type === "rollback" && !(position.direction === "down" && position.reason === promised.reason))
      found.push(`accepted ${promised.reason} and did not turn for it`);
    if (promised.type === "rewind" && !rows.some(({ backTo, by }) => backTo !== undefined && by === promised.by))
      found.push(`accepted a rewind by ${promised.by} and did not follow`);
  }
  const consumed = mailbox.filter(({ kind, status }) => isRequest(kind) && status === "consumed").length;
  const followed = rows.filter(({ by, backTo }) => by !== undefined || backTo !== undefined).length;
  // A parent's request stands for itself in the history of its child.
  if (line === null && consumed > followed) found.push(`consumed ${consumed} requests, and followed ${followed}`);
  return found;
}

function wrongEntries({ id, entries = [] }: End, all: readonly string[]): string[] {
  const prefix = idempotencyKey(id, "", "run").slice(0, -"/run".length);
  const own = all.filter((key) => key.startsWith(prefix));
  const wanted = entries.map((step) => idempotencyKey(id, step, "run"));
  const isRight = own.length === wanted.length && wanted.every((key) => own.includes(key));
  return isRight ? [] : [`has the entries ${own.join(", ") || "none"} instead of ${wanted.join(", ") || "none"}`];
}

/** A store in this process, held against the fence: what it takes comes from the owner, who knows all that has come. */
export function fenced(store: Store, wrong: (what: string) => void): Store {
  return through(store, (call, name) => {
    if (name !== "write") return call;
    return (given) => {
      const batch = given as Batch;
      const ids = [...batch.transitions, ...batch.releases].map(({ id }) => id);
      const records = ids.length === 0 ? [] : (store.load(ids) as readonly (ExecutionRecord | undefined)[]);
      const before = new Map(records.flatMap((it) => (it === undefined ? [] : [[it.id, { ...it }] as const])));
      const answer = call(batch) as MaybePromise<BatchResult>;
      for (const what of brokenBy(batch, answer as BatchResult, before)) wrong(what);
      return answer;
    };
  });
}

function brokenBy(
  { transitions, releases }: Batch,
  answer: BatchResult,
  before: ReadonlyMap<string, ExecutionRecord>,
): string[] {
  const found: string[] = [];
  const judge = (id: string, owner: number, signals: number | null): void => {
    const record = before.get(id);
    if (record === undefined) return;
    if (record.owner !== owner) found.push(`${id} is ${record.owner}'s, and takes what ${owner} writes`);
    if (signals !== null && record.signals !== signals) found.push(`${id} takes what does not know all that has come`);
  };
  for (const [index, { id, owner, signals }] of transitions.entries())
    if (answer.transitions[index] === "taken") judge(id, owner, signals);
  for (const [index, { id, owner, signals }] of releases.entries())
    if (answer.releases[index] === "taken") judge(id, owner, signals);
  return found;
}
