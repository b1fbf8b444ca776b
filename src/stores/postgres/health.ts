/** What a database administrator would look at: what holds the tables of a store back. Reads only the server's own views, and says one word to itself. */
import { systemClock } from "../../clock.js";
import { newId } from "../../ids.js";
import type { Database } from "./database.js";
import type { PostgresClient } from "./driver.js";

export interface PostgresHealth {
  /** The longest open transaction of the database, in milliseconds: vacuum removes nothing that is younger. Null: there is none. */
  readonly oldestTransactionMs: number | null;
  /** What it is doing, as `pg_stat_activity` shows it: its application, or its user. */
  readonly oldestTransactionBy: string | null;
  /** Of the store's tables: rows that live, and rows that vacuum has still to remove. */
  readonly tables: readonly { readonly name: string; readonly live: number; readonly dead: number }[];
  /** How many connections there are, and how many there may be. */
  readonly connections: number;
  readonly mostConnections: number;
  /** Whether the server cleans tables up by itself. */
  readonly autovacuum: boolean;
  /** Whether one connection hears what another one tells, as launchers tell each other. A pooler in between may keep it from them. */
  readonly hears: boolean;
}

const activity = `
SELECT extract(epoch FROM clock_timestamp() - xact_start) * 1000 AS ms,
  coalesce(nullif(application_name, ''), usename::text, 'unknown') AS who
FROM pg_stat_activity
WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
ORDER BY xact_start LIMIT 1`;

const tables = `
SELECT relname::text AS name, n_live_tup::float8 AS live, n_dead_tup::float8 AS dead FROM pg_stat_user_tables
WHERE schemaname = $1::text AND relname LIKE 'stepwell\\_%' ORDER BY relname`;

const settings = `
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::integer AS connections,
  current_setting('max_connections')::integer AS most, current_setting('autovacuum') = 'on' AS autovacuum`;

/** For how long a notification is waited for, in milliseconds. */
const patience = 2_000;

/** @param listening a connection of its own, which is open */
async function isHeard(database: Database, listening: PostgresClient): Promise<boolean> {
  const channel = `stepwell_health_${newId()}`;
  const heard = new Promise<boolean>((resolve) => {
    const timer = systemClock.after(patience, () => resolve(false));
    listening.on("notification", () => {
      timer.cancel();
      resolve(true);
    });
  });
  await listening.query({ text: `LISTEN "${channel}"` });
  await database.unprepared("SELECT pg_notify($1::text, '')", [channel]);
  return heard;
}

/** @param listening a connection of its own, which is open */
export async function healthOf(database: Database, listening: PostgresClient): Promise<PostgresHealth> {
  const [oldest] = await database.unprepared<{ readonly ms: number | string; readonly who: string }>(activity);
  const found = await database.unprepared<PostgresHealth["tables"][number]>(tables, [database.schema]);
  const [row] = await database.unprepared<{
    readonly connections: number;
    readonly most: number;
    readonly autovacuum: boolean;
  }>(settings);
  return {
    oldestTransactionMs: oldest === undefined ? null : Number(oldest.ms),
    oldestTransactionBy: oldest?.who ?? null,
    tables: found,
    connections: row!.connections,
    mostConnections: row!.most,
    autovacuum: row!.autovacuum,
    hears: await isHeard(database, listening),
  };
}
