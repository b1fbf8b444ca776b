/** Executions of an older version of their workflow, in a launcher that has the newer one and a way to it. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Launcher, memoryStore, observer, pause, workflow, type AnyWorkflow } from "../../src/index.js";
import { dying } from "../support/dying.js";
import { deaf, onEveryStore, scribe, told, type Rig } from "../support/rig.js";

const paid = { paid: z.object({}) };

/** The last launcher is gone, and another one has these workflows instead. */
async function deployed({ launcher, another, clock }: Rig, ...workflows: AnyWorkflow[]): Promise<Launcher> {
  const stopped = launcher.stop();
  await clock.advance("1m");
  await stopped;
  const next = await another(workflows);
  await clock.advance("1s");
  return next;
}

/** The shop as it was: takes a payment, for which it waits, and ships. */
function first(lines: string[]) {
  return workflow("order", { input: z.object({ sku: z.string() }) })
    .observe(scribe(lines))
    .step("reserve", {
      run: () => ({ reservation: "r-1" }),
      rollback: ({ state }) => void lines.push(`release ${state.reservation}`),
    })
    .step("take-payment", {
      messages: paid,
      run: ({ idempotencyKey }) => {
        lines.push(`asked with ${idempotencyKey.slice(0, 8)}`);
        return pause({ amount: 19.99 }, { timeout: "1h" });
      },
      onMessage: () => ({ payment: "p-1" }),
      rollback: ({ given, runKey }) =>
        void lines.push(`refund ${given.payment ?? "?"} asked for with ${runKey.slice(0, 8)}`),
    })
    .step("print-label", { run: () => ({ label: "l-1" }), rollback: () => void lines.push("throw the label away") })
    .step("ship", { messages: paid, run: () => pause(), onMessage: () => undefined });
}

/** As it is now: amounts are in cents, a check comes first, nothing is printed, and a payment is called a charge. */
function second(lines: string[]) {
  return workflow("order", { version: "2", input: z.object({ sku: z.string(), currency: z.string() }) })
    .observe(scribe(lines))
    .step("check", { run: () => ({ checked: true }), rollback: () => void lines.push("uncheck") })
    .step("reserve", {
      run: () => ({ reservation: "r-2" }),
      rollback: ({ state }) => void lines.push(`release ${state.reservation}`),
    })
    .step("charge", {
      messages: paid,
      run: ({ idempotencyKey }) => {
        lines.push(`asked with ${idempotencyKey.slice(0, 8)}`);
        return pause({ cents: 1999 }, { timeout: "1h" });
      },
      onMessage: () => ({ payment: "p-2" }),
      rollback: ({ state, given, runKey }) =>
        void lines.push(
          `pay back ${given.payment ?? "?"}, ${state.cents} ${state.currency}, asked for with ${runKey.slice(0, 8)}`,
        ),
    })
    .step("ship", { messages: paid, run: () => pause(), onMessage: () => ({ shipped: true }) });
}

function moving(lines: string[]) {
  return second(lines).migrate(first(lines), {
    steps: { "take-payment": "charge", "print-label": null },
    move: ({ state: { amount, ...rest } }) => ({
      state: { ...rest, currency: "EUR", ...(amount !== undefined && { cents: Math.round(amount * 100) }) },
    }),
  });
}

const own = (lines: readonly string[]): string[] =>
  lines.filter((line) => !/^(init|startRollback|success|failure|beforeStep|afterStep)/.test(line));

onEveryStore("an execution of an older version", (start) => {
  test("goes on as one of the newer version in the step where it stood, and its wait with it", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const { id } = await rig.launcher.launch(first(lines), { sku: "A-1" });
    await rig.clock.settle();
    const [asked] = own(lines);
    lines.length = 0;
    const next = await deployed(rig, moving(lines));
    // Nothing of it is due: it is as it was.
    expect(await next.execution(id).summary()).toMatchObject({ version: "1", status: "waiting" });
    await next.send(id, "paid", {});
    await rig.clock.settle();
    expect(await next.execution(id).summary()).toMatchObject({
      version: "2",
      status: "waiting",
      flow: { step: "ship", stepIndex: 3 },
    });
    expect(await next.execution(id).state()).toEqual({
      sku: "A-1",
      currency: "EUR",
      reservation: "r-1",
      cents: 1999,
      payment: "p-2",
    });
    expect(lines).toEqual(["afterStep charge", "beforeStep ship"]);
    expect(await told(next.execution(id))).toEqual([
      "run reserve: ok",
      "run take-payment: continue",
      "runContinue take-payment: migrated",
      "runContinue charge: ok",
      "run ship: continue",
    ]);
    expect((await next.execution(id).history())[2]).toMatchObject({ migration: { from: "1", to: "2" } });
    // On its way down each undo finds what its step gave, and the key that it had.
    await next.rollback(id, "returned");
    expect(await next.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "returned" });
    const key = asked!.split(" ").at(-1);
    expect(own(lines)).toEqual([`pay back p-2, 1999 EUR, asked for with ${key}`, "release r-1", "uncheck"]);
    expect(rig.errors).toEqual([]);
  });

  test("keeps the timeout of its wait", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const { id } = await rig.launcher.launch(first(lines), { sku: "A-1" });
    await rig.clock.advance("30m");
    const next = await deployed(rig, moving(lines));
    await rig.clock.advance("28m");
    expect((await next.execution(id).summary()).version).toBe("1");
    await rig.clock.advance("1m");
    expect(await next.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "timeout" });
    expect((await next.execution(id).summary()).version).toBe("2");
  });

  test("keeps its version where that is registered, however many newer ones there are", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const { id } = await rig.launcher.launch(first(lines), { sku: "A-1" });
    await rig.clock.settle();
    const next = await deployed(rig, moving(lines), first(lines));
    await next.send(id, "paid", {});
    await rig.clock.settle();
    expect(await next.execution(id).summary()).toMatchObject({ version: "1", flow: { step: "ship" } });
  });

  test("is rolled back after it has completed, and undone as one of the newer version", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const execution = await rig.launcher.launch(first(lines), { sku: "A-1" });
    await execution.send("paid", {});
    await execution.send("paid", {});
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    const key = own(lines)[0]!.split(" ").at(-1);
    lines.length = 0;
    const next = await deployed(rig, moving(lines));
    expect(await next.rollback(execution.id, "returned")).toEqual({ accepted: true });
    expect(await next.execution(execution.id).outcome()).toMatchObject({ status: "rolledBack", reason: "returned" });
    expect(own(lines)).toEqual([`pay back p-1, 1999 EUR, asked for with ${key}`, "release r-1", "uncheck"]);
    expect((await told(next.execution(execution.id))).slice(5, 8)).toEqual([
      "runContinue ship: ok",
      "run ship: migrated",
      "run ship: returned",
    ]);
  });

  test("that has not begun begins with the first step of the newer one", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const { id } = await rig.launcher.launch(first(lines), { sku: "A-1" }, { delay: "2h" });
    await rig.clock.settle();
    const next = await deployed(rig, moving(lines));
    await rig.clock.advance("2h");
    expect(await told(next.execution(id))).toEqual([
      "run reserve: migrated",
      "run check: ok",
      "run reserve: ok",
      "run charge: continue",
    ]);
    expect(lines[0]).toBe("init");
  });

  test("that has not begun, and is rolled back, has nothing to undo", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const { id } = await rig.launcher.launch(first(lines), { sku: "A-1" }, { delay: "2h" });
    await rig.clock.settle();
    const next = await deployed(rig, moving(lines));
    expect(await next.rollback(id, "mistake")).toEqual({ accepted: true });
    expect(await next.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "mistake" });
    expect(await told(next.execution(id))).toEqual(["run reserve: migrated", "run check: mistake"]);
    expect(own(lines)).toEqual([]);
  });

  test("is moved to another step where the migration says so, and begins it", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const { id } = await rig.launcher.launch(first(lines), { sku: "A-1" });
    await rig.clock.settle();
    const seen: unknown[] = [];
    const again = second(lines).migrate(first(lines), {
      steps: { "take-payment": "charge", "print-label": null },
      move: ({ state, ...standing }) => {
        seen.push({ state, ...standing });
        return { step: "charge", state: { sku: state.sku, currency: "EUR" } };
      },
    });
    const next = await deployed(rig, again);
    lines.length = 0;
    await next.send(id, "paid", {});
    await rig.clock.settle();
    expect(seen).toEqual([
      {
        execution: { id, workflow: "order", version: "1" },
        state: { sku: "A-1", reservation: "r-1", amount: 19.99 },
        status: "waiting",
        direction: "up",
        step: "take-payment",
        waits: true,
        begun: true,
      },
    ]);
    expect(await told(next.execution(id))).toEqual([
      "run reserve: ok",
      "run take-payment: continue",
      "runContinue take-payment: migrated",
      "run charge: continue",
      "runContinue charge: ok",
      "run ship: continue",
    ]);
  });

  test("is parked as it was where the migration fails, and tried again with the next retry", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const { id } = await rig.launcher.launch(first(lines), { sku: "A-1" });
    await rig.clock.settle();
    const options = { steps: { "take-payment": "charge", "print-label": null } } as const;
    const failing: [AnyWorkflow, RegExp][] = [
      [
        second(lines).migrate("1", {
          ...options,
          move: () => {
            throw new Error("no rate for A-1");
          },
        }),
        /from version "1".*to "2".*"take-payment": "move" threw no rate for A-1/,
      ],
      [second(lines).migrate("1", { ...options, move: (async () => ({ state: {} })) as never }), /gave a promise/],
      [
        second(lines).migrate("1", { ...options, move: () => ({ stat: {} }) as never }),
        /"stat".*did you mean "state"/i,
      ],
      [
        second(lines).migrate("1", { ...options, move: () => "charge" as never }),
        /a string, and not \{ step, state \}/,
      ],
      [second(lines).migrate("1", { ...options, move: () => ({ step: "pay", state: {} }) as never }), /"pay".*no step/],
      [second(lines).migrate("1", { ...options, move: () => ({ state: { f: () => 1 } }) as never }), /can't be stored/],
      [second(lines).migrate("1", { ...options, move: () => ({ step: "check", state: {} }) as never }), /"reserve"/],
      [second(lines).migrate("1", { move: () => ({ state: {} }) as never }), /"take-payment".*"steps".*or in "move"/],
      [second(lines).migrate("1", { steps: { pay: null }, move: () => ({}) as never }), /"pay", which is no step/],
    ];
    let next = rig.launcher;
    lines.length = 0;
    for (const [index, [newer, message]] of failing.entries()) {
      next = await deployed({ ...rig, launcher: next }, newer);
      if (index === 0) await next.send(id, "paid", {});
      else await next.retry(id);
      expect(await next.execution(id).outcome()).toMatchObject({
        status: "stuck",
        step: "take-payment",
        state: { sku: "A-1", reservation: "r-1", amount: 19.99 },
        error: { code: "STEPWELL_MIGRATION_FAILED", message: expect.stringMatching(message) as string },
      });
      expect((await next.execution(id).summary()).version).toBe("1");
    }
    expect(lines).toEqual([]);
    expect(rig.errors.every(({ code }) => code === "STEPWELL_EXECUTION_STUCK")).toBe(true);
    // The message is where it was, and so is the wait.
    next = await deployed({ ...rig, launcher: next }, moving(lines));
    await next.retry(id, { by: "ada" });
    await rig.clock.settle();
    expect(await next.execution(id).summary()).toMatchObject({ version: "2", flow: { step: "ship" } });
    expect((await told(next.execution(id))).slice(-4)).toEqual([
      "runContinue take-payment: migrated",
      "runContinue charge: retried",
      "runContinue charge: ok",
      "run ship: continue",
    ]);
  });

  test("that is too large when moved is parked as it was", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const { id } = await rig.launcher.launch(first(lines), { sku: "A-1" });
    await rig.clock.settle();
    const grown = second(lines).migrate(first(lines), {
      steps: { "take-payment": "charge", "print-label": null },
      move: () => ({ state: { sku: "x".repeat(2_000_000), currency: "EUR" } }),
    });
    const next = await deployed(rig, grown);
    await next.send(id, "paid", {});
    expect(await next.execution(id).outcome()).toMatchObject({
      status: "stuck",
      state: { sku: "A-1" },
      error: { code: "STEPWELL_MIGRATION_FAILED", message: expect.stringMatching(/too large/) as string },
    });
  });

  test("that has completed is left as it is where the migration fails, and whoever requests its rollback is told", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const execution = await rig.launcher.launch(first(lines), { sku: "A-1" });
    await execution.send("paid", {});
    await execution.send("paid", {});
    await execution.outcome();
    const next = await deployed(rig, second(lines).migrate("1", { move: ({ state }) => ({ state: state as never }) }));
    expect(await next.rollback(execution.id, "returned")).toMatchObject({ accepted: false, why: "parked-again" });
    expect(await next.execution(execution.id).outcome()).toMatchObject({ status: "completed" });
    expect(rig.errors).toMatchObject([{ code: "STEPWELL_MIGRATION_FAILED" }]);
  });

  test("goes over the versions in between as one transition", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const execution = await rig.launcher.launch(first(lines), { sku: "A-1" });
    await rig.clock.settle();
    const key = own(lines)[0]!.split(" ").at(-1);
    const third = workflow("order", { version: "3", input: z.object({ sku: z.string() }) })
      .step("reserve", { rollback: ({ state }) => void lines.push(`release ${state.sku}`) })
      .step("bill", {
        messages: paid,
        run: () => pause(),
        onMessage: () => ({ bill: 1 }),
        rollback: ({ given, runKey }) => void lines.push(`bill ${JSON.stringify(given)} ${runKey.slice(0, 8)}`),
      })
      .migrate(moving(lines), { steps: { charge: "bill", check: null, ship: null } });
    const next = await deployed(rig, third);
    await next.send(execution.id, "paid", {});
    expect(await next.execution(execution.id).outcome()).toMatchObject({
      status: "completed",
      state: { sku: "A-1", currency: "EUR", cents: 1999 },
    });
    const rows = await rig.store.history(execution.id);
    expect(rows.filter(({ migration }) => migration !== undefined)).toMatchObject([
      {
        result: "migrated",
        migration: { from: "1", to: "3", steps: { "take-payment": "bill", "print-label": null, ship: null } },
      },
    ]);
    expect(await next.execution(execution.id).stateAt(3)).toEqual({
      sku: "A-1",
      reservation: "r-1",
      currency: "EUR",
      cents: 1999,
    });
    expect(await next.execution(execution.id).stateAt(2)).toEqual({ sku: "A-1", reservation: "r-1", amount: 19.99 });
    lines.length = 0;
    await next.rollback(execution.id, "returned");
    await next.execution(execution.id).outcome();
    expect(own(lines)).toEqual([`bill {"amount":19.99,"bill":1} ${key}`, "release A-1"]);
  });

  test("on its way down goes on going down", async () => {
    const lines: string[] = [];
    let broken = true;
    const older = workflow("order", { input: z.object({}) })
      .step("a", { run: () => ({ a: 1 }), rollback: () => void lines.push("undo a") })
      .step("b", {
        run: () => ({ b: 1 }),
        rollbackRetry: { attempts: 1 },
        rollback: () => {
          if (broken) throw new Error("no undo today");
        },
      })
      .step("c", {
        run: () => {
          throw new Error("no");
        },
      });
    const newer = workflow("order", { input: z.object({}), version: "2" })
      .step("a2", { rollback: ({ given }) => void lines.push(`undo a2 ${JSON.stringify(given)}`) })
      .step("b", { rollback: ({ given }) => void lines.push(`undo b ${JSON.stringify(given)}`) })
      .migrate(older, { steps: { a: "a2" } });
    const rig = await start([older]);
    const execution = await rig.launcher.launch(older, {});
    expect(await execution.outcome()).toMatchObject({ status: "stuck", direction: "down", step: "b" });
    broken = false;
    const next = await deployed(rig, newer);
    await next.retry(execution.id);
    expect(await next.execution(execution.id).outcome()).toMatchObject({ status: "rolledBack" });
    expect(lines).toEqual(['undo b {"b":1}', 'undo a2 {"a":1}']);
  });

  test("keeps what it subscribed to for the step where it stays", async () => {
    const input = z.object({});
    const older = workflow("order", { input }).step("pay", {
      messages: { ...paid, asked: z.object({}) },
      run: async ({ subscribe }) => {
        await subscribe("payment:1");
        return pause();
      },
      onMessage: () => ({ paid: true }),
    });
    const newer = workflow("order", { input, version: "2" })
      .step("check", { run: () => undefined })
      .step("charge", {
        messages: { ...paid, asked: z.object({}) },
        run: () => pause(),
        onMessage: ({ message }) => (message.name === "asked" ? pause() : { paid: true }),
      });
    const rig = await start([older]);
    const staying = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    const next = await deployed(rig, newer.migrate(older, { steps: { pay: "charge" } }));
    await next.send(staying.id, "asked", {});
    await rig.clock.settle();
    expect(await next.execution(staying.id).summary()).toMatchObject({ version: "2", status: "waiting" });
    await next.publish("payment:1", "paid", {});
    expect(await next.execution(staying.id).outcome()).toMatchObject({ status: "completed", state: { paid: true } });
  });

  test("gives up what it subscribed to where it goes on in another step", async () => {
    const input = z.object({});
    const older = workflow("order", { input }).step("pay", {
      messages: paid,
      run: async ({ subscribe }) => {
        await subscribe("payment:1");
        return pause({}, { timeout: "1m" });
      },
      onMessage: () => undefined,
    });
    const newer = workflow("order", { input, version: "2" })
      .step("ask", { messages: paid, run: () => pause(), onMessage: () => undefined })
      .migrate(older, { steps: { pay: null }, move: () => ({ step: "ask" }) });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    const next = await deployed(rig, newer);
    await rig.clock.advance("1m");
    expect(await next.execution(id).summary()).toMatchObject({
      version: "2",
      status: "waiting",
      flow: { step: "ask" },
    });
    await next.publish("payment:1", "paid", {});
    await rig.clock.settle();
    expect(await next.execution(id).mailbox()).toEqual([]);
  });

  test("is heard of by the observers of the newer version, as a commit", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const { id } = await rig.launcher.launch(first(lines), { sku: "A-1" });
    await rig.clock.settle();
    const commits: string[] = [];
    const watcher = observer({
      name: "watcher",
      commit: ({ execution, step, transition }) =>
        void commits.push(`${transition.result}: ${execution.version}, ${step?.name}`),
    });
    const next = await deployed(rig, moving(lines).observe(watcher));
    await next.send(id, "paid", {});
    await rig.clock.settle();
    expect(commits).toEqual(["migrated: 2, charge", "ok: 2, ship", "continue: 2, ship"]);
  });

  test.each(["before", "after"] as const)(
    "is migrated once where a launcher dies right %s that is written",
    async (when) => {
      const lines: string[] = [];
      const rig = await start([first(lines)]);
      const { id } = await rig.launcher.launch(first(lines), { sku: "A-1" });
      await rig.clock.settle();
      await rig.launcher.stop();
      const isMigration = (batch: Parameters<typeof rig.store.write>[0]): boolean =>
        batch.transitions.some(({ history }) => history.migration !== undefined);
      const doomed = new Launcher({
        store: dying(rig.store, when, isMigration),
        clock: rig.clock,
        workflows: [moving(lines)],
        heartbeat: { interval: "1m", timeout: "2m" },
      });
      await doomed.start();
      void doomed.send(id, "paid", {});
      await rig.clock.settle();
      expect((await told(rig.launcher.execution(id))).filter((line) => line.endsWith("migrated"))).toHaveLength(
        when === "after" ? 1 : 0,
      );
      await rig.another([moving(lines)]);
      await rig.clock.advance("3m");
      expect((await told(rig.launcher.execution(id))).slice(2)).toEqual([
        "runContinue take-payment: migrated",
        "runContinue charge: ok",
        "run ship: continue",
      ]);
      expect(await rig.launcher.execution(id).state()).toMatchObject({ currency: "EUR", cents: 1999, payment: "p-2" });
    },
  );

  test("of a rolling deployment belongs to whoever takes it up, and never goes back to the older version", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    const ids = Array.from({ length: 12 }, (_, index) => `order-${index}`);
    for (const id of ids) await rig.launcher.launch(first(lines), { sku: id }, { id });
    await rig.clock.settle();
    const stopped = rig.launcher.stop();
    await rig.clock.advance("1m");
    await stopped;
    // Neither hears of what comes: whoever looks first takes it.
    const quiet = async (list: AnyWorkflow, pollInterval: number): Promise<Launcher> =>
      rig.another([list], { store: deaf(rig.store), clock: rig.clock, pollInterval });
    const old = await quiet(first(lines), 1000);
    const next = await quiet(moving(lines), 700);
    for (let wave = 0; wave < 2; wave++) {
      for (const id of ids) {
        await old.send(id, "paid", {});
        await rig.clock.advance("100ms");
      }
      await rig.clock.advance("5s");
    }
    const versions: string[] = [];
    for (const id of ids) {
      const execution = next.execution(id);
      expect(await execution.outcome()).toMatchObject({ status: "completed" });
      const rows = await rig.store.history(id);
      const { version } = await execution.summary();
      versions.push(version);
      expect(rows.filter(({ migration }) => migration !== undefined)).toHaveLength(version === "2" ? 1 : 0);
    }
    expect(new Set(versions)).toEqual(new Set(["1", "2"]));
    expect(rig.errors).toEqual([]);
  });

  test("that waits for a place is admitted by a launcher of the newer one, and begins there", async () => {
    const input = z.object({});
    const older = workflow("job", { input, concurrency: 1 }).step("work", {
      messages: paid,
      run: () => pause(),
      onMessage: () => undefined,
    });
    const newer = workflow("job", { input, concurrency: 1, version: "2" })
      .step("work", { messages: paid, run: () => pause(), onMessage: () => ({ done: true }) })
      .migrate(older, {});
    const rig = await start([older]);
    for (const id of ["one", "two"]) await rig.launcher.launch(older, {}, { id });
    await rig.clock.settle();
    const next = await deployed(rig, newer);
    await next.send("one", "paid", {});
    expect(await next.execution("one").outcome()).toMatchObject({ status: "completed" });
    await rig.clock.advance("2s");
    expect(await next.execution("two").summary()).toMatchObject({ version: "2", status: "waiting" });
    await next.send("two", "paid", {});
    expect(await next.execution("two").outcome()).toMatchObject({ status: "completed" });
  });

  test("that is past its pivot is parked where it would not be any more, and the other way round", async () => {
    const input = z.object({});
    const list = (version: string, pivot: boolean) =>
      workflow("order", { input, version })
        .step("a", { run: () => undefined, pivot })
        .step("b", { messages: paid, run: () => pause(), onMessage: () => undefined });
    const problems: unknown[] = [];
    for (const pivot of [true, false]) {
      const rig = await start([list("1", pivot)]);
      const { id } = await rig.launcher.launch(list("1", pivot), {});
      await rig.clock.settle();
      const next = await deployed(rig, list("2", !pivot).migrate(list("1", pivot), {}));
      await next.send(id, "paid", {});
      const outcome = await next.execution(id).outcome();
      problems.push(outcome.status === "stuck" && outcome.error.message);
    }
    expect(problems).toEqual([
      expect.stringMatching(/"a", which is done, was a pivot and is none any more/),
      expect.stringMatching(/"a", which is done, was no pivot and is one now/),
    ]);
  });

  test("turns when it is asked to, wherever the pivot of the newer one is", async () => {
    const input = z.object({});
    const older = workflow("order", { input })
      .step("a", { run: () => undefined })
      .step("b", { run: () => undefined })
      .step("c", { messages: paid, run: () => pause(), onMessage: () => undefined });
    const newer = workflow("order", { input, version: "2" })
      .step("c", { messages: paid, run: () => pause(), onMessage: () => undefined })
      .step("d", { run: () => undefined, pivot: true })
      .step("e", { run: () => undefined })
      .migrate(older, { steps: { a: null, b: null } });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, {});
    await rig.clock.settle();
    const next = await deployed(rig, newer);
    expect(await next.rollback(id, "mistake")).toEqual({ accepted: true });
    expect(await next.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "mistake" });
  });

  test("goes on with the attempts that it has had, and the pause before the next one", async () => {
    const input = z.object({});
    const attempts: string[] = [];
    const list = (version: string, name: string) =>
      workflow("order", { input, version }).step(name, {
        run: ({ attempt, idempotencyKey }) => {
          attempts.push(`${version}: ${attempt} ${idempotencyKey.slice(0, 8)}`);
          throw new Error("not yet");
        },
        retry: { attempts: 3, delay: "10m", factor: 1, jitter: false },
      });
    const rig = await start([list("1", "constructor")]);
    const { id } = await rig.launcher.launch(list("1", "constructor"), {});
    await rig.clock.settle();
    const steps = { constructor: "call" };
    const next = await deployed(rig, list("2", "call").migrate(list("1", "constructor"), { steps }));
    await rig.clock.advance("5m");
    expect(attempts).toHaveLength(1);
    await rig.clock.advance("15m");
    expect(await next.execution(id).outcome()).toMatchObject({ status: "rolledBack" });
    const [key] = attempts.map((line) => line.split(" ")[2]);
    expect(attempts).toEqual([`1: 1 ${key}`, `2: 2 ${key}`, `2: 3 ${key}`]);
  });

  test("can be patched by an operator once it has been moved", async () => {
    const input = z.object({ sku: z.string() });
    const older = workflow("order", { input }).step("a", {
      messages: paid,
      run: () => pause(),
      onMessage: () => undefined,
    });
    const newer = workflow("order", { version: "2", input: z.object({ item: z.string().min(2) }) })
      .step("a", { run: () => undefined })
      .step("b", {
        run: ({ state }) => {
          if (state.item !== "B-2") throw new Error("unknown item");
        },
        rollback: ({ state }) => {
          if (state.item !== "B-2") throw new Error("unknown item");
        },
        rollbackRetry: { attempts: 1 },
      })
      .migrate(older, { move: ({ state }) => ({ step: "b", state: { item: state.sku } }) });
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, { sku: "A-1" });
    await rig.clock.settle();
    const next = await deployed(rig, newer);
    await next.send(id, "paid", {});
    await rig.clock.settle();
    expect(await next.execution(id).outcome()).toMatchObject({ status: "stuck", state: { item: "A-1" } });
    // By the schema of the version that it has now.
    await expect(next.patchState(id, { item: "B" }, "mistyped")).rejects.toMatchObject({
      code: "STEPWELL_INVALID_PATCH",
    });
    await next.patchState(id, { item: "B-2" }, "mistyped");
    await next.retry(id);
    expect(await next.execution(id).outcome()).toMatchObject({ status: "rolledBack", state: { item: "B-2" } });
  });
});

onEveryStore("a list that has changed before an execution has begun", (start) => {
  test("is nothing to it: it begins with the new one", async () => {
    const input = z.object({});
    const lines: string[] = [];
    const list = (...names: readonly string[]): AnyWorkflow => {
      let built: AnyWorkflow = workflow("order", { input });
      for (const name of names)
        built = (built as ReturnType<typeof workflow<typeof input>>).step(name, { run: () => void lines.push(name) });
      return built;
    };
    const rig = await start([list("a", "b")]);
    const { id } = await rig.launcher.launch(list("a", "b"), {}, { delay: "2h" });
    await rig.clock.settle();
    const next = await deployed(rig, list("z", "b"));
    expect(await next.compatibility()).toMatchObject([{ forward: "goes-on", back: "goes-on" }]);
    await rig.clock.advance("2h");
    expect(await next.execution(id).outcome()).toMatchObject({ status: "completed" });
    expect(await told(next.execution(id))).toEqual(["run z: ok", "run b: ok"]);
    expect(lines).toEqual(["z", "b"]);
  });
});

onEveryStore("compatibility with migrations", (start) => {
  test("tries them on each live execution, and keeps nothing of it", async () => {
    const lines: string[] = [];
    const rig = await start([first(lines)]);
    await rig.launcher.launch(first(lines), { sku: "A-1" }, { id: "fine" });
    await rig.launcher.launch(first(lines), { sku: "bad" }, { id: "bad" });
    await rig.launcher.launch(first(lines), { sku: "A-1" }, { id: "later", delay: "1h" });
    await rig.clock.settle();
    const rows = async (): Promise<unknown> => rig.store.load(["fine", "bad", "later"]);
    const before = await rows();
    const choosy = second(lines).migrate(first(lines), {
      steps: { "take-payment": "charge", "print-label": null },
      move: ({ state: { sku } }) => {
        if (sku === "bad") throw new Error("no such item");
        return { state: { sku, currency: "EUR" } };
      },
    });
    const asked = new Launcher({ store: rig.store, workflows: [choosy] });
    const common = { workflow: "order", version: "1", direction: "up", count: 1 };
    const found = await asked.compatibility();
    expect(found).toHaveLength(3);
    expect(found).toEqual(
      expect.arrayContaining([
        {
          ...common,
          status: "waiting",
          step: "take-payment",
          examples: ["fine"],
          forward: "migrates",
          back: "migrates",
          to: { version: "2", step: "charge" },
        },
        {
          ...common,
          status: "waiting",
          step: "take-payment",
          examples: ["bad"],
          forward: "parks",
          back: "parks",
          why: '"move" threw no such item',
        },
        {
          ...common,
          status: "scheduled",
          step: "reserve",
          examples: ["later"],
          forward: "migrates",
          back: "migrates",
          to: { version: "2", step: "check" },
        },
      ]),
    );
    expect(await rows()).toEqual(before);
  });
});

test("two ways from one version, none shorter than the other, are refused", () => {
  const input = z.object({});
  const version = (name: string) =>
    workflow("order", { input, version: name })
      .step("a", { run: () => undefined })
      .migrate("1", { move: () => ({ state: {} }) });
  const store = memoryStore();
  expect(() => new Launcher({ store, workflows: [version("2"), version("3")] })).toThrow(
    expect.objectContaining({
      code: "STEPWELL_INVALID_ARGUMENT",
      message: expect.stringMatching(/version "1" could be migrated to version "3" and to "2"/) as string,
    }),
  );
});
