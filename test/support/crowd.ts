/** A parent of many children on PostgreSQL, whose effects stand in a table beside; as a program, a launcher that may be killed. */
import pg from "pg";
import { z } from "zod";
import { Launcher, workflow } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";

/** @param enter writes an effect, once for each key */
export function crowdOf(enter: (key: string, what: string, item: number) => Promise<unknown>) {
  const item = workflow("item", { input: z.object({ n: z.number() }) }).step("work", {
    run: ({ state, idempotencyKey }) => enter(idempotencyKey, "done", state.n).then(() => undefined),
    rollback: ({ state, idempotencyKey }) => enter(idempotencyKey, "undone", state.n).then(() => undefined),
  });
  return workflow("crowd", { input: z.object({ count: z.number() }) })
    .step("first", { run: () => undefined })
    .forEach("items", item, {
      items: ({ state }) => Array.from({ length: state.count }, (_, n) => ({ n })),
      concurrency: 100,
    });
}

export const effectsTable =
  "CREATE TABLE effects (key text PRIMARY KEY, what text NOT NULL, item integer NOT NULL, times integer NOT NULL DEFAULT 1)";

const enterQuery =
  "INSERT INTO effects (key, what, item) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET times = effects.times + 1";

export function launcherOn(url: string, schema: string): Launcher {
  const pool = new pg.Pool({ connectionString: url, max: 4, options: `-c search_path=${schema}` });
  const crowd = crowdOf(async (key, what, item) => pool.query(enterQuery, [key, what, item]));
  return new Launcher({
    store: postgresStore(url, { schema }),
    workflows: [crowd],
    pollInterval: "100ms",
    heartbeat: { interval: "100ms", timeout: "3s" },
    onError: () => undefined,
  });
}

const [url, schema] = process.argv.slice(2);
if (url !== undefined && schema !== undefined && import.meta.url.endsWith(process.argv[1]!)) {
  await launcherOn(url, schema).start();
  process.send?.("started");
}
