import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { fail, pause, StepwellError, workflow, type Launcher, type SelectOptions } from "../../src/index.js";
import { onEveryStore } from "../support/rig.js";

const input = z.object({ n: z.number() });

/** Waits at its second step; a negative number is stuck on its way down until the bank is back. */
function orders(bank: { isBack: boolean } = { isBack: false }) {
  return workflow("order", { input })
    .step("charge", {
      run: ({ state }) => (state.n < 0 ? fail("no-such-price") : { charged: true }),
      rollbackRetry: { attempts: 1 },
      rollback: ({ state }) => {
        if (state.n < 0 && !bank.isBack) throw new Error("the bank is away");
      },
    })
    .step("ship", { messages: { shipped: z.null() }, run: () => pause(), onMessage: () => undefined });
}

const launched = (launcher: Launcher, order: ReturnType<typeof orders>, ...numbers: number[]) =>
  launcher.launchMany(
    order,
    numbers.map((n) => ({ input: { n }, id: `o${n}`, tags: [n % 2 === 0 ? "even" : "odd"] })),
  );

onEveryStore("acts on many executions", (start) => {
  test("are counted first, without a change to any", async () => {
    const order = orders();
    const { launcher, clock } = await start([order]);
    await launched(launcher, order, 1, 2, 3, -4);
    await clock.settle();
    expect(await launcher.select({ workflow: "order" }).count()).toEqual({ count: 4, more: false });
    expect(await launcher.select({ status: "waiting", tags: ["odd"] }).count()).toEqual({ count: 2, more: false });
    expect(await launcher.select({ workflow: "other" }).count()).toEqual({ count: 0, more: false });
    expect(await launcher.select({ status: [] }).count()).toEqual({ count: 0, more: false });
    expect(await launcher.select({ all: true }).count()).toEqual({ count: 4, more: false });
  });

  test("roll back what fits, and tell of each that would not", async () => {
    const order = orders();
    const { launcher, clock } = await start([order]);
    const executions = await launched(launcher, order, 1, 2, -3, 4, 5);
    await clock.settle();
    await launcher.rollback("o4", "changed-mind");
    await executions[3]!.outcome();
    const chosen = launcher.select({ workflow: "order" });
    const expected = {
      matched: 5,
      accepted: 3,
      refused: expect.toSatisfy((refused: { id: string; code: string }[]) => {
        const codes = refused.map(({ id, code }) => `${id} ${code}`).toSorted();
        return codes.join() === "o-3 STEPWELL_ROLLBACK_REFUSED,o4 STEPWELL_ROLLBACK_REFUSED";
      }) as unknown,
      undecided: [],
      aborted: false,
    };
    expect(await chosen.rollback("recalled", { by: "ada", dryRun: true })).toEqual(expected);
    expect((await launcher.list({ status: "waiting" })).executions).toHaveLength(3);
    expect(await chosen.rollback("recalled", { by: "ada" })).toEqual(expected);
    for (const index of [0, 1, 4]) {
      expect(await executions[index]!.outcome()).toMatchObject({ status: "rolledBack", reason: "recalled" });
      expect(await executions[index]!.history()).toContainEqual(
        expect.objectContaining({ result: "recalled", by: "ada", why: "recalled" }),
      );
    }
  });

  test("leave completed ones alone where that is asked, and else undo them", async () => {
    const quick = workflow("quick", { input }).step("1", { run: () => undefined, rollback: () => ({ undone: true }) });
    const { launcher, clock } = await start([quick]);
    await launcher.launchMany(quick, [{ input: { n: 1 } }, { input: { n: 2 } }]);
    await clock.settle();
    const chosen = launcher.select({ status: "completed" });
    const refused = [expect.objectContaining({ code: "STEPWELL_ROLLBACK_REFUSED" }), expect.anything()];
    expect(await chosen.rollback("recalled", { ifCompleted: "refuse" })).toMatchObject({ accepted: 0, refused });
    expect(await chosen.rollback("recalled")).toMatchObject({ accepted: 2, refused: [] });
    await clock.settle();
    expect(await launcher.select({ status: "rolledBack" }).count()).toEqual({ count: 2, more: false });
  });

  test("set going again what is stuck, with who and why", async () => {
    const bank = { isBack: false };
    const order = orders(bank);
    const { launcher, clock } = await start([order]);
    const executions = await launched(launcher, order, -1, -2, 3);
    await clock.settle();
    const dry = await launcher.select({ workflow: "order" }).retry({ dryRun: true });
    expect(dry).toMatchObject({
      matched: 3,
      accepted: 2,
      refused: [{ id: "o3", code: "STEPWELL_EXECUTION_NOT_STUCK" }],
    });
    expect(await launcher.select({ status: "stuck" }).count()).toEqual({ count: 2, more: false });
    bank.isBack = true;
    const answer = await launcher.select({ status: "stuck" }).retry({ by: "ada", reason: "the bank is back" });
    expect(answer).toEqual({ matched: 2, accepted: 2, refused: [], undecided: [], aborted: false });
    for (const execution of executions.slice(0, 2)) {
      expect(await execution.outcome()).toMatchObject({ status: "rolledBack" });
    }
    expect(await executions[1]!.history()).toContainEqual(
      expect.objectContaining({ result: "retried", by: "ada", why: "the bank is back" }),
    );
  });

  test("go on to the others where one fails, and turn pages to the last", async () => {
    const order = orders();
    const { launcher, clock, store } = await start([order]);
    await launched(launcher, order, ...Array.from({ length: 7 }, (_, n) => n + 1));
    await clock.settle();
    const list = store.list.bind(store);
    vi.spyOn(store, "list").mockImplementation((filter) => list({ ...filter, limit: 2 }));
    const load = store.load.bind(store);
    vi.spyOn(store, "load").mockImplementation((ids) => {
      if (ids.includes("o5")) throw new StepwellError("STEPWELL_STORE_BUSY", "Not now.", { retryable: true });
      return load(ids);
    });
    const answer = await launcher.select({ tags: ["odd"] }).rollback("recalled");
    expect(answer).toMatchObject({
      matched: 4,
      accepted: 3,
      refused: [{ id: "o5", code: "STEPWELL_STORE_BUSY", message: "Not now." }],
    });
  });

  test("stop at a signal between two of them, and say so", async () => {
    const order = orders();
    const { launcher, clock } = await start([order]);
    await launched(launcher, order, 1, 2, 3);
    await clock.settle();
    const signal = AbortSignal.abort();
    expect(await launcher.select({ all: true }).rollback("recalled", { signal })).toEqual({
      matched: 0,
      accepted: 0,
      refused: [],
      undecided: [],
      aborted: true,
    });
    expect(await launcher.select({ status: "waiting" }).count()).toEqual({ count: 3, more: false });
  });

  test("stop with their launcher, and say what was done until then", async () => {
    const order = orders();
    const { launcher, clock, store, another } = await start([order]);
    await launched(launcher, order, 1, 2, 3);
    await clock.settle();
    const doomed = await another();
    const list = store.list.bind(store);
    vi.spyOn(store, "list").mockImplementation((filter) => list({ ...filter, limit: 2 }));
    const deliver = store.write.bind(store);
    let stopped: Promise<void> | undefined;
    vi.spyOn(store, "write").mockImplementation((batch) => {
      if (batch.arrivals.length > 0) stopped ??= doomed.stop();
      return deliver(batch);
    });
    const asked = doomed.select({ all: true }).rollback("recalled");
    await clock.advance("1m");
    expect(await asked).toEqual({ matched: 2, accepted: 2, refused: [], undecided: [], aborted: true });
    await stopped;
    expect(await launcher.select({ status: "rolledBack" }).count()).toEqual({ count: 2, more: false });
    // Once it is called again, it does the rest.
    const answer = await launcher.select({ all: true }).rollback("recalled");
    expect(answer).toMatchObject({ matched: 3, accepted: 1, aborted: false });
  });

  test("do not call refused what a launcher that stops has stored", async () => {
    let finish: (() => void) | undefined;
    const held = workflow("held", { input }).step("capture", {
      pivot: true,
      run: () => new Promise<void>((_, reject) => (finish = () => reject(new Error("no")))),
      rollback: () => undefined,
    });
    const { launcher, clock, another } = await start([held]);
    await launcher.launch(held, { n: 1 }, { id: "held" });
    await clock.settle();
    const doomed = await another();
    const asked = doomed.select({ all: true }).rollback("recalled");
    await clock.advance("1s");
    const stopped = doomed.stop();
    await clock.advance("10s");
    await stopped;
    expect(await asked).toEqual({ matched: 1, accepted: 0, refused: [], undecided: ["held"], aborted: false });
    finish!();
    await clock.advance("1m");
    expect(await launcher.execution("held").outcome()).toMatchObject({ status: "rolledBack", reason: "recalled" });
  });

  test("are not kept by one whose pivot runs: its request is stored, and told as undecided", async () => {
    let finish: (() => void) | undefined;
    const held = workflow("held", { input }).step("capture", {
      pivot: true,
      run: () => new Promise<void>((resolve) => (finish = resolve)),
    });
    const order = orders();
    const { launcher, clock } = await start([held, order]);
    const capturing = await launcher.launch(held, { n: 1 }, { id: "held" });
    await launched(launcher, order, 1);
    await clock.settle();
    const asked = launcher.select({ all: true }).rollback("recalled");
    await clock.advance("10s");
    expect(await asked).toMatchObject({ matched: 2, accepted: 1, refused: [], undecided: ["held"] });
    finish!();
    expect(await capturing.outcome()).toMatchObject({ status: "completed" });
    expect(await launcher.select({ workflow: "held" }).rollback("recalled")).toMatchObject({
      refused: [
        { id: "held", code: "STEPWELL_PAST_PIVOT", message: expect.stringContaining('its pivot, step "capture"') },
      ],
    });
  });

  test("are refused as a whole where they say something that can't be, and nothing is changed", async () => {
    const order = orders();
    const { launcher, clock } = await start([order]);
    const [execution] = await launched(launcher, order, 1);
    await clock.settle();
    const before = await execution!.history();
    const chosen = launcher.select({ all: true });
    const invalid = { code: "STEPWELL_INVALID_ARGUMENT" };
    const unknown = { code: "STEPWELL_UNKNOWN_OPTION" };
    await expect(chosen.rollback("")).rejects.toMatchObject(invalid);
    await expect(chosen.rollback("ok")).rejects.toMatchObject(invalid);
    await expect(chosen.rollback("x", { by: "\n" })).rejects.toMatchObject(invalid);
    await expect(chosen.rollback("x", { ifCompleted: "maybe" as never })).rejects.toMatchObject(invalid);
    await expect(chosen.rollback("x", { dryRun: "yes" as never })).rejects.toMatchObject(invalid);
    await expect(chosen.rollback("x", { signal: {} as never })).rejects.toMatchObject(invalid);
    await expect(chosen.rollback("x", { dryrun: true } as never)).rejects.toMatchObject(unknown);
    await expect(chosen.rollback("x", null as never)).rejects.toMatchObject(invalid);
    await expect(chosen.retry({ reason: "" })).rejects.toMatchObject(invalid);
    await expect(chosen.retry({ by: "" })).rejects.toMatchObject(invalid);
    await expect(chosen.retry({ patch: {} } as never)).rejects.toMatchObject(unknown);
    expect(await execution!.history()).toEqual(before);
    expect((await execution!.summary()).status).toBe("waiting");
  });

  test.each<[unknown, string, string]>([
    [{}, "STEPWELL_INVALID_ARGUMENT", "To choose every execution in the store say so: { all: true }"],
    [{ tags: [] }, "STEPWELL_INVALID_ARGUMENT", "there is no condition"],
    [{ workflow: undefined }, "STEPWELL_INVALID_ARGUMENT", "there is no condition"],
    [{ all: false }, "STEPWELL_INVALID_ARGUMENT", '"all" must be true or left out, not false'],
    [{ all: true, workflow: "order" }, "STEPWELL_INVALID_ARGUMENT", "give it, or conditions, and not both"],
    [{ status: "gone" }, "STEPWELL_INVALID_ARGUMENT", `select: "status" must be one of`],
    [{ createdFrom: 5 }, "STEPWELL_INVALID_ARGUMENT", `select: "createdFrom" must be a valid Date`],
    [{ limit: 5 }, "STEPWELL_UNKNOWN_OPTION", 'has no option "limit"'],
    [undefined, "STEPWELL_INVALID_ARGUMENT", "takes an object of options"],
  ])("can't be chosen by %o", async (options, code, message) => {
    const { launcher } = await start([orders()]);
    expect(() => launcher.select(options as SelectOptions)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});

describe("what a stopped launcher is asked", () => {
  onEveryStore("in bulk", (start) => {
    test("is refused by a coded error", async () => {
      const { launcher } = await start([orders()]);
      const chosen = launcher.select({ all: true });
      await launcher.stop();
      const stopped = { code: "STEPWELL_LAUNCHER_NOT_RUNNING" };
      await expect(chosen.count()).rejects.toMatchObject(stopped);
      await expect(chosen.retry()).rejects.toMatchObject(stopped);
      await expect(chosen.rollback("x")).rejects.toMatchObject(stopped);
    });
  });
});
