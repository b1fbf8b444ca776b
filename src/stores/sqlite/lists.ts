/** Lists of executions. */
import type { CreateResult } from "../batch.js";
import type { Hint } from "../contract.js";
import type { LinePhase, StagedLine } from "../../execution/records.js";
import type { Advance, LineRecord, ListStore, NewsRecord, Staging } from "../lists.js";
import {
  linePhase,
  lineRecordOf,
  linesInRow,
  listColumns,
  listOf,
  stagedLineOf,
  type LaunchRow,
  type LineRow,
  type ListRow,
} from "../sql/lists.js";
import { deliver } from "./arrivals.js";
import type { Database } from "./database.js";
import { advanceLines, advanceList, freeLines, listNumber, stageLines } from "./lines.js";
import type { SqliteFile } from "./shared.js";
import { applyCreates } from "./write.js";

export function lists(file: SqliteFile): ListStore {
  const reading = <Result>(work: (database: Database) => Result) =>
    file.patiently((database) => database.read(() => work(database)));
  return {
    stage: (staging) => file.patiently((database) => stage(database, staging)),
    due: (limit) => reading((database) => due(database, limit)),
    advance: (all) =>
      file.patiently((database, at, hints) =>
        database.transaction(() => all.map((it) => advance(database, it, at, hints))),
      ),
    find: (ids) =>
      reading((database) => {
        const statement = database.statement(`SELECT ${listColumns} FROM stepwell_lists WHERE id = ?`);
        return ids.map((id) => {
          const row = statement.get(id) as ListRow | undefined;
          return row === undefined ? undefined : listOf(row);
        });
      }),
    of: (execution) => reading((database) => (database.statement(ofExecution).all(execution) as ListRow[]).map(listOf)),
    news: (list, limit) => reading((database) => news(database, list, limit)),
    lines: (list, from, limit) => reading((database) => lines(database, list, from, limit)),
    launches: (list, from, limit) => reading((database) => launches(database, list, from, limit)),
  };
}

const fence = "SELECT 1 FROM stepwell_executions WHERE id = ? AND owner = ? AND revision = ?";

function stage(database: Database, { list, of, owner, revision, lines }: Staging): boolean {
  return database.transaction(() => {
    if (database.statement(fence).get(of, owner, revision) === undefined) return false;
    stageLines(database, list, of, lines);
    return true;
  });
}

const marked =
  "SELECT id FROM stepwell_lists INDEXED BY stepwell_lists_marked WHERE marked = 1 ORDER BY sequence LIMIT ? + 0";
/** Jumps from one list to the next in the index: how much news there is does not matter. */
const nextWithNews =
  "SELECT sequence, id FROM stepwell_lists WHERE sequence = (SELECT min(list) FROM stepwell_news WHERE list > ?)";

function due(database: Database, limit: number): readonly string[] {
  const found = new Set((database.statement(marked).all(limit) as ListRow[]).map(({ id }) => id));
  const next = database.statement(nextWithNews);
  let sequence = -1;
  while (found.size < limit) {
    const row = next.get(sequence) as { readonly sequence: number; readonly id: string } | undefined;
    if (row === undefined) break;
    found.add(row.id);
    sequence = row.sequence;
  }
  return [...found];
}

function advance(database: Database, it: Advance, at: number, hints: Hint[]): readonly CreateResult[] | null {
  const list = advanceList(database, it);
  if (list === undefined) return null;
  const answers = applyCreates(database, it.begins, at, hints);
  for (const arrival of it.arrivals) deliver(database, arrival, at, hints);
  advanceLines(database, list, it, answers);
  freeLines(database, it.frees);
  return answers;
}

const ofExecution = `SELECT ${listColumns} FROM stepwell_lists WHERE parent = ? ORDER BY sequence`;

interface NewsRow {
  readonly number: number;
  readonly was: LinePhase;
  readonly phase: LinePhase;
  readonly positions: string;
  readonly asked: string;
}

/** Rows until there are as many lines as were asked for. */
const selectNews =
  "SELECT told.number, told.was, told.phase, told.positions, iif(told.phase = 'rolledBack', (" +
  "SELECT json_group_array(m.position) FROM json_each(told.positions) AS w CROSS JOIN stepwell_marks AS m " +
  "ON m.list = told.list AND m.position = w.value AND m.mark = 'asked'), '[]') AS asked FROM (" +
  "SELECT *, sum(json_array_length(positions)) OVER (ORDER BY number) - json_array_length(positions) AS before " +
  "FROM (SELECT * FROM stepwell_news WHERE list = ?1 ORDER BY number LIMIT ?2 + 0)) AS told " +
  "WHERE told.before < ?2 ORDER BY told.number";

function news(database: Database, list: string, limit: number): NewsRecord[] {
  const rows = database.statement(selectNews).all(listNumber(database, list) ?? -1, limit) as NewsRow[];
  return rows.map(({ number, was, phase, positions, asked }) => {
    return {
      ...{ id: String(number), was, phase },
      ...{ positions: JSON.parse(positions) as number[], asked: JSON.parse(asked) as number[] },
    };
  });
}

/** The lines at some positions of a list, and of the rows in which they stand all others. */
const rowsAt = (columns: string): string =>
  `SELECT k.sequence AS list, k.begun, r.first + w.key AS position, ${at("keys")} AS key, w.value AS execution${columns} ` +
  "FROM stepwell_lists AS k CROSS JOIN stepwell_lines AS r ON r.list = k.sequence " +
  `AND r.first > ?2 - ${linesInRow} AND r.first < ?2 + ?3 CROSS JOIN json_each(r.executions) AS w WHERE k.id = ?1`;

function at(column: string): string {
  return `json_extract(r.${column}, '$[' || w.key || ']')`;
}

const selectLines =
  `SELECT l.position, l.key, l.execution, ${linePhase} AS phase, m.mark FROM (${rowsAt("")}) AS l ` +
  "LEFT JOIN stepwell_marks AS m ON m.list = l.list AND m.position = l.position " +
  "LEFT JOIN stepwell_executions AS e ON e.id = l.execution AND l.position < l.begun " +
  "WHERE l.position >= ?2 AND l.position < ?2 + ?3 ORDER BY l.position";

function lines(database: Database, list: string, from: number, limit: number): LineRecord[] {
  return (database.statement(selectLines).all(list, from, limit) as LineRow[]).map(lineRecordOf);
}

const selectLaunches =
  `SELECT l.position, l.key, l.execution, l.launch FROM (${rowsAt(`, ${at("launches")} AS launch`)}) AS l ` +
  "WHERE l.position >= max(?2, l.begun) AND l.position < ?2 + ?3 ORDER BY l.position";

function launches(database: Database, list: string, from: number, limit: number): StagedLine[] {
  return (database.statement(selectLaunches).all(list, from, limit) as LaunchRow[]).map(stagedLineOf);
}
