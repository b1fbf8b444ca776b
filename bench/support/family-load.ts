/** Many executions as children of one step, and the same launched by themselves. */
import type { Launcher, Store } from "stepwell";
import { family, trivial } from "./family.js";
import { allAtOnce, collectGarbage, launcherOn, perSecond } from "./load.js";
import { ratesInTurns } from "./turns.js";
import { order } from "./work.js";

/** Executions a second. */
export interface FamilyRates {
  readonly plain: number;
  readonly below: number;
}

/** As in other groups, tens of thousands of executions warm the compiler. */
const turns = { warming: 20, measured: 9 };

export async function familyRates(store: Store, count: number): Promise<FamilyRates> {
  const launcher = await launcherOn(store, [family, trivial], { concurrency: count + 1 });
  const loads = [() => allAtOnce(launcher, trivial, count), () => belowOne(launcher, count)];
  const [plain, below] = await ratesInTurns(loads, measured, turns);
  await launcher.stop();
  return { plain: plain!, below: below! };
}

function measured(load: () => Promise<number>): Promise<number> {
  collectGarbage();
  return load();
}

async function belowOne(launcher: Launcher, count: number): Promise<number> {
  const began = performance.now();
  const items = Array.from({ length: count }, () => order);
  const { status } = await (await launcher.launch(family, { items })).outcome();
  if (status !== "completed") throw new Error(`The parent is ${status}.`);
  return perSecond(count, began);
}
