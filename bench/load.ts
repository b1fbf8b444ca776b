/** Drives one workflow under load and says how many executions a second it made. */
import { Launcher, type AnyWorkflow, type Store } from "stepwell";
import { order } from "./work.js";

export type Measured = AnyWorkflow & {
  readonly types?: { readonly input: typeof order; readonly state: unknown; readonly halfDone: unknown };
};

export async function launcherOn(
  store: Store,
  workflows: readonly AnyWorkflow[],
  concurrency = 30_000,
): Promise<Launcher> {
  const launcher = new Launcher({ store, workflows, concurrency });
  await launcher.start();
  return launcher;
}

/** One at a time, each to its end. */
export async function oneAfterTheOther(launcher: Launcher, workflow: Measured, count: number): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < count; i++) await (await launcher.launch(workflow, order)).outcome();
  return perSecond(count, began);
}

/** All launched at once, then all awaited. */
export async function allAtOnce(launcher: Launcher, workflow: Measured, count: number): Promise<number> {
  const began = performance.now();
  const items = Array.from({ length: count }, () => ({ input: order }));
  const executions = await launcher.launchMany(workflow, items);
  await Promise.all(executions.map((execution) => execution.outcome()));
  return perSecond(count, began);
}

/** Never more than `inFlight` at a time. */
export async function inFlight(
  launcher: Launcher,
  workflow: Measured,
  count: number,
  inFlight: number,
): Promise<number> {
  const began = performance.now();
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) await (await launcher.launch(workflow, order)).outcome();
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return perSecond(count, began);
}

function perSecond(count: number, began: number): number {
  return count / ((performance.now() - began) / 1000);
}
