/** Values, rows and callbacks that are worse than wrong: each may hurt its own execution only. */
import { expect, test } from "vitest";
import { z } from "zod";
import { complete, fail, observer, pause, workflow, type StepwellError } from "../../src/index.js";
import { Encoded } from "../../src/values/encode.js";
import type { ExecutionRecord, HistoryRecord } from "../../src/execution/records.js";
import { errorOf, onEveryStore, told } from "../support/rig.js";

const input = z.object({});

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const throws = (): never => {
  throw new Error("hostile");
};

/** Nonsense that can't be looked at without harm. */
const hostile: Record<string, () => unknown> = {
  // oxlint-disable-next-line unicorn/no-thenable -- hostile on purpose
  "a thenable whose getter throws": () => Object.defineProperty({}, "then", { get: throws }),
  // oxlint-disable-next-line unicorn/no-thenable -- hostile on purpose
  "a thenable that throws when asked to call back": () => ({ then: throws }),
  "a revoked proxy": () => revoked(),
  "a promise of a revoked proxy": async () => [revoked()],
  "an instance whose constructor throws": () =>
    Object.create(Object.defineProperty({}, "constructor", { get: throws })),
};

/** Patches that are none. */
const patches: Record<string, () => unknown> = {
  "pause with an array": () => pause([1, 2]),
  "pause with a text": () => pause("abc" as unknown as object),
  "complete with a number": () => complete(5 as unknown as object),
  "complete with a Map": () => complete(new Map([["a", 1]])),
  "fail with a Date": () => fail("no", { patch: new Date() }),
};

onEveryStore("a step that gives back nonsense", (start) => {
  test.each(Object.keys(hostile))("turns the execution, be it %s", async (kind) => {
    const steps = workflow("hostile", { input }).step("1", {
      run: () => hostile[kind]!() as never,
      rollback: () => undefined,
    });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    await clock.settle();
    expect((await execution.outcome()).status).toBe("rolledBack");
  });

  test.each(Object.keys(patches))("turns it with reason invalid-return-value, be it %s", async (kind) => {
    const steps = workflow("patches", { input }).step("1", {
      messages: { go: z.null() },
      run: () => patches[kind]!() as never,
      onMessage: () => undefined,
    });
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      reason: "invalid-return-value",
      state: {},
    });
  });

  test("a guard's veto with a patch that is none is a veto all the same, without the patch", async () => {
    const steps = workflow("vetoed", { input })
      .step("1", { run: () => undefined })
      .observe(observer({ name: "g", guard: true, beforeStep: () => fail("no", { patch: [1] }) }));
    const { launcher } = await start([steps]);
    expect(await (await launcher.launch(steps, {})).outcome()).toMatchObject({
      status: "rolledBack",
      reason: "STEPWELL_OBSERVER_FAILED",
      state: {},
    });
  });
});

onEveryStore("an observer or onExit that is asynchronous against the rules", (start) => {
  test("does no harm when it rejects: the guard vetoes, onExit maps nothing, and both are told clearly", async () => {
    const rejects = async (): Promise<never> => {
      throw new Error("nobody listens");
    };
    const guarded = workflow("guarded", { input })
      .step("1", { run: () => undefined })
      .observe(observer({ name: "late", guard: true, beforeStep: rejects as never }));
    const exits = workflow("exits", { input, onExit: rejects as never }).step("1", { run: () => undefined });
    const { launcher, errors, clock } = await start([guarded, exits]);
    expect(await (await launcher.launch(guarded, {})).outcome()).toMatchObject({
      status: "rolledBack",
      error: { code: "STEPWELL_OBSERVER_FAILED" },
    });
    expect(await (await launcher.launch(exits, {})).outcome()).toMatchObject({ status: "completed", reason: "normal" });
    await clock.settle();
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining("promise")]);
  });
});

onEveryStore("an onError that is asynchronous, and rejects", (start) => {
  test("does no harm: the error was told, and nobody waits for what came of it", async () => {
    const told: string[] = [];
    const stuck = workflow("stuck", { input }).step("1", { run: () => fail("no"), rollback: () => fail("can't") });
    const { launcher, clock } = await start([stuck], {
      // oxlint-disable-next-line typescript/no-misused-promises -- against the rules on purpose
      onError: async ({ code }: StepwellError) => {
        told.push(code);
        throw new Error("nobody listens");
      },
    });
    expect((await (await launcher.launch(stuck, {})).outcome()).status).toBe("stuck");
    // An unhandled rejection would fail the run.
    await clock.settle();
    expect(told).toEqual(["STEPWELL_EXECUTION_STUCK"]);
  });
});

onEveryStore("work that never waits", (start) => {
  test("lets others have their turn: a step that throws at once for ever can be stopped from outside", async () => {
    const endless = workflow("endless", { input }).step("1", {
      retry: { attempts: Infinity, delay: 0 },
      run: () => throws(),
    });
    const { launcher, clock } = await start([endless]);
    const execution = await launcher.launch(endless, {});
    const answer = execution.rollback("enough");
    await clock.advance("1s");
    expect(await answer).toEqual({ accepted: true });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "enough" });
  });
});

onEveryStore("what users may change in place", (start) => {
  test("a Map or a Date in the state is a copy for each who sees it", async () => {
    const seen: string[] = [];
    const meddles = ({ state }: { state: { m: ReadonlyMap<string, number>; at: Date } }): void => {
      seen.push(`${[...state.m.keys()].join()} ${state.at.getTime()}`);
      (state.m as Map<string, number>).set("evil", 1);
      state.at.setTime(0);
    };
    const steps = workflow("rich", { input })
      .step("1", { run: () => ({ m: new Map([["k", 1]]), at: new Date(5) }) })
      .step("2", { run: meddles, rollback: meddles })
      .step("3", { run: (context) => (meddles(context), fail("no", { patch: { tried: true } })), rollback: meddles })
      .observe(
        observer<{ m?: Map<string, number>; at?: Date }>({
          name: "meddler",
          afterStep: ({ state }) =>
            void ((state.m as Map<string, number> | undefined)?.set("watcher", 1), state.at?.setTime(1)),
        }),
      );
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    expect(await execution.outcome()).toMatchObject({
      state: { m: new Map([["k", 1]]), at: new Date(5), tried: true },
    });
    expect(seen).toEqual(Array(4).fill("k 5"));
    expect(await execution.state()).toEqual({ m: new Map([["k", 1]]), at: new Date(5), tried: true });
  });
});

onEveryStore("a row that can't be read", (start) => {
  test("is a dead letter where it is a message: the wait goes on, and its timeout too", async () => {
    const waits = workflow("waits", { input }).step("1", {
      messages: { go: z.number() },
      run: () => pause({}, { timeout: "1m" }),
      onMessage: ({ message }) => ({ got: message.payload }),
    });
    const { launcher, store, clock, errors } = await start([waits]);
    const one = await launcher.launch(waits, {}, { id: "one" });
    await launcher.launch(waits, {}, { id: "two" });
    await clock.settle();
    await store.write({
      ...{ creates: [], transitions: [], releases: [] },
      arrivals: ["one", "two"].map((execution) => ({
        ...{ id: `bad-${execution}`, execution, kind: "message", name: "go", payload: Encoded.ofText("{nonsense") },
        ...{ messageId: null, carried: null, acceptedIn: ["waiting"], wakes: ["waiting"] },
      })),
    });
    await clock.settle();
    await one.send("go", 5);
    expect(await one.outcome()).toMatchObject({ status: "completed", state: { got: 5 } });
    await clock.advance("1m");
    expect(await launcher.execution("two").outcome()).toMatchObject({ status: "rolledBack", reason: "timeout" });
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_INVALID_MESSAGE", "STEPWELL_INVALID_MESSAGE"]);
  });

  test("parks its execution where it is a row of the history that an undo needs", async () => {
    const steps = workflow("steps", { input })
      .step("1", { run: () => ({ a: 1 }), rollback: () => undefined })
      .step("2", { messages: { go: z.null() }, run: () => pause({ b: 1 }), onMessage: () => undefined });
    const { launcher, store, clock, another } = await start([steps]);
    const execution = await launcher.launch(steps, {}, { id: "e" });
    await clock.settle();
    await launcher.stop();
    const torn = new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (key === "history") {
          return async (id: string) =>
            ((await target.history(id)) as HistoryRecord[]).map((row) => ({
              ...row,
              patch: Encoded.ofText("{nonsense"),
            }));
        }
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const second = await another([steps], { store: torn });
    await second.rollback("e", "torn");
    await clock.settle();
    expect(await second.execution("e").outcome()).toMatchObject({
      status: "stuck",
      direction: "down",
      reason: "torn",
      error: { code: "STEPWELL_NOT_DECODABLE" },
    });
    expect(await told(execution)).toHaveLength(4);
  });

  test("fails the one who waits for it, and no other", async () => {
    const waits = workflow("waits", { input }).step("1", {
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: () => undefined,
    });
    const { launcher, store, clock, another } = await start([waits]);
    await launcher.launch(waits, {}, { id: "bad" });
    await launcher.launch(waits, {}, { id: "good" });
    const second = await another([workflow("other", { input }).step("1", { run: () => undefined })], {
      store: new Proxy(store, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key);
          if (key === "load") {
            return async (ids: string[]) =>
              ((await target.load(ids)) as ExecutionRecord[]).map((row) =>
                row.id === "bad" && row.status === "completed" ? { ...row, state: Encoded.ofText("{nonsense") } : row,
              );
          }
          return typeof value === "function" ? (value.bind(target) as unknown) : value;
        },
      }),
    });
    const [bad, good] = ["bad", "good"].map((id) => second.execution(id).outcome());
    const refused = errorOf(bad);
    await launcher.send("bad", "go", null);
    await launcher.send("good", "go", null);
    await clock.advance("3s");
    expect(await refused).toMatchObject({ code: "STEPWELL_NOT_DECODABLE" });
    expect((await good)!.status).toBe("completed");
  });
});

onEveryStore("an operator's patch", (start) => {
  const stuckAt = (limitless: string) =>
    workflow("stuck", { input })
      .step("pivot", { pivot: true, run: () => ({ big: limitless }) })
      .step("next", {
        run: ({ state }) => ((state as { fixed?: boolean }).fixed === true ? { done: true } : fail("not fixed")),
      });

  test("that makes the state too large is refused at the call, and nothing changes", async () => {
    const steps = stuckAt("x".repeat(400));
    const { launcher } = await start([steps], { sizeLimit: 1000 });
    const execution = await launcher.launch(steps, {});
    expect((await execution.outcome()).status).toBe("stuck");
    const patch: object = { note: "y".repeat(700) };
    for (const act of [execution.skip("too much", { patch }), execution.retry({ patch })]) {
      await expect(act).rejects.toMatchObject({ code: "STEPWELL_TOO_LARGE" } satisfies Partial<StepwellError>);
    }
    expect((await execution.summary()).status).toBe("stuck");
    await execution.retry({ patch: { fixed: true } as object, by: "ann" });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { fixed: true, done: true } });
    expect((await execution.summary()).error).toBeUndefined();
  });
});
