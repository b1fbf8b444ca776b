import {
  errorsIn,
  errorsReferredTo,
  executionColumns,
  executionOf,
  historyOf,
  standingColumns,
  standingOf,
  type ErrorRow,
  type Errors,
  type ExecutionRow,
  type HistoryRow,
  type ListedRow,
} from "../sql/rows.js";
import type { ExecutionRecord, HistoryRecord } from "../../execution/records.js";
import type { Loaded, Store } from "../contract.js";
import { doubleArray, integerArray, textArray } from "./arrays.js";
import type { Database, Statement } from "./database.js";
import type { Server } from "./shared.js";
import type { Session } from "./step.js";

export function reading(server: Server): Pick<Store, "load" | "history"> {
  return {
    load: (ids, only) => server.ask((database) => load(database, ids, only)),
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
export async function errorsOf(session: Session, rows: readonly ListedRow[]): Promise<Errors | undefined> {
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
