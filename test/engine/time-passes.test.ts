/** A month on a virtual clock: each thing at its time, and nothing in between but what must be looked at. */
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { Launcher, memoryStore, pause, workflow } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { deaf, onEveryStore } from "../support/rig.js";

const input = z.object({});
const day = 24 * 60 * 60 * 1000;

function waits(at: number[], clock: () => number) {
  return workflow("waits", { input }).step("wait", {
    messages: { go: z.null() },
    run: () => pause(undefined, { timeout: "10d" }),
    onMessage: () => undefined,
    onTimeout: () => void at.push(clock()),
  });
}

const none = workflow("none", { input }).step("nothing", { run: () => undefined });

test("a month with a parked execution sets hardly a timer", async () => {
  const clock = new VirtualClock();
  const parked = workflow("parked", { input }).step("wait", {
    messages: { go: z.null() },
    run: () => pause(),
    onMessage: () => undefined,
  });
  const launcher = new Launcher({ store: memoryStore({ clock }), workflows: [parked], clock });
  await launcher.start();
  const execution = await launcher.launch(parked, {});
  await clock.advance("1m");
  // A look for each second would set millions of timers; the benchmark `clock` says how long it takes.
  const timers = vi.spyOn(clock, "after");
  await clock.advance("30d");
  expect(timers.mock.calls.length).toBeLessThan(2000);
  expect((await execution.summary()).status).toBe("waiting");
  const stopped = launcher.stop();
  await clock.advance("1m");
  await stopped;
});

onEveryStore("a month on a virtual clock", (start) => {
  test("a timeout, a schedule and the retention come at their times", async () => {
    const at: number[] = [];
    const planned = workflow("planned", { input }).step("note", { run: () => undefined });
    const flow = waits(at, () => clock.now());
    const { launcher, clock } = await start([flow, planned], { retention: { completed: "5d" } });
    const from = clock.now();
    await launcher.launch(flow, {}, { id: "e" });
    await launcher.schedules.set("weekly", planned, {}, { every: "7d" });
    await clock.advance("10d");
    expect(at).toEqual([from + 10 * day]);
    const { executions } = await launcher.list({ workflow: "planned" });
    expect(executions.map(({ createdAt }) => createdAt)).toEqual([new Date(from + 7 * day)]);
    // Pruned within an hour after five days.
    await clock.advance("5d");
    expect(await launcher.select({ workflow: "planned" }).count()).toEqual({ count: 1, more: false });
    expect(await launcher.select({ workflow: "waits" }).count()).toEqual({ count: 1, more: false });
    await clock.advance("2h");
    expect((await launcher.list()).executions.map(({ createdAt }) => createdAt)).toEqual([new Date(from + 14 * day)]);
  });

  test("a lost hint is made up for by the next look, after whatever sets it off", async () => {
    const at: number[] = [];
    const rig = await start([none]);
    const { clock, store } = rig;
    const flow = waits(at, () => clock.now());
    const launcher = await rig.another([flow], { store: deaf(store), pollInterval: "5s" });
    await launcher.launch(flow, {}, { id: "e" });
    await clock.advance("3m");
    // Another process sends, a minute from now; nobody tells the launcher.
    clock.after(60_000, () => rig.launcher.send("e", "go", null));
    await clock.advance(64_000);
    await clock.advance(1_000);
    expect(await launcher.execution("e").outcome()).toMatchObject({ status: "completed" });
    expect(at).toEqual([]);
  });

  test("two launchers never take each other for dead, nor does one that comes later", async () => {
    const flow = waits([], () => clock.now());
    const rig = await start([flow]);
    const { clock, launcher, errors } = rig;
    await clock.advance("1m");
    await rig.another([flow]);
    await clock.advance("20s");
    const execution = await launcher.launch(flow, {});
    await clock.advance("20s");
    await execution.send("go", null);
    // Either of them may take it up; the other one hears of its outcome when it looks again.
    const outcome = execution.outcome();
    await clock.advance("5s");
    expect(await outcome).toMatchObject({ status: "completed" });
    expect(errors).toEqual([]);
  });

  test("a launcher that falls silent is buried when its time is over", async () => {
    const rig = await start([none]);
    const { clock, store } = rig;
    await clock.advance("10m");
    const dead = await store.register({ host: "elsewhere", pid: 1 });
    await clock.advance("20s");
    expect(await store.beat(dead)).toMatchObject({ alive: false });
  });

  test("what nobody takes up is told of after its time has come, though nothing else happens", async () => {
    const rig = await start([none]);
    const { clock, store, errors } = rig;
    const foreign = workflow("foreign", { input }).step("nothing", { run: () => undefined });
    const other = await rig.another([foreign]);
    await other.launch(foreign, {}, { delay: "1h" });
    await other.stop();
    expect(store.isOpen).toBe(true);
    await clock.advance("50m");
    expect(errors).toEqual([]);
    await clock.advance("11m");
    expect(errors).toMatchObject([{ code: "STEPWELL_UNKNOWN_WORKFLOW", workflow: "foreign" }]);
  });
});
