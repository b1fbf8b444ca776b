import { expect, test } from "vitest";
import { QuickClock } from "./quick-clock.js";

test("all that needs no time settles: promises, turns, and what they set off", async () => {
  const clock = new QuickClock();
  const order: string[] = [];
  const later = async (name: string, promises: number): Promise<void> => {
    for (let left = promises; left > 0; left--) await Promise.resolve();
    order.push(name);
  };
  clock.soon(() => {
    order.push("turn 1");
    void later("after turn 1", 30);
    clock.soon(() => void later("after turn 3", 40));
  });
  clock.soon(() => order.push("turn 2"));
  void later("before any turn", 50);
  await clock.settle();
  expect(order).toEqual(["before any turn", "turn 1", "after turn 1", "turn 2", "after turn 3"]);
});

test("what a timer sets off settles before the next one fires", async () => {
  const clock = new QuickClock();
  const order: string[] = [];
  clock.after(1, () => clock.soon(() => void Promise.resolve().then(() => order.push("set off"))));
  clock.after(1, () => order.push("next"));
  await clock.advance(1);
  expect(order).toEqual(["set off", "next"]);
});

test("a turn that throws is no obstacle for the others", async () => {
  const clock = new QuickClock();
  const heard: unknown[] = [];
  const hear = (error: unknown): unknown => heard.push(error);
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", hear);
  try {
    clock.soon(() => {
      throw new Error("not this one");
    });
    clock.soon(() => heard.push("the next one"));
    await clock.settle();
    await new Promise((resolve) => void setImmediate(resolve));
  } finally {
    process.removeAllListeners("unhandledRejection");
    for (const listener of listeners) process.on("unhandledRejection", listener);
  }
  expect(heard.map(String)).toEqual(["the next one", "Error: not this one"]);
});
