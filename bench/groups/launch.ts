/** Launches on PostgreSQL that are stored and not driven, beside plain inserts of the same bytes. */
import { postgresStore } from "stepwell/postgres";
import type { Figure } from "../figures.js";
import { rawTables, writesOnPostgres } from "../raw/postgres.js";
import { collectGarbage, launcherOn, launches } from "../support/load.js";
import { withPostgres } from "../support/places.js";
import { besideLimit } from "../support/turns.js";
import { up } from "../support/work.js";

const count = 15_000;

export async function launch(): Promise<Figure[]> {
  return withPostgres(async (database) => {
    const writes = { ...(await writesOnPostgres(database, up)), updates: 0, entries: 0 };
    const raw = await rawTables(database, writes);
    const launcher = await launcherOn(postgresStore(database.url, { schema: database.newSchema() }), [up]);
    const engine = async (executions: number): Promise<number> => {
      collectGarbage();
      return launches(launcher, up, executions);
    };
    const figure = await besideLimit("postgres.launch", { count, writes, engine, limit: raw.limit });
    await launcher.stop();
    await raw.end();
    return [figure];
  });
}
