/** A launcher's room is shared: no workflow keeps another one waiting, however many of it are due. */
import { expect, test } from "vitest";
import { z } from "zod";
import { workflow, type WorkflowOptions } from "../../src/index.js";
import { onEveryStore } from "../support/rig.js";

const input = z.object({});

/** What happens in each execution; set when the clock is known. */
interface Work {
  sleep: () => Promise<void>;
  readonly started: string[];
}

const newWork = (): Work => ({ sleep: () => Promise.resolve(), started: [] });

const slow = (name: string, work: Work, options: Pick<WorkflowOptions<typeof input>, "concurrency"> = {}) =>
  workflow(name, { input, ...options }).step("work", {
    run: async () => {
      work.started.push(name);
      await work.sleep();
    },
  });

const many = (count: number) => Array.from({ length: count }, () => ({ input: {} }));

onEveryStore("fairness", (start) => {
  test.each([
    [1, 8],
    [2, 4],
  ])("with room for %i, a short queue is not kept waiting by a long one", async (concurrency, seconds) => {
    const work = newWork();
    const [long, short] = [slow("long", work), slow("short", work)];
    const { clock, launcher } = await start([long, short], { concurrency });
    work.sleep = () => new Promise((resolve) => clock.after(1000, resolve));
    await launcher.launchMany(long, many(30));
    await clock.advance(1);
    await launcher.launchMany(short, many(3));
    for (let i = 0; i < seconds; i++) await clock.advance(1000);
    expect(work.started.filter((name) => name === "short")).toHaveLength(3);
    for (let i = 0; i < 40; i++) await clock.advance(1000);
    expect(work.started).toHaveLength(33);
  });

  test("with room for one, three workflows have their turns one after the other", async () => {
    const work = newWork();
    const names = ["a", "b", "c"];
    const all = names.map((name) => slow(name, work));
    const { clock, launcher } = await start(all, { concurrency: 1 });
    work.sleep = () => new Promise((resolve) => clock.after(1000, resolve));
    for (const it of all) await launcher.launchMany(it, many(4));
    for (let i = 0; i < 14; i++) await clock.advance(1000);
    expect(work.started).toHaveLength(12);
    for (let i = 1; i < 10; i += 3) expect(work.started.slice(i, i + 3).toSorted()).toEqual(names);
  });

  test.each([
    ["are due", {}],
    ["wait for their limits", { concurrency: 5 }],
  ])("what is launched while others %s waits for its turn as they do", async (_, options) => {
    const work = newWork();
    const [first, late] = [slow("first", work, options), slow("late", work)];
    const { clock, launcher } = await start([first, late], { concurrency: 1 });
    work.sleep = () => new Promise((resolve) => clock.after(1000, resolve));
    await launcher.launchMany(first, many(3));
    // A customer who takes every place in the moment in which it becomes free.
    const again = async (): Promise<void> => {
      while (work.started.length < 8) await (await launcher.launch(late, {})).outcome();
    };
    const customer = again();
    for (let i = 0; i < 10; i++) await clock.advance(1000);
    await customer;
    expect(work.started.slice(0, 6).filter((name) => name === "first")).toHaveLength(3);
  });
});
