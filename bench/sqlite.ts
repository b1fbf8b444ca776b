import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "stepwell";
import { sqliteStore } from "stepwell/sqlite";
import type { Batch, Written } from "./rows.js";
import { bareRate } from "./bare-loop.js";
import { inFlight, launcherOn, type Measured } from "./load.js";
import type { Figure } from "./report.js";
import { down, order, up } from "./work.js";

const count = 10_000;
const busy = 256;
const latencies = 500;

/** WAL and `synchronous=FULL`, as by default. */
export async function sqlite(): Promise<Figure[]> {
  return [...(await throughput("sqlite.up", up)), ...(await throughput("sqlite.down", down)), ...(await latency())];
}

/** The engine, and a bare loop that writes the same rows, in turns; the best round of each. */
async function throughput(name: string, workflow: Measured): Promise<Figure[]> {
  const best = { executions: 0, engineRows: 0, bareRows: 0 };
  for (let round = 0; round < 3; round++) {
    await inFolder(async (path) => {
      const recording = recorder(sqliteStore(path("engine.db")));
      const launcher = await launcherOn(recording.store, [workflow]);
      const rate = await inFlight(launcher, workflow, count, busy);
      await launcher.stop();
      best.executions = Math.max(best.executions, rate);
      best.engineRows = Math.max(best.engineRows, (rate * recording.rows.length) / count);
      best.bareRows = Math.max(best.bareRows, await bareRate(path("bare.db"), recording.rows));
    });
  }
  return [{ name, value: best.executions, unit: "executions/s", ratio: best.engineRows / best.bareRows }];
}

async function latency(): Promise<Figure[]> {
  const times: number[] = [];
  await inFolder(async (path) => {
    const launcher = await launcherOn(sqliteStore(path("latency.db")), [up]);
    for (let i = 0; i < latencies; i++) {
      const began = performance.now();
      await (await launcher.launch(up, order)).outcome();
      times.push(performance.now() - began);
    }
    await launcher.stop();
  });
  times.sort((a, b) => a - b);
  return [
    { name: "sqlite.latency", value: times[Math.floor(latencies / 2)]!, unit: "ms (median)" },
    { name: "sqlite.latency.p99", value: times[Math.floor(latencies * 0.99)]!, unit: "ms (p99)" },
  ];
}

/** The store, and what was written to it in the order in which it was. */
function recorder(store: Store): { readonly store: Store; readonly rows: Written[] } {
  const rows: Written[] = [];
  const write = store.write.bind(store);
  store.write = (batch: Batch) => {
    rows.push(...batch.creates, ...batch.transitions);
    return write(batch);
  };
  return { store, rows };
}

async function inFolder(work: (path: (name: string) => string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-bench-"));
  try {
    await work((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
