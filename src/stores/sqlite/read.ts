import { cursorOf, placeOf } from "../cursor.js";
import {
  errorsIn,
  errorsReferredTo,
  executionOf,
  listedColumns,
  listedOf,
  standingColumns,
  standingOf,
  type Errors,
  type ExecutionRow,
  type ListedRow,
} from "../sql/rows.js";
import type { ExecutionRecord } from "../../execution/records.js";
import type { ListConditions, ListFilter, ListPage, Loaded, Store } from "../contract.js";
import { storedColumns } from "./beside.js";
import type { Database } from "./database.js";
import type { Value } from "./driver.js";
import { errorEntry, readHistory } from "./history.js";
import type { Place } from "./places.js";
import type { SqliteFile } from "./shared.js";

/** A row of an execution, with what stands beside it. */
export type StoredRow = ExecutionRow & Place;

export function reading(file: SqliteFile): Pick<Store, "load" | "list" | "count" | "history"> {
  return {
    load: (ids, only) => file.patiently((database) => load(database, ids, only)),
    list: (filter) => file.patiently((database) => list(database, filter)),
    count: (conditions, upTo) => file.patiently((database) => Math.min(count(database, conditions), upTo + 1)),
    history: (id) => file.patiently((database) => readHistory(database, id)),
  };
}

export function load<Only extends "standing" | undefined>(
  database: Database,
  ids: readonly string[],
  only: Only | undefined,
): Loaded<Only> {
  const columns = only === undefined ? storedColumns : standingColumns;
  return database.read(() => {
    const statement = database.statement(`SELECT ${columns} FROM stepwell_executions WHERE id = ?`);
    return ids.map((id) => {
      const row = statement.get(id) as StoredRow | undefined;
      if (row === undefined) return undefined;
      return only === undefined ? recordOf(database, row) : standingOf(row);
    });
  }) as Loaded<Only>;
}

/** Within a transaction, or with `read`. */
export function recordOf(database: Database, row: ExecutionRow): ExecutionRecord {
  return executionOf(row, errorsOf(database, [row]));
}

/** Errors that positions refer to. */
function errorsOf(database: Database, rows: readonly ListedRow[]): Errors | undefined {
  const wanted = errorsReferredTo(rows);
  if (wanted.length === 0) return undefined;
  const found = wanted.map(({ execution, revision }) => errorEntry(database, execution, revision));
  return errorsIn(
    found.filter((row) => row !== undefined),
    rows,
  );
}

function list(database: Database, filter: ListFilter): ListPage {
  const { text, values } = listQuery(filter);
  const rows = database.rows<ListedRow>(text, ...values);
  const page = rows.slice(0, filter.limit);
  const last = rows.length > filter.limit ? page.at(-1) : undefined;
  const errors = database.read(() => errorsOf(database, page));
  return {
    records: page.map((row) => listedOf(row, errors)),
    cursor: last === undefined ? null : cursorOf({ createdAt: last.created_at, sequence: last.sequence }),
  };
}

function count(database: Database, conditions: ListConditions): number {
  const { from, where, values } = chosen(conditions);
  const [row] = database.rows<{ readonly found: number }>(`SELECT count(*) AS found FROM ${from} ${where}`, ...values);
  return row!.found;
}

/** Newest first. */
function listQuery({ limit, after, ...filter }: ListFilter): { readonly text: string; readonly values: Value[] } {
  const { from, where, order, values } = chosen(filter, after);
  const columns = listedColumns.replace("created_at", "stepwell_executions.created_at");
  return { text: `SELECT ${columns} FROM ${from} ${where} ORDER BY ${order} LIMIT ?`, values: [...values, limit + 1] };
}

/** By tag it walks along the tag's own rows, so that a rare tag costs little. */
function chosen(
  { workflow, status, tags = [], createdFrom, createdBefore }: ListConditions,
  after?: string,
): { readonly from: string; readonly where: string; readonly order: string; readonly values: Value[] } {
  const conditions: string[] = [];
  const values: Value[] = [];
  const where = (condition: string, ...bound: Value[]): void => {
    conditions.push(condition);
    values.push(...bound);
  };
  const [firstTag, ...otherTags] = tags;
  const order =
    firstTag === undefined ? "created_at DESC, sequence DESC" : "first.created_at DESC, first.execution DESC";
  const [createdAt, sequence] =
    firstTag === undefined ? ["created_at", "sequence"] : ["first.created_at", "first.execution"];
  if (firstTag !== undefined) where("first.tag = ?", firstTag);
  for (const tag of otherTags) {
    where(
      "EXISTS (SELECT 1 FROM stepwell_tags AS other WHERE other.tag = ? AND other.created_at = first.created_at AND other.execution = first.execution)",
      tag,
    );
  }
  if (workflow !== undefined) where("workflow = ?", workflow);
  // Word for word as in the partial index: a bound value would not be recognised.
  if (status?.length === 1 && status[0] === "stuck") where("status = 'stuck'");
  else if (status !== undefined) where(`status IN (${status.map(() => "?").join(", ")})`, ...status);
  if (createdFrom !== undefined) where(`${createdAt} >= ?`, createdFrom);
  if (createdBefore !== undefined) where(`${createdAt} < ?`, createdBefore);
  if (after !== undefined) {
    const place = placeOf(after);
    where(`(${createdAt}, ${sequence}) < (?, ?)`, place.createdAt, place.sequence);
  }
  const from =
    firstTag === undefined
      ? "stepwell_executions"
      : "stepwell_tags AS first CROSS JOIN stepwell_executions ON sequence = first.execution";
  return { from, where: conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`, order, values };
}
