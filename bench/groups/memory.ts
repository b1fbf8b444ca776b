/** Throughput on the memory store: what the engine itself takes. */
import { memoryStore, type Launcher } from "stepwell";
import type { Figure } from "../figures.js";
import { allAtOnce, collectGarbage, launcherOn, oneAfterTheOther } from "../support/load.js";
import { ratesInTurns } from "../support/turns.js";
import { down, up } from "../support/work.js";

const many = 20_000;

type Load = readonly [name: string, load: (launcher: Launcher, count: number) => Promise<number>, concurrency?: number];

const loads: readonly Load[] = [
  ["memory.up", (launcher, count) => oneAfterTheOther(launcher, up, count)],
  ["memory.up.at-once", (launcher, count) => allAtOnce(launcher, up, count), many],
  ["memory.down", (launcher, count) => oneAfterTheOther(launcher, down, count)],
  ["memory.down.at-once", (launcher, count) => allAtOnce(launcher, down, count), many],
];

export async function memory(): Promise<Figure[]> {
  const rates = await ratesInTurns(loads, rateOf);
  return loads.map(([name, , concurrency], index) => ({
    name,
    value: rates[index]!,
    unit: "executions/s",
    ...(concurrency !== undefined && { note: `concurrency ${concurrency}` }),
  }));
}

/** On a fresh store. */
async function rateOf([, load, concurrency]: Load): Promise<number> {
  collectGarbage();
  const options = concurrency === undefined ? {} : { concurrency };
  const launcher = await launcherOn(memoryStore(), [up, down], options);
  const rate = await load(launcher, many);
  await launcher.stop();
  return rate;
}
