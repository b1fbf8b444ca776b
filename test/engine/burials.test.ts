/** Launchers that are buried: those that died, and those that live and come back. */
import { expect, test } from "vitest";
import { z } from "zod";
import { StepwellError, workflow, type Launcher, type Store } from "../../src/index.js";
import type { Batch } from "../../src/stores/batch.js";
import type { Fate } from "../../src/stores/records.js";
import { through } from "../../src/testing/faults/through.js";
import { onEveryStore } from "../support/rig.js";

const input = z.object({});

/** What can be done to a launcher that goes on living. */
interface Leash {
  /** `frozen`: nothing that it asks is asked or answered. `cut off`: all that it asks fails. `starved`: it does not get to its heartbeat. */
  trouble: "none" | "frozen" | "cut off" | "starved";
}

/** Few polls and beats, so that a virtual hour takes little. */
const calm = { pollInterval: "30s", heartbeat: { interval: "10s", timeout: "15s" } } as const;

const away = new StepwellError("STEPWELL_STORE_UNREACHABLE", "cut off", { retryable: true });

function leashed(store: Store, leash: Leash): Store {
  const waiting: (() => void)[] = [];
  const seen = new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function" || key === "watch")
        return typeof value === "function" ? value.bind(target) : value;
      return (...given: unknown[]): unknown => {
        const isHeld = leash.trouble === "frozen" || (leash.trouble === "starved" && key === "beat");
        if (leash.trouble === "cut off") return Promise.reject(away);
        const ask = (): unknown => Reflect.apply(value, target, given);
        return isHeld ? new Promise((resolve) => waiting.push(() => resolve(ask()))) : ask();
      };
    },
  });
  Object.defineProperty(leash, "free", { value: () => waiting.splice(0).forEach((go) => go()) });
  return seen;
}

onEveryStore("a launcher that is buried", (start) => {
  test("alive, two hundred times over, by frost, a cut or hunger, is no death: nothing is parked", async () => {
    const calls: number[] = [];
    let isLast = false;
    const slow = workflow("slow", { input }).step("work", {
      run: ({ attempt, signal }) =>
        new Promise<undefined>((resolve, reject) => {
          calls.push(attempt);
          if (isLast) resolve(undefined);
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        }),
    });
    const { store, clock, another, launcher: first, errors } = await start([slow], calm);
    await first.stop();
    const troubles = ["frozen", "cut off", "starved"] as const;
    const leashes: Leash[] = [{ trouble: "none" }, { trouble: "none" }];
    const launchers: Launcher[] = [];
    for (const leash of leashes) launchers.push(await another([slow], { ...calm, store: leashed(store, leash) }));
    const execution = await launchers[0]!.launch(slow, {});
    await clock.settle();
    for (let burial = 0; burial < 201; burial++) {
      isLast = burial === 200;
      const [record] = await store.load([execution.id]);
      expect(record, `after ${burial} burials`).toMatchObject({
        status: "running",
        owner: expect.any(Number) as number,
      });
      const leash = leashes[burial % 2]!;
      leash.trouble = troubles[burial % 3]!;
      await clock.advance("40s");
      leash.trouble = "none";
      (leash as Leash & { free: () => void }).free();
      await clock.advance("20s");
    }
    expect((await store.load([execution.id]))[0]!.status).toBe("completed");
    expect(calls.length).toBeGreaterThan(200);
    expect(
      errors.filter(({ code }) => code === "STEPWELL_CRASHES_LAUNCHER" || code === "STEPWELL_EXECUTION_STUCK"),
    ).toEqual([]);
  }, 120_000);

  /** Two that are both cut off from the store, while a step of the second one is at work. */
  async function bothCutOff(): Promise<{ leashes: Leash[]; calls: number[]; rig: Awaited<ReturnType<typeof start>> }> {
    const calls: number[] = [];
    let finish = (): void => undefined;
    const slow = workflow("slow", { input }).step("work", {
      run: ({ attempt }) => {
        calls.push(attempt);
        return new Promise<undefined>((resolve) => (finish = () => resolve(undefined)));
      },
    });
    const rig = await start([slow], calm);
    await rig.launcher.stop();
    const leashes: Leash[] = [{ trouble: "none" }, { trouble: "none" }];
    const launchers: Launcher[] = [];
    for (const leash of leashes)
      launchers.push(await rig.another([slow], { ...calm, store: leashed(rig.store, leash) }));
    await launchers[1]!.launch(slow, {}, { id: "one" });
    await rig.clock.settle();
    for (const leash of leashes) leash.trouble = "cut off";
    await rig.clock.advance("2m");
    finish();
    return { leashes, calls, rig };
  }

  test("is none that the store was away from as long as from the others: what its steps gave is committed", async () => {
    const { leashes, calls, rig } = await bothCutOff();
    leashes[0]!.trouble = "none";
    await rig.clock.advance("12s");
    leashes[1]!.trouble = "none";
    await rig.clock.advance("1m");
    expect((await rig.store.load(["one"]))[0]).toMatchObject({ status: "completed" });
    expect(calls).toEqual([1]);
    expect(rig.errors.map(({ code }) => code)).not.toContain("STEPWELL_OWNERSHIP_LOST");
  });

  test("is one that does not come back with the others, within its time from then on", async () => {
    const { leashes, calls, rig } = await bothCutOff();
    leashes[0]!.trouble = "none";
    await rig.clock.advance("1m");
    expect(calls).toEqual([1, 2]);
  });

  const job = workflow("job", { input }).step("work", { run: () => ({ done: true }) });

  /** One that takes the execution up, is about to call its function where that is said, and is buried. */
  async function buried(store: Store, fate: Fate | undefined, begins: boolean): Promise<number> {
    const owner = await store.register({ host: "elsewhere", pid: 1 });
    const { records } = await store.claim({ owner, limit: 1, workflows: [{ name: "job", version: "1" }] });
    expect(records).toHaveLength(1);
    if (begins) await store.begin(records[0]!.id, owner);
    await store.removeLaunchers([owner], fate);
    return owner;
  }

  async function launched(): Promise<{ store: Store; rig: Awaited<ReturnType<typeof start>> }> {
    const rig = await start([job], calm);
    await rig.launcher.launch(job, {}, { id: "one", delay: "1s" });
    await rig.launcher.stop();
    rig.clock.skip("2s");
    return { store: rig.store, rig };
  }

  test("without having called a function of it again counts once, however often it dies", async () => {
    const { store, rig } = await launched();
    for (let burial = 0; burial < 20; burial++) await buried(store, "died", false);
    const second = await rig.another([job], calm);
    await rig.clock.settle();
    expect(await second.execution("one").outcome()).toMatchObject({ status: "completed" });
  });

  test("of which nobody knows whether it lives holds up what it may have died of, until it says so", async () => {
    const { store, rig } = await launched();
    const owners: number[] = [];
    for (let burial = 0; burial < 10; burial++) owners.push(await buried(store, "silent", true));
    const second = await rig.another([job], calm);
    await rig.clock.advance("10m");
    expect(await second.execution("one").summary()).toMatchObject({ status: "scheduled" });
    await store.register({ host: "elsewhere", pid: 1 }, owners[3]);
    await rig.clock.advance("2m");
    expect(await second.execution("one").summary()).toMatchObject({ status: "completed" });
  });

  test("and does not come back for an hour has died: ten such park what they had in work", async () => {
    const { store, rig } = await launched();
    for (let burial = 0; burial < 10; burial++) await buried(store, "silent", true);
    const second = await rig.another([job], calm);
    await rig.clock.advance("59m");
    expect(await second.execution("one").summary()).toMatchObject({ status: "scheduled" });
    await rig.clock.advance("3m");
    expect(await second.execution("one").outcome()).toMatchObject({
      status: "stuck",
      error: { code: "STEPWELL_CRASHES_LAUNCHER" },
    });
  }, 60_000);

  test("while its launch is under way, begins nothing of that once it hears of it: others have it", async () => {
    const calls: string[] = [];
    const noting = workflow("noting", { input }).step("work", {
      run: ({ attempt, signal }) =>
        new Promise<undefined>((_, reject) => {
          calls.push(`attempt ${attempt}`);
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        }),
    });
    const options = { ...calm, heartbeat: { interval: "1s", timeout: "15s" } } as const;
    const { store, clock, another, launcher: first } = await start([noting], options);
    await first.stop();
    let answer = (): void => undefined;
    const late = through(store, (call, name) => {
      if (name !== "write") return call;
      return async (...given) => {
        const written = await call(...given);
        if ((given[0] as Batch).creates.length > 0) await new Promise<void>((resolve) => (answer = resolve));
        return written;
      };
    });
    const launcher = await another([noting], { ...options, store: late });
    const { owner } = (await store.beat(0)).others[0]!;
    await another([noting], options);
    const launching = launcher.launch(noting, {}, { id: "e" });
    await clock.settle();
    await store.removeLaunchers([owner], "silent");
    // A beat says so, and the other one looks for what is due.
    await clock.advance("2s");
    expect(calls).toEqual(["attempt 2"]);
    answer();
    await launching;
    await clock.settle();
    expect(calls).toEqual(["attempt 2"]);
  });
});
