/**
 * A batch: one statement for each kind of row, with the rows as arrays. Most batches are one statement, in
 * a transaction of its own; several are sent in one go. Rows are sorted by id, so that two batches never wait
 * for each other in turn.
 */
import type { Batch, BatchResult } from "../batch.js";
import type { Store } from "../contract.js";
import { movedBy } from "../moves.js";
import { textArray } from "./arrays.js";
import { deliveries } from "./arrivals.js";
import { creating } from "./creates.js";
import type { Database, Statement } from "./database.js";
import { lockLists, listsOf } from "./lines.js";
import { moment } from "./moment.js";
import { releasing } from "./releases.js";
import type { Server, Terms, Told } from "./shared.js";
import { inWaves, lockRows, type Step } from "./step.js";
import { lockRowsOf, lockTopics, publishings, subscribing, topicsOf } from "./topics.js";
import { committing, hasMore } from "./transitions.js";

export interface Written extends BatchResult {
  readonly hints: readonly Told[];
}

export function writing(server: Server): Pick<Store, "write" | "abandon"> {
  const { doubts } = server;
  return {
    async write(batch) {
      const { database } = server;
      const tickets = batch.creates.map((create) => doubts.ticketOf(create));
      try {
        const { hints, ...result } = await write(database, batch, tickets, server.terms);
        doubts.answered(batch);
        server.tell(hints);
        if (server.isFollowed) server.moved(movedBy(batch));
        return result;
      } catch (error) {
        // Whatever it was: it may have come after the commit, while it was asked why a part had been refused.
        doubts.lostWrite(batch, tickets);
        throw error;
      }
    },
    abandon: (create) => doubts.abandon(create),
  };
}

/** @param tickets one for each create */
export async function write(
  database: Database,
  batch: Batch,
  tickets: readonly number[],
  terms: Terms,
): Promise<Written> {
  const { now } = terms;
  const created = batch.creates.length === 0 ? undefined : creating(batch.creates, tickets, terms);
  const committed = inWaves(batch.transitions, ({ id }) => id)
    .flatMap((rows) => ofEachOwner(rows, batch.transitions))
    .map((rows) => committing(rows, batch.transitions, terms));
  const released = inWaves(batch.releases, ({ id }) => id).map((rows) => releasing(rows, batch.releases, terms));
  const delivering = deliveries(batch.arrivals, now);
  const { subscriptions = [], publications = [] } = batch;
  const subscribed = subscriptions.length === 0 ? undefined : subscribing(subscriptions, now);
  const publishing = publishings(publications, now);
  const touching: Step[] = [...committed, ...released, ...delivering];
  const topics = topicsOf(batch);
  if (subscribed !== undefined) touching.push(subscribed);
  touching.push(...publishing);
  const steps: Step[] = created === undefined ? touching : [created, ...touching];
  const lists = listsOf(batch.transitions);
  const more = batch.transitions.some(hasMore);
  const resends = batch.arrivals.some((arrival) => arrival.resends !== undefined);
  if (steps.length === 1 && topics.length === 0 && !resends && !more) await steps[0]!.run(database);
  else if (steps.length > 0) {
    await database.transaction(async (transaction) => {
      const careful = committed.length > 1 || released.length > 1 || more || overlaps(batch);
      const sent: Promise<unknown>[] = [];
      // In a transaction of the caller's nothing may be done before this is allowed.
      if (topics.length > 0) await lockTopics(transaction, database, topics);
      for (const step of steps) {
        // Each step is sorted by itself; over several the order holds if all is locked before.
        if (step === touching[0] && topics.length > 0) sent.push(lockRowsOf(transaction, idsOf(batch), batch));
        else if (step === touching[0] && (touching.length > 1 || resends || more))
          sent.push(transaction.rows(lockRows, [textArray(idsOf(batch))]));
        // Before lines, which a transition tells in its own statement.
        if (step === touching[0] && lists.length > 0) sent.push(lockLists(transaction, lists));
        const done = step.run(transaction);
        sent.push(done);
        if (!careful) continue;
        await done;
        await step.explain(transaction);
      }
      sent.push(transaction.commit());
      await Promise.all(sent);
    });
  }
  for (const step of steps) if (step.hasRefused) await step.explain(database);
  return {
    at: steps[0]?.at ?? (await timeOf(database, now)),
    creates: created?.answers ?? [],
    transitions: inOrder(batch.transitions.length, committed),
    releases: inOrder(batch.releases.length, released),
    arrivals: inOrder(batch.arrivals.length, delivering),
    subscriptions: subscribed?.answers ?? [],
    publications: inOrder(publications.length, publishing),
    hints: steps.flatMap(({ hints }) => hints),
  };
}

/** Mostly all are of one. */
function ofEachOwner(
  rows: readonly number[],
  all: readonly { readonly owner: number }[],
): readonly (readonly number[])[] {
  if (rows.length === 1) return [rows];
  const owners = new Set(rows.map((row) => all[row]!.owner));
  if (owners.size < 2) return [rows];
  return [...owners].map((owner) => rows.filter((row) => all[row]!.owner === owner));
}

/** The answers of several steps, each at its own place. */
function inOrder<Answer>(
  count: number,
  steps: readonly { readonly rows: readonly number[]; readonly answers: readonly Answer[] }[],
): Answer[] {
  if (count === 1) return [steps[0]!.answers[0]!];
  const all: Answer[] = Array.from({ length: count });
  for (const { rows, answers } of steps) for (const [index, row] of rows.entries()) all[row] = answers[index]!;
  return all;
}

/** Whether what one step says depends on what a later one does: then each is waited for. The engine never asks for that. */
function overlaps({ creates, transitions, releases, arrivals, ...topics }: Batch): boolean {
  const created = new Set(creates.map(({ id }) => id));
  const committed = new Set(transitions.map(({ id }) => id));
  if (releases.some(({ id }) => committed.has(id))) return true;
  if (created.size === 0) return false;
  if (topicsOf({ creates, transitions, releases, arrivals, ...topics }).length > 0) return true;
  return (
    transitions.some(({ id }) => created.has(id)) ||
    releases.some(({ id }) => created.has(id)) ||
    arrivals.some(({ execution }) => created.has(execution))
  );
}

function idsOf({ transitions, releases, arrivals, subscriptions = [] }: Batch): string[] {
  const ids = new Set<string>();
  for (const { id } of transitions) ids.add(id);
  for (const { id } of releases) ids.add(id);
  for (const { execution, resends } of arrivals) {
    ids.add(execution);
    if (resends !== undefined) ids.add(resends.execution);
  }
  for (const { execution } of subscriptions) ids.add(execution);
  return [...ids];
}

const timeQuery: Statement = { name: "time", text: `WITH ${moment} SELECT at FROM moment` };

async function timeOf(database: Database, now: number | null): Promise<number> {
  const [row] = await database.rows<{ readonly at: number }>(timeQuery, [now]);
  return row!.at;
}
