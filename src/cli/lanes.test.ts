import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { inLanes } from "./lanes.js";

const never = new AbortController().signal;

it("works on all items, never on more at a time than there are lanes", async () => {
  const done: number[] = [];
  let now = 0;
  let most = 0;
  const work = async (item: number): Promise<void> => {
    most = Math.max(most, ++now);
    await turn();
    now--;
    done.push(item);
  };
  const items = Array.from({ length: 20 }, (_, item) => item);
  await inLanes(3, items, work, never);
  expect(done.toSorted((a, b) => a - b)).toEqual(items);
  expect(most).toBe(3);
});

it("rejects with the first error, and takes no more items", async () => {
  const taken: number[] = [];
  const work = async (item: number): Promise<void> => {
    taken.push(item);
    await turn();
    if (item === 2) throw new Error("no");
  };
  await expect(inLanes(2, [1, 2, 3, 4, 5, 6, 7, 8], work, never)).rejects.toThrow("no");
  await turn();
  await turn();
  expect(taken.length).toBeLessThan(5);
});

it("ends quietly once it is aborted, whatever then fails", async () => {
  const controller = new AbortController();
  const taken: number[] = [];
  const work = async (item: number): Promise<void> => {
    taken.push(item);
    controller.abort();
    throw new Error("the store is closed");
  };
  await inLanes(1, [1, 2, 3], work, controller.signal);
  expect(taken).toEqual([1]);
});
