/** Faults of the ancestor that Stepwell must not have, and what goes wrong in user code. */
import { expect, test } from "vitest";
import { z } from "zod";
import { observer, pause, workflow } from "../../src/index.js";
import { onEveryStore, told } from "../support/rig.js";

const input = z.object({});

onEveryStore("what must not happen", (start) => {
  test("an error in a rollback is retried and then parked, never a dead process", async () => {
    let tries = 0;
    const broken = workflow("broken", { input })
      .step("1", { run: () => ({ a: 1 }), rollback: () => ({ undone: true }) })
      .step("2", {
        run: () => {
          throw new Error("no");
        },
        rollbackRetry: { attempts: 5 },
        rollback: () => {
          tries++;
          throw new TypeError("can't undo");
        },
      });
    const { launcher, clock, errors } = await start([broken]);
    const execution = await launcher.launch(broken, {});
    await clock.advance("5m");
    expect(tries).toBe(5);
    expect(await execution.outcome()).toMatchObject({
      status: "stuck",
      step: "2",
      direction: "down",
      reason: "Error",
      error: { name: "TypeError", message: "can't undo" },
      state: { a: 1 },
    });
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_EXECUTION_STUCK"]);
    expect(await told(execution)).toEqual(["run 1: ok", "run 2: Error", ...Array(5).fill("rollback 2: TypeError")]);
  });

  test("a rollback request during rollback changes nothing", async () => {
    const waiting = workflow("waiting", { input })
      .step("1", {
        run: () => ({}),
        rollback: () => pause(),
        rollbackMessages: { go: z.null() },
        onRollbackMessage: () => ({ undone: true }),
      })
      .step("2", {
        run: () => {
          throw Object.assign(new Error("x"), { reason: "first" });
        },
      });
    const { launcher, clock } = await start([waiting]);
    const execution = await launcher.launch(waiting, {});
    await clock.settle();
    expect(await execution.rollback("second")).toMatchObject({ accepted: false, why: "already-rolling-back" });
    await execution.send("go", null);
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "first" });
  });

  test("an unexpected message does not crash: it is refused at the send, or stays for a later step", async () => {
    const later = workflow("later", { input })
      .step("1", { messages: { a: z.null() }, run: () => pause(), onMessage: () => undefined })
      .step("2", { messages: { b: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock } = await start([later]);
    const execution = await launcher.launch(later, {});
    await expect(launcher.send(execution.id, "c", null)).rejects.toMatchObject({ code: "STEPWELL_UNKNOWN_MESSAGE" });
    await execution.send("b", null);
    await clock.settle();
    expect((await execution.flow()).step).toBe("1");
    await execution.send("a", null);
    expect((await execution.outcome()).status).toBe("completed");
  });

  test.each([
    ["a number", 5, "a number"],
    ["an array", [1], "an array"],
    ["a date", new Date(0), "an instance of Date"],
    ["a reserved key", JSON.parse('{"__proto__":{"polluted":1}}'), "reserved key"],
    ["a pause that nothing could end", pause(), "declares no messages"],
  ])("a step that gives back %s turns the execution, with a clear reason", async (_, value, part) => {
    const undone: string[] = [];
    const nonsense = workflow("nonsense", { input }).step("1", {
      run: () => value as never,
      rollback: () => void undone.push("1"),
    });
    const { launcher } = await start([nonsense]);
    const outcome = await (await launcher.launch(nonsense, {})).outcome();
    expect(outcome).toMatchObject({
      status: "rolledBack",
      reason: "invalid-return-value",
      error: { code: "STEPWELL_INVALID_RETURN_VALUE", message: expect.stringContaining(part) },
    });
    expect(undone).toEqual(["1"]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test.each([
    ["its reason", Object.assign(new Error("m"), { reason: "why" }), "why"],
    ["its code", Object.assign(new Error("m"), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    ["its name", new RangeError("m"), "RangeError"],
    ["something, even for null", null, "error"],
  ])("a thrown error's reason is %s", async (_, thrown, reason) => {
    const throwing = workflow("throwing", { input }).step("1", {
      run: async () => {
        throw thrown;
      },
    });
    const { launcher } = await start([throwing]);
    expect(await (await launcher.launch(throwing, {})).outcome()).toMatchObject({ status: "rolledBack", reason });
  });

  test("an error text with NUL bytes and lone surrogates is recorded", async () => {
    const throwing = workflow("throwing", { input }).step("1", {
      run: () => {
        throw Object.assign(new Error("bad \u0000 and \ud800"), { reason: "nul\u0000\udfff" });
      },
    });
    const { launcher } = await start([throwing]);
    const outcome = await (await launcher.launch(throwing, {})).outcome();
    expect(outcome.status).toBe("rolledBack");
  });

  test("a patch that can't be stored is a failure with its code, and the undo works without it", async () => {
    const undone: unknown[] = [];
    const unstorable = workflow("unstorable", { input }).step("1", {
      run: () => ({ call: () => 1 }) as unknown as { call: string },
      rollback: ({ state }) => void undone.push({ ...state }),
    });
    const oversize = workflow("oversize", { input }).step("1", {
      run: () => ({ text: "x".repeat(2000) }),
      rollback: ({ state }) => void undone.push({ ...state }),
    });
    const { launcher } = await start([unstorable, oversize], { sizeLimit: 1000 });
    expect(await (await launcher.launch(unstorable, {})).outcome()).toMatchObject({
      status: "rolledBack",
      reason: "STEPWELL_NOT_ENCODABLE",
      error: { message: expect.stringContaining("call") },
    });
    expect(await (await launcher.launch(oversize, {})).outcome()).toMatchObject({ reason: "STEPWELL_TOO_LARGE" });
    expect(undone).toEqual([{}, {}]);
  });

  test("a step can't change the state in place", async () => {
    const sneaky = workflow("sneaky", { input: z.object({ list: z.array(z.number()) }) }).step("1", {
      run: ({ state }) => {
        (state.list as number[]).push(2);
      },
    });
    const { launcher } = await start([sneaky]);
    const given = { list: [1] };
    const outcome = await (await launcher.launch(sneaky, given)).outcome();
    expect(outcome).toMatchObject({ status: "rolledBack", reason: "TypeError", state: { list: [1] } });
    expect(given).toEqual({ list: [1] });
  });

  test("a watcher that gives back a promise is reported, also when the promise fails", async () => {
    const watched = workflow("watched", { input })
      .step("1", { run: () => undefined })
      .observe(observer({ name: "async", init: (() => Promise.reject(new Error("late"))) as never }));
    const { launcher, errors } = await start([watched]);
    expect((await (await launcher.launch(watched, {})).outcome()).status).toBe("completed");
    expect(errors).toMatchObject([{ code: "STEPWELL_OBSERVER_FAILED", message: expect.stringContaining("promise") }]);
  });
});
