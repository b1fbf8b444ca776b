import { memoryStore } from "stepwell";
import { allAtOnce, launcherOn, oneAfterTheOther } from "./load.js";
import type { Figure } from "./report.js";
import { down, up } from "./work.js";

const many = 20_000;

/** The best of a few rounds, each on a fresh store: the first ones also warm the compiler. */
export async function memory(): Promise<Figure[]> {
  const best = { up: 0, upAtOnce: 0, down: 0, downAtOnce: 0 };
  for (let round = 0; round < 4; round++) {
    best.up = Math.max(best.up, await measured((launcher) => oneAfterTheOther(launcher, up, many)));
    best.upAtOnce = Math.max(best.upAtOnce, await measured((launcher) => allAtOnce(launcher, up, many)));
    best.down = Math.max(best.down, await measured((launcher) => oneAfterTheOther(launcher, down, many)));
    best.downAtOnce = Math.max(best.downAtOnce, await measured((launcher) => allAtOnce(launcher, down, many)));
  }
  const unit = "executions/s";
  return [
    { name: "memory.up", value: best.up, unit },
    { name: "memory.up.at-once", value: best.upAtOnce, unit },
    { name: "memory.down", value: best.down, unit },
    { name: "memory.down.at-once", value: best.downAtOnce, unit },
  ];
}

async function measured(load: (launcher: Awaited<ReturnType<typeof launcherOn>>) => Promise<number>): Promise<number> {
  const launcher = await launcherOn(memoryStore(), [up, down]);
  const rate = await load(launcher);
  await launcher.stop();
  return rate;
}
