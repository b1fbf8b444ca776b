import type { Status } from "../../definition/flow.js";
import type { Arrival, ArrivalResult } from "../batch.js";
import type { Hint } from "../contract.js";
import { reachable } from "../sql/pruning.js";
import type { Database } from "./database.js";
import { takeOut } from "./mail.js";

interface Addressee {
  readonly sequence: number;
  readonly status: Status;
  readonly revision: number;
  readonly signals: number;
  readonly owner: number | null;
}

/** Puts an arrival into its execution's mailbox; to be called within a transaction. */
export function deliver(database: Database, it: Arrival, at: number, hints: Hint[]): ArrivalResult {
  const row = database
    .statement(
      `SELECT sequence, status, revision, signals, owner FROM stepwell_executions WHERE id = ? AND ${reachable()}`,
    )
    .get(it.execution) as Addressee | undefined;
  if (row === undefined) return { result: "not-found" };
  const known = it.messageId === null ? undefined : duplicateOf(database, row.sequence, it.messageId);
  if (known !== undefined) return { result: "duplicate", id: known };
  if (!it.acceptedIn.includes(row.status)) return { result: "ended" };
  if (it.only !== undefined && (it.only.revision !== row.revision || it.only.signals !== row.signals)) {
    return { result: "moved" };
  }
  if (it.resends !== undefined && !takeOut(database, it.resends, at)) {
    return { result: "not-dead" };
  }
  database
    .statement(
      "INSERT INTO stepwell_mailbox (execution, id, kind, name, payload, message_id, status, received_at, step, carried) " +
        "VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, NULL, ?)",
    )
    .run(row.sequence, it.id, it.kind, it.name, it.payload.text, it.messageId, at, it.carried);
  signal(database, row, it, at, hints);
  return { result: "stored", id: it.id };
}

function duplicateOf(database: Database, execution: number, messageId: string): string | undefined {
  const row = database
    .statement("SELECT id FROM stepwell_mailbox WHERE execution = ? AND message_id = ?")
    .get(execution, messageId) as { readonly id: string } | undefined;
  return row?.id;
}

/** One without an owner becomes due, if it wants to; one with an owner hears of it. */
function signal(
  database: Database,
  { sequence, status, owner }: Addressee,
  it: Arrival,
  at: number,
  hints: Hint[],
): void {
  if (owner !== null || !it.wakes.includes(status)) {
    database.statement("UPDATE stepwell_executions SET signals = signals + 1 WHERE sequence = ?").run(sequence);
    if (owner !== null) hints.push({ type: "signalled", execution: it.execution });
    return;
  }
  // One that has been due for longer keeps its place.
  database
    .statement(
      "UPDATE stepwell_executions SET signals = signals + 1, due_at = min(coalesce(due_at, ?1), ?1) WHERE sequence = ?2",
    )
    .run(at, sequence);
  hints.push({ type: "due", inMs: 0 });
}
