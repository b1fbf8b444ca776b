/** How many records are read for each of many outcomes that are waited for at once. */
import type { Store } from "stepwell";
import { sqliteStore } from "stepwell/sqlite";
import type { Figure } from "../figures.js";
import { allAtOnce, launcherOn } from "../support/load.js";
import { withFolder } from "../support/places.js";
import { up } from "../support/work.js";

const many = 4_000;
/** Far fewer than wait: most outcomes are those of executions that this launcher does not drive yet. */
const concurrency = 50;

export async function waiters(): Promise<Figure[]> {
  return withFolder(async (path) => {
    const store = sqliteStore(path("waiters.db"));
    const reads = counted(store);
    const launcher = await launcherOn(store, [up], { concurrency });
    await allAtOnce(launcher, up, many);
    await launcher.stop();
    const note = `concurrency ${concurrency}`;
    return [{ name: "waiters", value: reads.records / many, unit: "records/outcome", note }];
  });
}

/** Whole records, and those that only say where an execution stands. */
function counted(store: Store): { records: number } {
  const reads = { records: 0 };
  const load = store.load.bind(store);
  store.load = (ids, only) => {
    reads.records += ids.length;
    return load(ids, only);
  };
  return reads;
}
