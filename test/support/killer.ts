/** Drives executions of which one kills the process that drives it, on the SQLite file that it is told. */
import { z } from "zod";
import { Launcher, workflow } from "../../src/index.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";

export const killer = workflow("killer", { input: z.object({ kills: z.boolean() }) }).step("work", {
  run: ({ state }) => {
    if (state.kills) process.kill(process.pid, "SIGKILL");
  },
});

/** Quick to see that a process is gone, slow to take one for dead that is only late. */
export const launcherOn = (path: string): Launcher =>
  new Launcher({
    store: sqliteStore(path),
    workflows: [killer],
    pollInterval: "50ms",
    heartbeat: { interval: "50ms", timeout: "30s" },
    onError: () => undefined,
  });

const [path] = process.argv.slice(2);
if (path !== undefined && import.meta.url.endsWith(process.argv[1]!)) await launcherOn(path).start();
