/** How a launcher goes on with lists of which it does not know everything. */
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { fail, pause, StepwellError, workflow } from "../../src/index.js";
import type { Batch } from "../../src/stores/batch.js";
import type { VirtualClock } from "../../src/testing/index.js";
import { through } from "../../src/testing/faults/through.js";
import { onEveryStore } from "../support/rig.js";

const none = z.object({});

const away = new StepwellError("STEPWELL_STORE_UNREACHABLE", "away", { retryable: true });

/** Without any time. */
async function settled(clock: VirtualClock, test: () => unknown): Promise<void> {
  await vi.waitFor(async () => {
    await clock.settle();
    await test();
  }, 20_000);
}

const other = workflow("other", { input: none }).step("a", { run: () => undefined });

onEveryStore("a list of children", (start) => {
  test("goes on at once where others have begun it before its parent heard that it is there", async () => {
    const done: number[] = [];
    const child = workflow("child", { input: z.object({ n: z.number() }) }).step("work", {
      run: ({ state }) => void done.push(state.n),
    });
    const parent = workflow("parent", { input: none }).forEach("work", child, {
      items: () => [{ n: 0 }, { n: 1 }, { n: 2 }],
    });
    const { store, clock, another } = await start([
      workflow("other", { input: none }).step("a", { run: () => undefined }),
    ]);
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    let refused = 0;
    const late = through(store, (call, name) => {
      if (name === "lists.advance")
        return async (...given) => {
          const answers = (await call(...given)) as readonly unknown[];
          refused += answers.filter((it) => it === null).length;
          return answers;
        };
      if (name !== "write") return call;
      return async (...given) => {
        const { transitions } = given[0] as Batch;
        const result = await call(...given);
        if (transitions.some(({ list }) => list !== undefined && "opens" in list)) await answered;
        return result;
      };
    });
    const launcher = await another([parent], { store: late });
    const execution = await launcher.launch(parent, {}, { id: "p" });
    // It looks for lists that nobody has told it of.
    await clock.advance("1m");
    expect(done).toEqual([0, 1, 2]);
    answer();
    await clock.settle();
    expect(await execution.summary()).toMatchObject({ status: "completed" });
    expect(refused).toBe(1);
  });

  test("hears of what failed while it begins others, though none of those ever tells anything", async () => {
    const child = workflow("child", { input: z.object({ n: z.number() }) })
      .step("work", { run: ({ state }) => (state.n === 1_000 ? fail("broken") : undefined) })
      .step("wait", {
        run: ({ state }) => (state.n >= 1_024 ? pause() : undefined),
        messages: { go: none },
        onMessage: () => undefined,
      });
    const items = Array.from({ length: 1_100 }, (_, n) => ({ n }));
    const parent = workflow("parent", { input: none }).forEach("work", child, { items: () => items });
    const { launcher, clock } = await start([parent]);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await settled(clock, async () => expect(await execution.summary()).toMatchObject({ status: "rolledBack" }));
  });

  test("is complete, though the store fails once with each part of it", async () => {
    const done = new Set<number>();
    const child = workflow("child", { input: z.object({ n: z.number() }) }).step("work", {
      run: ({ state }) => void done.add(state.n),
    });
    const items = Array.from({ length: 2_100 }, (_, n) => ({ n }));
    const parent = workflow("parent", { input: none }).forEach("work", child, { items: () => items });
    const { store, clock, another } = await start([other]);
    let calls = 0;
    const failing = through(store, (call, name) => {
      if (name !== "lists.advance") return call;
      return async (...given) => {
        if ([0, 2].includes(calls++)) throw away;
        return call(...given);
      };
    });
    const launcher = await another([parent], { store: failing });
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.advance("1m");
    expect(await execution.summary()).toMatchObject({ status: "completed" });
    expect(done.size).toBe(items.length);
  });
});
