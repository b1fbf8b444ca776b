/** Throughput on PostgreSQL, beside the raw limit. */
import { postgresStore } from "stepwell/postgres";
import type { Figure } from "../figures.js";
import { rawTables, writesOnPostgres } from "../raw/postgres.js";
import { collectGarbage, inFlight, launcherOn, type Measured } from "../support/load.js";
import { withPostgres, type Database } from "../support/places.js";
import { besideLimit } from "../support/turns.js";
import { down, up } from "../support/work.js";

const count = 15_000;

/** A real server with its defaults of durability: `fsync` and `synchronous_commit` on. */
export async function postgres(): Promise<Figure[]> {
  return withPostgres(async (database) => [
    await throughput(database, "postgres.up", up),
    await throughput(database, "postgres.down", down),
  ]);
}

/** Each in a schema of its own. */
async function throughput(database: Database, name: string, workflow: Measured): Promise<Figure> {
  const writes = await writesOnPostgres(database, workflow);
  const raw = await rawTables(database, writes);
  const launcher = await launcherOn(postgresStore(database.url, { schema: database.newSchema() }), [workflow]);
  const engine = async (executions: number): Promise<number> => {
    collectGarbage();
    return inFlight(launcher, workflow, executions);
  };
  const figure = await besideLimit(name, { count, writes, engine, limit: raw.limit });
  await launcher.stop();
  await raw.end();
  return figure;
}
