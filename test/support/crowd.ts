/** A parent of many children on PostgreSQL, whose effects stand in a table beside; as a program, a launcher that may be killed. */
import pg from "pg";
import { z } from "zod";
import { fail, Launcher, workflow } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";

/** So many items are under way at a time. */
export const atOnce = 100;

/** The last item of a crowd that `fails` does so for good. @param enter writes an effect, once for each key */
export function crowdOf(enter: (key: string, what: string, item: number) => Promise<unknown>) {
  const item = workflow("item", { input: z.object({ n: z.number(), isBad: z.boolean() }) }).step("work", {
    run: async ({ state, idempotencyKey }) => {
      await enter(idempotencyKey, "done", state.n);
      return state.isBad ? fail("bad-item") : undefined;
    },
    rollback: ({ state, idempotencyKey }) => enter(idempotencyKey, "undone", state.n).then(() => undefined),
  });
  return workflow("crowd", { input: z.object({ count: z.number(), fails: z.boolean().default(false) }) })
    .step("first", { run: () => undefined })
    .forEach("items", item, {
      items: ({ state: { count, fails } }) =>
        Array.from({ length: count }, (_, n) => ({ n, isBad: fails && n === count - 1 })),
      concurrency: atOnce,
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
