/** What is written of lists and their lines; all of it is to be called within a transaction. */
import type { LineChange, LinePhase, ListChange, StagedLine } from "../../execution/records.js";
import type { Advance } from "../lists.js";
import type { Database } from "./database.js";

const findList = "SELECT sequence FROM stepwell_lists WHERE id = ?";

/** The number of a list. Undefined: there is none. */
export function listNumber(database: Database, id: string): number | undefined {
  return (database.statement(findList).get(id) as { readonly sequence: number } | undefined)?.sequence;
}

const insertList =
  "INSERT INTO stepwell_lists (id, parent, root, status, revision, data) " +
  "SELECT ?1, id, coalesce(root, id), 'staged', 0, '' FROM stepwell_executions WHERE id = ?2 RETURNING sequence";

/** Its number; it is made where it is not there. */
function stagedList(database: Database, id: string, parent: string): number {
  const there = listNumber(database, id);
  return there ?? (database.statement(insertList).get(id, parent) as { readonly sequence: number }).sequence;
}

const putLine =
  "INSERT INTO stepwell_lines (list, position, key, execution, launch, phase, counted, asked) " +
  "VALUES (?, ?, ?, ?, ?, 'staged', 'staged', 0) ON CONFLICT (list, position) DO UPDATE SET " +
  "key = excluded.key, execution = excluded.execution, launch = excluded.launch, phase = 'staged', counted = 'staged', asked = 0";

export function stageLines(database: Database, id: string, parent: string, lines: readonly StagedLine[]): number {
  const list = stagedList(database, id, parent);
  const statement = database.statement(putLine);
  for (const { position, key, execution, launch } of lines) statement.run(list, position, key, execution, launch.text);
  return list;
}

const updateOpened = "UPDATE stepwell_lists SET status = 'open', revision = 1, data = ?, marked = 1 WHERE sequence = ?";
const updateClosed =
  "UPDATE stepwell_lists SET status = 'closed', revision = revision + 1, marked = 1 WHERE id = ? AND status = 'open'";

/** @param parent the execution whose transition it is */
export function changeList(database: Database, change: ListChange, parent: string): void {
  if ("closes" in change) {
    database.statement(updateClosed).run(change.list);
    return;
  }
  const { count, data, lines } = change.opens;
  const list = stageLines(database, change.list, parent, lines);
  database.statement("DELETE FROM stepwell_lines WHERE list = ? AND position >= ?").run(list, count);
  database.statement(updateOpened).run(data, list);
}

const updatePhase =
  "UPDATE stepwell_lines SET phase = ? WHERE list = (SELECT sequence FROM stepwell_lists WHERE id = ?) AND position = ?";

export function tellLine(database: Database, { list, position, phase }: LineChange): void {
  database.statement(updatePhase).run(phase, list, position);
}

const updateAdvanced =
  "UPDATE stepwell_lists SET revision = revision + 1, data = ?, marked = ? WHERE id = ? AND revision = ? RETURNING sequence";

/** The number of the list. Undefined: it has another revision. */
export function advanceList(database: Database, { list, revision, data, isMarked }: Advance): number | undefined {
  const row = database.statement(updateAdvanced).get(data, isMarked ? 1 : null, list, revision);
  return (row as { readonly sequence: number } | undefined)?.sequence;
}

const updateCounted = "UPDATE stepwell_lines SET counted = ? WHERE list = ? AND position = ?";
const updateAsked = "UPDATE stepwell_lines SET asked = 1 WHERE list = ? AND position = ?";
const updateBegun =
  "UPDATE stepwell_lines SET phase = ?, counted = 'begun', launch = NULL WHERE list = ? AND position = ?";

/** @param phases what has become of those that were to begin, in their order */
export function advanceLines(
  database: Database,
  list: number,
  { counts, asks, begins }: Advance,
  phases: readonly LinePhase[],
): void {
  for (const { position, phase } of counts) database.statement(updateCounted).run(phase, list, position);
  for (const position of asks) database.statement(updateAsked).run(list, position);
  for (const [index, { position }] of begins.entries()) {
    database.statement(updateBegun).run(phases[index]!, list, position);
  }
}

/** They are lines no longer. */
export function freeLines(database: Database, ids: readonly string[]): void {
  for (const id of ids) database.statement("UPDATE stepwell_executions SET line = NULL WHERE id = ?").run(id);
}
