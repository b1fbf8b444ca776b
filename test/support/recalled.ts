/** Orders on PostgreSQL whose effects stand in a table beside; as a program, a launcher that may be killed. */
import pg from "pg";
import { z } from "zod";
import { Launcher, workflow } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";

/** @param undo writes an effect, once for each key */
export function recalledOf(undo: (key: string, item: number) => Promise<unknown>) {
  return workflow("order", { input: z.object({ n: z.number() }) }).step("charge", {
    run: () => ({ charged: true }),
    rollback: ({ state, idempotencyKey }) => undo(idempotencyKey, state.n).then(() => undefined),
  });
}

export const undoneTable = "CREATE TABLE undone (key text PRIMARY KEY, item integer NOT NULL)";

const enterQuery = "INSERT INTO undone (key, item) VALUES ($1, $2) ON CONFLICT DO NOTHING";

export function launcherOn(url: string, schema: string): Launcher {
  const pool = new pg.Pool({ connectionString: url, max: 4, options: `-c search_path=${schema}` });
  return new Launcher({
    store: postgresStore(url, { schema }),
    workflows: [recalledOf(async (key, item) => pool.query(enterQuery, [key, item]))],
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
