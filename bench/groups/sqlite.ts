/** Throughput on SQLite, beside the raw limit. */
import { sqliteStore } from "stepwell/sqlite";
import type { Figure } from "../figures.js";
import { rawRate, writesOnSqlite } from "../raw/sqlite.js";
import { described } from "../raw/writes.js";
import { busy, collectGarbage, inFlight, launcherOn, type Measured } from "../support/load.js";
import { withFolder } from "../support/places.js";
import { down, up } from "../support/work.js";

const count = 10_000;
const warm = 2_000;

/** WAL and `synchronous=FULL`, as by default. */
export async function sqlite(): Promise<Figure[]> {
  return [await throughput("sqlite.up", up), await throughput("sqlite.down", down)];
}

/** The engine and then the raw limit, each in a file of its own. */
async function throughput(name: string, workflow: Measured): Promise<Figure> {
  return withFolder(async (path) => {
    const writes = await writesOnSqlite(path("noted.db"), workflow);
    await engineRate(path("warm.db"), workflow, warm);
    rawRate(path("raw-warm.db"), writes, warm);
    const value = await engineRate(path("engine.db"), workflow, count);
    const limit = rawRate(path("raw.db"), writes, count);
    return {
      name,
      value,
      unit: "executions/s",
      ratio: value / limit,
      to: "the raw limit",
      note: `${busy} in flight`,
      extra: { limit, writes: described(writes) },
    };
  });
}

async function engineRate(path: string, workflow: Measured, executions: number): Promise<number> {
  collectGarbage();
  const launcher = await launcherOn(sqliteStore(path), [workflow]);
  const rate = await inFlight(launcher, workflow, executions);
  await launcher.stop();
  return rate;
}
