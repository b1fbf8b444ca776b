import { expect, test } from "vitest";
import { VirtualClock } from "../virtual-clock.js";
import { ProcessClock } from "./process-clock.js";

function ringing(skew?: number) {
  const world = new VirtualClock();
  const clock = new ProcessClock(world, skew);
  const rang: number[] = [];
  const ring = (after: number) => clock.after(after, () => rang.push(world.monotonic()));
  return { world, clock, rang, ring };
}

test("a clock that is wrong measures durations rightly", async () => {
  const { world, clock, rang, ring } = ringing(60_000);
  ring(100);
  await world.advance(100);
  expect(clock.now() - world.now()).toBe(60_000);
  expect(clock.monotonic()).toBe(100);
  expect(rang).toEqual([100]);
});

test("what falls due while a process stands happens when it goes on", async () => {
  const { world, clock, rang, ring } = ringing();
  ring(100);
  ring(900);
  clock.stand();
  await world.advance(500);
  expect(rang).toEqual([]);
  clock.goOn();
  await world.advance(500);
  expect(rang).toEqual([500, 900]);
});

test("nothing happens any more in a process that is gone, and it does not come back", async () => {
  const { world, clock, rang, ring } = ringing();
  ring(100);
  clock.stand();
  await world.advance(500);
  clock.die();
  clock.goOn();
  ring(100);
  clock.soon(() => rang.push(0));
  await world.advance(500);
  expect(rang).toEqual([]);
});

test("it knows how many timers wait", async () => {
  const { world, clock, ring } = ringing();
  const first = ring(100);
  ring(200);
  expect(clock.pending).toBe(2);
  first.cancel();
  first.cancel();
  expect(clock.pending).toBe(1);
  await world.advance(200);
  expect(clock.pending).toBe(0);
});
