/** A step of many trivial children, beside launches of the same; and what a parent that waits for children that wait costs. */
import type { Figure } from "../figures.js";
import type { FamilyRates } from "../support/family-load.js";
import { helper } from "../support/helper.js";
import { withFolder, withPostgres } from "../support/places.js";

const count = 1_000;

export async function children(): Promise<Figure[]> {
  return [
    await beside("memory"),
    await withFolder((path) => beside("sqlite", path("children.db"))),
    await withPostgres((database) => beside("postgres", database.url, database.newSchema())),
    await withFolder(parked),
  ];
}

/** In a process of its own, as who has one store has it: what is compiled for several is slower for each. */
async function beside(store: string, place = "", schema = ""): Promise<Figure> {
  const asked = helper("families", place, count, schema);
  const { plain, below } = await asked.answer<FamilyRates>();
  await asked.exited;
  return {
    name: `children.${store}`,
    value: below,
    unit: "executions/s",
    ratio: below / plain,
    to: "launches of the same",
  };
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
