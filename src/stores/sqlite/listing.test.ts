/** A list and a count run on the thread of the caller, on which everything else of the process runs as well. */
import { expect, onTestFinished, test } from "vitest";
import { Bench } from "../../testing/store-contract/bench.js";
import { VirtualClock } from "../../testing/virtual-clock.js";
import { findDriver } from "./driver.js";
import { sqliteStoreOn } from "./sqlite-store.js";

/** A clock by which nothing takes time, or each part of a work far too much. */
class PartsClock extends VirtualClock {
  isSlow = false;
  #time = 0;

  override monotonic(): number {
    if (this.isSlow) this.#time += 1_000;
    return this.#time;
  }
}

/** Executions of 60 workflows, all with a tag. */
async function scene() {
  const clock = new PartsClock();
  const store = sqliteStoreOn(":memory:", clock, "full", findDriver);
  store.open();
  onTestFinished(() => store.close());
  const bench = new Bench(store, clock, await store.register({ host: "here", pid: 1 }));
  const creates = Array.from({ length: 6_500 }, (_, n) =>
    bench.newExecution(`e-${n}`, { workflow: `workflow-${n % 60}`, tags: ["red"] }),
  );
  await bench.write({ creates });
  return { clock, store };
}

/** How many turns of the event loop others have until it is done. */
async function turnsDuring(work: () => unknown): Promise<number> {
  let [turns, isOver] = [0, false];
  const turn = (): void => {
    if (isOver) return;
    turns += 1;
    setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isOver = true;
  return turns;
}

test("a long list and a long count let others have their turn between their parts, and not where they are fast", async () => {
  const { clock, store } = await scene();
  const works: readonly (readonly [parts: number, work: () => unknown])[] = [
    // A hundred rows at a time.
    [10, () => store.list({ limit: 1_000 })],
    [10, () => store.list({ limit: 1_000, isFree: true })],
    [60, () => store.list({ limit: 10, status: ["waiting", "stuck"] })],
    // Two thousand at a time, where it has to look at each of them.
    [4, () => store.list({ limit: 10, tags: ["red"], status: ["stuck"] })],
    [4, () => store.count({ tags: ["red"], status: ["stuck"] }, 10_000)],
    [4, () => store.count({ tags: ["red"], isFree: true }, 10_000)],
    // One workflow at a time.
    [60, () => store.count({ isFree: true }, 10_000)],
    [60, () => store.count({ status: ["waiting"] }, 10_000)],
  ];
  for (const [parts, work] of works) {
    clock.isSlow = true;
    expect(await turnsDuring(work), String(work)).toBeGreaterThanOrEqual(parts);
    clock.isSlow = false;
    expect(await turnsDuring(work), String(work)).toBe(0);
  }
});

test("a count that is made in parts counts each row once", async () => {
  const { store } = await scene();
  expect(await store.count({ tags: ["red"], isFree: true }, 10_000)).toBe(6_500);
  expect(await store.count({ tags: ["red"], workflow: "workflow-59" }, 10_000)).toBe(108);
  expect(await store.count({ tags: ["red"], isFree: true }, 6_499)).toBe(6_500);
  expect(await store.count({ isFree: true }, 10_000)).toBe(6_500);
});
