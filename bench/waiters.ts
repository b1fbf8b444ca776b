/** How many records are read for each of many outcomes that are waited for at once. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "stepwell";
import { sqliteStore } from "stepwell/sqlite";
import { allAtOnce, launcherOn } from "./load.js";
import type { Figure } from "./report.js";
import { up } from "./work.js";

const many = 4_000;
const concurrency = 50;

export async function waiters(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-bench-"));
  try {
    const store = sqliteStore(join(folder, "waiters.db"));
    const reads = counted(store);
    const launcher = await launcherOn(store, [up], concurrency);
    await allAtOnce(launcher, up, many);
    await launcher.stop();
    return [{ name: "waiters", value: reads.records / many, unit: "records/outcome" }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
