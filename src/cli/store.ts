import { existsSync } from "node:fs";
import { StepwellError, type Store } from "../index.js";

/** A connection string is a PostgreSQL database; anything else is the path of an SQLite file. Only the one that is wanted is loaded. */
export async function storeOn(place: string, schema: string | undefined): Promise<Store> {
  if (isPostgres(place)) {
    const { postgresStore } = await import("../stores/postgres/index.js");
    return postgresStore(place, schema === undefined ? {} : { schema });
  }
  if (schema === undefined) return (await import("../stores/sqlite/index.js")).sqliteStore(place);
  throw new StepwellError("STEPWELL_INVALID_ARGUMENT", "--schema is for PostgreSQL; an SQLite file has no schemas.");
}

/** As `storeOn`, for a store that must exist: to open an SQLite file that is not there would create it. */
export async function existingStoreOn(place: string, schema: string | undefined): Promise<Store> {
  const store = await storeOn(place, schema);
  if (isPostgres(place) || existsSync(place)) return store;
  throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `--store: there is no file ${JSON.stringify(place)}.`);
}

export function isPostgres(place: string): boolean {
  return /^postgres(?:ql)?:\/\//i.test(place);
}
