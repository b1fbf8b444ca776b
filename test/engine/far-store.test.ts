/** A launcher whose store is far away, and keeps another time. */
import { expect, test } from "vitest";
import { z } from "zod";
import { again as asksAgain, pause, workflow, type AnyWorkflow, type Launcher } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { far, setWrong, type Way } from "../support/far-store.js";
import { onEveryStore, type Rig } from "../support/rig.js";
import { StoreTimeEstimate } from "../../src/session/store-time.js";

const input = z.object({});

/** On the rig's store, a second and a half away from it, with a clock that is wrong by a minute and a half. */
async function farAway(
  { another, store, clock }: Rig,
  workflows: readonly AnyWorkflow[],
  way: Way = { lag: 1500 },
): Promise<Launcher> {
  const starting = another(workflows, { store: far(store, clock, way), clock: setWrong(clock, -90_000) });
  await clock.advance("20s");
  return starting;
}

const other = workflow("other", { input }).step("nothing", { run: () => undefined });

onEveryStore("a second and a half from its store", (start) => {
  test("the timeout of a pause is never early by the store's clock, also where something else wakes the execution", async () => {
    const times: number[] = [];
    const waiting = workflow("waiting", { input }).step("wait", {
      messages: { never: z.null() },
      run: () => {
        times.push(rig.clock.now());
        return pause(undefined, { timeout: "4s" });
      },
      onTimeout: () => void times.push(rig.clock.now()),
      onMessage: () => undefined,
    });
    const rig = await start([other], { heartbeat: { timeout: "1m" } });
    const way = { lag: 1500 };
    const launcher = await farAway(rig, [waiting], way);
    const launched = launcher.launch(waiting, {}, { id: "waits" });
    await rig.clock.advance("5s");
    // The network is quick again, and a message that nobody waits for wakes the execution.
    way.lag = 0;
    await rig.launcher.send("waits", "later", null);
    await rig.clock.advance("1m");
    await launched;
    const [began, ended] = times;
    expect(ended! - began!).toBeGreaterThanOrEqual(4000);
    expect(ended! - began!).toBeLessThan(20_000);
  });

  test("an execution goes on though looking at its mailbox takes longer than until the next poll", async () => {
    let late: Promise<unknown> | undefined;
    const signalled = workflow("signalled", { input }).step("work", {
      messages: { early: z.null() },
      run: () => {
        late = rig.launcher.send("signalled", "early", null);
        return pause();
      },
      onMessage: () => undefined,
    });
    const rig = await start([other], { heartbeat: { timeout: "1m" } });
    const launcher = await farAway(rig, [signalled]);
    const launched = launcher.launch(signalled, {}, { id: "signalled" });
    await rig.clock.advance("1m");
    await Promise.all([launched, late]);
    expect((await rig.store.load(["signalled"]))[0]!.status).toBe("completed");
  });

  test("neither is a retry, nor a delayed launch, nor what asks again, nor a deadline of a step or a workflow", async () => {
    const times: number[] = [];
    const note = (): void => void times.push(rig.clock.now());
    const again = workflow("again", { input }).step("try", {
      retry: { attempts: 2, delay: "4s", jitter: false },
      run: () => {
        note();
        if (times.length === 2) throw new Error("once more");
      },
    });
    const asks = workflow("asks", { input }).step("ask", {
      run: () => (note(), times.length === 1 ? asksAgain({ after: "4s" }) : undefined),
    });
    const slow = workflow("slow", { input }).step("wait", {
      deadline: "4s",
      messages: { never: z.null() },
      run: () => (note(), pause()),
      onMessage: () => undefined,
      rollback: () => note(),
    });
    const late = workflow("late", { input, deadline: "4s" }).step("wait", {
      messages: { never: z.null() },
      run: () => (note(), pause()),
      onMessage: () => undefined,
      rollback: () => note(),
    });
    const rig = await start([other], { heartbeat: { timeout: "1m" } });
    const launcher = await farAway(rig, [again, asks, slow, late]);
    note();
    const delayed = launcher.launch(again, {}, { delay: "4s" });
    await rig.clock.advance("1m");
    await delayed;
    expect(times).toHaveLength(3);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(4000);
    expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(4000);
    for (const [id, flow] of Object.entries({ asks, slow })) {
      times.length = 0;
      const going = launcher.launch(flow, {}, { id });
      await rig.clock.advance("1m");
      await going;
      expect([id, times.length]).toEqual([id, 2]);
      expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(4000);
    }
    times.length = 0;
    const launched = launcher.launch(late, {}, { id: "late" });
    await rig.clock.advance("1m");
    await launched;
    const [record] = await rig.store.load(["late"]);
    expect(times.at(-1)! - record!.createdAt).toBeGreaterThanOrEqual(4000);
  });
});

test("a clock that is set, or that did not count while the machine slept, does not make it early either", () => {
  const clock = new VirtualClock();
  let set = 0;
  let slept = 0;
  const process = { ...setWrong(clock, 0), now: () => clock.now() + set, monotonic: () => clock.monotonic() - slept };
  const time = new StoreTimeEstimate(process, false);
  expect(time.isKnown).toBe(false);
  time.ask()(5_000_000);
  expect([time.atLeast, time.atMost]).toEqual([5_000_000, 5_000_000]);
  set = -3_600_000;
  expect(time.atMost).toBe(5_000_000);
  set = 3_600_000;
  expect(time.atLeast).toBe(5_000_000);
  set = 0;
  clock.skip("8h");
  slept = 8 * 3_600_000;
  expect(time.atMost).toBe(5_000_000 + slept);
});
