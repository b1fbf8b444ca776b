/** Bytes written for a transition of a workflow of a hundred steps, beside those of three steps. */
import type { Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { sqliteStore } from "stepwell/sqlite";
import type { Figure } from "../figures.js";
import {
  bytesPerTransition,
  imageless,
  postgresDefaults,
  postgresGauge,
  sqliteGauge,
  type Gauge,
} from "../support/gauge.js";
import { busy, inFlight, launcherOn } from "../support/load.js";
import { withFolder, withPostgres } from "../support/places.js";
import { noting, order } from "../support/work.js";

/** As many transitions of both, with as many in flight: their commits are alike. */
const transitions = busy * 100;

export async function steps(): Promise<Figure[]> {
  const onSqlite = await withFolder(async (path) => {
    const on = async (length: number): Promise<number> => {
      const file = path(`${length}.db`);
      let close = (): void => undefined;
      const bytes = await weigh(sqliteStore(file), length, async () => {
        const opened = sqliteGauge(file);
        ({ close } = opened);
        return opened.gauge;
      });
      close();
      return bytes;
    };
    return figureOf("steps.sqlite", await on(3), await on(100), "100 steps");
  });
  const onPostgres = await withPostgres(async (database) => {
    const on = (length: number): Promise<number> =>
      weigh(postgresStore(database.url, { schema: database.newSchema() }), length, () => postgresGauge(database));
    const [few, many] = [await on(3), await on(100)];
    await postgresDefaults(database);
    return figureOf("steps.postgres", few, many, `100 steps, ${imageless}`);
  });
  return [onSqlite, onPostgres];
}

async function weigh(store: Store, length: number, open: () => Promise<Gauge>): Promise<number> {
  const workflow = noting(length);
  const launcher = await launcherOn(store, [workflow]);
  await inFlight(launcher, workflow, 1);
  const executions = Math.round(transitions / length);
  const value = await bytesPerTransition(launcher, { workflow, steps: length, input: order }, await open(), executions);
  await launcher.stop();
  return value;
}

function figureOf(name: string, few: number, many: number, note: string): Figure {
  const to = "bytes at 3 steps";
  return { name, value: many, unit: "B/transition", ratio: many / few, to, note, extra: { few } };
}
