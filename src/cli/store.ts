import { existsSync } from "node:fs";
import { StepwellError, type Store } from "../index.js";
import { postgresStore } from "../stores/postgres/index.js";
import { sqliteStore } from "../stores/sqlite/index.js";

/** A connection string is a PostgreSQL database; anything else is the path of an SQLite file. */
export function storeOn(place: string, schema: string | undefined): Store {
  if (isPostgres(place)) return postgresStore(place, schema === undefined ? {} : { schema });
  if (schema === undefined) return sqliteStore(place);
  throw new StepwellError("STEPWELL_INVALID_ARGUMENT", "--schema is for PostgreSQL; an SQLite file has no schemas.");
}

/** As `storeOn`, for a store that must exist: to open an SQLite file that is not there would create it. */
export function existingStoreOn(place: string, schema: string | undefined): Store {
  const store = storeOn(place, schema);
  if (isPostgres(place) || existsSync(place)) return store;
  throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `--store: there is no file ${JSON.stringify(place)}.`);
}

export function isPostgres(place: string): boolean {
  return /^postgres(?:ql)?:\/\//i.test(place);
}
