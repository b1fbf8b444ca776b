/** Brings the tables of a file up to date. */
import { StepwellError } from "../../errors.js";
import { migrationsTable, pendingMigrations } from "../sql/migrations.js";
import type { Database } from "./database.js";
import { migrations, type Migration } from "./migrations.js";

/** @throws STEPWELL_STORE_TOO_NEW; STEPWELL_STORE_BUSY while a launcher of an older version is at work */
export function migrate(database: Database, now: number): void {
  database.transaction(() => {
    database.exec(migrationsTable);
    // Changes nothing, but fails now on a file that can only be read, rather than at the first launch.
    database.exec("DELETE FROM stepwell_migrations WHERE number < 1");
  });
  const before = applied(database);
  const pending: readonly Migration[] = pendingMigrations(
    migrations,
    before,
    `SQLite file ${JSON.stringify(database.path)}`,
  );
  // All of it or nothing, as far as that can be known before.
  if (before > 0 && pending.some(({ closes }) => closes === true)) refuseBesideOlder(database, now);
  for (const migration of pending) {
    database.transaction(() => {
      // Another process may have been faster.
      if (applied(database) >= migration.number) return;
      if (migration.closes === true) refuseBesideOlder(database, now);
      database.exec(migration.sql.replaceAll(":now", String(now)));
      database
        .statement("INSERT INTO stepwell_migrations (number, name, applied_at) VALUES (?, ?, ?)")
        .run(migration.number, migration.name, now);
    });
  }
}

/** A launcher that has been silent for so long is taken for dead, in milliseconds. */
const silence = 60_000;

/** Asks the table of any version. */
function refuseBesideOlder(database: Database, now: number): void {
  const alive = database.rows<{ pid: number }>("SELECT pid FROM stepwell_launchers WHERE beat_at > ?", now - silence);
  if (alive.length === 0) return;
  const processes = alive.map(({ pid }) => pid).join(", ");
  throw new StepwellError(
    "STEPWELL_STORE_BUSY",
    `The SQLite file ${JSON.stringify(database.path)} is to be brought up to date, but a launcher of an older version works on it, or did ` +
      `less than a minute ago (process ${processes}), and could not read what this version writes. Nothing was changed. ` +
      `Stop it; of one that was killed, wait for a minute.`,
    { retryable: true },
  );
}

function applied(database: Database): number {
  const [row] = database.rows<{ number: number | null }>("SELECT max(number) AS number FROM stepwell_migrations");
  return row?.number ?? 0;
}
