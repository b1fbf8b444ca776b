/** A process with a launcher that drives what others launch: `tsx followed.ts <path or url> [schema]`. Ends when its input does. */
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { again, Launcher, workflow, type Store } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";

/** Goes round many times, and then waits for a word. */
export const rounds = workflow("rounds", { input: z.object({ n: z.number() }) })
  .step("count", {
    run: async ({ state }) => {
      await pause(5);
      return state.n > 0 ? again({ n: state.n - 1 }, { after: "1ms" }) : undefined;
    },
    rollback: () => undefined,
  })
  .step("end", { run: () => pause(20), rollback: () => undefined });

if (process.argv[1] === import.meta.filename) {
  const [, , place, schema] = process.argv;
  const store: Store = schema === undefined ? sqliteStore(place!) : postgresStore(place!, { schema });
  const launcher = new Launcher({ store, workflows: [rounds], pollInterval: "100ms" });
  await launcher.start();
  process.stdout.write("works\n");
  process.stdin.resume().on("end", () => void launcher.stop());
}
