/** Crashes, other launchers, shutdowns: an execution goes on from its last commit, and only in one place. */
import { expect, test } from "vitest";
import { z } from "zod";
import {
  fail,
  Launcher,
  memoryStore,
  observer,
  pause,
  workflow,
  type StepwellError,
  type Store,
} from "../../src/index.js";
import { initialFlow } from "../../src/execution/position.js";
import type { Batch, NewExecution } from "../../src/stores/batch.js";
import { Encoded } from "../../src/values/encode.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { deaf, onEveryStore, told } from "../support/rig.js";

const input = z.object({});

const nothing: Batch = { creates: [], transitions: [], releases: [], arrivals: [] };

/** An execution as a launch stores it, for a launcher that died before it began. */
function newRow(name: string, id: string): NewExecution {
  return {
    ...{ id, workflow: name, version: "1", fingerprint: null, tags: [], status: "running" },
    ...{ state: Encoded.ofText("{}"), input: Encoded.ofText("{}") },
    position: {
      ...initialFlow,
      step: "1",
      ...{
        attempts: 0,
        firstAttemptAt: null,
        uncounted: 0,
        waitUntil: null,
        resumeAt: null,
        error: null,
        stuckBy: null,
      },
    },
    ...{ owner: null, dueInMs: 0, deadlineInMs: null, carried: null },
  };
}

/** Takes all that is due as a launcher that dies at once. */
async function claimAndDie(store: Store, name: string): Promise<number> {
  const owner = await store.register({ host: "elsewhere", pid: 1 });
  const { records } = await store.claim({ owner, limit: 100, workflows: [{ name, version: "1" }] });
  for (const { id } of records) await store.begin(id, owner);
  await store.removeLaunchers([owner], "died");
  return records.length;
}

onEveryStore("recovery", (start) => {
  test("a step that was running when its launcher died runs again: the same key, a higher attempt, and not the step after", async () => {
    const seen: [number, string][] = [];
    const steps = workflow("steps", { input })
      .step("1", { run: () => ({ one: true }) })
      .step("2", {
        run: ({ attempt, idempotencyKey }) => {
          seen.push([attempt, idempotencyKey]);
          return attempt === 1 ? new Promise<never>(() => undefined) : { two: true };
        },
      })
      .step("3", { run: ({ state }) => ({ three: state.two }) });
    const own = new VirtualClock();
    const { store, clock, another, launcher } = await start([steps], { clock: own, abortGrace: 1 });
    const execution = await launcher.launch(steps, {}, { id: "e" });
    await clock.settle();
    expect((await execution.flow()).step).toBe("2");
    // The first launcher's time stands still: it is silent, as if stopped by a debugger.
    const second = await another();
    await clock.advance("20s");
    expect(await second.execution("e").outcome()).toMatchObject({
      status: "completed",
      state: { one: true, two: true, three: true },
    });
    expect(seen.map(([attempt]) => attempt)).toEqual([1, 2]);
    expect(new Set(seen.map(([, key]) => key)).size).toBe(1);
    expect((await store.history("e")).map(({ revision }) => revision)).toEqual([1, 2, 3]);
    await own.advance("1m");
  });

  test("a launcher that lost an execution commits nothing to it, aborts its step, and goes on with new work", async () => {
    let finish: () => void = () => undefined;
    const reasons: unknown[] = [];
    const slow = workflow("slow", { input }).step("1", {
      run: ({ attempt, signal }) => {
        if (attempt > 1) return { by: "second" };
        signal.addEventListener("abort", () => reasons.push((signal.reason as StepwellError).code));
        return new Promise<{ by: string }>((resolve) => (finish = () => resolve({ by: "first" })));
      },
    });
    const own = new VirtualClock();
    const { clock, another, launcher, errors } = await start([slow], { clock: own, abortGrace: 1 });
    const execution = await launcher.launch(slow, {}, { id: "e" });
    const second = await another();
    await clock.advance("20s");
    expect(await second.execution("e").outcome()).toMatchObject({ state: { by: "second" } });
    await own.advance("3s");
    expect(reasons).toEqual(["STEPWELL_OWNERSHIP_LOST"]);
    finish();
    await clock.settle();
    expect(await execution.state()).toEqual({ by: "second" });
    expect(errors.map(({ code }) => code)).toContain("STEPWELL_LATE_RESULT");
    await second.stop();
    const again = await launcher.launch(slow, {}, { id: "new" });
    finish();
    await own.advance("1s");
    finish();
    expect((await again.outcome()).status).toBe("completed");
  });

  test("a commit that comes after the loss is refused", async () => {
    let finish: () => void = () => undefined;
    const slow = workflow("slow", { input }).step("1", {
      run: ({ attempt }) =>
        attempt > 1
          ? { by: "second" }
          : new Promise<{ by: string }>((resolve) => (finish = () => resolve({ by: "first" }))),
    });
    const own = new VirtualClock();
    const { clock, another, launcher: second, store, errors } = await start([slow]);
    const zombie = await another([slow], { clock: own, store: deaf(store) });
    await zombie.launch(slow, {}, { id: "e" });
    await clock.advance("20s");
    await second.execution("e").outcome();
    // The zombie wakes, and its step is done before it has heard that it is one.
    finish();
    await clock.settle();
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_OWNERSHIP_LOST"]);
    expect(await told(second.execution("e"))).toEqual(["run 1: ok"]);
    expect(await second.execution("e").state()).toEqual({ by: "second" });
    await own.advance("1m");
  });

  test("a parked execution resumes parked, and takes its message", async () => {
    const wait = workflow("wait", { input }).step("1", {
      messages: { go: z.null() },
      run: () => pause({ asked: true }),
      onMessage: ({ state }) => ({ answered: state.asked }),
    });
    const { launcher, clock, another } = await start([wait]);
    await launcher.launch(wait, {}, { id: "e" });
    await clock.settle();
    await launcher.stop();
    const second = await another();
    await clock.advance("1m");
    expect(await second.execution("e").summary()).toMatchObject({
      status: "waiting",
      flow: { stepFunc: "runContinue" },
    });
    expect(await second.execution("e").history()).toHaveLength(1);
    await second.send("e", "go", null);
    expect(await second.execution("e").outcome()).toMatchObject({ status: "completed", state: { answered: true } });
  });

  test("a crash on the way down goes on down, with what each step gave on the way up", async () => {
    const given: unknown[] = [];
    const down = workflow("down", { input })
      .step("1", { run: () => ({ id: "one" }), rollback: (context) => void given.push(context.given) })
      .step("2", {
        run: () => ({ id: "two" }),
        rollback: ({ attempt, given: own }) => {
          if (attempt === 1) return new Promise<never>(() => undefined);
          given.push(own);
        },
      })
      .step("3", { run: () => fail("no") });
    const own = new VirtualClock();
    const { clock, another, launcher } = await start([down], { clock: own, abortGrace: 1 });
    await launcher.launch(down, {}, { id: "e" });
    await clock.settle();
    const second = await another();
    await clock.advance("20s");
    expect(await second.execution("e").outcome()).toMatchObject({ status: "rolledBack", reason: "no" });
    expect(given).toEqual([{ id: "two" }, { id: "one" }]);
    await own.advance("1m");
  });

  test("a guard that vetoes after a crash has the step undone that may have half-happened", async () => {
    const undone: string[] = [];
    const begun = workflow("begun", { input })
      .step("1", { run: () => undefined, rollback: () => void undone.push("1") })
      .observe(observer({ name: "closed", guard: true, init: () => fail("closed") }));
    const { store, launcher, clock, another } = await start([begun]);
    await launcher.stop();
    await store.write({ ...nothing, creates: [newRow("begun", "e")] });
    expect(await claimAndDie(store, "begun")).toBe(1);
    const second = await another();
    await clock.settle();
    expect(await second.execution("e").outcome()).toMatchObject({ status: "rolledBack", reason: "closed" });
    expect(undone).toEqual(["1"]);
  });

  test("an execution that kills its launcher again and again is parked; the others go on", async () => {
    let allowed = false;
    const killer = workflow("killer", { input }).step("1", { run: ({ attempt }) => ({ attempt, allowed }) });
    const { store, launcher, clock, another } = await start([killer]);
    await launcher.stop();
    await store.write({ ...nothing, creates: [newRow("killer", "bad")] });
    for (let crash = 0; crash < 10; crash++) expect(await claimAndDie(store, "killer")).toBe(1);
    const second = await another();
    await clock.settle();
    expect(await second.execution("bad").outcome()).toMatchObject({
      status: "stuck",
      direction: "up",
      error: { code: "STEPWELL_CRASHES_LAUNCHER" },
    });
    expect((await (await second.launch(killer, {})).outcome()).status).toBe("completed");
    allowed = true;
    await second.retry("bad");
    expect(await second.execution("bad").outcome()).toMatchObject({ status: "completed", state: { allowed: true } });
  });

  test("a step that killed its launchers until an operator skipped it is undone as one that is half done", async () => {
    const undone: boolean[] = [];
    const killer = workflow("killer", { input })
      .step("1", { run: () => undefined, rollback: ({ halfDone }) => void undone.push(halfDone) })
      .step("2", { run: () => fail("no") });
    const { store, launcher, clock, another } = await start([killer]);
    await launcher.stop();
    await store.write({ ...nothing, creates: [newRow("killer", "bad")] });
    for (let crash = 0; crash < 10; crash++) expect(await claimAndDie(store, "killer")).toBe(1);
    const second = await another();
    await clock.settle();
    await second.skip("bad", "done by hand, or not");
    expect(await second.execution("bad").outcome()).toMatchObject({ status: "rolledBack", reason: "no" });
    expect(undone).toEqual([true]);
  });

  test("what can't be decoded, or stands at a step that is not there, is parked; the others go on", async () => {
    const fine = workflow("fine", { input }).step("1", { run: () => undefined });
    const { store, launcher, clock, errors } = await start([fine]);
    const broken = newRow("fine", "broken");
    const gone = newRow("fine", "gone");
    await store.write({
      creates: [
        { ...broken, state: Encoded.ofText("{nonsense") },
        { ...gone, position: { ...gone.position, step: "renamed", attempts: 1 } },
      ],
      ...{ transitions: [], releases: [], arrivals: [] },
    });
    const execution = await launcher.launch(fine, {});
    await clock.settle();
    expect((await execution.outcome()).status).toBe("completed");
    expect(await launcher.execution("broken").summary()).toMatchObject({
      status: "stuck",
      error: { code: "STEPWELL_NOT_DECODABLE" },
    });
    expect(await launcher.execution("gone").summary()).toMatchObject({
      status: "stuck",
      error: { code: "STEPWELL_STEP_MISSING" },
    });
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_EXECUTION_STUCK", "STEPWELL_EXECUTION_STUCK"]);
  });

  test("a rollback of what no launcher can go on with is answered by parked-again, not by a promise", async () => {
    const wrong = workflow("changed", { input }).step("1", { run: () => undefined });
    const { store, launcher, clock } = await start([wrong]);
    const row = newRow("changed", "e");
    await store.write({
      ...nothing,
      creates: [{ ...row, position: { ...row.position, step: "renamed", attempts: 1 } }],
    });
    await clock.advance("1s");
    const answer = launcher.rollback("e", "no-use");
    await clock.advance("1s");
    expect(await answer).toMatchObject({ accepted: false, why: "parked-again" });
    expect(await launcher.execution("e").summary()).toMatchObject({ status: "stuck", flow: { direction: "up" } });
  });

  test("what stands at a missing step keeps its place: a request parks it again, and the right definition takes it up", async () => {
    const right = workflow("changed", { input }).step("renamed", { run: () => ({ done: true }) });
    const wrong = workflow("changed", { input }).step("1", { run: () => undefined });
    const { store, launcher, clock, another } = await start([wrong]);
    const row = newRow("changed", "e");
    await store.write({
      ...nothing,
      creates: [{ ...row, position: { ...row.position, step: "renamed", attempts: 1 } }],
    });
    await clock.advance("1s");
    for (let again = 0; again < 2; again++) {
      await launcher.retry("e");
      await clock.settle();
      expect(await launcher.execution("e").summary()).toMatchObject({ status: "stuck", flow: { step: "renamed" } });
    }
    await launcher.stop();
    const second = await another([right]);
    await second.retry("e");
    expect(await second.execution("e").outcome()).toMatchObject({ status: "completed", state: { done: true } });
  });

  test("an execution of a version that is not registered waits, visibly, until one is", async () => {
    const old = workflow("w", { input, version: "1" }).step("1", { run: () => ({ v: 1 }) });
    const current = workflow("w", { input, version: "2" }).step("1", { run: () => ({ v: 2 }) });
    const { launcher, clock, another } = await start([old]);
    await launcher.launch(old, {}, { id: "e", delay: "1s" });
    await launcher.stop();
    const second = await another([current]);
    await clock.advance("1m");
    expect(await second.execution("e").summary()).toMatchObject({ status: "scheduled", version: "1" });
    const third = await another([old, current]);
    await clock.advance("2s");
    expect(await third.execution("e").outcome()).toMatchObject({ state: { v: 1 } });
  });
});

onEveryStore("several launchers", (start) => {
  test("never both advance one execution, and together do all of them", async () => {
    const runs = new Map<string, number>();
    const counted = workflow("counted", { input })
      .step("1", { run: async ({ execution }) => void runs.set(execution.id, (runs.get(execution.id) ?? 0) + 1) })
      .step("2", { run: () => pause({}, { timeout: "1s" }), onTimeout: () => undefined })
      .step("3", { run: async ({ execution }) => void runs.set(execution.id, (runs.get(execution.id) ?? 0) + 1) });
    const { launcher, another, clock } = await start([counted]);
    await another();
    await another();
    const handles = await launcher.launchMany(
      counted,
      Array.from({ length: 60 }, () => ({ input: {} })),
    );
    await clock.advance("5s");
    for (const handle of handles) expect((await handle.outcome()).status).toBe("completed");
    expect([...runs.values()]).toEqual(Array(60).fill(2));
  });

  test("a message, a rollback request and an outcome reach across them", async () => {
    const wait = workflow("wait", { input }).step("1", {
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: ({ signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
      rollback: () => ({ undone: true }),
    });
    const { launcher, another, clock } = await start([wait]);
    const second = await another();
    const here = await launcher.launch(wait, {}, { id: "e" });
    await second.send("e", "go", null);
    await clock.settle();
    expect((await here.flow()).stepFunc).toBe("runContinue");
    const outcome = second.execution("e").outcome();
    expect(await second.rollback("e", "from-there")).toEqual({ accepted: true });
    await clock.advance("3s");
    expect(await outcome).toMatchObject({ status: "rolledBack", reason: "from-there" });
    expect(await here.outcome()).toMatchObject({ status: "rolledBack" });
  });
});

onEveryStore("stopping", (start) => {
  test("lets running steps finish within the drain time, and gives the rest back", async () => {
    const lines: string[] = [];
    const slow = workflow("slow", { input })
      .step("1", {
        run: () => new Promise<void>((resolve) => rig.clock.after(3000, () => (lines.push("1 done"), resolve()))),
      })
      .step("2", { run: () => void lines.push("2") });
    const rig = await start([slow], { drainTimeout: "10s" });
    await rig.launcher.launch(slow, {}, { id: "e" });
    await rig.clock.settle();
    const stopped = rig.launcher.stop();
    await rig.clock.advance("3s");
    await stopped;
    expect(lines).toEqual(["1 done"]);
    const second = await rig.another();
    await rig.clock.settle();
    expect((await second.execution("e").outcome()).status).toBe("completed");
    expect(lines).toEqual(["1 done", "2"]);
  });

  test("aborts after the drain time; that attempt does not count, and another launcher goes on at once", async () => {
    const reasons: unknown[] = [];
    const slow = workflow("slow", { input }).step("1", {
      run: ({ signal, attempt }) => {
        if (reasons.length > 0) return { attempt };
        return new Promise<never>((_, reject) =>
          signal.addEventListener("abort", () => {
            reasons.push((signal.reason as StepwellError).code);
            reject(signal.reason as StepwellError);
          }),
        );
      },
    });
    const rig = await start([slow], { drainTimeout: "10s" });
    await rig.launcher.launch(slow, {}, { id: "e" });
    await rig.clock.settle();
    const stopped = rig.launcher.stop();
    await rig.clock.advance("9s");
    expect(reasons).toEqual([]);
    await rig.clock.advance("1s");
    await stopped;
    expect(reasons).toEqual(["STEPWELL_LAUNCHER_STOPPING"]);
    const second = await rig.another();
    await rig.clock.settle();
    expect(await second.execution("e").outcome()).toMatchObject({ status: "completed", state: { attempt: 2 } });
    expect(await told(second.execution("e"))).toEqual(["run 1: cut-off", "run 1: ok"]);
  });

  test("does not wait for a step that ignores its signal for longer than the grace time", async () => {
    const deaf = workflow("deaf", { input }).step("1", { run: () => new Promise<never>(() => undefined) });
    const { launcher, clock, store } = await start([deaf], { drainTimeout: "1s", abortGrace: "2s" });
    await launcher.launch(deaf, {}, { id: "e" });
    await clock.settle();
    const stopped = launcher.stop();
    await clock.advance("3s");
    await stopped;
    expect((await store.load(["e"]))[0]).toMatchObject({ owner: null });
  });

  test("leaves a store open that was open before", async () => {
    const { launcher, store } = await start([workflow("w", { input }).step("1", { run: () => undefined })]);
    await launcher.stop();
    expect(store.isOpen).toBe(true);
  });
});

test("a launcher closes the store that it opened, also through `await using`", async () => {
  const store = memoryStore();
  const quick = workflow("quick", { input }).step("1", { run: () => undefined });
  {
    await using launcher = new Launcher({ store, workflows: [quick] });
    await launcher.start();
    expect(store.isOpen).toBe(true);
    await (await launcher.launch(quick, {})).outcome();
  }
  expect(store.isOpen).toBe(false);
});
