/** Throughput on PostgreSQL, beside the raw limit. */
import { postgresStore } from "stepwell/postgres";
import type { Figure } from "../figures.js";
import { rawRate, writesOnPostgres } from "../raw/postgres.js";
import { described } from "../raw/writes.js";
import { busy, collectGarbage, inFlight, launcherOn, type Measured } from "../support/load.js";
import { withPostgres, type Database } from "../support/places.js";
import { down, up } from "../support/work.js";

const count = 15_000;
const warm = 3_000;

/** A real server with its defaults of durability: `fsync` and `synchronous_commit` on. */
export async function postgres(): Promise<Figure[]> {
  return withPostgres(async (database) => [
    await throughput(database, "postgres.up", up),
    await throughput(database, "postgres.down", down),
  ]);
}

/** The engine and then the raw limit, each in a schema of its own. */
async function throughput(database: Database, name: string, workflow: Measured): Promise<Figure> {
  const writes = await writesOnPostgres(database, workflow);
  await engineRate(database, workflow, warm);
  await rawRate(database, writes, warm);
  const value = await engineRate(database, workflow, count);
  const limit = await rawRate(database, writes, count);
  return {
    name,
    value,
    unit: "executions/s",
    ratio: value / limit,
    to: "the raw limit",
    note: `${busy} in flight`,
    extra: { limit, writes: described(writes) },
  };
}

async function engineRate(database: Database, workflow: Measured, executions: number): Promise<number> {
  collectGarbage();
  const launcher = await launcherOn(postgresStore(database.url, { schema: database.newSchema() }), [workflow]);
  const rate = await inFlight(launcher, workflow, executions);
  await launcher.stop();
  return rate;
}
