/** What a store need not be able to do: whoever needs it is told so before anything is written. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Client, Launcher, memoryStore, workflow, type Store } from "../../src/index.js";
import type { Capabilities } from "../../src/stores/contract.js";
import { VirtualClock } from "../../src/testing/index.js";
import { through } from "../../src/testing/faults/through.js";

const input = z.object({});
const plain = workflow("plain", { input }).step("1", { run: () => undefined });
const limited = workflow("limited", { input, concurrency: 1 }).step("1", { run: () => undefined });
const listener = workflow("listener", { input }).step("1", {
  run: async ({ subscribe }) => subscribe("t"),
  rollback: () => undefined,
});

const none: Readonly<Record<keyof Capabilities, undefined>> = {
  definitions: undefined,
  limits: undefined,
  lists: undefined,
  schedules: undefined,
  topics: undefined,
  transactions: undefined,
};

/** A store that has nothing but what all must have. */
function bare(clock: VirtualClock): Store {
  return through(memoryStore({ clock }), (call) => call, none as object);
}

const missing = (capability: keyof Capabilities): unknown => ({
  code: "STEPWELL_CAPABILITY_MISSING",
  message: expect.stringContaining(`it has no "${capability}"`) as string,
});

async function started(): Promise<{
  readonly launcher: Launcher;
  readonly clock: VirtualClock;
  readonly store: Store;
}> {
  const clock = new VirtualClock();
  const store = bare(clock);
  const launcher = new Launcher({ store, workflows: [plain, listener] });
  await launcher.start();
  return { launcher, clock, store };
}

describe("on a store that has only what all must have", () => {
  test("executions are launched, driven and watched over", async () => {
    const { launcher, clock } = await started();
    const execution = await launcher.launch(plain, {});
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    await clock.advance("2h");
    await launcher.stop();
  });

  test("a workflow with limits is refused by a launcher, and where a client launches it", async () => {
    const clock = new VirtualClock();
    const store = bare(clock);
    expect(() => new Launcher({ store, workflows: [limited] })).toThrow(expect.objectContaining(missing("limits")));
    const client = new Client({ store });
    await expect(client.launch(limited, {})).rejects.toMatchObject(missing("limits") as object);
    expect(await store.count({}, 10)).toBe(0);
  });

  test("schedules, publications and transactions of a caller's are refused, and nothing is written", async () => {
    const { launcher, store } = await started();
    const { schedules } = launcher;
    await expect(schedules.set("often", plain, {}, { every: "1h" })).rejects.toMatchObject(
      missing("schedules") as object,
    );
    await expect(schedules.list()).rejects.toMatchObject(missing("schedules") as object);
    await expect(launcher.publish("t", "paid", {})).rejects.toMatchObject(missing("topics") as object);
    const tx = { query: () => undefined };
    await expect(launcher.launch(plain, {}, { tx })).rejects.toMatchObject(missing("transactions") as object);
    expect(await store.count({}, 10)).toBe(0);
  });

  test("a step that subscribes fails at once: to try again would help nobody", async () => {
    const { launcher } = await started();
    const execution = await launcher.launch(listener, {});
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", error: missing("topics") });
    const runs = (await execution.history()).filter(({ func }) => func === "run");
    expect(runs).toHaveLength(1);
  });
});
