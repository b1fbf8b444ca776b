/** Steps that are nothing but a transaction of the store's: what was not committed never happened, and is not undone. */
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, Launcher, memoryStore, observer, pause, step, workflow } from "../../src/index.js";
import * as postgres from "../../src/stores/postgres/index.js";
import * as sqlite from "../../src/stores/sqlite/index.js";
import { told } from "../support/rig.js";
import { onTransactingStores, type Transact } from "../support/transacting.js";

const input = z.object({ n: z.number() });

/** The stock of a shop, kept as notes: what is taken and given back. */
function shop(transact: Transact, more: object = {}) {
  return workflow("shop", { input })
    .step("greet", { run: () => undefined })
    .step(
      step()("reserve", {
        run: transact((note) => {
          note("taken");
          return fail("out-of-stock", { patch: { asked: true } });
        }),
        rollback: transact((note) => note("given back")),
        ...more,
      }),
    );
}

onTransactingStores("a step whose run is a transaction", (start) => {
  test("is not undone where it failed: nothing of it was committed", async () => {
    const { launcher, notes } = await start((transact) => [shop(transact)]);
    const execution = await launcher.launch(workflow("shop", { input }).step("greet", { run: () => undefined }), {
      n: 1,
    });
    expect(await execution.outcome()).toMatchObject({
      ...{ status: "rolledBack", reason: "out-of-stock", state: { asked: true } },
    });
    expect(await notes()).toEqual([]);
    expect(await told(execution)).toEqual(["run greet: ok", "run reserve: out-of-stock", "rollback greet: ok"]);
    expect((await execution.history()).map(({ leftNothing }) => leftNothing)).toEqual([undefined, true, undefined]);
  });

  test("is not undone where it failed and was recovered: nothing of it was committed", async () => {
    const recovered = (transact: Transact) =>
      shop(transact, { recover: () => ({ later: true }) }).step("ship", { run: () => fail("no-parcel") });
    const { launcher, notes } = await start((transact) => [recovered(transact)]);
    const execution = await launcher.launch(workflow("shop", { input }).step("greet", { run: () => undefined }), {
      n: 1,
    });
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      reason: "no-parcel",
      state: { later: true },
    });
    expect(await notes()).toEqual([]);
    expect((await told(execution)).filter((line) => line.includes("reserve"))).toEqual([
      "run reserve: recovered",
      "rollback reserve: passed-over",
    ]);
  });

  test("gets its context with the transaction, on the way up and down, and is undone once it was committed", async () => {
    const { launcher, notes } = await start((transact) => [
      workflow("steps", { input })
        .step("1", {
          run: transact((note, context: { state: { n: number }; idempotencyKey: string; attempt: number }) => {
            note(`up ${context.state.n} ${context.attempt}`);
            return { key: context.idempotencyKey };
          }),
          rollback: transact(
            (note, context: { state: object; given: { key?: string }; runKey: string; halfDone: boolean }) => {
              note(`down ${context.given.key === context.runKey} ${context.halfDone}`);
            },
          ),
        })
        .step("2", { run: () => fail("no") }),
    ]);
    const execution = await launcher.launch(workflow("steps", { input }).step("1", { run: () => undefined }), { n: 7 });
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(await notes()).toEqual(["up 7 1", "down true false"]);
  });

  test("alone in its workflow ends with nothing to undo", async () => {
    const { launcher, notes } = await start((transact) => [
      workflow("steps", { input }).step("1", {
        retry: { attempts: 2, delay: 0 },
        run: transact((note) => {
          note("never");
          throw new Error("broken");
        }),
        rollback: transact((note) => note("never")),
      }),
    ]);
    const execution = await launcher.launch(workflow("steps", { input }).step("1", { run: () => undefined }), { n: 1 });
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(await told(execution)).toEqual(["run 1: Error", "run 1: Error"]);
    expect(await notes()).toEqual([]);
  });

  test("is undone after a pause that was committed, however its handler ended", async () => {
    const { launcher, notes } = await start((transact) => [
      workflow("steps", { input }).step("1", {
        messages: { go: z.null() },
        run: transact((note) => (note("held"), pause())),
        onMessage: () => {
          throw new Error("broken");
        },
        rollback: transact((note, { halfDone }: { state: object; halfDone: boolean }) => note(`let go ${halfDone}`)),
      }),
    ]);
    const execution = await launcher.launch(workflow("steps", { input }).step("1", { run: () => undefined }), { n: 1 });
    await launcher.send(execution.id, "go", null);
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(await notes()).toEqual(["held", "let go true"]);
  });

  test("is undone where it completed early or an execution is rolled back", async () => {
    const { launcher, notes } = await start((transact) => [
      workflow("steps", { input }).step("1", {
        run: transact((note) => (note("up"), { done: true })),
        rollback: transact((note) => note("down")),
      }),
    ]);
    const execution = await launcher.launch(workflow("steps", { input }).step("1", { run: () => undefined }), { n: 1 });
    await execution.outcome();
    await execution.rollback("back");
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(await notes()).toEqual(["up", "down"]);
  });

  test("is not undone where a guard vetoes what it did, or a request finds it waiting for its next attempt", async () => {
    const { launcher, clock, notes } = await start((transact) => [
      workflow("vetoed", { input })
        .step("1", { run: () => undefined })
        .step("2", {
          run: transact((note) => (note("up"), { done: true })),
          rollback: transact((note) => note("down")),
        })
        .observe(
          observer({
            name: "guard",
            guard: true,
            afterStep: ({ step: at }) => (at?.name === "2" ? fail("closed") : undefined),
          }),
        ),
      workflow("asked", { input })
        .step("1", { run: () => undefined })
        .step("2", {
          retry: { attempts: 2, delay: "1h", jitter: false },
          run: transact(() => {
            throw new Error("broken");
          }),
          rollback: transact((note) => note("down")),
        }),
    ]);
    const vetoed = await launcher.launch(workflow("vetoed", { input }).step("1", { run: () => undefined }), { n: 1 });
    expect(await vetoed.outcome()).toMatchObject({ status: "rolledBack", reason: "closed" });
    const asked = await launcher.launch(workflow("asked", { input }).step("1", { run: () => undefined }), { n: 1 });
    await clock.advance("1m");
    await asked.rollback("changed-my-mind");
    expect(await asked.outcome()).toMatchObject({ status: "rolledBack", reason: "changed-my-mind" });
    expect(await told(asked)).toEqual(["run 1: ok", "run 2: Error", "run 2: changed-my-mind", "rollback 1: ok"]);
    expect(await notes()).toEqual([]);
  });

  test("that became one since its attempt failed is undone: that attempt was none of a transaction", async () => {
    const steps = (isTransactional: boolean, transact: Transact) =>
      workflow("steps", { input }).step("1", {
        retry: { attempts: 2, delay: "1h", jitter: false },
        run: isTransactional
          ? transact(() => ({ done: true }))
          : () => {
              throw new Error("broken, and asked elsewhere before");
            },
        rollback: transact((note, { halfDone }: { state: object; halfDone: boolean }) => note(`down ${halfDone}`)),
      });
    let make: Transact | undefined;
    const { launcher, another, clock, notes } = await start((transact) => [steps(false, (make = transact))]);
    const { id } = await launcher.launch(workflow("steps", { input }).step("1", { run: () => undefined }), { n: 1 });
    await clock.advance("1m");
    const stopped = launcher.stop();
    await clock.advance("1m");
    await stopped;
    const second = await another([steps(true, make!)]);
    await second.rollback(id, "back");
    expect((await second.execution(id).outcome()).status).toBe("rolledBack");
    expect(await notes()).toEqual(["down true"]);
  });
});

test("a function that gives back a transaction is undone like any other, since code around it may have had effects", async () => {
  expect.assertions(1);
  const undone: boolean[] = [];
  await using launcher = new Launcher({
    store: sqlite.sqliteStore(":memory:"),
    workflows: [
      workflow("steps", { input }).step("1", {
        run: () => sqlite.transaction(() => fail("no")),
        rollback: ({ halfDone }) => void undone.push(halfDone),
      }),
    ],
  });
  await launcher.start();
  const steps = workflow("steps", { input }).step("1", { run: () => undefined });
  await (await launcher.launch(steps, { n: 1 })).outcome();
  // It gave back what it gave: nothing is in doubt.
  expect(undone).toEqual([false]);
});

test("a launcher on another store refuses such a workflow at once, and what a function gives back there is not tried again", async () => {
  const given = workflow("given", { input }).step("1", { run: postgres.transaction(async () => ({ one: 1 })) });
  const undoing = workflow("undoing", { input }).step("1", {
    run: () => undefined,
    rollback: sqlite.transaction(() => undefined),
  });
  for (const steps of [given, undoing]) {
    expect(() => new Launcher({ store: memoryStore(), workflows: [steps] })).toThrow(
      expect.objectContaining({
        code: "STEPWELL_WRONG_STORE",
        step: "1",
        message: expect.stringContaining("memory") as string,
      }),
    );
  }
  expect(() => new Launcher({ store: sqlite.sqliteStore(":memory:"), workflows: [given] })).toThrow(
    expect.objectContaining({ code: "STEPWELL_WRONG_STORE" }),
  );
  const back = workflow("back", { input }).step("1", {
    run: () => undefined,
    rollback: () => sqlite.transaction(() => undefined),
  });
  await using launcher = new Launcher({ store: memoryStore(), workflows: [back], onError: () => undefined });
  await launcher.start();
  const execution = await launcher.launch(back, { n: 1 });
  await execution.outcome();
  await execution.rollback("back");
  expect(await execution.outcome()).toMatchObject({ status: "stuck", error: { code: "STEPWELL_WRONG_STORE" } });
});

test("a handler can't be a transaction itself", () => {
  expect(() =>
    workflow("steps", { input }).step("1", {
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: sqlite.transaction(() => undefined) as never,
    }),
  ).toThrow(expect.objectContaining({ code: "STEPWELL_INVALID_DEFINITION" }));
});
