/** What is written of lists and their lines; all of it is to be called within a transaction. */
import type { LineChange, ListChange, StagedLine } from "../../execution/records.js";
import type { CreateResult } from "../batch.js";
import type { Advance } from "../lists.js";
import { rangeOf } from "../sql/lists.js";
import type { Database } from "./database.js";

const findList = "SELECT sequence FROM stepwell_lists WHERE id = ?";

/** The number of a list. Undefined: there is none. */
export function listNumber(database: Database, id: string): number | undefined {
  return (database.statement(findList).get(id) as { readonly sequence: number } | undefined)?.sequence;
}

const insertList =
  "INSERT INTO stepwell_lists (id, parent, root, status, revision, begun, data) " +
  "SELECT ?1, id, coalesce(root, id), 'staged', 0, 0, '' FROM stepwell_executions WHERE id = ?2 RETURNING sequence";

/** Its number; it is made where it is not there. */
function stagedList(database: Database, id: string, parent: string): number {
  const there = listNumber(database, id);
  return there ?? (database.statement(insertList).get(id, parent) as { readonly sequence: number }).sequence;
}

const putLine =
  "INSERT INTO stepwell_lines (list, position, key, execution, launch, phase, asked) " +
  "VALUES (?, ?, ?, ?, ?, 'staged', 0) ON CONFLICT (list, position) DO UPDATE SET " +
  "key = excluded.key, execution = excluded.execution, launch = excluded.launch, phase = 'staged', asked = 0";

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

/** Of many at once, by their positions: a statement costs more than what it does to one line. */
const insertNews =
  "INSERT INTO stepwell_news (list, position, phase) SELECT l.list, l.position, ?1 FROM json_each(?3) AS w " +
  "CROSS JOIN stepwell_lines AS l ON l.list = (SELECT sequence FROM stepwell_lists WHERE id = ?2) AND l.position = w.value " +
  "WHERE true ON CONFLICT (list, position) DO UPDATE SET phase = excluded.phase";

/** What executions have become. Of one line twice, the last counts. */
export function tellLines(database: Database, told: readonly LineChange[]): void {
  const last = new Map(told.map((change) => [`${change.position} ${change.list}`, change]));
  const alike = new Map<string, { readonly of: LineChange; readonly positions: number[] }>();
  for (const change of last.values()) {
    const key = `${change.phase} ${change.list}`;
    const there = alike.get(key);
    if (there === undefined) alike.set(key, { of: change, positions: [change.position] });
    else there.positions.push(change.position);
  }
  const statement = database.statement(insertNews);
  for (const { of, positions } of alike.values()) statement.run(of.phase, of.list, JSON.stringify(positions));
}

/** Where those that begin stand in a row behind those that have begun, this says it of all of them. */
const updateAdvanced =
  "UPDATE stepwell_lists SET revision = revision + 1, data = ?1, marked = ?2, begun = iif(begun = ?5, ?6, begun) " +
  "WHERE id = ?3 AND revision = ?4 RETURNING sequence, begun";

export interface Advanced {
  readonly sequence: number;
  /** Lines before this position have begun. */
  readonly begun: number;
}

/** The list, as it is now. Undefined: it has another revision. */
export function advanceList(database: Database, advance: Advance): Advanced | undefined {
  const { list, revision, data, isMarked } = advance;
  const range = rangeOf(advance);
  const values = [data, isMarked ? 1 : null, list, revision, range?.from ?? null, range?.to ?? null];
  return database.statement(updateAdvanced).get(...values) as Advanced | undefined;
}

const updateCounted =
  "UPDATE stepwell_lines SET phase = ?, launch = NULL WHERE list = ? AND position IN (SELECT w.value FROM json_each(?) AS w)";
/** Unless there is more by now. */
const deleteNews =
  "DELETE FROM stepwell_news WHERE phase = ? AND list = ? AND position IN (SELECT w.value FROM json_each(?) AS w)";
const updateAsked =
  "UPDATE stepwell_lines SET asked = 1 WHERE list = ? AND position IN (SELECT w.value FROM json_each(?) AS w)";

/** @param answers of those that were to begin, in their order */
export function advanceLines(
  database: Database,
  { sequence, begun }: Advanced,
  { list, counts, asks, begins }: Advance,
  answers: readonly CreateResult[],
): void {
  const single = begins.flatMap(({ position }) => (position < begun ? [] : position));
  if (single.length > 0) database.statement(updateCounted).run("begun", sequence, JSON.stringify(single));
  for (const phase of new Set(counts.map((it) => it.phase))) {
    const positions = JSON.stringify(counts.flatMap((it) => (it.phase === phase ? it.position : [])));
    database.statement(updateCounted).run(phase, sequence, positions);
    database.statement(deleteNews).run(phase, sequence, positions);
  }
  if (asks.length > 0) database.statement(updateAsked).run(sequence, JSON.stringify(asks));
  // Their ids are others'.
  const taken = begins.filter((_, place) => !answers[place]!.created);
  tellLines(
    database,
    taken.map(({ position }) => ({ list, position, phase: "rolledBack" })),
  );
}

/** They are lines no longer. */
export function freeLines(database: Database, ids: readonly string[]): void {
  for (const id of ids) database.statement("UPDATE stepwell_executions SET line = NULL WHERE id = ?").run(id);
}
