/** A step of many trivial children, beside launches of the same; and what a parent that waits for children that wait costs. */
import { memoryStore, type Launcher, type Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { sqliteStore } from "stepwell/sqlite";
import type { Figure } from "../figures.js";
import { family, trivial } from "../support/family.js";
import { helper } from "../support/helper.js";
import { allAtOnce, collectGarbage, launcherOn, perSecond } from "../support/load.js";
import { withFolder, withPostgres } from "../support/places.js";
import { ratesInTurns } from "../support/turns.js";
import { order } from "../support/work.js";

const count = 1_000;
/** As in other groups, tens of thousands of executions warm the compiler. */
const turns = { warming: 20, measured: 9 };

export async function children(): Promise<Figure[]> {
  return [
    await beside("children.memory", memoryStore()),
    await withFolder((path) => beside("children.sqlite", sqliteStore(path("children.db")))),
    await withPostgres((database) =>
      beside("children.postgres", postgresStore(database.url, { schema: database.newSchema() })),
    ),
    await withFolder(parked),
  ];
}

async function beside(name: string, store: Store): Promise<Figure> {
  const launcher = await launcherOn(store, [family, trivial], { concurrency: count + 1 });
  const loads = [() => allAtOnce(launcher, trivial, count), () => belowOne(launcher)];
  const rates = await ratesInTurns(loads, measured, turns);
  await launcher.stop();
  const [plain, below] = rates as [number, number];
  return { name, value: below, unit: "executions/s", ratio: below / plain, to: "launches of the same" };
}

function measured(load: () => Promise<number>): Promise<number> {
  collectGarbage();
  return load();
}

/** As children of one step. */
async function belowOne(launcher: Launcher): Promise<number> {
  const began = performance.now();
  const items = Array.from({ length: count }, () => order);
  const { status } = await (await launcher.launch(family, { items })).outcome();
  if (status !== "completed") throw new Error(`The parent is ${status}.`);
  return perSecond(count, began);
}

/** Few warm the process: what it holds more with many others is theirs. Memory that the system gives is taken in large pieces, so that it says less. */
async function parked(path: (name: string) => string): Promise<Figure> {
  const [few, more] = [10, 30];
  const asked = helper("parkFamilies", path("families.db"), few, more, count);
  const { before, beside: held } = await asked.answer<Record<"before" | "beside", { rss: number; heap: number }>>();
  await asked.exited;
  const each = (key: "rss" | "heap"): number => (held[key] - before[key]) / (more * count);
  return { name: "children.parked", value: each("heap"), unit: "B/execution", extra: { rss: each("rss") } };
}
