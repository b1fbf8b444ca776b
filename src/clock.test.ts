import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { sleep } from "./clock.js";
import { VirtualClock } from "./testing/virtual-clock.js";

test("a sleep ends with its time, or when its signal is aborted, and leaves neither a timer nor a listener", async () => {
  const clock = new VirtualClock();
  const controller = new AbortController();
  const { signal } = controller;
  const left = (): number[] => [clock.pending, getEventListeners(signal, "abort").length];
  const told: string[] = [];
  void sleep(clock, 1_000, signal).then(() => told.push("slept"));
  await clock.advance(999);
  expect(told).toEqual([]);
  expect(left()).toEqual([1, 1]);
  await clock.advance(1);
  expect(told).toEqual(["slept"]);
  expect(left()).toEqual([0, 0]);
  void sleep(clock, 1_000, signal).then(() => told.push("woken"));
  controller.abort();
  await clock.settle();
  expect(told).toEqual(["slept", "woken"]);
  expect(left()).toEqual([0, 0]);
});

test("a sleep with a signal that is aborted already ends at once", async () => {
  const clock = new VirtualClock();
  await sleep(clock, 1_000, AbortSignal.abort());
  expect(clock.pending).toBe(0);
});
