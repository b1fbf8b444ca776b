/** What a large state costs: bytes written for a small patch, and throughput beside that with a small state. */
import { randomBytes } from "node:crypto";
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
import { collectGarbage, inFlight, launcherOn } from "../support/load.js";
import { withFolder, withPostgres } from "../support/places.js";
import { growing, noting, order } from "../support/work.js";

/** So many fields that the whole state is written again twice: that is in the value. */
const steps = 100;
const weighed = { workflow: growing(steps), steps, input: stateOf(100_000) };
const executions = 20;

const driven = noting(10);
const count = 1_500;
const turns = 2;

/** The state is the input of the launch: a text that no compression makes smaller. */
function stateOf(bytes: number): typeof order {
  return { ...order, sku: randomBytes(bytes * 0.75).toString("base64") };
}

export async function state(): Promise<Figure[]> {
  const onPostgres = await withPostgres(async (database) => {
    const newStore = (): Store => postgresStore(database.url, { schema: database.newSchema() });
    const value = await weigh(newStore(), () => postgresGauge(database));
    await postgresDefaults(database);
    return figureOf("state.postgres", value, await slowdown(newStore), `, ${imageless}`);
  });
  const onSqlite = await withFolder(async (path) => {
    let files = 0;
    const file = path("weighed.db");
    let close = (): void => undefined;
    const value = await weigh(sqliteStore(file), async () => {
      const opened = sqliteGauge(file);
      ({ close } = opened);
      return opened.gauge;
    });
    close();
    return figureOf("state.sqlite", value, await slowdown(() => sqliteStore(path(`driven-${++files}.db`))), "");
  });
  return [onPostgres, onSqlite];
}

async function weigh(store: Store, open: () => Promise<Gauge>): Promise<number> {
  const launcher = await launcherOn(store, [weighed.workflow]);
  await inFlight(launcher, weighed.workflow, 1);
  const value = await bytesPerTransition(launcher, weighed, await open(), executions);
  await launcher.stop();
  return value;
}

/** Throughput with 10 kB of state to that with 0.1 kB, in turns. */
async function slowdown(newStore: () => Store): Promise<number> {
  const seconds = { small: 0, large: 0 };
  const sizes = { small: stateOf(100), large: stateOf(10_000) };
  for (let turn = 0; turn <= turns; turn++) {
    for (const size of ["small", "large"] as const) {
      collectGarbage();
      const launcher = await launcherOn(newStore(), [driven]);
      const rate = await inFlight(launcher, driven, count, { input: sizes[size] });
      await launcher.stop();
      // The first turn warms the compiler.
      if (turn > 0) seconds[size] += 1 / rate;
    }
  }
  return seconds.small / seconds.large;
}

function figureOf(name: string, value: number, ratio: number, more: string): Figure {
  const note = `100 kB of state, ${steps} steps, each another field of 100 B, nothing compressible${more}`;
  return { name, value, unit: "B/transition", ratio, to: "throughput, 10 kB to 0.1 kB of state", note };
}
