/** What a large state costs: bytes written for a small patch, and throughput beside that with a small state. */
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
import { growing, noting, order, randomText, records, type TextOf } from "../support/work.js";

/** So many fields that the whole state is written again twice: that is in the value. */
const steps = 100;
const weighed = (textOf: TextOf) => ({ workflow: growing(steps, textOf), steps, input: stateOf(100_000, textOf) });
const executions = 20;

const driven = noting(10);
const count = 1_500;
const turns = 2;

/** The state is the input of the launch. */
function stateOf(bytes: number, textOf: TextOf): typeof order {
  return { ...order, sku: textOf(bytes) };
}

interface Weights {
  /** Of texts as programs keep them. */
  readonly value: number;
  /** Of texts that nothing makes smaller. */
  readonly incompressible: number;
}

export async function state(): Promise<Figure[]> {
  const onPostgres = await withPostgres(async (database) => {
    const newStore = (): Store => postgresStore(database.url, { schema: database.newSchema() });
    const weigh = (textOf: TextOf): Promise<number> => weightOf(textOf, newStore(), () => postgresGauge(database));
    const weights = { value: await weigh(records), incompressible: await weigh(randomText) };
    await postgresDefaults(database);
    return figureOf("state.postgres", weights, await slowdown(newStore), `, ${imageless}`);
  });
  const onSqlite = await withFolder(async (path) => {
    let files = 0;
    const weigh = async (textOf: TextOf): Promise<number> => {
      const file = path(`weighed-${++files}.db`);
      let close = (): void => undefined;
      const weight = await weightOf(textOf, sqliteStore(file), async () => {
        const opened = sqliteGauge(file);
        ({ close } = opened);
        return opened.gauge;
      });
      close();
      return weight;
    };
    const weights = { value: await weigh(records), incompressible: await weigh(randomText) };
    return figureOf("state.sqlite", weights, await slowdown(() => sqliteStore(path(`driven-${++files}.db`))), "");
  });
  return [onPostgres, onSqlite];
}

async function weightOf(textOf: TextOf, store: Store, open: () => Promise<Gauge>): Promise<number> {
  const load = weighed(textOf);
  const launcher = await launcherOn(store, [load.workflow]);
  await inFlight(launcher, load.workflow, 1);
  const weight = await bytesPerTransition(launcher, load, await open(), executions);
  await launcher.stop();
  return weight;
}

/** Throughput with 10 kB of state to that with 0.1 kB, in turns. */
async function slowdown(newStore: () => Store): Promise<number> {
  const seconds = { small: 0, large: 0 };
  const sizes = { small: stateOf(100, randomText), large: stateOf(10_000, randomText) };
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

function figureOf(name: string, { value, ...extra }: Weights, ratio: number, more: string): Figure {
  const note = `100 kB of state, ${steps} steps, each another field of 100 B${more}`;
  return { name, value, unit: "B/transition", ratio, to: "throughput, 10 kB to 0.1 kB of state", note, extra };
}
