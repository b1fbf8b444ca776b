/** Throughput on the memory store: what the engine itself takes. */
import { memoryStore, type Launcher } from "stepwell";
import { median, type Figure } from "../figures.js";
import { allAtOnce, collectGarbage, launcherOn, oneAfterTheOther } from "../support/load.js";
import { down, up } from "../support/work.js";

const many = 20_000;
/** Of each load; those that go before warm the compiler, which goes on for tens of thousands of executions. */
const turns = { warming: 2, measured: 3 };

type Load = readonly [name: string, load: (launcher: Launcher, count: number) => Promise<number>, concurrency?: number];

const loads: readonly Load[] = [
  ["memory.up", (launcher, count) => oneAfterTheOther(launcher, up, count)],
  ["memory.up.at-once", (launcher, count) => allAtOnce(launcher, up, count), many],
  ["memory.down", (launcher, count) => oneAfterTheOther(launcher, down, count)],
  ["memory.down.at-once", (launcher, count) => allAtOnce(launcher, down, count), many],
];

/** In turns, so that no load has the compiler for itself. */
export async function memory(): Promise<Figure[]> {
  const rates = loads.map((): number[] => []);
  for (let turn = 0; turn < turns.warming + turns.measured; turn++)
    for (const [index, load] of loads.entries()) rates[index]!.push(await rateOf(load));
  return loads.map(([name, , concurrency], index) => ({
    name,
    value: median(rates[index]!.slice(turns.warming)),
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
