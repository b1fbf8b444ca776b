/** Lists of executions. */
import type { CreateResult } from "../batch.js";
import type { Hint } from "../contract.js";
import type { Advance, LineQuery, ListStore, Staging } from "../lists.js";
import {
  linePhase,
  lineRecordOf,
  lineColumns,
  listColumns,
  listOf,
  stagedLineOf,
  type LineRow,
  type ListRow,
} from "../sql/lists.js";
import { deliver } from "./arrivals.js";
import type { Database } from "./database.js";
import type { Value } from "./driver.js";
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
    lines: (query) => reading((database) => lines(database, query).map(lineRecordOf)),
    launches: (list, from, limit) =>
      reading((database) => {
        const values = [listNumber(database, list) ?? -1, from, from + limit];
        return (database.statement(launches).all(...values) as LineRow[]).map(stagedLineOf);
      }),
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
  "SELECT id FROM stepwell_lists INDEXED BY stepwell_lists_marked WHERE marked = 1 ORDER BY sequence LIMIT ?";
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
  const creates = it.begins.map(({ create }) => create);
  const answers = applyCreates(database, creates, at, hints);
  for (const arrival of it.arrivals) deliver(database, arrival, at, hints);
  advanceLines(database, list, it, answers);
  freeLines(database, it.frees);
  return answers;
}

const ofExecution = `SELECT ${listColumns} FROM stepwell_lists WHERE parent = ? ORDER BY sequence`;

const begun = "(SELECT k.begun FROM stepwell_lists AS k WHERE k.sequence = ?1)";
const news =
  `SELECT ${lineColumns(begun)} FROM stepwell_news AS n CROSS JOIN stepwell_lines AS l ` +
  "ON l.list = n.list AND l.position = n.position WHERE n.list = ?1 ORDER BY n.position LIMIT ?2";
const select =
  `SELECT ${lineColumns(begun)} FROM stepwell_lines AS l ` +
  "LEFT JOIN stepwell_news AS n ON n.list = l.list AND n.position = l.position WHERE l.list = ?1";
const launches =
  "SELECT l.position, l.key, l.execution, l.launch FROM stepwell_lines AS l " +
  `WHERE l.list = ?1 AND l.position >= max(?2, ${begun}) AND l.position < ?3 AND l.launch IS NOT NULL ORDER BY l.position`;

function lines(database: Database, query: LineQuery): LineRow[] {
  const list = listNumber(database, query.list);
  if (list === undefined) return [];
  if ("news" in query) return database.statement(news).all(list, query.limit) as LineRow[];
  const { from, descending = false, unasked, limit } = query;
  const range = descending ? "l.position <= ?2" : "l.position >= ?2";
  const values: Value[] = [list, from, limit];
  let fits = "";
  if (unasked !== undefined) {
    if (unasked.length === 0) return [];
    fits = ` AND l.asked = 0 AND ${linePhase(begun)} IN (${unasked.map((_, index) => `?${index + 4}`).join(", ")})`;
    values.push(...unasked);
  }
  const text = `${select} AND ${range}${fits} ORDER BY l.position ${descending ? "DESC" : "ASC"} LIMIT ?3`;
  return database.statement(text).all(...values) as LineRow[];
}
