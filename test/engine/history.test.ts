/** What the stored history tells: every state on the way, and what each transition changed. */
import { applyPatch, type Operation } from "rfc6902";
import { expect, test } from "vitest";
import { z } from "zod";
import { complete, fail, observer, pause, StepwellError, workflow, type Store } from "../../src/index.js";
import { onEverySqlStore, onEveryStore } from "../support/rig.js";
import { Witness } from "../support/witness.js";

const input = z.object({});

/** The store, whose method fails `left` times from now on, and not in a way that could be tried again. */
function failing(store: Store, method: keyof Store): { readonly store: Store; left: number } {
  const faulty = {
    left: 0,
    store: new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        return (...given: unknown[]): unknown => {
          if (key === method && faulty.left-- > 0) throw new StepwellError("STEPWELL_STORE_FAILED", "damaged");
          return Reflect.apply(value, target, given);
        };
      },
    }),
  };
  return faulty;
}

onEveryStore("stateAt", (start) => {
  test("gives each state back as it was, with all that a state can hold", async () => {
    const witness = new Witness();
    const rich = {
      at: new Date(5),
      big: 10n,
      nothing: undefined,
      not: Number.NaN,
      low: -0,
      bytes: new Uint8Array([1]),
    };
    const steps = workflow("steps", { input: z.object({ n: z.number() }) })
      .step("1", { run: () => ({ ...rich, map: new Map([["a", { deep: new Set([1n]) }]]) }) })
      .step("2", { run: () => ({ at: undefined as never, map: "plain" as never, n: 2 }) })
      .step("3", { run: () => ({ big: 11n }) })
      .observe(witness.observer);
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, { n: 1 });
    await execution.outcome();
    const states = await witness.confirm(execution, { n: 1 });
    expect(states[1]).toStrictEqual({ n: 1, ...rich, map: new Map([["a", { deep: new Set([1n]) }]]) });
    expect(states[3]).toStrictEqual({ ...rich, n: 2, at: undefined, map: "plain", big: 11n });
  });

  test("includes what guards gave, wherever they gave it, also where a step overwrote it", async () => {
    const witness = new Witness();
    const guard = observer({
      name: "guard",
      guard: true,
      init: () => ({ by: "init", init: 1 }),
      beforeStep: ({ step, flow }) => ({ by: "before", [`before ${step!.name} ${flow.direction}`]: new Date(1) }),
      afterStep: ({ step, flow }) => ({ after: `${step!.name} ${flow.direction}`, gone: undefined }),
      startRollback: () => ({ by: "turn", turned: 3n }),
      failure: () => ({ late: true }),
    });
    const steps = workflow("steps", { input })
      .step("1", { run: () => ({ by: "1" }), rollback: () => ({ by: "undo 1" }) })
      .step("2", { run: () => fail("no", { patch: { by: "2", after: "own" } }), rollback: () => ({ after: "undo 2" }) })
      .observe(guard, witness.observer);
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    await execution.outcome();
    const states = await witness.confirm(execution, {});
    expect(states).toHaveLength(5);
    expect(states[1]).toEqual({ by: "1", init: 1, "before 1 up": new Date(1), after: "1 up", gone: undefined });
    expect(states[3]).toMatchObject({ by: "before", turned: 3n, after: "2 down" });
  });

  test("includes the patch of a guard's veto, and nothing of one whose patch was refused", async () => {
    const witness = new Witness();
    const vetoed = workflow("vetoed", { input })
      .step("1", { run: () => ({ a: 1 }) })
      .step("2", { run: () => ({ a: 2 }) })
      .observe(
        observer({
          name: "guard",
          guard: true,
          beforeStep: ({ step }) => (step!.name === "2" ? fail("no", { patch: { vetoed: true } }) : undefined),
          startRollback: () => ({ text: "x".repeat(2000) }),
        }),
        witness.observer,
      );
    const { launcher } = await start([vetoed], { sizeLimit: 1000 });
    const execution = await launcher.launch(vetoed, {});
    expect((await execution.outcome()).state).toEqual({ a: 1, vetoed: true });
    expect(await witness.confirm(execution, {})).toEqual([
      {},
      { a: 1 },
      { a: 1, vetoed: true },
      { a: 1, vetoed: true },
    ]);
  });

  test("leaves out what was too large to be stored", async () => {
    const witness = new Witness();
    const large = workflow("large", { input })
      .step("1", { run: () => ({ small: 1 }) })
      .step("2", { run: () => ({ small: 2, text: "x".repeat(2000) }), rollback: () => ({ undone: 2 }) })
      .observe(
        observer({ name: "guard", guard: true, beforeStep: ({ step }) => ({ before: step!.name }) }),
        witness.observer,
      );
    const { launcher } = await start([large], { sizeLimit: 1000 });
    const execution = await launcher.launch(large, {});
    expect(await execution.outcome()).toMatchObject({ reason: "STEPWELL_TOO_LARGE" });
    expect((await witness.confirm(execution, {}))[2]).toEqual({ small: 1, before: "2" });
  });

  test("includes what operators gave when they retried and skipped", async () => {
    const witness = new Witness();
    const stuck = workflow("stuck", { input })
      .step("1", { run: () => ({ a: 1 }), rollback: () => ({ undone: 1 }) })
      .step("2", {
        run: () => fail("no"),
        rollbackRetry: { attempts: 1 },
        rollback: ({ state }) => fail("can't", { patch: { tried: "patched" in state } }),
      })
      .observe(witness.observer);
    const { launcher, clock } = await start([stuck]);
    const execution = await launcher.launch(stuck, {});
    await execution.outcome();
    await execution.retry({ by: "ada", patch: { patched: new Date(1), a: undefined } as object });
    await clock.settle();
    await execution.skip("by hand", { by: "ada", patch: { a: "skipped" as never } });
    expect((await execution.outcome()).status).toBe("rolledBack");
    const states = await witness.confirm(execution, {});
    expect(states.at(-1)).toEqual({ a: "skipped", tried: true, patched: new Date(1), undone: 1 });
  });

  test("includes what was given with a pause, by handlers, and with an early end", async () => {
    const witness = new Witness();
    const steps = workflow("steps", { input })
      .step("1", {
        messages: { go: z.number() },
        run: () => pause({ asked: 1n }),
        onMessage: ({ message }) => (message.payload < 2 ? pause({ n: message.payload }) : { n: 2 }),
      })
      .step("2", { run: () => complete({ early: new Map([[1, 2]]) }) })
      .step("3", { run: () => ({ never: true }) })
      .observe(witness.observer);
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    await execution.send("go", 1);
    await execution.send("go", 2);
    await execution.outcome();
    expect((await witness.confirm(execution, {})).slice(1)).toEqual([
      { asked: 1n },
      { asked: 1n, n: 1 },
      { asked: 1n, n: 2 },
      { asked: 1n, n: 2, early: new Map([[1, 2]]) },
    ]);
  });

  test("begins with what the schema made of the input, and with the state of a start in rollback", async () => {
    const witness = new Witness();
    const schema = z.object({ at: z.string().transform((text) => new Date(text)), n: z.number().default(7) });
    const steps = workflow("steps", { input: schema })
      .step("1", { run: () => ({ a: 1 }), rollback: () => ({ undone: 1 }) })
      .step("2", { run: () => ({ b: 1 }), rollback: ({ state }) => ({ undone: state.b }) })
      .observe(witness.observer);
    const { launcher } = await start([steps]);
    const at = "2026-01-01T00:00:00.000Z";
    const begun = { at: new Date(at), n: 7 };
    const up = await launcher.launch(steps, { at });
    await up.outcome();
    await witness.confirm(up, begun);
    const rollback = { from: "2" as const, reason: "old", state: { b: 5n as never, n: 8 } };
    const down = await launcher.launch(steps, { at }, { rollback });
    await down.outcome();
    expect((await witness.confirm(down, { ...begun, b: 5n, n: 8 })).at(-1)).toMatchObject({ undone: 1, b: 5n });
  });

  test("gives the state as it began before anything is committed, and still after a crash", async () => {
    const witness = new Witness();
    let count = 0;
    const steps = workflow("steps", { input: z.object({ n: z.string().transform(Number) }) })
      .step("1", { run: ({ attempt }) => (attempt === 1 ? new Promise<never>(() => undefined) : { a: attempt }) })
      .observe(observer({ name: "guard", guard: true, init: () => ({ inits: ++count }) }), witness.observer);
    const { launcher, store, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { n: "1" });
    await clock.settle();
    expect(await execution.stateAt(0)).toEqual({ n: 1 });
    const [record] = await store.load([execution.id]);
    await store.removeLaunchers([record!.owner!]);
    await clock.advance("10s");
    expect((await execution.outcome()).status).toBe("completed");
    expect(await witness.confirm(execution, { n: 1 })).toEqual([{ n: 1 }, { n: 1, a: 2, inits: 2 }]);
  });

  test("goes on over the end of an execution that was rolled back", async () => {
    const witness = new Witness();
    const steps = workflow("steps", { input })
      .step("1", { run: () => ({ a: 1 }), rollback: () => ({ a: undefined }) })
      .step("2", { run: () => ({ b: new Date(1) }), rollback: () => ({ b: "undone" }) })
      .observe(observer({ name: "guard", guard: true, success: () => ({ late: true }) }), witness.observer);
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    await execution.outcome();
    await execution.rollback("returned");
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect((await witness.confirm(execution, {})).slice(2)).toEqual([
      { a: 1, b: new Date(1) },
      { a: 1, b: new Date(1) },
      { a: 1, b: "undone" },
      { a: undefined, b: "undone" },
    ]);
  });

  test("holds where the engine parks what a step has just done: what it gave is in the state and in the history", async () => {
    const witness = new Witness();
    let finish: () => void = () => undefined;
    const given: unknown[] = [];
    const steps = workflow("steps", { input })
      .step("1", {
        messages: { go: z.null() },
        run: ({ attempt }) =>
          attempt > 1
            ? fail("no")
            : new Promise<{ held: string }>((resolve) => (finish = () => resolve({ held: "r-1" }))),
        onMessage: () => undefined,
        rollback: (context) => void given.push(context.given),
      })
      .observe(witness.observer);
    const rig = await start([steps]);
    await rig.launcher.stop();
    const faulty = failing(rig.store, "mail");
    const launcher = await rig.another([steps], { store: faulty.store });
    const execution = await launcher.launch(steps, {});
    faulty.left = 2;
    await execution.send("go", null);
    await rig.clock.settle();
    finish();
    await rig.clock.settle();
    expect(await execution.summary()).toMatchObject({ status: "stuck", error: { code: "STEPWELL_STORE_FAILED" } });
    expect(await witness.confirm(execution, {})).toEqual([{}, { held: "r-1" }]);
    await execution.retry();
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "no" });
    expect(given).toEqual([{ held: "r-1" }]);
  });

  test("holds where the store refuses a commit: what was to be committed is in neither", async () => {
    const witness = new Witness();
    const steps = workflow("steps", { input })
      .step("1", { run: () => ({ a: new Date(1) }) })
      .step("2", {
        run: () => {
          faulty.left = 1;
          return { a: "refused" as never };
        },
      })
      .observe(
        observer({ name: "guard", guard: true, beforeStep: ({ step }) => ({ at: step!.name }) }),
        witness.observer,
      );
    const rig = await start([steps]);
    await rig.launcher.stop();
    const faulty = failing(rig.store, "write");
    const launcher = await rig.another([steps], { store: faulty.store });
    const execution = await launcher.launch(steps, {});
    expect((await execution.outcome()).status).toBe("stuck");
    const last = { a: new Date(1), at: "1" };
    expect(await witness.confirm(execution, {})).toEqual([{}, last, last]);
  });

  test("refuses what is no revision, and one that does not exist", async () => {
    const steps = workflow("steps", { input }).step("1", { run: () => ({ a: 1 }) });
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    await execution.outcome();
    for (const revision of [-1, 0.5, Number.NaN, Infinity, "1", undefined, null, 1n]) {
      await expect(execution.stateAt(revision as number)).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    }
    await expect(execution.stateAt(2)).rejects.toMatchObject({
      code: "STEPWELL_REVISION_NOT_FOUND",
      message: expect.stringContaining("its last one is 1") as string,
    });
    await expect(launcher.execution("nobody").stateAt(0)).rejects.toMatchObject({
      code: "STEPWELL_EXECUTION_NOT_FOUND",
    });
  });
});

onEveryStore("history with changes", (start) => {
  const steps = workflow("steps", { input: z.object({ card: z.object({ number: z.string(), owner: z.string() }) }) })
    .step("1", { run: () => ({ at: new Date(0), list: [1] }), rollback: () => ({ at: undefined }) })
    .step("2", { run: ({ state }) => ({ card: { ...state.card, number: "4712" }, list: [1, 2] }) })
    .step("3", { run: () => fail("no") });

  test("says of each row what it changed, and adds nothing to the rows otherwise", async () => {
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, { card: { number: "4711", owner: "Ada" } });
    await execution.outcome();
    const rows = await execution.history({ changes: true });
    expect(rows.map(({ changes: _changes, ...row }) => row)).toEqual(await execution.history());
    expect(rows.map(({ changes }) => changes)).toEqual([
      [
        { op: "add", path: "/at", value: "1970-01-01T00:00:00.000Z" },
        { op: "add", path: "/list", value: [1] },
      ],
      [
        { op: "replace", path: "/card/number", value: "4712" },
        { op: "add", path: "/list/1", value: 2 },
      ],
      [],
      [],
      [],
      [{ op: "remove", path: "/at" }],
    ]);
    const view: Record<string, unknown> = { card: { number: "4711", owner: "Ada" } };
    for (const { changes } of rows)
      expect(applyPatch(view, changes as Operation[]).every((it) => it === null)).toBe(true);
    expect(view).toEqual({ card: { number: "4712", owner: "Ada" }, list: [1, 2] });
  });

  test("can be read in parts, with what each row of the part changed", async () => {
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, { card: { number: "4711", owner: "Ada" } });
    await execution.outcome();
    const { revision } = await execution.summary();
    const [rows, changed] = [await execution.history(), await execution.history({ changes: true })];
    expect(revision).toBe(rows.length);
    expect(await execution.history({ limit: 2 })).toEqual(rows.slice(0, 2));
    expect(await execution.history({ from: 2, limit: 2 })).toEqual(rows.slice(2, 4));
    expect(await execution.history({ from: revision - 1 })).toEqual(rows.slice(-1));
    expect(await execution.history({ from: revision })).toEqual([]);
    expect(await execution.history({ changes: true, from: 1, limit: 5 })).toEqual(changed.slice(1, 6));
    expect(await execution.history({ changes: true, from: 5 })).toEqual(changed.slice(5));
    await expect(launcher.execution("nobody").history({ limit: 1 })).rejects.toMatchObject({
      code: "STEPWELL_EXECUTION_NOT_FOUND",
    });
  });

  test("does not show what is redacted, but that it changed", async () => {
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, { card: { number: "4711", owner: "Ada" } });
    await execution.outcome();
    const rows = await execution.history({ changes: true, redact: ["card.number"] });
    expect(rows[1]!.changes[0]).toEqual({ op: "replace", path: "/card/number", value: "[REDACTED]" });
    expect(JSON.stringify(rows)).not.toMatch(/471/);
  });

  test("refuses options that make no sense", async () => {
    const { launcher } = await start([steps]);
    const history = (options: unknown): Promise<unknown> => launcher.execution("e").history(options as never);
    const invalid = { code: "STEPWELL_INVALID_ARGUMENT" };
    for (const options of [
      { from: -1 },
      { from: 0.5 },
      { limit: 0 },
      { limit: "1" },
      { changes: false },
      { redact: ["a"] },
      { changes: true, redact: "a" },
      null,
      true,
    ]) {
      await expect(history(options)).rejects.toMatchObject(invalid);
    }
    await expect(history({ changes: true, redacted: [] })).rejects.toMatchObject({ code: "STEPWELL_UNKNOWN_OPTION" });
  });
});

/** As the first version wrote a transition of the way down, of one undo of which a guard had failed. */
const oldEntry =
  '{"direction":"down","step":"2","stepIndex":1,"func":"rollback","attempt":1,"result":"ok","durationMs":0,"guardError":' +
  '{"name":"Error","message":"closed","code":"CLOSED","stack":"Error: closed\\n    at beforeStep (guard.js:10:130)"}}';

onEverySqlStore("a history that was begun by an older version", (start) => {
  test("reads as it did, and goes on: what a guard failed with is kept, and so is each state", async () => {
    const steps = workflow("steps", { input })
      .step("1", { run: () => ({ one: 1 }), rollback: () => ({ undone: 1 }) })
      .step("2", { run: () => fail("no"), rollbackRetry: { attempts: 1 }, rollback: () => fail("not yet") });
    const { launcher, sql } = await start([steps]);
    const execution = await launcher.launch(steps, {}, { id: "e" });
    expect((await execution.outcome()).status).toBe("stuck");
    await sql(`UPDATE stepwell_history SET entry = '${oldEntry}' WHERE revision = 3`);
    const stuckBy = '"stuckBy":{"name":"Error","message":"not yet"}';
    await sql(`UPDATE stepwell_executions SET position = replace(position, '"stuckAt":3', '${stuckBy}')`);
    await execution.skip("done by hand");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", state: { one: 1, undone: 1 } });
    const rows = await execution.history({ changes: true });
    expect(rows[2]).toEqual({
      ...{ revision: 3, at: expect.any(Date) as Date, direction: "down", step: "2", stepIndex: 1, func: "rollback" },
      ...{ attempt: 1, result: "ok", durationMs: 0, changes: [] },
      guardErrors: [{ name: "Error", message: "closed", code: "CLOSED", stack: expect.any(String) as string }],
    });
    expect(rows.map(({ result }) => result)).toEqual(["ok", "no", "ok", "skipped", "ok"]);
    expect([await execution.stateAt(3), await execution.stateAt(5)]).toEqual([{ one: 1 }, { one: 1, undone: 1 }]);
  });
});
