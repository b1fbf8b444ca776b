/** Run by `postgres.ts`: `drive <url> <schema> <count>` drives executions; `wait <url> <schema> <notifications>` answers messages; `boot <url> <schema>` starts. */
import { Launcher } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { inFlight, launcherOn } from "./load.js";
import { echo, parked, up } from "./work.js";

const [task, url = "", schema = "", word = ""] = process.argv.slice(2);

async function drive(): Promise<void> {
  const launcher = await launcherOn(postgresStore(url, { schema }), [up]);
  await inFlight(launcher, up, 500, 256);
  process.send!({ ready: true });
  await new Promise((resolve) => process.once("message", resolve));
  await inFlight(launcher, up, Number(word), 256);
  process.send!({ done: true });
  await launcher.stop();
}

async function wait(): Promise<void> {
  const store = postgresStore(url, { schema, notifications: word === "true" });
  const launcher = new Launcher({ store, workflows: [echo] });
  await launcher.start();
  process.send!({ ready: true });
  await new Promise((resolve) => process.once("message", resolve));
  await launcher.stop();
}

async function boot(): Promise<void> {
  const began = performance.now();
  const launcher = await launcherOn(postgresStore(url, { schema }), [parked, up]);
  process.send!({ milliseconds: performance.now() - began });
  await launcher.stop();
}

const tasks: Record<string, () => Promise<void>> = { drive, wait, boot };
await tasks[task!]!();
process.disconnect();
