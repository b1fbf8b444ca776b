/** Throughput on the memory store: what the engine itself takes. */
import { memoryStore, type Launcher } from "stepwell";
import type { Figure } from "../figures.js";
import { allAtOnce, collectGarbage, launcherOn, oneAfterTheOther } from "../support/load.js";
import { down, up } from "../support/work.js";

const many = 20_000;

/** Each load on a fresh store; the first, shorter ones warm the compiler. */
export async function memory(): Promise<Figure[]> {
  const loads: readonly (readonly [name: string, load: (launcher: Launcher, count: number) => Promise<number>])[] = [
    ["memory.up", (launcher, count) => oneAfterTheOther(launcher, up, count)],
    ["memory.up.at-once", (launcher, count) => allAtOnce(launcher, up, count)],
    ["memory.down", (launcher, count) => oneAfterTheOther(launcher, down, count)],
    ["memory.down.at-once", (launcher, count) => allAtOnce(launcher, down, count)],
  ];
  for (const [name, load] of loads) await measured(name, load, many / 2);
  const figures: Figure[] = [];
  for (const [name, load] of loads) figures.push(await measured(name, load, many));
  return figures;
}

async function measured(
  name: string,
  load: (launcher: Launcher, count: number) => Promise<number>,
  count: number,
): Promise<Figure> {
  const atOnce = name.endsWith(".at-once");
  collectGarbage();
  const launcher = await launcherOn(memoryStore(), [up, down], atOnce ? { concurrency: many } : {});
  const value = await load(launcher, count);
  await launcher.stop();
  return { name, value, unit: "executions/s", ...(atOnce && { note: `concurrency ${many}` }) };
}
