import { reachable } from "../sql/pruning.js";
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
import type { HistoryRange, ListedExecution, Loaded, LoadOnly, Store } from "../contract.js";
import { doubleArray, integerArray, textArray } from "./arrays.js";
import type { Database, Statement } from "./database.js";
import type { Server } from "./shared.js";
import type { Session } from "./step.js";
import { Together } from "./together.js";

export function reading(server: Server): Pick<Store, "load" | "history"> {
  const together = <Only extends LoadOnly>(only: Only | undefined): Together<unknown> =>
    new Together<unknown>((ids) => server.ask((database) => load(database, ids, only)));
  const reads = { standing: together("standing"), listed: together("listed"), all: together(undefined) };
  return {
    load: async <Only extends LoadOnly>(ids: readonly string[], only?: Only) =>
      (await reads[only ?? "all"].read(ids)) as Loaded<Only>,
    history: (id, range) => server.ask((database) => history(database, id, range)),
  };
}

const loadQuery: Statement = {
  name: "load",
  text: `SELECT ${executionColumns} FROM stepwell_executions WHERE id = ANY ($1::text[]) AND ${reachable()}`,
};

const standingQuery: Statement = {
  name: "standing",
  text: `SELECT ${standingColumns} FROM stepwell_executions WHERE id = ANY ($1::text[]) AND ${reachable()}`,
};

const listedQuery: Statement = {
  name: "load_listed",
  text: `SELECT ${listedColumns} FROM stepwell_executions WHERE id = ANY ($1::text[]) AND ${reachable()}`,
};

const queries = { standing: standingQuery, listed: listedQuery, all: loadQuery };

export async function load<Only extends LoadOnly>(
  database: Database,
  ids: readonly string[],
  only: Only | undefined,
): Promise<Loaded<Only>> {
  if (ids.length === 0) return [];
  const rows = await database.rows<ExecutionRow>(queries[only ?? "all"], [textArray(ids)]);
  const records = only === "standing" ? rows.map(standingOf) : await recordsOf(database, rows, only);
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

async function recordsOf(
  session: Session,
  rows: readonly ExecutionRow[],
  only: "listed" | undefined,
): Promise<readonly ListedExecution[]> {
  if (only === undefined) return executionsOf(session, rows);
  const errors = await errorsOf(session, rows);
  return rows.map((row) => listedOf(row, errors));
}

export async function executionsOf(session: Session, rows: readonly ExecutionRow[]): Promise<ExecutionRecord[]> {
  const errors = await errorsOf(session, rows);
  return rows.map((row) => executionOf(row, errors));
}

const historyQuery: Statement = {
  name: "history",
  text:
    "SELECT revision, at, entry, patch FROM stepwell_history " +
    `WHERE execution = (SELECT sequence FROM stepwell_executions WHERE id = $1::text AND ${reachable()}) ` +
    "AND revision > $2::integer AND revision <= $3::integer ORDER BY revision",
};

/** No revision is greater: the type of the column ends there. */
const lastRevision = 2 ** 31 - 1;

async function history(
  database: Database,
  id: string,
  { after, limit }: HistoryRange = { after: 0, limit: lastRevision },
): Promise<HistoryRecord[]> {
  const bounds = [Math.min(after, lastRevision), Math.min(after + limit, lastRevision)];
  const rows = await database.rows<HistoryRow>(historyQuery, [id, ...bounds]);
  return rows.map((row) => historyOf(row, id));
}
