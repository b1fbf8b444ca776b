import { cursorOf, placeOf } from "../cursor.js";
import {
  errorsIn,
  errorsReferredTo,
  executionColumns,
  executionOf,
  historyOf,
  listedColumns,
  listedOf,
  standingColumns,
  standingOf,
  type ErrorRow,
  type Errors,
  type ExecutionRow,
  type HistoryRow,
  type ListedRow,
} from "../sql/rows.js";
import type { ExecutionRecord, HistoryRecord } from "../../execution/records.js";
import type { ListConditions, ListFilter, ListPage, Loaded, Store } from "../contract.js";
import { doubleArray, integerArray, textArray } from "./arrays.js";
import type { Database, Statement } from "./database.js";
import type { Server } from "./shared.js";
import type { Session } from "./step.js";

export function reading(server: Server): Pick<Store, "load" | "list" | "count" | "history"> {
  return {
    load: (ids, only) => server.ask((database) => load(database, ids, only)),
    list: (filter) => server.ask((database) => list(database, filter)),
    count: (conditions) => server.ask((database) => count(database, conditions)),
    history: (id) => server.ask((database) => history(database, id)),
  };
}

const loadQuery: Statement = {
  name: "load",
  text: `SELECT ${executionColumns} FROM stepwell_executions WHERE id = ANY ($1::text[])`,
};

const standingQuery: Statement = {
  name: "standing",
  text: `SELECT ${standingColumns} FROM stepwell_executions WHERE id = ANY ($1::text[])`,
};

export async function load<Only extends "standing" | undefined>(
  database: Database,
  ids: readonly string[],
  only: Only | undefined,
): Promise<Loaded<Only>> {
  if (ids.length === 0) return [];
  const rows = await database.rows<ExecutionRow>(only === undefined ? loadQuery : standingQuery, [textArray(ids)]);
  const records = only === undefined ? await executionsOf(database, rows) : rows.map(standingOf);
  const found = new Map<string, unknown>(records.map((record) => [record.id, record]));
  return ids.map((id) => found.get(id)) as Loaded<Only>;
}

const errorsQuery: Statement = {
  name: "errors",
  text: `
SELECT h.execution, h.revision, h.entry FROM unnest($1::float8[], $2::integer[]) AS g (execution, revision)
JOIN stepwell_history AS h ON h.execution = g.execution::bigint AND h.revision = g.revision`,
};

/** Errors that positions refer to: what is in the history stays as it is. */
async function errorsOf(session: Session, rows: readonly ListedRow[]): Promise<Errors | undefined> {
  const wanted = errorsReferredTo(rows);
  if (wanted.length === 0) return undefined;
  const entries = await session.rows<ErrorRow>(errorsQuery, [
    doubleArray(wanted.map(({ execution }) => execution)),
    integerArray(wanted.map(({ revision }) => revision)),
  ]);
  return errorsIn(entries, rows);
}

export async function executionsOf(session: Session, rows: readonly ExecutionRow[]): Promise<ExecutionRecord[]> {
  const errors = await errorsOf(session, rows);
  return rows.map((row) => executionOf(row, errors));
}

const historyQuery: Statement = {
  name: "history",
  text:
    "SELECT revision, at, entry, patch FROM stepwell_history " +
    "WHERE execution = (SELECT sequence FROM stepwell_executions WHERE id = $1::text) ORDER BY revision",
};

async function history(database: Database, id: string): Promise<HistoryRecord[]> {
  const rows = await database.rows<HistoryRow>(historyQuery, [id]);
  return rows.map((row) => historyOf(row, id));
}

async function list(database: Database, filter: ListFilter): Promise<ListPage> {
  const { text, values } = listQuery(filter);
  const rows = await database.unprepared<ListedRow>(text, values);
  const page = rows.slice(0, filter.limit);
  const last = rows.length > filter.limit ? page.at(-1) : undefined;
  const errors = await errorsOf(database, page);
  return {
    records: page.map((row) => listedOf(row, errors)),
    cursor: last === undefined ? null : cursorOf({ createdAt: last.created_at, sequence: last.sequence }),
  };
}

async function count(database: Database, conditions: ListConditions): Promise<number> {
  const { from, where, values } = chosen(conditions);
  // As a number with a point: the driver gives whole ones of this size as texts.
  const text = `SELECT count(*)::float8 AS found FROM ${from} ${where}`;
  const [row] = await database.unprepared<{ readonly found: number }>(text, values);
  return row!.found;
}

/** Newest first. */
function listQuery({ limit, after, ...filter }: ListFilter): { readonly text: string; readonly values: unknown[] } {
  const { from, where, order, values } = chosen(filter, after);
  const columns = listedColumns.replaceAll(/\w+/g, "e.$&");
  const last = `$${values.push(limit + 1)}::integer`;
  return { text: `SELECT ${columns} FROM ${from} ${where} ORDER BY ${order} LIMIT ${last}`, values };
}

/** By tag it walks along the tag's own rows, so that a rare tag costs little. */
function chosen(
  { workflow, status, tags = [], createdFrom, createdBefore }: ListConditions,
  after?: string,
): { readonly from: string; readonly where: string; readonly order: string; readonly values: unknown[] } {
  const values: unknown[] = [];
  const conditions: string[] = [];
  const bound = (value: unknown): string => `$${values.push(value)}`;
  const [firstTag, ...otherTags] = tags;
  const [createdAt, sequence] =
    firstTag === undefined ? ["e.created_at", "e.sequence"] : ["first.created_at", "first.execution"];
  if (firstTag !== undefined) conditions.push(`first.tag = ${bound(firstTag)}`);
  for (const tag of otherTags) {
    conditions.push(
      `EXISTS (SELECT 1 FROM stepwell_tags AS other WHERE other.tag = ${bound(tag)} ` +
        "AND other.created_at = first.created_at AND other.execution = first.execution)",
    );
  }
  if (workflow !== undefined) conditions.push(`e.workflow = ${bound(workflow)}`);
  // Word for word as in the partial index: a bound value would not be recognised.
  if (status?.length === 1 && status[0] === "stuck") conditions.push("e.status = 'stuck'");
  else if (status !== undefined) conditions.push(`e.status = ANY (${bound(status)}::text[])`);
  if (createdFrom !== undefined) conditions.push(`${createdAt} >= ${bound(createdFrom)}::float8`);
  if (createdBefore !== undefined) conditions.push(`${createdAt} < ${bound(createdBefore)}::float8`);
  if (after !== undefined) {
    const place = placeOf(after);
    conditions.push(
      `(${createdAt}, ${sequence}) < (${bound(place.createdAt)}::float8, ${bound(place.sequence)}::bigint)`,
    );
  }
  const from =
    firstTag === undefined
      ? "stepwell_executions AS e"
      : "stepwell_tags AS first JOIN stepwell_executions AS e ON e.created_at = first.created_at AND e.sequence = first.execution";
  return {
    from,
    where: conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`,
    order: `${createdAt} DESC, ${sequence} DESC`,
    values,
  };
}
