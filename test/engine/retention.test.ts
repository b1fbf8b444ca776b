/** What is deleted, and when. */
import { expect, test, vi } from "vitest";
import { z } from "zod";
import {
  fail,
  pause,
  StepwellError,
  workflow,
  type Execution,
  type PruneOptions,
  type RetentionPolicy,
} from "../../src/index.js";
import { errorOf, onEveryStore } from "../support/rig.js";

const input = z.object({ ends: z.enum(["well", "back", "stuck", "never"]) });
const job = workflow("job", { input }).step("1", {
  messages: { note: z.string() },
  run: ({ state }) => (state.ends === "well" ? undefined : state.ends === "never" ? pause() : fail("no")),
  onMessage: () => undefined,
  rollback: ({ state }) => {
    if (state.ends === "stuck") throw new Error("no way back");
  },
  rollbackRetry: { attempts: 1 },
});

const slowly = { pollInterval: "20m", heartbeat: { interval: "20m", timeout: "3h" } } as const;

async function isThere(execution: Execution): Promise<boolean> {
  return execution.summary().then(
    () => true,
    () => false,
  );
}

onEveryStore("retention", (start) => {
  test("prune deletes what came to rest long enough ago, each status by its own age", async () => {
    const { clock, launcher } = await start([job]);
    const launch = (ends: "well" | "back" | "stuck" | "never"): Promise<Execution> => launcher.launch(job, { ends });
    const [well, back, stuck, never] = [
      await launch("well"),
      await launch("back"),
      await launch("stuck"),
      await launch("never"),
    ];
    for (const execution of [well, back, stuck]) await execution.outcome();
    clock.skip("10d");
    const later = await launch("well");
    await later.outcome();
    const policy: RetentionPolicy = { completed: "7d", rolledBack: "30d" };
    expect(await launcher.prune(policy, { dryRun: true })).toEqual({ completed: 1, rolledBack: 0, stuck: 0 });
    expect(await isThere(well)).toBe(true);
    expect(await launcher.prune(policy)).toEqual({ completed: 1, rolledBack: 0, stuck: 0 });
    expect(await Promise.all([well, back, stuck, never, later].map(isThere))).toEqual([false, true, true, true, true]);
    expect(await launcher.prune({ rolledBack: 0, stuck: "1d" })).toEqual({ completed: 0, rolledBack: 1, stuck: 1 });
    await expect(well.history()).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND" });
    expect(await well.rollback("late")).toMatchObject({ accepted: false, why: "not-found" });
  });

  test("many go in small batches, and an id that was pruned is free", async () => {
    const { clock, launcher } = await start([job]);
    const items = Array.from({ length: 25 }, (_, n) => ({
      input: { ends: "well" } as const,
      id: `e-${n}`,
      tags: ["x"],
    }));
    for (const execution of await launcher.launchMany(job, items)) await execution.outcome();
    clock.skip("1h");
    expect(await launcher.prune({ completed: "1h" }, { batch: 4 })).toMatchObject({ completed: 25 });
    expect((await launcher.list({ tags: ["x"] })).executions).toEqual([]);
    const again = await launcher.launch(job, { ends: "back" }, { id: "e-3" });
    expect((await again.outcome()).status).toBe("rolledBack");
    expect((await again.history())[0]?.revision).toBe(1);
  });

  test("a prune ends with its launcher: it tells so, and leaves the rest", async () => {
    const { clock, launcher, another, store } = await start([job]);
    const launched = await launcher.launchMany(
      job,
      Array.from({ length: 9 }, () => ({ input: { ends: "well" } as const })),
    );
    for (const execution of launched) await execution.outcome();
    clock.skip("1h");
    const doomed = await another();
    const prune = store.prune.bind(store);
    let stopped: Promise<void> | undefined;
    vi.spyOn(store, "prune").mockImplementation((options) => {
      stopped ??= doomed.stop();
      return prune(options);
    });
    const pruning = errorOf(doomed.prune({ completed: "1h" }, { batch: 2 }));
    await clock.advance("1m");
    expect(await pruning).toMatchObject({ code: "STEPWELL_LAUNCHER_NOT_RUNNING" });
    await stopped;
    expect((await launcher.list()).executions).toHaveLength(7);
    expect(await launcher.prune({ completed: "1h" }, { batch: 2 })).toMatchObject({ completed: 7 });
  });

  test("what is stuck goes with the messages that came for it since", async () => {
    const { clock, launcher } = await start([job]);
    const stuck = await launcher.launch(job, { ends: "stuck" });
    await stuck.outcome();
    await stuck.send("note", "hello");
    clock.skip("90d");
    expect(await launcher.prune({ stuck: "90d" }, { dryRun: true })).toMatchObject({ stuck: 1 });
    expect(await launcher.prune({ stuck: "90d" })).toMatchObject({ stuck: 1 });
    expect(await isThere(stuck)).toBe(false);
  });

  test("a launcher prunes by itself, a minute after its start and then each hour", async () => {
    const { clock, launcher, errors } = await start([job], { ...slowly, retention: { completed: "30m" } });
    const first = await launcher.launch(job, { ends: "well" });
    await first.outcome();
    await clock.advance("1m");
    expect(await isThere(first)).toBe(true);
    await clock.advance("59m");
    expect(await isThere(first)).toBe(true);
    const second = await launcher.launch(job, { ends: "well" });
    await second.outcome();
    await clock.advance("1m");
    expect([await isThere(first), await isThere(second)]).toEqual([false, true]);
    await clock.advance("1h");
    expect([await isThere(second), errors]).toEqual([false, []]);
  });

  test("where the store fails a launcher prunes again a minute later", async () => {
    const { clock, launcher, store, errors } = await start([job], { ...slowly, retention: { completed: "30m" } });
    const execution = await launcher.launch(job, { ends: "well" });
    await execution.outcome();
    clock.skip("30m");
    const busy = new StepwellError("STEPWELL_STORE_BUSY", "Not now.", { retryable: true });
    vi.spyOn(store, "prune").mockRejectedValueOnce(busy);
    await clock.advance("1s");
    expect([await isThere(execution), errors.map(({ code }) => code)]).toEqual([true, ["STEPWELL_STORE_BUSY"]]);
    await clock.advance("1m");
    expect(await isThere(execution)).toBe(false);
  });

  test("publications that are over are deleted in the same rounds, also without a policy", async () => {
    const { clock, launcher, store } = await start([job], { ...slowly, keepPublications: "10s" });
    await launcher.publish("t", "note", "a", { messageId: "m" });
    await clock.advance("1m");
    expect(await store.topics!.prune(0, 10)).toBe(0);
    expect(await launcher.publish("t", "note", "a", { messageId: "m" })).toMatchObject({ duplicate: false });
    clock.skip("20s");
    expect(await store.topics!.prune(0, 10)).toBe(1);
  });

  test("without a policy nothing is pruned", async () => {
    const { clock, launcher } = await start([job], slowly);
    const execution = await launcher.launch(job, { ends: "well" });
    await execution.outcome();
    clock.skip("365d");
    await clock.advance("2m");
    expect(await isThere(execution)).toBe(true);
  });

  test.each<[unknown, unknown, string]>([
    [{}, {}, "STEPWELL_INVALID_ARGUMENT"],
    [undefined, {}, "STEPWELL_INVALID_ARGUMENT"],
    [{ running: "1d" }, {}, "STEPWELL_UNKNOWN_OPTION"],
    [{ completed: "long" }, {}, "STEPWELL_INVALID_DURATION"],
    [{ completed: "1d" }, { batch: 0 }, "STEPWELL_INVALID_ARGUMENT"],
    [{ completed: "1d" }, { batch: 1.5 }, "STEPWELL_INVALID_ARGUMENT"],
    [{ completed: "1d" }, { dryRun: "yes" }, "STEPWELL_INVALID_ARGUMENT"],
    [{ completed: "1d" }, { dry: true }, "STEPWELL_UNKNOWN_OPTION"],
  ])("%j with %j is refused", async (policy, options, code) => {
    const { clock, launcher, another } = await start([job]);
    const execution = await launcher.launch(job, { ends: "well" });
    await execution.outcome();
    clock.skip("365d");
    await expect(launcher.prune(policy as RetentionPolicy, options as PruneOptions)).rejects.toMatchObject({ code });
    expect(await isThere(execution)).toBe(true);
    if (policy !== undefined && Object.keys(options as object).length === 0) {
      await expect(another([job], { retention: policy as RetentionPolicy })).rejects.toMatchObject({ code });
    }
  });
});
