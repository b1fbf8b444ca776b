/** What a send costs where many messages lie in the mailbox that no step wants yet, beside one into an empty mailbox. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { sqliteStore } from "stepwell/sqlite";
import { startPostgres } from "../test/support/postgres-server.js";
import { launcherOn } from "./load.js";
import type { Figure } from "./report.js";
import { order, sorting } from "./work.js";

const many = 10_000;
const pairs = 300;
const atOnce = 500;

export async function mailbox(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-bench-"));
  const server = await startPostgres({ fsync: true });
  try {
    return [
      await measured("mailbox.sqlite", sqliteStore(join(folder, "mailbox.db"))),
      await measured("mailbox.postgres", postgresStore(server.url)),
    ];
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In turns, so that both have the same machine. With the wakes: each send but the first waits for the one before. */
async function measured(name: string, store: Store): Promise<Figure> {
  const launcher = await launcherOn(store, [sorting]);
  await launcher.launch(sorting, order, { id: "full" });
  for (let sent = 0; sent < many; sent += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, () => launcher.send("full", "later", null)));
  }
  const empty = Array.from({ length: pairs }, (_, index) => `empty-${index}`);
  await launcher.launchMany(
    sorting,
    empty.map((id) => ({ input: order, id })),
  );
  const times = { full: [] as number[], empty: [] as number[] };
  for (const [index, id] of empty.entries()) {
    times.full.push(await timed(() => launcher.send("full", "later", null, { messageId: `m-${index}` })));
    times.empty.push(await timed(() => launcher.send(id, "later", null, { messageId: `m-${index}` })));
  }
  await launcher.stop();
  const value = median(times.full);
  return { name, value, unit: "ms (median)", ratio: value / median(times.empty) };
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

function median(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
}
