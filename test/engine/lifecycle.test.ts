/** Starting and stopping a launcher, and what becomes of those who wait for it. */
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { fail, Launcher, memoryStore, observer, pause, workflow, type Store } from "../../src/index.js";
import { StepwellError } from "../../src/errors.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { deaf, errorOf, onEveryStore, told } from "../support/rig.js";

const input = z.object({});

const quick = workflow("quick", { input }).step("1", { run: () => ({ done: true }) });

const waits = workflow("waits", { input }).step("1", {
  messages: { go: z.null() },
  run: () => pause(),
  onMessage: () => undefined,
});

/** Its first attempt ends when its signal is aborted, with an effect that may have happened; later ones succeed. */
function interruptible(undone: string[]) {
  return workflow("interruptible", { input })
    .step("1", { run: () => undefined, rollback: () => void undone.push("1") })
    .step("2", {
      run: ({ attempt, signal }) =>
        attempt > 1
          ? new Promise<never>(() => undefined)
          : new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
      rollback: () => void undone.push("2"),
    });
}

async function stopped(launcher: Launcher, clock: VirtualClock): Promise<void> {
  const done = launcher.stop();
  await clock.advance("10s");
  await done;
}

onEveryStore("a launcher that stops while a step runs", (start) => {
  test("leaves evidence that the step was begun, so a rollback undoes it", async () => {
    const undone: string[] = [];
    const first = workflow("first", { input }).step("1", {
      run: ({ signal }) =>
        new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
      rollback: () => void undone.push("1"),
    });
    const { launcher, clock, another } = await start([first], { drainTimeout: 0 });
    await launcher.launch(first, {}, { id: "e" });
    await clock.settle();
    await stopped(launcher, clock);
    // No launcher knows the workflow while the request comes.
    const stranger = await another([quick]);
    const answer = stranger.rollback("e", "changed-my-mind");
    await clock.settle();
    const second = await another([first]);
    await clock.advance("1s");
    expect(await answer).toEqual({ accepted: true });
    expect(await second.execution("e").outcome()).toMatchObject({ status: "rolledBack", reason: "changed-my-mind" });
    expect(undone).toEqual(["1"]);
  });

  test("has that step undone too when a guard vetoes its next attempt", async () => {
    const undone: string[] = [];
    let closed = false;
    const guarded = interruptible(undone).observe(
      observer({ name: "closing-time", guard: true, beforeStep: () => (closed ? fail("closed") : undefined) }),
    );
    const { launcher, clock, another } = await start([guarded], { drainTimeout: 0 });
    await launcher.launch(guarded, {}, { id: "e" });
    await clock.settle();
    await stopped(launcher, clock);
    closed = true;
    const second = await another();
    await clock.settle();
    expect(await second.execution("e").outcome()).toMatchObject({ status: "rolledBack", reason: "closed" });
    expect(undone).toEqual(["2", "1"]);
    expect(await told(second.execution("e"))).toEqual([
      ...["run 1: ok", "run 2: cut-off", "run 2: closed"],
      ...["rollback 2: ok", "rollback 1: ok"],
    ]);
  });
});

onEveryStore("starting and stopping", (start) => {
  test("a second start is the same start, and a second stop the same stop", async () => {
    const ends: string[] = [];
    const slow = workflow("slow", { input }).step("1", {
      run: () => new Promise<void>((resolve) => void rig.clock.after(1000, () => (ends.push("step"), resolve()))),
    });
    const rig = await start([slow], { drainTimeout: "5s" });
    await rig.launcher.start();
    await rig.launcher.launch(slow, {});
    await rig.clock.settle();
    const stops = [1, 2].map((n) => rig.launcher.stop().then(() => ends.push(`stop ${n}`)));
    await rig.clock.advance("5s");
    await Promise.all(stops);
    expect(ends).toEqual(["step", "stop 1", "stop 2"]);
    await expect(rig.launcher.start()).rejects.toMatchObject({ code: "STEPWELL_LAUNCHER_NOT_RUNNING" });
    expect((await rig.store.beat(0)).others).toEqual([]);
  });

  test("a stop during the start waits for it, and leaves nothing running", async () => {
    const { store, clock } = await start([quick]);
    const launcher = new Launcher({ store, workflows: [quick], clock });
    const started = launcher.start();
    await launcher.stop();
    await started;
    await expect(launcher.launch(quick, {})).rejects.toMatchObject({ code: "STEPWELL_LAUNCHER_NOT_RUNNING" });
  });

  test("a start that failed can be tried again", async () => {
    const { store, clock } = await start([quick]);
    let broken = true;
    const flaky = new Proxy(store, {
      get(target, key) {
        if (key === "register" && broken) throw new StepwellError("STEPWELL_STORE_BUSY", "busy", { retryable: true });
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const launcher = new Launcher({ store: flaky, workflows: [quick], clock, startTimeout: 0 });
    await expect(launcher.start()).rejects.toMatchObject({ code: "STEPWELL_STORE_BUSY" });
    broken = false;
    await launcher.start();
    expect((await (await launcher.launch(quick, {})).outcome()).status).toBe("completed");
    await launcher.stop();
  });

  test("who asks for an outcome hears of a rest that comes while the store is being asked", async () => {
    const clock = new VirtualClock();
    const store = memoryStore({ clock });
    let answered = Promise.resolve();
    const slow = new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        if (key !== "load") return value.bind(target) as unknown;
        // As over a network: what is answered was read some time ago.
        return async (ids: readonly string[]) => {
          const [records] = await Promise.all([target.load(ids), answered]);
          return records;
        };
      },
    });
    const launcher = new Launcher({ store: slow, workflows: [waits], clock });
    await launcher.start();
    const execution = await launcher.launch(waits, {});
    await clock.settle();
    let answer = (): void => undefined;
    answered = new Promise((resolve) => (answer = resolve));
    const outcome = execution.outcome();
    answered = Promise.resolve();
    await execution.send("go", null);
    await vi.waitUntil(async () => (await execution.summary()).status === "completed");
    answer();
    expect((await outcome).status).toBe("completed");
    await launcher.stop();
  });

  test("who asks a completed execution back hears of a turn that comes while the mailbox is being read", async () => {
    const clock = new VirtualClock();
    const store = memoryStore({ clock });
    const late: (() => void)[] = [];
    let isSlow = false;
    const slow = new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        if (key !== "mail") return value.bind(target) as unknown;
        // As over a network: what is answered was read some time ago.
        return async (...given: Parameters<Store["mail"]>) => {
          const rows = await target.mail(...given);
          const isAsked = rows.some(({ kind, status }) => kind === "rollback" && status === "pending");
          // The drive's own look is not held up: it turns the execution meanwhile.
          if (isSlow && isAsked && late.length === 0) await new Promise<void>((resolve) => late.push(resolve));
          return rows;
        };
      },
    });
    const launcher = new Launcher({ store: slow, workflows: [quick], clock });
    await launcher.start();
    const execution = await launcher.launch(quick, {});
    await execution.outcome();
    isSlow = true;
    const answer = execution.rollback("returned");
    await vi.waitUntil(async () => late.length > 0 && (await execution.summary()).status === "rolledBack");
    late[0]!();
    expect(await answer).toEqual({ accepted: true });
    await launcher.stop();
  });

  test("who waits for an outcome when the launcher stops is told so, and so is who asks later", async () => {
    const { launcher, clock } = await start([waits]);
    const execution = await launcher.launch(waits, {});
    await clock.settle();
    const outcome = execution.outcome();
    const refused = errorOf(outcome);
    await launcher.stop();
    expect(await refused).toMatchObject({ code: "STEPWELL_LAUNCHER_NOT_RUNNING" });
    await expect(execution.outcome()).rejects.toMatchObject({ code: "STEPWELL_LAUNCHER_NOT_RUNNING" });
    await expect(execution.send("go", null)).rejects.toMatchObject({ code: "STEPWELL_LAUNCHER_NOT_RUNNING" });
    expect((await execution.summary()).status).toBe("waiting");
  });

  test("a rollback that is held by a running pivot is answered by an error when its launcher stops", async () => {
    const held = workflow("held", { input }).step("capture", {
      pivot: true,
      run: () => new Promise<never>(() => undefined),
    });
    const { launcher, clock } = await start([held], { drainTimeout: 0, abortGrace: 0 });
    const execution = await launcher.launch(held, {});
    await clock.settle();
    const answer = execution.rollback("late");
    const refused = errorOf(answer);
    await clock.settle();
    const stopped = launcher.stop();
    await clock.advance("1s");
    await stopped;
    expect(await refused).toMatchObject({ code: "STEPWELL_LAUNCHER_NOT_RUNNING" });
    expect(clock.pending).toBe(0);
  });

  test("a launch that is under way when the launcher stops is stored, and begun by the next one", async () => {
    const begun: string[] = [];
    const noted = workflow("noted", { input }).step("1", { run: ({ execution }) => void begun.push(execution.id) });
    const { launcher, another, clock } = await start([noted]);
    const launched = launcher.launch(noted, {}, { id: "e" });
    const stopped = launcher.stop();
    await launched;
    await stopped;
    const before = [...begun];
    const second = await another();
    await clock.settle();
    expect((await second.execution("e").outcome()).status).toBe("completed");
    expect(begun).toEqual(["e"]);
    // Either it was done before the stop, or it was not begun at all.
    expect(before.length === 0 || (await second.execution("e").history())[0]?.attempt === 1).toBe(true);
  });

  test("a step that ignores its signal leaves no timer behind, not even the deadline's", async () => {
    const deaf = workflow("deaf", { input, deadline: "1h" }).step("1", {
      run: () => new Promise<never>(() => undefined),
    });
    const { launcher, clock } = await start([deaf], { drainTimeout: "1s", abortGrace: "1s" });
    await launcher.launch(deaf, {});
    await clock.settle();
    const stopped = launcher.stop();
    await clock.advance("2s");
    await stopped;
    expect(clock.pending).toBe(0);
  });

  test("work goes on by polling alone where every hint is lost", async () => {
    const { clock, store, another } = await start([waits]);
    const launcher = await another([waits], { store: deaf(store), pollInterval: "2s" });
    await launcher.launch(waits, {}, { id: "e" });
    await clock.settle();
    await launcher.send("e", "go", null);
    const outcome = launcher.execution("e").outcome();
    await clock.advance("2s");
    expect((await outcome).status).toBe("completed");
  });

  test("a launcher whose clock is off by an hour keeps the store's time", async () => {
    const { store, clock, another, launcher: idle } = await start([quick]);
    await idle.stop();
    const own = new VirtualClock({ start: clock.now() + 3_600_000 });
    const launcher = await another([quick], { clock: own });
    const execution = await launcher.launch(quick, {}, { delay: "10s" });
    expect((await store.load([execution.id]))[0]!.dueAt).toBe(clock.now() + 10_000);
    await own.advance("10s");
    expect((await execution.summary()).status).toBe("scheduled");
    await clock.advance("10s");
    await own.advance("2s");
    expect((await execution.outcome()).status).toBe("completed");
  });

  test("an outage of the store delays, and is told once, not at every poll and beat", async () => {
    const { store, clock, another, errors } = await start([quick]);
    let down = false;
    const flaky = new Proxy(store, {
      get(target, key) {
        if (down && (key === "claim" || key === "beat")) {
          throw new StepwellError("STEPWELL_STORE_BUSY", "locked", { retryable: true });
        }
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const launcher = await another([quick], { store: flaky, heartbeat: { interval: "3s", timeout: "5m" } });
    down = true;
    await clock.advance("50s");
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_STORE_BUSY"]);
    down = false;
    const execution = await launcher.launch(quick, {}, { delay: "1s" });
    await clock.advance("2s");
    expect((await execution.outcome()).status).toBe("completed");
  });

  test("a launcher that others took for dead asks for work once, not again and again", async () => {
    const { store, clock, launcher, another } = await start([quick]);
    await launcher.stop();
    let claims = 0;
    const counting: Store = new Proxy(store, {
      get(target, key) {
        if (key === "claim") claims++;
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const own = new VirtualClock();
    const buried = await another([quick], { store: counting, clock: own });
    const { owner } = (await store.beat(0)).others[0]!;
    await store.removeLaunchers([owner]);
    const before = claims;
    const execution = await buried.launch(quick, {}, { id: "e" });
    await clock.settle();
    expect((await execution.outcome()).status).toBe("completed");
    expect(claims - before).toBeLessThan(6);
  });
});

test("a stop does not wait for a store that does not answer for longer than the grace time", async () => {
  const clock = new VirtualClock();
  const store = memoryStore({ clock });
  let down = false;
  const gone = new Proxy(store, {
    get(target, key) {
      if (key === "gathers") return true;
      if (down && (key === "write" || key === "removeLaunchers")) {
        return () => {
          throw new StepwellError("STEPWELL_STORE_FAILED", "the disk is gone", { retryable: true });
        };
      }
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const launcher = new Launcher({ store: gone, workflows: [quick], clock, onError: () => undefined });
  await launcher.start();
  down = true;
  const launched = launcher.launch(quick, {});
  const refused = errorOf(launched);
  await clock.settle();
  const stopped = launcher.stop();
  await clock.advance("1m");
  await stopped;
  expect(await refused).toMatchObject({ code: "STEPWELL_STORE_FAILED" });
});

onEveryStore("a launch by a launcher that others took for dead in that very moment", (start) => {
  test("is left to others: it runs nothing that it does not own", async () => {
    const ran: string[] = [];
    const noted = workflow("noted", { input }).step("1", { run: ({ attempt }) => void ran.push(`attempt ${attempt}`) });
    const { store, clock, another, launcher } = await start([noted]);
    await launcher.stop();
    const own = new VirtualClock();
    const zombie = await another([noted], { store: deaf(store), clock: own });
    const { owner } = (await store.beat(0)).others[0]!;
    await store.removeLaunchers([owner]);
    await zombie.launch(noted, {}, { id: "e" });
    await clock.settle();
    expect(ran).toEqual([]);
    expect((await store.load(["e"]))[0]).toMatchObject({ owner: null, claims: 0 });
    const second = await another();
    await clock.settle();
    expect((await second.execution("e").outcome()).status).toBe("completed");
    expect(ran).toEqual(["attempt 1"]);
  });
});
