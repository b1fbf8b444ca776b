/** What is written of lists and their lines; all of it is to be called within a transaction. */
import type { LineChange, ListChange, StagedLine } from "../../execution/records.js";
import type { CreateResult } from "../batch.js";
import type { Advance } from "../lists.js";
import { linesInRow, type LineMark } from "../sql/lists.js";
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

const putLines =
  "INSERT INTO stepwell_lines (list, first, keys, executions, launches) VALUES (?, ?, ?, ?, ?) ON CONFLICT (list, first) DO UPDATE SET " +
  "keys = excluded.keys, executions = excluded.executions, launches = excluded.launches";

/** @param lines in a row */
export function stageLines(database: Database, id: string, parent: string, lines: readonly StagedLine[]): number {
  const list = stagedList(database, id, parent);
  const statement = database.statement(putLines);
  for (let at = 0; at < lines.length; at += linesInRow) {
    const row = lines.slice(at, at + linesInRow);
    const texts = [
      row.map(({ key }) => key),
      row.map(({ execution }) => execution),
      row.map(({ launch }) => launch.text),
    ];
    statement.run(list, row[0]!.position, ...texts.map((it) => JSON.stringify(it)));
  }
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
  database.statement("DELETE FROM stepwell_lines WHERE list = ? AND first >= ?").run(list, count);
  database.statement(updateOpened).run(data, list);
}

const insertNews =
  "INSERT INTO stepwell_news (list, was, phase, positions) SELECT sequence, ?2, ?3, ?4 FROM stepwell_lists WHERE id = ?1";

/** What executions have become: a row for all that are alike. */
export function tellLines(database: Database, told: readonly LineChange[]): void {
  const alike = new Map<string, { readonly of: LineChange; readonly positions: number[] }>();
  for (const change of told) {
    const key = `${change.was} ${change.phase} ${change.list}`;
    const there = alike.get(key);
    if (there === undefined) alike.set(key, { of: change, positions: [change.position] });
    else there.positions.push(change.position);
  }
  const statement = database.statement(insertNews);
  for (const { of, positions } of alike.values()) statement.run(of.list, of.was, of.phase, JSON.stringify(positions));
}

const updateAdvanced =
  "UPDATE stepwell_lists SET revision = revision + 1, data = ?1, marked = ?2, begun = begun + ?5 " +
  "WHERE id = ?3 AND revision = ?4 RETURNING sequence, begun";

export interface Advanced {
  readonly sequence: number;
  /** Lines before this position have begun. */
  readonly begun: number;
}

/** The list, as it is now. Undefined: it has another revision. */
export function advanceList(database: Database, advance: Advance): Advanced | undefined {
  const { list, revision, data, isMarked, begins } = advance;
  const values = [data, isMarked ? 1 : null, list, revision, begins.length];
  return database.statement(updateAdvanced).get(...values) as Advanced | undefined;
}

const deleteNews =
  "DELETE FROM stepwell_news WHERE list = ? AND number IN (SELECT CAST(w.value AS INTEGER) FROM json_each(?) AS w)";
/** What a row keeps to begin its lines goes with the last of them. */
const updateBegun =
  `UPDATE stepwell_lines SET launches = NULL WHERE list = ?1 AND first > ?2 - ${linesInRow} ` +
  "AND first + json_array_length(keys) <= ?3 AND launches IS NOT NULL";
const insertMarks =
  "INSERT INTO stepwell_marks (list, position, mark) SELECT ?1, w.value, ?2 FROM json_each(?3) AS w WHERE true " +
  "ON CONFLICT (list, position) DO NOTHING";

/** @param answers of those that were to begin, in their order */
export function advanceLines(
  database: Database,
  { sequence, begun }: Advanced,
  { list, counts, asks, begins }: Advance,
  answers: readonly CreateResult[],
): void {
  const first = begun - begins.length;
  const mark = (positions: readonly number[], mark: LineMark): void => {
    if (positions.length > 0) database.statement(insertMarks).run(sequence, mark, JSON.stringify(positions));
  };
  if (counts.length > 0) database.statement(deleteNews).run(sequence, JSON.stringify(counts));
  if (begins.length > 0) database.statement(updateBegun).run(sequence, first, begun);
  mark(asks, "asked");
  // Their ids are others'.
  const taken = answers.flatMap(({ created }, place) => (created ? [] : first + place));
  mark(taken, "taken");
  tellLines(
    database,
    taken.map((position) => ({ list, position, was: "begun", phase: "rolledBack" })),
  );
}

/** They are lines no longer. */
export function freeLines(database: Database, ids: readonly string[]): void {
  for (const id of ids) database.statement("UPDATE stepwell_executions SET line = NULL WHERE id = ?").run(id);
}
