/** Run by `parked.ts`: `park <file> <count>` or `boot <file>`. */
import { sqliteStore } from "stepwell/sqlite";
import { launcherOn } from "./load.js";
import { order, parked } from "./work.js";

const [task, file = "", words = "0"] = process.argv.slice(2);
const count = Number(words);
const chunk = 1000;

if (task === "park") process.send!({ bytes: await park() });
else process.send!({ milliseconds: await boot() });

/** Heap and native memory for each execution, between the first ten thousand and the last. */
async function park(): Promise<number> {
  const launcher = await launcherOn(sqliteStore(file), [parked], chunk);
  let first = 0;
  const warm = count / 10;
  for (let done = 0; done < count; done += chunk) {
    const handles = await launcher.launchMany(
      parked,
      Array.from({ length: chunk }, () => ({ input: order })),
    );
    while ((await handles.at(-1)!.summary()).status !== "waiting")
      await new Promise((resolve) => setTimeout(resolve, 1));
    if (done + chunk === warm) first = memory();
  }
  const bytes = (memory() - first) / (count - warm);
  await launcher.stop();
  return bytes;
}

function memory(): number {
  globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function boot(): Promise<number> {
  const began = performance.now();
  const launcher = await launcherOn(sqliteStore(file), [parked]);
  const milliseconds = performance.now() - began;
  await launcher.stop();
  return milliseconds;
}
