/** Launches on PostgreSQL that are stored and not driven, beside plain inserts of the same bytes. */
import { postgresStore } from "stepwell/postgres";
import type { Figure } from "../figures.js";
import { rawRate, writesOnPostgres } from "../raw/postgres.js";
import { described } from "../raw/writes.js";
import { busy, collectGarbage, launcherOn, launches } from "../support/load.js";
import { withPostgres, type Database } from "../support/places.js";
import { up } from "../support/work.js";

const count = 15_000;
const warm = 3_000;

export async function launch(): Promise<Figure[]> {
  return withPostgres(async (database) => {
    const writes = { ...(await writesOnPostgres(database, up)), updates: 0, entries: 0 };
    await engineRate(database, warm);
    await rawRate(database, writes, warm);
    const value = await engineRate(database, count);
    const limit = await rawRate(database, writes, count);
    const figure = { name: "postgres.launch", value, unit: "executions/s", ratio: value / limit, to: "the raw limit" };
    return [{ ...figure, note: `${busy} in flight`, extra: { limit, writes: described(writes) } }];
  });
}

async function engineRate(database: Database, executions: number): Promise<number> {
  collectGarbage();
  const launcher = await launcherOn(postgresStore(database.url, { schema: database.newSchema() }), [up]);
  const rate = await launches(launcher, up, executions);
  await launcher.stop();
  return rate;
}
