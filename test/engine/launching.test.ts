import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { Client, Launcher, memoryStore, pause, workflow } from "../../src/index.js";
import { through } from "../../src/testing/faults/through.js";
import { errorOf, onEveryStore } from "../support/rig.js";

const input = z.object({ n: z.coerce.number() });

function waiting(name = "waiting", version = "1") {
  return workflow(name, { input, version }).step("1", {
    messages: { go: z.null() },
    run: () => pause(),
    onMessage: () => ({ done: version }),
  });
}

onEveryStore("launching", (start) => {
  test("checks the input: the schema's output is the first state, and what it refuses is not stored", async () => {
    const wait = waiting();
    const { launcher } = await start([wait]);
    const execution = await launcher.launch(wait, { n: "5" });
    expect(await execution.state()).toEqual({ n: 5 });
    await expect(launcher.launch(wait, { n: "five" }, { id: "bad" })).rejects.toMatchObject({
      code: "STEPWELL_INVALID_INPUT",
      message: expect.stringContaining("n: "),
    });
    await expect(launcher.execution("bad").state()).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND" });
  });

  test("with the same id is the same execution; with other input or workflow a conflict that changes nothing", async () => {
    const wait = waiting();
    const other = waiting("other");
    const { launcher, clock } = await start([wait, other]);
    const first = await launcher.launch(wait, { n: 1 }, { id: "o-1" });
    const again = await launcher.launch(wait, { n: 1 }, { id: "o-1", tags: ["late"] });
    expect(again.id).toBe(first.id);
    await expect(launcher.launch(wait, { n: 2 }, { id: "o-1" })).rejects.toMatchObject({
      code: "STEPWELL_LAUNCH_CONFLICT",
    });
    // The input counts as it was given: "1" and 1 become the same state, and are two inputs.
    await expect(launcher.launch(wait, { n: "1" }, { id: "o-1" })).rejects.toMatchObject({
      code: "STEPWELL_LAUNCH_CONFLICT",
    });
    await expect(launcher.launch(other, { n: 1 }, { id: "o-1" })).rejects.toMatchObject({
      code: "STEPWELL_LAUNCH_CONFLICT",
    });
    await clock.settle();
    expect((await launcher.list()).executions).toMatchObject([
      { id: "o-1", workflow: "waiting", tags: [], status: "waiting" },
    ]);
  });

  test("many at once with the same id starts one", async () => {
    let runs = 0;
    const counted = workflow("counted", { input }).step("1", { run: () => void runs++ });
    const { launcher } = await start([counted]);
    const launched = await Promise.all(
      Array.from({ length: 20 }, () => launcher.launch(counted, { n: 1 }, { id: "only" })),
    );
    await Promise.all(launched.map((execution) => execution.outcome()));
    expect(runs).toBe(1);
  });

  test("launchMany checks all inputs before it stores the first", async () => {
    const wait = waiting();
    const { launcher } = await start([wait]);
    await expect(launcher.launchMany(wait, [{ input: { n: 1 } }, { input: { n: "x" } }])).rejects.toMatchObject({
      code: "STEPWELL_INVALID_INPUT",
    });
    expect((await launcher.list()).executions).toEqual([]);
    const handles = await launcher.launchMany(wait, [
      { input: { n: 1 }, id: "a" },
      { input: { n: 2 }, tags: ["x"] },
    ]);
    expect(handles.map(({ id }) => id)[0]).toBe("a");
    expect((await launcher.list({ tags: ["x"] })).executions).toHaveLength(1);
  });

  test("with a delay or at a time begins then, not before", async () => {
    const began: string[] = [];
    const late = workflow("late", { input, deadline: "1h" }).step("1", {
      run: ({ execution }) => void began.push(execution.id),
    });
    const { launcher, clock } = await start([late]);
    const delayed = await launcher.launch(late, { n: 1 }, { id: "delayed", delay: "2h" });
    await launcher.launch(late, { n: 1 }, { id: "timed", at: new Date(clock.now() + 3 * 3_600_000) });
    await launcher.launch(late, { n: 1 }, { id: "past", at: new Date(0) });
    await clock.settle();
    expect(began).toEqual(["past"]);
    expect((await delayed.summary()).status).toBe("scheduled");
    await clock.advance("2h");
    expect(began).toEqual(["past", "delayed"]);
    // The deadline counts from the beginning, not from the launch.
    expect((await delayed.outcome()).status).toBe("completed");
    await clock.advance("1h");
    expect(began).toEqual(["past", "delayed", "timed"]);
  });

  test("in rollback under an id that exists is a conflict, and undoes nothing", async () => {
    const undone: string[] = [];
    const undo = ({ step }: { step: { name: string } }): void => void undone.push(step.name);
    const both = workflow("both", { input })
      .step("1", { run: () => undefined, rollback: undo })
      .step("2", { run: () => undefined, rollback: undo });
    const { launcher, clock } = await start([both]);
    await (await launcher.launch(both, { n: 1 }, { id: "up" })).outcome();
    const inRollback = (id: string, from: "1" | "2"): Promise<unknown> =>
      launcher.launch(both, { n: 1 }, { id, rollback: { from, reason: "returned" } });
    expect(await errorOf(inRollback("up", "2"))).toMatchObject({ code: "STEPWELL_LAUNCH_CONFLICT", execution: "up" });
    await clock.settle();
    expect(undone).toEqual([]);
    expect((await launcher.execution("up").summary()).status).toBe("completed");
    // The same launch again is the same execution, as ever; from another step it is another thing.
    await inRollback("down", "1");
    await inRollback("down", "1");
    await clock.settle();
    await inRollback("down", "1");
    expect(await errorOf(inRollback("down", "2"))).toMatchObject({ code: "STEPWELL_LAUNCH_CONFLICT" });
    expect(undone).toEqual(["1"]);
  });

  test("in rollback under the id of one that is pruned in that moment launches it", async () => {
    const undone: string[] = [];
    const both = workflow("both", { input })
      .step("1", { run: () => undefined, rollback: () => void undone.push("1") })
      .step("2", { run: () => undefined, rollback: () => void undone.push("2") });
    const { store, clock, launcher } = await start([both]);
    const inRollback = { id: "o", rollback: { from: "2", reason: "returned" } } as const;
    await (await launcher.launch(both, { n: 1 }, inRollback)).outcome();
    await clock.advance("1h");
    let isPruned = false;
    const pruning = through(store, (call, name) => async (...given: unknown[]) => {
      if (name === "history" && !isPruned) {
        isPruned = true;
        await launcher.prune({ rolledBack: "1m" });
      }
      return call(...given);
    });
    const client = new Client({ store: pruning });
    onTestFinished(() => client.stop());
    await client.launch(both, { n: 1 }, inRollback);
    await clock.advance("1m");
    expect(await launcher.execution("o").outcome()).toMatchObject({ status: "rolledBack" });
    expect(isPruned).toBe(true);
    expect(undone).toEqual(["2", "1", "2", "1"]);
  });

  test("in rollback from a step after the pivot is refused, and from the pivot itself is not", async () => {
    const undone: string[] = [];
    const sealed = workflow("sealed", { input })
      .step("before", { run: () => undefined, rollback: () => void undone.push("before") })
      .step("pivot", { pivot: true, run: () => undefined, rollback: () => void undone.push("pivot") })
      .step("after", { run: () => undefined });
    const { launcher, clock } = await start([sealed]);
    const refused = await errorOf(
      launcher.launch(sealed, { n: 1 }, { id: "late", rollback: { from: "after", reason: "returned" } }),
    );
    expect(refused).toMatchObject({ code: "STEPWELL_PAST_PIVOT", execution: "late", step: "after" });
    expect((await launcher.list()).executions).toEqual([]);
    const half = await launcher.launch(sealed, { n: 1 }, { rollback: { from: "pivot", reason: "returned" } });
    await clock.settle();
    expect((await half.outcome()).status).toBe("rolledBack");
    expect(undone).toEqual(["pivot", "before"]);
  });

  test.each([
    [{ id: "" }, "STEPWELL_INVALID_ARGUMENT"],
    [{ id: "x".repeat(256) }, "STEPWELL_INVALID_ARGUMENT"],
    [{ id: "a\u0000b" }, "STEPWELL_INVALID_ARGUMENT"],
    [{ tags: "one" }, "STEPWELL_INVALID_ARGUMENT"],
    [{ tags: [""] }, "STEPWELL_INVALID_ARGUMENT"],
    [{ delay: "soon" }, "STEPWELL_INVALID_DURATION"],
    [{ at: new Date(Number.NaN) }, "STEPWELL_INVALID_ARGUMENT"],
    [{ at: new Date(), delay: 1 }, "STEPWELL_INVALID_ARGUMENT"],
    [{ dely: 1 }, "STEPWELL_UNKNOWN_OPTION"],
    [{ rollback: { from: "nowhere", reason: "x" } }, "STEPWELL_INVALID_ARGUMENT"],
    [{ rollback: { from: "1", reason: "" } }, "STEPWELL_INVALID_ARGUMENT"],
  ])("refuses %o", async (options, code) => {
    const wait = waiting();
    const { launcher } = await start([wait]);
    await expect(launcher.launch(wait, { n: 1 }, options as never)).rejects.toMatchObject({ code });
    expect((await launcher.list()).executions).toEqual([]);
  });

  test("no more than `concurrency` are worked on at a time, and all come to their end", async () => {
    let running = 0;
    let most = 0;
    const slow = workflow("slow", { input }).step("1", {
      run: async ({ signal }) => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => {
          rig.clock.after(1000, resolve);
          signal.addEventListener("abort", () => resolve());
        });
        running--;
      },
    });
    const rig = await start([slow], { concurrency: 3 });
    const handles = await rig.launcher.launchMany(
      slow,
      Array.from({ length: 10 }, (_, n) => ({ input: { n } })),
    );
    await rig.clock.advance("10s");
    const outcomes = await Promise.all(handles.map((handle) => handle.outcome()));
    expect(outcomes.every(({ status }) => status === "completed")).toBe(true);
    expect(most).toBe(3);
  });

  test("an execution keeps the version that it started with; several stand side by side", async () => {
    const [one, two] = [waiting("w", "1"), waiting("w", "2")];
    const { launcher } = await start([one, two]);
    const first = await launcher.launch(one, { n: 1 });
    const second = await launcher.launch(two, { n: 1 });
    await Promise.all([first.send("go", null), second.send("go", null)]);
    expect(await first.outcome()).toMatchObject({ state: { done: "1" } });
    expect(await second.outcome()).toMatchObject({ state: { done: "2" } });
    const idempotent = await launcher.launch(two, { n: 1 }, { id: first.id });
    expect((await idempotent.summary()).version).toBe("1");
    await expect(launcher.launch(waiting("w", "3"), { n: 1 })).rejects.toMatchObject({
      code: "STEPWELL_UNKNOWN_WORKFLOW",
    });
  });

  test("outcome() with a timeout rejects, coded, and the execution goes on", async () => {
    const wait = waiting();
    const { launcher, clock } = await start([wait]);
    const execution = await launcher.launch(wait, { n: 1 });
    const late = execution.outcome({ timeout: "10s" }).catch((error: unknown) => error);
    await clock.advance("10s");
    expect(await late).toMatchObject({ code: "STEPWELL_OUTCOME_TIMEOUT" });
    await execution.send("go", null);
    expect((await execution.outcome({ timeout: "10s" })).status).toBe("completed");
  });

  test("the readers of a handle on nothing reject", async () => {
    const { launcher } = await start([waiting()]);
    const nothing = launcher.execution("nothing");
    for (const read of [
      () => nothing.state(),
      () => nothing.flow(),
      () => nothing.history(),
      () => nothing.mailbox(),
      () => nothing.outcome(),
      () => nothing.summary(),
    ]) {
      await expect(read()).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND", execution: "nothing" });
    }
  });

  test("list filters by workflow, status, tags and time, newest first, and its pages miss and repeat nothing", async () => {
    const [wait, other] = [waiting(), workflow("other", { input }).step("1", { run: () => undefined })];
    const { launcher, clock } = await start([wait, other]);
    const before = new Date(clock.now());
    for (let n = 0; n < 10; n++) {
      await launcher.launch(n % 2 ? wait : other, { n }, { id: `e-${n}`, tags: n < 4 ? ["small", `n${n}`] : [] });
      // Some of them in the same millisecond.
      if (n % 3 === 0) await clock.advance("1s");
    }
    await clock.settle();
    const ids = async (options: Parameters<Launcher["list"]>[0]): Promise<string[]> =>
      (await launcher.list(options)).executions.map(({ id }) => id);
    expect(await ids({ workflow: "waiting" })).toEqual(["e-9", "e-7", "e-5", "e-3", "e-1"]);
    expect(await ids({ status: "completed" })).toEqual(["e-8", "e-6", "e-4", "e-2", "e-0"]);
    expect(await ids({ status: ["completed", "waiting"], tags: ["small"] })).toEqual(["e-3", "e-2", "e-1", "e-0"]);
    expect(await ids({ tags: ["small", "n2"] })).toEqual(["e-2"]);
    expect(
      await ids({ createdFrom: new Date(before.getTime() + 1000), createdBefore: new Date(before.getTime() + 2000) }),
    ).toEqual(["e-3", "e-2", "e-1"]);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await launcher.list({ limit: 3, ...(after !== undefined && { after }) });
      seen.push(...page.executions.map(({ id }) => id));
      after = page.cursor ?? undefined;
    } while (after !== undefined);
    expect(seen).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((n) => `e-${n}`));
    await expect(launcher.list({ after: "nonsense" })).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    await expect(launcher.list({ limit: 0 })).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    await expect(launcher.list({ stat: "x" } as never)).rejects.toMatchObject({ code: "STEPWELL_UNKNOWN_OPTION" });
  });
});

test("a launcher that is not started, or is stopped, refuses work", async () => {
  const wait = waiting();
  const launcher = new Launcher({ store: memoryStore(), workflows: [wait] });
  await expect(launcher.launch(wait, { n: 1 })).rejects.toMatchObject({ code: "STEPWELL_LAUNCHER_NOT_RUNNING" });
  await launcher.start();
  await launcher.launch(wait, { n: 1 });
  await launcher.stop();
  await expect(launcher.send("x", "go", null)).rejects.toMatchObject({ code: "STEPWELL_LAUNCHER_NOT_RUNNING" });
});

test.each([
  [{ store: {} }, "STEPWELL_INVALID_ARGUMENT", "store"],
  [{ workflows: [] }, "STEPWELL_INVALID_ARGUMENT", "at least one workflow. To ask without driving, make a Client."],
  [{ workflows: [waiting(), waiting()] }, "STEPWELL_INVALID_ARGUMENT", "listed twice"],
  [{ workflows: new Set([waiting()]) }, "STEPWELL_INVALID_ARGUMENT", "workflows"],
  [{ workflows: [waiting(), "x"] }, "STEPWELL_INVALID_ARGUMENT", '"workflows[1]" is not a workflow but "x"'],
  [{ workflows: [null] }, "STEPWELL_INVALID_ARGUMENT", '"workflows[0]" is not a workflow but null'],
  [{ concurrency: 0 }, "STEPWELL_INVALID_ARGUMENT", "concurrency"],
  [{ concurrency: 0.5 }, "STEPWELL_INVALID_ARGUMENT", "whole number from 1, or Infinity, not 0.5"],
  [{ concurrency: "5" }, "STEPWELL_INVALID_ARGUMENT", 'not "5"'],
  [{ concurrency: null }, "STEPWELL_INVALID_ARGUMENT", "not null"],
  [{ sizeLimit: 0.5 }, "STEPWELL_INVALID_ARGUMENT", "sizeLimit"],
  [{ onError: 5 }, "STEPWELL_INVALID_ARGUMENT", '"onError" must be a function, not 5'],
  [{ onError: null }, "STEPWELL_INVALID_ARGUMENT", "not null"],
  [{ logger: {} }, "STEPWELL_INVALID_ARGUMENT", 'no function "debug"'],
  [{ logger: null }, "STEPWELL_INVALID_ARGUMENT", 'no function "debug"'],
  [{ logger: { ...console, error: "loud" } }, "STEPWELL_INVALID_ARGUMENT", 'no function "error"'],
  [{ clock: { now: Date.now } }, "STEPWELL_INVALID_ARGUMENT", 'no function "monotonic"'],
  [{ pollInterval: 0 }, "STEPWELL_INVALID_ARGUMENT", "longer than 0"],
  [{ pollInterval: "often" }, "STEPWELL_INVALID_DURATION", "pollInterval"],
  [{ heartbeat: { interval: "10s", timeout: "5s" } }, "STEPWELL_INVALID_ARGUMENT", "heartbeat"],
  [{ heartbeat: null }, "STEPWELL_INVALID_ARGUMENT", "heartbeat"],
  [{ heartbeat: { interval: null } }, "STEPWELL_INVALID_DURATION", "heartbeat.interval"],
  [{ heartbeat: { intervall: 1 } }, "STEPWELL_UNKNOWN_OPTION", "interval"],
  [{ concurency: 5 }, "STEPWELL_UNKNOWN_OPTION", 'mean "concurrency"'],
])("a launcher with %o is refused", (wrong, code, part) => {
  const options = { store: memoryStore(), workflows: [waiting()], ...wrong };
  expect(() => new Launcher(options as never)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(part) }) as Error,
  );
});

test("a launcher may have no limit of concurrency and of size", async () => {
  const wait = waiting();
  const options = { store: memoryStore(), workflows: [wait], concurrency: Infinity, sizeLimit: Infinity };
  await using launcher = new Launcher(options);
  await launcher.start();
  const execution = await launcher.launch(wait, { n: 1 });
  await execution.send("go", null);
  expect((await execution.outcome()).status).toBe("completed");
});

onEveryStore("a new version of a workflow", (start) => {
  test("does not refuse the same launch again, though its schema takes that input no more", async () => {
    const old = workflow("w", { input: z.object({ cents: z.number() }), version: "1" }).step("1", {
      run: () => undefined,
    });
    const strict = workflow("w", { input: z.object({ cents: z.number().min(100) }), version: "2" }).step("1", {
      run: () => undefined,
    });
    const { launcher, another } = await start([old]);
    await launcher.launch(old, { cents: 5 }, { id: "e" });
    const second = await another([strict]);
    expect((await second.launch(strict, { cents: 5 }, { id: "e" })).id).toBe("e");
    await expect(second.launch(strict, { cents: 6 }, { id: "e" })).rejects.toMatchObject({
      code: "STEPWELL_INVALID_INPUT",
    });
    await expect(second.launch(strict, { cents: 5 }, { id: "new" })).rejects.toMatchObject({
      code: "STEPWELL_INVALID_INPUT",
    });
  });

  test("leaves what is due in an older one to wait, and the launchers that are there say so, once", async () => {
    const old = workflow("w", { input: z.object({}), version: "1" }).step("1", { run: () => undefined });
    const current = workflow("w", { input: z.object({}), version: "2" }).step("1", { run: () => undefined });
    const { launcher, another, clock, errors } = await start([old]);
    for (const id of ["a", "b"]) await launcher.launch(old, {}, { id, delay: "1m" });
    await launcher.stop();
    const second = await another([current]);
    await clock.advance("5m");
    expect(errors.map(({ code, workflow: name }) => [code, name])).toEqual([["STEPWELL_UNKNOWN_WORKFLOW", "w"]]);
    expect((await second.execution("a").summary()).status).toBe("scheduled");
  });
});
