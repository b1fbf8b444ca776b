/** Drives one workflow under load and says how many executions a second it made. */
import { Launcher, type AnyWorkflow, type Store } from "stepwell";
import { order } from "./work.js";

/** A workflow that takes the common order as its input. */
export type Measured = AnyWorkflow & {
  readonly types?: { readonly input: typeof order; readonly state: unknown; readonly halfDone: unknown };
};

/** How many executions are in flight where a group measures throughput. */
export const busy = 256;

/** With the engine's defaults, unless a group is about more at once. */
export async function launcherOn(
  store: Store,
  workflows: readonly AnyWorkflow[],
  options: { readonly concurrency?: number } = {},
): Promise<Launcher> {
  const launcher = new Launcher({ store, workflows, ...options });
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

/** Never more than `atOnce` at a time. */
export async function inFlight(
  launcher: Launcher,
  workflow: Measured,
  count: number,
  { atOnce = busy, input = order }: { readonly atOnce?: number; readonly input?: typeof order } = {},
): Promise<number> {
  return lanes(count, atOnce, async () => {
    await (await launcher.launch(workflow, input)).outcome();
  });
}

/** Launches that are stored and not driven: they are due in a day. */
export async function launches(
  launcher: Launcher,
  workflow: Measured,
  count: number,
  { atOnce = busy, input = order }: { readonly atOnce?: number; readonly input?: typeof order } = {},
): Promise<number> {
  return lanes(count, atOnce, async () => {
    await launcher.launch(workflow, input, { delay: "1d" });
  });
}

/** How often a second, with so many at once. */
async function lanes(count: number, atOnce: number, act: () => Promise<void>): Promise<number> {
  const began = performance.now();
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await act();
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return perSecond(count, began);
}

export function perSecond(count: number, began: number): number {
  return count / ((performance.now() - began) / 1000);
}

export async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/**
 * What was thrown away before a measurement is not collected in the midst of it. Twice: where a collection is under way, the first one
 * ends that, and spares what has died since it began.
 */
export function collectGarbage(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}
