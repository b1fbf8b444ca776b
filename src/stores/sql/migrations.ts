import { StepwellError } from "../../errors.js";

/** One step of the schema. What has been released is never changed, only followed by the next one. */
export interface Migration {
  /** From 1, without gaps. */
  readonly number: number;
  /** What it brings, for those who look into the table. */
  readonly name: string;
  readonly sql: string;
}

/** The table that says what has been applied, in the words that every SQL database takes. */
export const migrationsTable =
  "CREATE TABLE IF NOT EXISTS stepwell_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)";

/**
 * What is still to be applied, in order. Each is to be applied in a transaction of its own that also
 * writes its row of `stepwell_migrations`.
 *
 * @throws STEPWELL_STORE_TOO_NEW where a newer version of Stepwell has been at work
 */
export function pendingMigrations(known: readonly Migration[], applied: number, store: string): readonly Migration[] {
  if (applied > known.length) {
    throw new StepwellError(
      "STEPWELL_STORE_TOO_NEW",
      `${store} has schema ${applied}, and this version of Stepwell knows up to ${known.length}: a newer version has ` +
        `written it. Nothing was changed. Install that version, or use another store.`,
    );
  }
  return known.slice(applied);
}
