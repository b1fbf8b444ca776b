import { reachable } from "../sql/pruning.js";
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
import type { Loaded, LoadOnly, Store } from "../contract.js";
import { storedColumns } from "./beside.js";
import type { Database } from "./database.js";
import { errorEntry, readHistory } from "./history.js";
import type { Place } from "./places.js";
import type { SqliteFile } from "./shared.js";

/** A row of an execution, with what stands beside it. */
export type StoredRow = ExecutionRow & Place;

export function reading(file: SqliteFile): Pick<Store, "load" | "history"> {
  return {
    load: (ids, only) => file.patiently((database) => load(database, ids, only)),
    history: (id, range) => file.patiently((database) => readHistory(database, id, range)),
  };
}

const columnsOf = { standing: standingColumns, listed: listedColumns, all: storedColumns };

export function load<Only extends LoadOnly>(
  database: Database,
  ids: readonly string[],
  only: Only | undefined,
): Loaded<Only> {
  const columns = columnsOf[only ?? "all"];
  return database.read(() => {
    const statement = database.statement(`SELECT ${columns} FROM stepwell_executions WHERE id = ? AND ${reachable()}`);
    return ids.map((id) => {
      const row = statement.get(id) as StoredRow | undefined;
      if (row === undefined) return undefined;
      if (only === "standing") return standingOf(row);
      return only === undefined ? recordOf(database, row) : listedOf(row, errorsOf(database, [row]));
    });
  }) as Loaded<Only>;
}

/** Within a transaction, or with `read`. */
export function recordOf(database: Database, row: ExecutionRow): ExecutionRecord {
  return executionOf(row, errorsOf(database, [row]));
}

/** Errors that positions refer to. */
export function errorsOf(database: Database, rows: readonly ListedRow[]): Errors | undefined {
  const wanted = errorsReferredTo(rows);
  if (wanted.length === 0) return undefined;
  const found = wanted.map(({ execution, revision }) => errorEntry(database, execution, revision));
  return errorsIn(
    found.filter((row) => row !== undefined),
    rows,
  );
}
