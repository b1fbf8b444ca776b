/** `stepwell migrate`: brings the tables of a PostgreSQL database up to date, or shows what would be done. */
import { StepwellError } from "../index.js";
import { migratePostgres } from "../stores/postgres/index.js";
import type { Screen } from "./screen.js";
import { isPostgres } from "./store.js";

export interface MigrateOptions {
  readonly store: string;
  readonly schema?: string;
  readonly dryRun?: boolean;
  readonly debug?: boolean;
}

/** @throws StepwellError */
export async function migrate({ store, schema, dryRun = false }: MigrateOptions, screen: Screen): Promise<void> {
  if (!isPostgres(store)) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      "migrate is for PostgreSQL: --store must be a connection string. An SQLite file is brought up to date when it is opened.",
    );
  }
  const done = await migratePostgres(store, { dryRun, ...(schema !== undefined && { schema }) });
  if (done === "") screen.note("Nothing to do: the tables are up to date.");
  else screen.result(dryRun ? done.trimEnd() : `Applied: ${done.replaceAll("\n", "; ")}`);
}
