import { executionColumns, executionOf, type ExecutionRow } from "../sql/rows.js";
import type { Claimed, ClaimOptions, ExecutionRecord } from "../store.js";
import type { Database } from "./database.js";

interface Candidate {
  readonly sequence: number;
  readonly due_at: number;
}

/** Takes up what is due. Where nothing is, it only reads: idle launchers do not fight for the write lock. */
export function claim(database: Database, options: ClaimOptions, at: number): Claimed {
  const { owner, limit } = options;
  const signalled = database.read(() => signalledOf(database, owner));
  const [next] = database.read(() => candidates(database, options, 1));
  if (next === undefined || next.due_at > at || limit === 0) {
    return { records: [], at, nextDueInMs: dueIn(next, at), signalled };
  }
  return database.transaction(() => {
    const found = candidates(database, options, limit + 1);
    const records: ExecutionRecord[] = [];
    // A launcher that was buried takes nothing: nobody would ever free it again.
    const room = isAlive(database, owner) ? limit : 0;
    for (const { sequence, due_at } of found) {
      if (due_at > at || records.length === room) break;
      records.push(take(database, sequence, owner));
    }
    return { records, at, nextDueInMs: dueIn(found[records.length], at), signalled };
  });
}

/**
 * What is due next, now or later. Each workflow has its own range of the index, so what waits for a
 * workflow that nobody here knows is never read.
 */
function candidates(database: Database, { workflows }: ClaimOptions, limit: number): Candidate[] {
  const statement = database.statement(
    "SELECT sequence, due_at FROM stepwell_executions INDEXED BY stepwell_executions_due " +
      "WHERE workflow = ? AND version = ? AND due_at IS NOT NULL ORDER BY due_at, sequence LIMIT ?",
  );
  const found = workflows.flatMap(({ name, version }) => statement.all(name, version, limit) as Candidate[]);
  if (workflows.length > 1) found.sort((one, other) => one.due_at - other.due_at || one.sequence - other.sequence);
  return found;
}

function take(database: Database, sequence: number, owner: number): ExecutionRecord {
  const row = database
    .statement(
      `UPDATE stepwell_executions SET owner = ?, claims = claims + 1, due_at = NULL WHERE sequence = ? RETURNING ${executionColumns}`,
    )
    .get(owner, sequence);
  return executionOf(row as ExecutionRow);
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
