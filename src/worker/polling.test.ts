import { expect, test } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.js";
import { Polling } from "./polling.js";

/** Each look takes as long as `takes` says. */
function polling(clock: VirtualClock, takes = 0): { readonly it: Polling; readonly looks: number[] } {
  const looks: number[] = [];
  const it = new Polling(clock, 1000, {
    look: () => {
      looks.push(clock.monotonic());
      return takes === 0
        ? Promise.resolve(false)
        : new Promise((resolve) => void clock.after(takes, () => resolve(false)));
    },
    looked: () => undefined,
  });
  it.begin();
  return { it, looks };
}

test("looks at intervals, and at the soonest time that was named", async () => {
  const clock = new VirtualClock();
  const begin = clock.monotonic();
  const { it, looks } = polling(clock);
  await it.look();
  it.within(400);
  it.within(300);
  it.within(600);
  await clock.advance(1400);
  expect(looks.map((at) => at - begin)).toEqual([0, 300, 1300]);
});

test("looks once more where somebody asked while it looked, however often", async () => {
  const clock = new VirtualClock();
  const begin = clock.monotonic();
  const { it, looks } = polling(clock, 100);
  void it.look();
  await clock.advance(50);
  it.soon();
  it.soon();
  void it.look();
  expect(it.isLooking).toBe(true);
  await clock.advance(300);
  expect(looks.map((at) => at - begin)).toEqual([0, 100]);
  expect(it.isLooking).toBe(false);
});

test("does not look after its end, not even for what was asked before", async () => {
  const clock = new VirtualClock();
  const { it, looks } = polling(clock, 100);
  void it.look();
  it.soon();
  void it.look();
  it.end();
  it.within(10);
  await clock.advance(5000);
  expect(looks).toHaveLength(1);
});
