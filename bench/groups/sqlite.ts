/** Throughput on SQLite, beside the raw limit. */
import { sqliteStore } from "stepwell/sqlite";
import type { Figure } from "../figures.js";
import { RawFile, writesOnSqlite } from "../raw/sqlite.js";
import { collectGarbage, inFlight, launcherOn, type Measured } from "../support/load.js";
import { withFolder } from "../support/places.js";
import { besideLimit } from "../support/turns.js";
import { down, up } from "../support/work.js";

const count = 12_000;

/** WAL and `synchronous=FULL`, as by default. */
export async function sqlite(): Promise<Figure[]> {
  return [await throughput("sqlite.up", up), await throughput("sqlite.down", down)];
}

/** Each in a file of its own. */
async function throughput(name: string, workflow: Measured): Promise<Figure> {
  return withFolder(async (path) => {
    const writes = await writesOnSqlite(path("noted.db"), workflow);
    const raw = new RawFile(path("raw.db"), writes);
    const launcher = await launcherOn(sqliteStore(path("engine.db")), [workflow]);
    const engine = async (executions: number): Promise<number> => {
      collectGarbage();
      return inFlight(launcher, workflow, executions);
    };
    const figure = await besideLimit(name, { count, writes, engine, limit: raw.limit });
    await launcher.stop();
    raw.close();
    return figure;
  });
}
