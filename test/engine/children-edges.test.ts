/** Where steps of children end: how many, how deep, how large, how long. */
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { pause, StepwellError, workflow, type AnyWorkflow, type Store } from "../../src/index.js";
import type { Advance } from "../../src/stores/lists.js";
import { through } from "../../src/testing/faults/through.js";
import { errorOf, onEverySqlStore, onEveryStore, patient, told } from "../support/rig.js";

const none = z.object({});

const input = z.object({ n: z.number() });

/** Waits for `go`. */
function waiting(name: string, lines: string[] = []) {
  return workflow(name, { input }).step("wait", {
    messages: { go: z.object({ ok: z.boolean() }) },
    run: () => pause(),
    onMessage: ({ message }) => ({ ok: message.payload.ok }),
    rollback: ({ state }) => void lines.push(`undo ${state.n}`),
  });
}

const two = { items: () => [{ n: 0 }, { n: 1 }] };

/** While `isBroken`, it fails when it is asked for a list; from when a parent is told of its list, if it `breaksWhenTold`. */
function frail(store: Store): { readonly store: Store; isBroken: boolean; breaksWhenTold: boolean } {
  const it = {
    isBroken: false,
    breaksWhenTold: false,
    store: through(store, (call, name) => {
      if (name !== "lists.find" && name !== "lists.advance") return call;
      return (...given) => {
        if (name === "lists.advance") {
          const tells = (given[0] as readonly Advance[]).some(({ arrivals }) => arrivals.length > 0);
          it.isBroken ||= it.breaksWhenTold && tells;
          return call(...given);
        }
        if (it.isBroken) throw new StepwellError("STEPWELL_STORE_FAILED", "The disk is full.");
        return call(...given);
      };
    }),
  };
  return it;
}

const nobodys = workflow("nobodys", { input: none }).step("1", { run: () => undefined });

onEveryStore("a step of children", (start) => {
  test("fails before anything has begun where there are more than 100,000 items", async () => {
    const begun: number[] = [];
    const child = workflow("child", { input }).step("work", { run: ({ state }) => void begun.push(state.n) });
    const parent = workflow("parent", { input: none }).forEach("work", child, {
      items: () => Array.from({ length: 100_001 }, (_, n) => ({ n })),
    });
    const { launcher } = await start([parent], patient);
    const execution = await launcher.launch(parent, {});
    expect(await execution.outcome()).toMatchObject({
      ...{ status: "rolledBack", reason: "STEPWELL_INVALID_CHILDREN" },
      error: {
        message: `Step "work": "items" gave 100001 items; at most 100000 can be children of one step. Nothing of it has begun.`,
      },
    });
    expect(begun).toEqual([]);
  });

  test("has no child of a key without an input, and is done at once where none has one", async () => {
    const child = workflow("child", { input }).step("work", { run: ({ state }) => ({ twice: 2 * state.n }) });
    const parent = workflow("parent", { input: none })
      .parallel(
        "some",
        { left: child, right: child },
        {
          input: () => ({ left: { n: 1 }, right: undefined }),
          join: ({ byKey: { left, right } }) => ({ some: [left?.state.twice, right?.state.twice ?? "none"] }),
        },
      )
      .parallel(
        "all",
        { left: child, right: child },
        {
          input: () => ({ left: { n: 1 }, right: { n: 2 } }),
          join: ({ byKey, children }) => ({ all: [byKey.left?.key, children.map(({ state }) => state.twice)] }),
        },
      )
      .parallel(
        "neither",
        { left: child },
        {
          input: () => ({ left: undefined }),
          join: ({ children }) => ({ neither: children.length }),
        },
      )
      .child("one", child, { input: () => undefined, join: ({ children }) => ({ one: children.length }) });
    const { launcher } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    expect(await execution.outcome()).toMatchObject({
      status: "completed",
      state: { some: [2, "none"], all: ["left", [2, 4]], neither: 0, one: 0 },
    });
    expect((await launcher.list({ root: "p" })).executions.map(({ id }) => id).toSorted()).toEqual([
      "p/all/left",
      "p/all/right",
      "p/some/left",
    ]);
    expect(await told(execution)).toEqual([
      "run some: continue",
      "runContinue some: ok",
      "run all: continue",
      "runContinue all: ok",
      "run neither: ok",
      "run one: ok",
    ]);
  });

  test("counts the deadline of a child from when it begins, not from when it was listed", async () => {
    const child = workflow("child", { input, deadline: "1h" }).step("wait", {
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: () => undefined,
    });
    const parent = workflow("parent", { input: none }).forEach("work", child, { ...two, concurrency: 1 });
    const { launcher, clock } = await start([parent], {
      pollInterval: "1m",
      heartbeat: { interval: "1m", timeout: "5m" },
    });
    const [good, bad] = [
      await launcher.launch(parent, {}, { id: "good" }),
      await launcher.launch(parent, {}, { id: "bad" }),
    ];
    for (const n of [0, 1]) {
      await clock.advance("50m");
      await launcher.send(`good/work/${n}`, "go", null);
      if (n === 0) await launcher.send("bad/work/0", "go", null);
      await clock.settle();
    }
    expect(await good.outcome()).toMatchObject({ status: "completed" });
    expect(await bad.summary()).toMatchObject({ status: "waiting" });
    await clock.advance("12m");
    expect(await bad.outcome()).toMatchObject({ status: "rolledBack", reason: "deadline" });
  });
});

/** So much takes long over a network. */
onEveryStore(
  "a step of many large children",
  (start) => {
    test("fails, and undoes what has completed, where the states of its children are too large for `join`", async () => {
      const undone: number[] = [];
      const child = workflow("child", { input }).step("work", {
        run: () => ({ text: "x".repeat(8_000_000) }),
        rollback: ({ state }) => void undone.push(state.n),
      });
      const parent = workflow("parent", { input: z.object({ count: z.number() }) }).forEach("work", child, {
        items: ({ state }) => Array.from({ length: state.count }, (_, n) => ({ n })),
        join: ({ children }) => ({ joined: children.length }),
      });
      const { launcher } = await start([parent], { ...patient, sizeLimit: 10_000_000 });
      expect(await (await launcher.launch(parent, { count: 8 })).outcome()).toMatchObject({ state: { joined: 8 } });
      const execution = await launcher.launch(parent, { count: 9 });
      expect(await execution.outcome()).toMatchObject({
        ...{ status: "rolledBack", reason: "STEPWELL_TOO_LARGE" },
        error: { message: expect.stringContaining('Step "work": the states of its children are more than') as string },
      });
      expect(undone).toHaveLength(9);
    });
  },
  ["memory", "sqlite"],
);

/** The workflow with one more step, as a later deployment has it. */
type Grown = (below: AnyWorkflow) => AnyWorkflow;

const withMore: (name: string) => Grown = (name) => (below) =>
  waiting(name).child("more", below as ReturnType<typeof waiting>, { input: ({ state }) => ({ n: state.n }) });

onEveryStore("a step of children that a later deployment has brought below an execution", (start) => {
  test("is refused where a workflow would be below itself", async () => {
    const parent = workflow("parent", { input: none }).child("one", waiting("child"), { input: () => ({ n: 0 }) });
    const { launcher, clock, another } = await start([parent], patient);
    await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    await launcher.stop();
    const next = await another(
      [withMore("child")(workflow("parent", { input, version: "2" }).step("a", { run: () => undefined }))],
      patient,
    );
    await next.send("p/one/0", "go", { ok: true });
    expect(await next.execution("p/one/0").outcome()).toMatchObject({
      ...{ status: "rolledBack", reason: "STEPWELL_INVALID_CHILDREN" },
      error: { message: 'Step "more": workflow "parent" would be below itself. Nothing of it has begun.' },
    });
  });

  test("is refused where it would be the seventeenth generation", async () => {
    let chain: AnyWorkflow = waiting("16");
    for (let depth = 15; depth >= 0; depth--)
      chain = workflow(String(depth), { input }).child("c", chain as ReturnType<typeof waiting>, {
        input: () => ({ n: 0 }),
      });
    const { launcher, clock, another } = await start([chain], patient);
    await launcher.launch(chain, { n: 0 }, { id: "t" });
    await clock.advance("1m");
    const { executions } = await launcher.list({ root: "t", limit: 100 });
    expect(executions).toHaveLength(16);
    const { id } = executions.find((it) => it.workflow === "16")!;
    await launcher.stop();
    const next = await another([withMore("16")(waiting("17"))], patient);
    await next.send(id, "go", { ok: true });
    expect(await next.execution(id).outcome()).toMatchObject({
      ...{ status: "rolledBack", reason: "STEPWELL_INVALID_CHILDREN" },
      error: {
        message:
          'Step "more": it would begin children at depth 17, and at most 16 generations stand below an execution. Nothing of it has begun.',
      },
    });
  });
});

onEveryStore("a parent that is stuck at its step of children", (start) => {
  test("is not skipped while one of them is not settled, and goes on without them once all are", async () => {
    const parent = workflow("parent", { input: none })
      .forEach("work", waiting("child"), two)
      .step("after", { run: () => ({ after: true }) });
    const { store, clock, another } = await start([nobodys], patient);
    const it = frail(store);
    const launcher = await another([parent], { ...patient, store: it.store });
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    const early = errorOf(execution.skip("no need"));
    await clock.advance("1s");
    expect(await early).toMatchObject({ code: "STEPWELL_EXECUTION_NOT_STUCK" });
    // It is parked as it hears of a child that was rolled back.
    it.breaksWhenTold = true;
    const asked = launcher.rollback("p/work/0", "wrong");
    await clock.advance("2h");
    expect(await asked).toMatchObject({ accepted: true });
    it.breaksWhenTold = it.isBroken = false;
    expect(await execution.summary()).toMatchObject({ status: "stuck" });
    expect(await errorOf(execution.skip("no need"))).toMatchObject({
      ...{ code: "STEPWELL_CHILDREN_LIVE", execution: "p", step: "work" },
      message: expect.stringContaining("1 of its children are not settled") as string,
    });
    await launcher.send("p/work/1", "go", { ok: true });
    await clock.advance("2h");
    await execution.skip("no need");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { after: true } });
    expect(await launcher.execution("p/work/1").summary()).toMatchObject({ status: "completed" });
  });

  test("lets those that have completed go where it is skipped on the way down, and they are nobody's then", async () => {
    const lines: string[] = [];
    const parent = workflow("parent", { input: none })
      .step("before", { run: () => undefined, rollback: () => void lines.push("undo before") })
      .forEach("work", waiting("child", lines), two);
    const { store, clock, another } = await start([nobodys], patient);
    const it = frail(store);
    const launcher = await another([parent], { ...patient, store: it.store });
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    for (const n of [0, 1]) await launcher.send(`p/work/${n}`, "go", { ok: true });
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    it.isBroken = true;
    const asked = execution.rollback("returned");
    await clock.advance("1s");
    expect(await asked).toMatchObject({ accepted: true });
    expect(await execution.summary()).toMatchObject({ status: "stuck" });
    it.isBroken = false;
    await execution.skip("they stay");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "returned" });
    expect(lines).toEqual(["undo before"]);
    const child = launcher.execution("p/work/1");
    expect(await child.summary()).toMatchObject({ status: "completed" });
    expect(await child.rollback("by itself")).toMatchObject({ accepted: true });
    expect(await child.outcome()).toMatchObject({ status: "rolledBack", reason: "by itself" });
    expect(lines).toEqual(["undo before", "undo 1"]);
    expect(await launcher.execution("p/work/0").summary()).toMatchObject({ status: "completed" });
  });
});

onEverySqlStore("the row of a parent", (start) => {
  test("is as large with a thousand children as with one, while it waits and when it is done", async () => {
    const child = workflow("child", { input: z.object({ isLast: z.boolean() }) }).step("wait", {
      messages: { go: z.null() },
      run: ({ state }) => (state.isLast ? pause() : undefined),
      onMessage: () => undefined,
    });
    // The same length of the input.
    const parent = workflow("parent", { input: z.object({ count: z.string() }) }).forEach("work", child, {
      items: ({ state }) => Array.from({ length: Number(state.count) }, (_, n) => ({ isLast: n === 0 })),
      concurrency: 100,
    });
    const { launcher, clock, sql } = await start([parent], patient);
    const sizeOf = async (id: string): Promise<number> => {
      const [row] = await sql(`SELECT position, state, input, tags FROM stepwell_executions WHERE id = '${id}'`);
      return JSON.stringify(row).length;
    };
    const sizes = [];
    for (const [id, count] of [
      ["p-1", "0001"],
      ["p-2", "1000"],
    ] as const) {
      const execution = await launcher.launch(parent, { count }, { id });
      const group = { count: Number(count), underWay: 1, completed: Number(count) - 1 };
      await vi.waitFor(async () => {
        await clock.settle();
        expect(await execution.children()).toMatchObject([group]);
      }, 20_000);
      const waits = await sizeOf(id);
      await launcher.send(`${id}/work/0`, "go", null);
      expect(await execution.outcome()).toMatchObject({ status: "completed" });
      sizes.push({ waits, done: await sizeOf(id), rows: (await execution.history()).length });
    }
    expect(sizes[1]).toEqual(sizes[0]);
  });
});
