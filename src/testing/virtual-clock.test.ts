import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sleep } from "../clock.js";
import { VirtualClock } from "./virtual-clock.js";

test("time stands still until it is moved", async () => {
  const clock = new VirtualClock({ start: 1000 });
  await clock.settle();
  expect([clock.now(), clock.monotonic()]).toEqual([1000, 0]);
  await clock.advance("2s");
  await clock.advance(5);
  expect([clock.now(), clock.monotonic()]).toEqual([3005, 2005]);
});

test("timers fire at their own time, by time and then by registration", async () => {
  const clock = new VirtualClock({ start: 0 });
  const fired: string[] = [];
  const note = (name: string) => (): void => void fired.push(`${name} at ${clock.now()}`);
  clock.after(20, note("b"));
  clock.after(10, note("a"));
  clock.after(20, note("c"));
  clock.after(31, note("late"));
  await clock.advance(30);
  expect(fired).toEqual(["a at 10", "b at 20", "c at 20"]);
  expect(clock.pending).toBe(1);
});

test("a timer that is set on the way fires on the way", async () => {
  const clock = new VirtualClock({ start: 0 });
  const times: number[] = [];
  const again = (): void => {
    times.push(clock.now());
    clock.after(10, again);
  };
  clock.after(10, again);
  await clock.advance(35);
  expect(times).toEqual([10, 20, 30]);
});

test("what a timer sets off settles before the next one fires", async () => {
  const clock = new VirtualClock({ start: 0 });
  const fired: string[] = [];
  clock.after(10, () => {
    void (async () => {
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      await new Promise<void>((resolve) => clock.soon(resolve));
      fired.push(`settled at ${clock.now()}`);
    })();
  });
  clock.after(11, () => void fired.push("next"));
  await clock.advance(20);
  expect(fired).toEqual(["settled at 10", "next"]);
});

test("a cancelled timer never fires, and cancelling again does nothing", async () => {
  const clock = new VirtualClock();
  const timer = clock.after(10, () => expect.unreachable());
  timer.cancel();
  timer.cancel();
  await clock.advance(10);
  expect(clock.pending).toBe(0);
});

test("two callers of sleep wake at their own times", async () => {
  const clock = new VirtualClock({ start: 0 });
  const woken: number[] = [];
  void sleep(clock, 50).then(() => woken.push(clock.now()));
  void sleep(clock, 20).then(() => woken.push(clock.now()));
  await clock.advance("1m");
  expect(woken).toEqual([20, 50]);
});

test("advancing to the next timer says whether there was one", async () => {
  const clock = new VirtualClock({ start: 0 });
  clock.after(3_600_000, () => undefined);
  expect(await clock.advanceToNext()).toBe(true);
  expect(clock.now()).toBe(3_600_000);
  expect(await clock.advanceToNext()).toBe(false);
});

test("time does not go back, and a length that is no duration is refused", async () => {
  const clock = new VirtualClock();
  await expect(clock.advance(-1)).rejects.toMatchObject({ code: "STEPWELL_INVALID_DURATION" });
  await expect(clock.advance("soon" as never)).rejects.toMatchObject({ code: "STEPWELL_INVALID_DURATION" });
});

describe("randomness", () => {
  test("the same seed gives the same numbers, another seed gives others", () => {
    const draw = (clock: VirtualClock): number[] => Array.from({ length: 20 }, () => clock.random());
    expect(draw(new VirtualClock())).toEqual(draw(new VirtualClock()));
    expect(draw(new VirtualClock({ seed: 2 }))).not.toEqual(draw(new VirtualClock()));
  });

  test("every number is from 0 to below 1, and they are spread", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const clock = new VirtualClock({ seed });
        const numbers = Array.from({ length: 400 }, () => clock.random());
        expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
        const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
        expect(mean).toBeGreaterThan(0.4);
        expect(mean).toBeLessThan(0.6);
      }),
    );
  });
});
