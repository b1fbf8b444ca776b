/** Where a migration could do something twice, or leave it out: after a failure, on the way down, over several versions. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Client, didNotHappen, fail, Launcher, observer, pause, workflow, type AnyWorkflow } from "../../src/index.js";
import { onEveryStore, told, type Rig } from "../support/rig.js";

const input = z.object({});
const waits = { messages: { paid: z.object({}) }, run: () => pause(), onMessage: () => undefined };

/** The last launcher is gone, and another one has these workflows instead. */
async function deployed({ launcher, another, clock }: Rig, ...workflows: AnyWorkflow[]): Promise<Launcher> {
  const stopped = launcher.stop();
  await clock.advance("1m");
  await stopped;
  const next = await another(workflows);
  await clock.advance("1s");
  return next;
}

async function rewoundToBook({ launcher, clock }: Rig, id: string): Promise<void> {
  const asked = launcher.execution(id).rewind({ to: "book", reason: "wrong", by: "ada" });
  await clock.advance("5s");
  expect(await asked).toEqual({ accepted: true });
}

onEveryStore("a migration", (start) => {
  test.each(["retry", "rollback"] as const)(
    "that failed before an execution had begun leaves it so, and a %s finds nothing done",
    async (act) => {
      const lines: string[] = [];
      const older = workflow("order", { input }).step("reserve", { run: () => undefined, rollback: () => undefined });
      const newer = workflow("order", { input, version: "2" })
        .step("check", { run: () => void lines.push("check"), rollback: () => void lines.push("uncheck") })
        .step("reserve", { run: () => void lines.push("reserve"), rollback: () => void lines.push("release") });
      const failing = newer.migrate(older, {
        move: () => {
          throw new Error("not today");
        },
      });
      const rig = await start([older]);
      const { id } = await rig.launcher.launch(older, {}, { delay: "1h" });
      await rig.clock.settle();
      let next = await deployed(rig, failing);
      await rig.clock.advance("1h");
      expect(await next.execution(id).outcome()).toMatchObject({ status: "stuck" });
      next = await deployed({ ...rig, launcher: next }, newer.migrate(older, {}));
      await (act === "retry" ? next.retry(id) : next.rollback(id, "mistake"));
      await rig.clock.settle();
      expect(await next.execution(id).outcome()).toMatchObject({
        status: act === "retry" ? "completed" : "rolledBack",
      });
      expect(lines).toEqual(act === "retry" ? ["check", "reserve"] : []);
    },
  );

  test("undoes nothing again on the way down: what was undone can't come before the place", async () => {
    const lines: string[] = [];
    let broken = true;
    const older = workflow("order", { input })
      .step("a", {
        run: () => undefined,
        rollbackRetry: { attempts: 1 },
        rollback: () => {
          if (broken) throw new Error("no undo today");
        },
      })
      .step("c", { run: () => undefined, rollback: () => void lines.push("undo c") })
      .step("d", {
        run: () => {
          throw new Error("no");
        },
      });
    const newer = workflow("order", { input, version: "2" })
      .step("c", { run: () => undefined, rollback: () => void lines.push("undo c again") })
      .step("a", { run: () => undefined, rollback: () => undefined })
      .migrate(older, { steps: { d: null } });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    broken = false;
    const next = await deployed(rig, newer);
    await next.retry(id);
    await rig.clock.settle();
    expect(await next.execution(id).outcome()).toMatchObject({
      status: "stuck",
      step: "a",
      error: { message: expect.stringMatching(/"c" may have been undone, and would be undone again/) as string },
    });
    expect(lines).toEqual(["undo c"]);
  });

  test.each([1, 2])(
    "gives no step the key of one that is gone since an older version, in %i deployments",
    async (deployments) => {
      const keys: string[] = [];
      const call = { run: ({ idempotencyKey }: { idempotencyKey: string }) => void keys.push(idempotencyKey) };
      const first = workflow("order", { input }).step("call", call).step("pay", waits).step("later", call);
      const second = workflow("order", { input, version: "2" })
        .step("pay", waits)
        .step("ship", waits)
        .migrate(first, { steps: { call: null, later: null } });
      const third = (name: string) =>
        workflow("order", { input, version: "3" })
          .step("pay", waits)
          .step("ship", waits)
          .step(name, call)
          .migrate(second, {});
      const rig = await start([first]);
      for (const id of ["one", "two"]) await rig.launcher.launch(first, {}, { id });
      await rig.clock.settle();
      let next = rig.launcher;
      if (deployments === 2) {
        next = await deployed(rig, second);
        for (const id of ["one", "two"]) await next.send(id, "paid", {});
        await rig.clock.settle();
      }
      next = await deployed({ ...rig, launcher: next }, third("call"));
      await next.send("one", "paid", {});
      await rig.clock.settle();
      expect(await next.execution("one").outcome()).toMatchObject({
        status: "stuck",
        error: { message: expect.stringMatching(/"call" was the name of another step/) as string },
      });
      expect(keys).toHaveLength(2);
      // What lay ahead was never begun: its name is free.
      next = await deployed({ ...rig, launcher: next }, third("later"));
      for (let left = 3 - deployments; left > 0; left--) await next.send("two", "paid", {});
      expect(await next.execution("two").outcome()).toMatchObject({ status: "completed" });
      expect(new Set(keys).size).toBe(3);
    },
  );

  test("that fails gives no old name away: not one that is gone, nor one that a step had before", async () => {
    const keys: string[] = [];
    const call = { run: ({ idempotencyKey }: { idempotencyKey: string }) => void keys.push(idempotencyKey) };
    const first = workflow("order", { input }).step("call", call).step("book", call).step("pay", waits);
    const second = workflow("order", { input, version: "2" })
      .step("reserve", call)
      .step("pay", waits)
      .step("ship", waits)
      .migrate(first, { steps: { call: null, book: "reserve" } });
    const third = (name: string, isBroken: boolean) =>
      workflow("order", { input, version: "3" })
        .step("reserve", call)
        .step("pay", waits)
        .step("ship", waits)
        .step(name, call)
        .migrate(second, {
          move: () => {
            if (isBroken) throw new Error("not today");
            return {};
          },
        });
    const rig = await start([first]);
    await rig.launcher.launch(first, {}, { id: "e" });
    await rig.clock.settle();
    let next = await deployed(rig, second);
    await next.send("e", "paid", {});
    await rig.clock.settle();
    // The newest one fails, again and again, whatever its steps are called.
    for (const [name, isBroken, problem] of [
      ["label", true, /not today/],
      ["call", false, /"call" was the name of another step/],
      ["book", false, /"book" was the name of another step/],
    ] as const) {
      next = await deployed({ ...rig, launcher: next }, third(name, isBroken));
      if (isBroken) await next.send("e", "paid", {});
      else await next.retry("e");
      await rig.clock.settle();
      expect(await next.execution("e").outcome()).toMatchObject({
        status: "stuck",
        error: { message: expect.stringMatching(problem) as string },
      });
    }
    next = await deployed({ ...rig, launcher: next }, third("label", false));
    await next.retry("e");
    await rig.clock.settle();
    expect(await next.execution("e").outcome()).toMatchObject({ status: "completed" });
    expect(new Set(keys).size).toBe(3);
  });

  test("says what became of steps of an execution that knows them, where its version has had several lists", async () => {
    const before = workflow("order", { input }).step("pay", waits);
    const since = before.step("label", { run: () => undefined, rollback: () => undefined });
    const newer = workflow("order", { input, version: "2" })
      .step("pay", waits)
      .migrate(since, { steps: { label: null } });
    const rig = await start([before]);
    const { id } = await rig.launcher.launch(before, {});
    await rig.clock.settle();
    const next = await deployed({ ...rig, launcher: await deployed(rig, since) }, newer);
    await next.send(id, "paid", {});
    expect(await next.execution(id).outcome()).toMatchObject({ status: "completed" });
  });

  test("is foreseen for an execution whose first step runs, as what it will be", async () => {
    const older = workflow("order", { input }).step("reserve", {
      run: async () => new Promise<void>(() => undefined),
      rollback: () => undefined,
    });
    const newer = workflow("order", { input, version: "2" })
      .step("check", { run: () => undefined })
      .step("reserve", { run: () => undefined, rollback: () => undefined })
      .migrate(older, {});
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    const asked = new Launcher({ store: rig.store, workflows: [newer] });
    expect(await asked.compatibility()).toMatchObject([{ forward: "migrates", to: { version: "2", step: "reserve" } }]);
    const next = await deployed(rig, newer);
    expect(await next.execution(id).outcome()).toMatchObject({ status: "completed" });
    expect((await told(next.execution(id))).slice(-2)).toEqual(["run reserve: migrated", "run reserve: ok"]);
  });

  test("that would find an execution past its pivot makes no dry run say otherwise", async () => {
    const older = workflow("order", { input })
      .step("pay", { run: () => undefined, pivot: true })
      .step("ship", waits);
    const newer = workflow("order", { input, version: "2" })
      .step("pay", { run: () => undefined, pivot: true })
      .step("ship", waits)
      .migrate(older, {});
    const rig = await start([older]);
    await rig.launcher.launch(older, {});
    await rig.clock.settle();
    const next = await deployed(rig, newer);
    const chosen = next.select({ workflow: "order" });
    for (const dryRun of [true, false]) {
      expect(await chosen.rollback("mistake", { dryRun })).toMatchObject({
        accepted: 0,
        refused: [{ code: "STEPWELL_PAST_PIVOT" }],
      });
    }
  });

  test("gives the undo of a step that it renames what that step gave, also where it was read before", async () => {
    const lines: string[] = [];
    const book = {
      run: () => ({ booking: "b-1" }),
      rollback: () => pause(),
      rollbackMessages: { cancelled: z.object({}) },
      onRollbackMessage: ({ given }: { given: object }) => void lines.push(JSON.stringify(given)),
    };
    const older = workflow("order", { input }).step("book", book).step("pay", waits);
    const newer = workflow("order", { input, version: "2" })
      .step("reserve", book)
      .step("pay", waits)
      .migrate(older, { steps: { book: "reserve" } });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    await rewoundToBook(rig, id);
    const next = await deployed(rig, newer);
    await next.send(id, "cancelled", {});
    await rig.clock.settle();
    expect(lines).toEqual(['{"booking":"b-1"}']);
  });

  test("leaves what was passed over so where an execution has completed, and goes on at that step", async () => {
    const lines: string[] = [];
    const wrap = { when: () => false, run: () => undefined, rollback: () => void lines.push("unwrap") };
    const older = workflow("order", { input })
      .step("wrap", wrap)
      .step("print", { run: () => undefined, rollback: () => undefined });
    const newer = workflow("order", { input, version: "2" })
      .step("wrap", wrap)
      .migrate(older, { steps: { print: null }, move: () => ({ step: "wrap" }) });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    const next = await deployed(rig, newer);
    const asked = next.rollback(id, "mistake");
    await rig.clock.advance("5s");
    expect(await asked).toEqual({ accepted: true });
    expect((await next.execution(id).outcome()).status).toBe("rolledBack");
    expect(lines).toEqual([]);
  });

  test("begins no step again that is done: its undo would be left out where nothing of it was done the second time", async () => {
    const lines: string[] = [];
    const charge = { run: () => void lines.push("charge"), rollback: () => void lines.push("refund") };
    const older = workflow("order", { input }).step("charge", charge).step("pay", waits);
    const newer = workflow("order", { input, version: "2" })
      .step("charge", charge)
      .migrate(older, { steps: { pay: null }, move: () => ({ step: "charge" }) });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    const next = await deployed(rig, newer);
    await next.send(id, "paid", {});
    expect(await next.execution(id).outcome()).toMatchObject({
      status: "stuck",
      error: { message: expect.stringMatching(/"charge" is done, and would be done again/) as string },
    });
    expect(lines).toEqual(["charge"]);
  });

  test.each([undefined, { note: "by hand" }])(
    "leaves out no undo for a skip of a step that it drops: %o",
    async (patch) => {
      const lines: string[] = [];
      const reserve = { run: () => undefined, rollback: () => void lines.push("release") };
      const older = workflow("order", { input })
        .step("reserve", reserve)
        .step("label", {
          run: () => undefined,
          rollbackRetry: { attempts: 1 },
          rollback: () => {
            throw new Error("no undo today");
          },
        })
        .step("ship", { run: () => fail("out-of-stock") });
      const newer = workflow("order", { input, version: "2" })
        .step("reserve", reserve)
        .migrate(older, { steps: { label: null, ship: null }, move: () => ({ step: "reserve" }) });
      const rig = await start([older]);
      const { id } = await rig.launcher.launch(older, {});
      await rig.clock.settle();
      const next = await deployed(rig, newer);
      const client = new Client({ store: rig.store });
      const skipped = client.skip(id, "it is glued on", { by: "ada", ...(patch !== undefined && { patch }) }).then(
        () => "",
        (error: unknown) => (error as Error).message,
      );
      await rig.clock.advance("5s");
      // Who waits for the answer hears of it.
      expect(await skipped).toMatch(
        patch === undefined ? /^$/ : /migrated to version "2" first.*"reserve"\. Nothing was skipped/,
      );
      const summary = await next.execution(id).summary();
      expect(summary).toMatchObject({ status: "stuck", version: "2", flow: { step: "reserve" } });
      expect(lines).toEqual([]);
      await next.retry(id);
      await rig.clock.settle();
      expect((await next.execution(id).outcome()).status).toBe("rolledBack");
      expect(lines).toEqual(["release"]);
    },
  );

  test("that drops a step which a rewind has undone leaves nothing of what it gave in the state", async () => {
    const held = {
      rollback: () => pause(),
      rollbackMessages: { back: z.object({}) },
      onRollbackMessage: () => undefined,
    };
    const book = { run: () => ({ booked: true }), ...held };
    const older = workflow("order", { input })
      .step("book", book)
      .step("label", { run: () => ({ label: "l-1" }), rollback: () => undefined })
      .step("pay", waits);
    const newer = workflow("order", { input, version: "2" })
      .step("book", book)
      .step("pay", waits)
      .migrate(older, { steps: { label: null } });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    await rewoundToBook(rig, id);
    const next = await deployed(rig, newer);
    await next.send(id, "back", {});
    await rig.clock.settle();
    await next.send(id, "paid", {});
    const outcome = await next.execution(id).outcome();
    expect(outcome).toMatchObject({ status: "completed" });
    expect(outcome.state).toEqual({ booked: true });
  });

  test("that begins a step again which waits gives its function the next number of an attempt", async () => {
    const attempts: number[] = [];
    const pay = { ...waits, run: ({ attempt }: { attempt: number }) => (attempts.push(attempt), pause()) };
    const older = workflow("order", { input }).step("pay", pay);
    const newer = workflow("order", { input, version: "2" })
      .step("pay", pay)
      .migrate(older, { move: () => ({ step: "pay" }) });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    const next = await deployed(rig, newer);
    await next.send(id, "paid", {});
    expect(await next.execution(id).outcome()).toMatchObject({ status: "completed" });
    expect(attempts).toEqual([1, 2]);
  });

  test("that fails leaves the undo of a step in doubt waiting, whatever the newer list has in its place", async () => {
    const lines: string[] = [];
    const ship = {
      run: (): undefined => {
        throw new Error("no answer");
      },
      rollback: () => (lines.push("recall"), pause()),
      rollbackMessages: { back: z.object({}) },
      onRollbackMessage: () => void lines.push("is back"),
    };
    let isBroken = true;
    const older = workflow("order", { input }).step("ship", ship);
    const newer = workflow("order", { input, version: "2" })
      .step("check", { run: () => undefined, rollback: () => undefined, probe: () => didNotHappen() })
      .step("ship", ship)
      .migrate(older, {
        move: () => {
          if (isBroken) throw new Error("not today");
        },
      });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    const next = await deployed(rig, newer);
    await next.send(id, "back", {});
    expect(await next.execution(id).outcome()).toMatchObject({
      status: "stuck",
      error: { code: "STEPWELL_MIGRATION_FAILED" },
    });
    isBroken = false;
    await next.retry(id);
    await rig.clock.settle();
    expect((await next.execution(id).outcome()).status).toBe("rolledBack");
    expect(lines).toEqual(["recall", "is back"]);
  });

  test("that fails leaves a step in doubt whose launcher died, whatever the newer list says of such a step", async () => {
    const heard: boolean[] = [];
    const book = {
      run: () => new Promise<void>(() => undefined),
      rollback: ({ halfDone }: { halfDone: boolean }) => void heard.push(halfDone),
    };
    const older = workflow("order", { input }).step("book", book);
    const newer = workflow("order", { input, version: "2" })
      .step("book", { ...book, inDoubt: "park" })
      .migrate(older, {
        move: () => {
          throw new Error("not today");
        },
      });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    const next = await deployed(rig, newer);
    expect(await next.execution(id).outcome()).toMatchObject({
      status: "stuck",
      error: { code: "STEPWELL_MIGRATION_FAILED" },
    });
    const last = await deployed({ ...rig, launcher: next }, older);
    await last.rollback(id, "mistake");
    await rig.clock.settle();
    expect((await last.execution(id).outcome()).status).toBe("rolledBack");
    expect(heard).toEqual([true]);
  });

  test.each(["is vetoed", "is rolled back on request"])(
    "that begins at a later step leaves what comes before it done, and undoes that where the execution %s",
    async (how) => {
      const lines: string[] = [];
      const noted = (name: string) => ({
        run: () => void lines.push(name),
        rollback: () => void lines.push(`undo ${name}`),
      });
      const older = workflow("order", { input }).step("old", {
        run: () => new Promise<void>(() => undefined),
        rollback: () => undefined,
      });
      const guard = observer({
        name: "g",
        guard: true,
        init: () => (how === "is vetoed" ? fail("not now") : undefined),
      });
      const newer = workflow("order", { input, version: "2" })
        .step("check", noted("check"))
        .step("book", {
          ...noted("book"),
          messages: { go: z.object({}) },
          run: () => pause(),
          onMessage: () => undefined,
        })
        .migrate(older, { steps: { old: null }, move: () => ({ step: "book" }) })
        .observe(guard);
      const rig = await start([older]);
      const { id } = await rig.launcher.launch(older, {});
      await rig.clock.settle();
      const next = await deployed(rig, newer);
      if (how === "is rolled back on request") await next.rollback(id, "mistake");
      await rig.clock.settle();
      expect((await next.execution(id).outcome()).status).toBe("rolledBack");
      expect(lines).toEqual(how === "is vetoed" ? ["undo check"] : ["undo book", "undo check"]);
    },
  );
});
