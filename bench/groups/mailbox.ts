/** What a send costs where many messages lie in the mailbox that no step wants yet, beside one into an empty mailbox. */
import type { Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { sqliteStore } from "stepwell/sqlite";
import { median, type Figure } from "../figures.js";
import { launcherOn, timed } from "../support/load.js";
import { withFolder, withPostgres } from "../support/places.js";
import { order, sorting } from "../support/work.js";

const many = 10_000;
const pairs = 300;
const atOnce = 500;

export async function mailbox(): Promise<Figure[]> {
  return [
    await withFolder((path) => measured("mailbox.sqlite", sqliteStore(path("mailbox.db")))),
    await withPostgres(({ url }) => measured("mailbox.postgres", postgresStore(url))),
  ];
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
  return { name, value, unit: "ms (median)", ratio: value / median(times.empty), to: "an empty mailbox" };
}
