import type { ExecutionRecord } from "../../execution/records.js";
import type { Claimed, ClaimOptions, Store } from "../contract.js";
import { inTurn } from "../held.js";
import { storedColumns } from "./beside.js";
import type { Database } from "./database.js";
import { recordOf, type StoredRow } from "./read.js";
import type { SqliteFile } from "./shared.js";

interface Candidate {
  readonly sequence: number;
  readonly due_at: number;
}

export function claiming(file: SqliteFile): Pick<Store, "claim"> {
  return { claim: (options) => file.patiently((database, at) => claim(database, options, at)) };
}

/** Takes up what is due. Where nothing is, it only reads: idle launchers do not fight for the write lock. */
function claim(database: Database, options: ClaimOptions, at: number): Claimed {
  const { owner, limit } = options;
  const signalled = database.read(() => signalledOf(database, owner));
  const alive = database.read(() => isAlive(database, owner));
  const next = firstOf(database.read(() => candidates(database, options, 1)));
  if (next === undefined || next.due_at > at || limit === 0) {
    return { records: [], dueSince: [], at, nextDueInMs: dueIn(next, at), signalled, alive };
  }
  return database.transaction(() => {
    const found = candidates(database, options, limit + 1);
    const records: ExecutionRecord[] = [];
    const dueSince: number[] = [];
    // A launcher that was removed takes nothing: nobody would ever free it again.
    const alive = isAlive(database, owner);
    const room = alive ? limit : 0;
    for (const { sequence, due_at } of inTurn(found, ({ due_at }) => due_at <= at, room)) {
      records.push(take(database, sequence, owner));
      dueSince.push(due_at);
    }
    return { records, dueSince, at, nextDueInMs: dueIn(firstOf(found), at), signalled, alive };
  });
}

/**
 * What is due next, now or later. Each workflow has its own range of the index, so what waits for a
 * workflow that nobody here knows is never read.
 */
function candidates(database: Database, { workflows }: ClaimOptions, limit: number): Candidate[][] {
  const statement = database.statement(
    "SELECT sequence, due_at FROM stepwell_executions INDEXED BY stepwell_executions_due " +
      "WHERE workflow = ? AND version = ? AND due_at IS NOT NULL ORDER BY due_at, sequence LIMIT ? + 0",
  );
  return workflows.map(({ name, version }) => statement.all(name, version, limit) as Candidate[]);
}

function firstOf(queues: readonly (readonly Candidate[])[]): Candidate | undefined {
  let earliest: Candidate | undefined;
  for (const [first] of queues) {
    if (first !== undefined && (earliest === undefined || first.due_at < earliest.due_at)) earliest = first;
  }
  return earliest;
}

function take(database: Database, sequence: number, owner: number): ExecutionRecord {
  const row = database
    .statement(
      `UPDATE stepwell_executions SET owner = ?, claims = claims + 1, due_at = NULL WHERE sequence = ? RETURNING ${storedColumns}`,
    )
    .get(owner, sequence) as StoredRow;
  database.places.set(row.id, row);
  return recordOf(database, row);
}

function signalledOf(database: Database, owner: number): string[] {
  const rows = database
    .statement(
      "SELECT id FROM stepwell_executions INDEXED BY stepwell_executions_signalled WHERE owner = ? AND signals > seen",
    )
    .all(owner) as { readonly id: string }[];
  return rows.map(({ id }) => id);
}

function isAlive(database: Database, owner: number): boolean {
  return database.statement("SELECT 1 FROM stepwell_launchers WHERE owner = ?").get(owner) !== undefined;
}

function dueIn(next: Candidate | undefined, at: number): number | null {
  return next === undefined ? null : Math.max(0, next.due_at - at);
}
