import { expect, test, vi } from "vitest";
import { z } from "zod";
import { complete, fail, pause, workflow, type StepwellError } from "../../src/index.js";
import type { Claimed } from "../../src/stores/contract.js";
import { EffectsLedger } from "../../src/testing/effects-ledger.js";
import { onEveryStore, patient, told } from "../support/rig.js";

const input = z.object({});

onEveryStore("rolling back", (start) => {
  function threeSteps(ledger: EffectsLedger, last: () => unknown = () => ({ c: 3 })) {
    return workflow("three", { input })
      .step("a", { run: () => (ledger.do("a"), { a: 1 }), rollback: () => ledger.undo("a") })
      .step("b", { run: async () => (ledger.do("b"), { b: 2 }), rollback: async () => ledger.undo("b") })
      .step("c", { run: () => (ledger.do("c"), last() as { c: number }), rollback: () => ledger.undo("c") });
  }

  test("undoes every step in reverse order, the failing one too", async () => {
    const ledger = new EffectsLedger();
    const three = threeSteps(ledger, () => fail("no", { patch: { half: true }, details: { why: "stock" } }));
    const { launcher } = await start([three]);
    const outcome = await (await launcher.launch(three, {})).outcome();
    expect(outcome).toMatchObject({
      status: "rolledBack",
      reason: "no",
      state: { a: 1, b: 2, half: true },
      error: { details: { why: "stock" } },
    });
    ledger.assertClean();
  });

  test("a completed execution can be rolled back: its last step is undone first", async () => {
    const ledger = new EffectsLedger();
    const three = threeSteps(ledger);
    const { launcher } = await start([three]);
    const execution = await launcher.launch(three, {});
    expect((await execution.outcome()).status).toBe("completed");
    expect(await execution.rollback("returned", { ifCompleted: "refuse" })).toMatchObject({
      accepted: false,
      why: "completed",
    });
    expect(await execution.rollback("returned", { by: "ann" })).toEqual({ accepted: true });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "returned" });
    ledger.assertClean();
    expect(await told(execution)).toEqual([
      ...["run a: ok", "run b: ok", "run c: ok"],
      "run c: returned",
      ...["rollback c: ok", "rollback b: ok", "rollback a: ok"],
    ]);
    expect((await execution.history())[3]).toMatchObject({ by: "ann" });
    expect(await execution.rollback("again")).toMatchObject({ accepted: false, why: "already-rolled-back" });
    expect(await launcher.rollback("nobody", "x")).toMatchObject({ accepted: false, why: "not-found" });
  });

  test("a handler on the way down sees what its step gave, however long it waited for its message", async () => {
    const seen: unknown[] = [];
    const asked = workflow("asked", { input })
      .step("1", {
        run: () => ({ parcel: "p-1" }),
        rollback: () => pause(),
        rollbackMessages: { collected: z.null() },
        onRollbackMessage: ({ given }) => void seen.push(given),
      })
      .step("2", { run: () => ({ parcel: "p-2" }) })
      .step("3", { run: () => fail("no") });
    const { launcher, clock } = await start([asked]);
    const execution = await launcher.launch(asked, {});
    await clock.settle();
    await execution.send("collected", null);
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(seen).toEqual([{ parcel: "p-1" }]);
  });

  test("an execution that completed early is undone from the step that ended it", async () => {
    const lines: string[] = [];
    const early = workflow("early", { input })
      .step("1", { run: () => complete({ known: true }), rollback: () => void lines.push("rollback 1") })
      .step("2", { run: () => void lines.push("run 2"), rollback: () => void lines.push("rollback 2") });
    const { launcher } = await start([early]);
    const execution = await launcher.launch(early, {});
    expect(await execution.outcome()).toEqual({ status: "completed", reason: "normal", state: { known: true } });
    await execution.rollback("back");
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(lines).toEqual(["rollback 1"]);
  });

  test("a request while a step runs aborts its signal, waits for it, and keeps what it gives for its undo", async () => {
    const seen: unknown[] = [];
    const running = workflow("running", { input }).step("1", {
      run: ({ signal }) =>
        new Promise<{ paymentId: string }>((resolve) =>
          signal.addEventListener("abort", () => {
            seen.push((signal.reason as StepwellError).code);
            resolve({ paymentId: "p1" });
          }),
        ),
      rollback: ({ state, given, reason }) => void seen.push(state.paymentId, given, reason),
    });
    const { launcher, clock } = await start([running]);
    const execution = await launcher.launch(running, {});
    await clock.settle();
    expect(await execution.rollback("stop")).toEqual({ accepted: true });
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      reason: "stop",
      state: { paymentId: "p1" },
    });
    expect(seen).toEqual(["STEPWELL_ROLLBACK_REQUESTED", "p1", { paymentId: "p1" }, "stop"]);
  });

  test("a request turns the execution whatever the running step gives: a pause, a failure or an error", async () => {
    for (const answer of [() => pause({ x: 1 }), () => fail("own"), () => Promise.reject(new Error("own"))]) {
      const running = workflow("running", { input }).step("1", {
        retry: { attempts: 5, delay: "1h" },
        messages: { m: z.null() },
        run: async ({ signal }) => {
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
          return answer();
        },
        onMessage: () => undefined,
      });
      const { launcher, clock } = await start([running]);
      const execution = await launcher.launch(running, {});
      await clock.settle();
      await execution.rollback("asked");
      expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "asked" });
    }
  });

  test("a request while a retry is due later, or a launch is delayed, turns at once", async () => {
    const retrying = workflow("retrying", { input }).step("1", {
      retry: { attempts: 5, delay: "1h", maxDelay: "1h" },
      run: () => {
        throw new Error("no");
      },
      rollback: () => ({ undone: true }),
    });
    const { launcher, clock } = await start([retrying]);
    const execution = await launcher.launch(retrying, {});
    await clock.settle();
    await execution.rollback("asked");
    expect(await execution.outcome()).toMatchObject({ reason: "asked", state: { undone: true } });
    const delayed = await launcher.launch(retrying, {}, { delay: "1d" });
    await delayed.rollback("never-begun");
    expect(await delayed.outcome()).toMatchObject({ status: "rolledBack", reason: "never-begun", state: {} });
  });

  test("`given` is what the step itself gave, also where a later step has overwritten the field", async () => {
    const seen: unknown[] = [];
    const overwriting = workflow("overwriting", { input })
      .step("1", {
        run: () => ({ id: "first" }),
        rollback: ({ given, state }) => void seen.push(given, state.id),
      })
      .step("2", { run: () => ({ id: "second" }) })
      .step("3", { run: () => fail("no") });
    const { launcher } = await start([overwriting]);
    await (await launcher.launch(overwriting, {})).outcome();
    expect(seen).toEqual([{ id: "first" }, "second"]);
  });

  test("the caller of a request that loses against completion is told so", async () => {
    const quick = workflow("quick", { input }).step("1", { run: () => undefined });
    const { launcher } = await start([quick]);
    const execution = await launcher.launch(quick, {});
    await execution.outcome();
    expect(await execution.rollback("late", { ifCompleted: "refuse" })).toMatchObject({
      accepted: false,
      why: "completed",
    });
    expect((await execution.outcome()).status).toBe("completed");
  });

  test("an idempotent launch, whatever became of it, starts nothing again", async () => {
    const ledger = new EffectsLedger();
    const three = threeSteps(ledger, () => fail("no"));
    const { launcher } = await start([three]);
    const first = await launcher.launch(three, {}, { id: "o-1" });
    await first.outcome();
    const again = await launcher.launch(three, {}, { id: "o-1" });
    expect(await again.outcome()).toMatchObject({ status: "rolledBack" });
    expect(await again.history()).toHaveLength(6);
    ledger.assertClean();
  });
});

onEveryStore("a pivot", (start) => {
  function pivoted(after: () => unknown, undone: string[] = []) {
    return workflow("pivoted", { input })
      .step("before", { run: () => undefined, rollback: () => void undone.push("before") })
      .step("capture", {
        pivot: true,
        run: async () => ({ captured: true }),
        rollback: () => void undone.push("capture"),
      })
      .step("after", { run: after as () => undefined });
  }

  test("after it a thrown error is retried for a day and then parks the execution, going up", async () => {
    let tries = 0;
    const undone: string[] = [];
    const after = pivoted(() => {
      tries++;
      throw new Error("no");
    }, undone);
    const { launcher, clock } = await start([after], patient);
    const execution = await launcher.launch(after, {});
    await clock.advance("23h");
    expect(await execution.summary()).toMatchObject({ status: "scheduled", struggling: true });
    await clock.advance("2h");
    expect(await execution.outcome()).toMatchObject({ status: "stuck", step: "after", direction: "up" });
    expect(tries).toBeGreaterThan(24 * 12);
    expect(await execution.rollback("please")).toMatchObject({ accepted: false, why: "past-pivot" });
    expect(undone).toEqual([]);
  });

  test("after it `fail` parks at once, and a deadline turns nothing", async () => {
    const late = pivoted(() => fail("no"));
    const { launcher } = await start([late]);
    expect(await (await launcher.launch(late, {})).outcome()).toMatchObject({
      status: "stuck",
      direction: "up",
      reason: "no",
    });
  });

  test("after it a deadline that passes wakes nobody: a wait goes on as it was", async () => {
    const waits = workflow("waits", { input, deadline: "1m" })
      .step("capture", { pivot: true, run: () => undefined })
      .step("notify", {
        messages: { delivered: z.null() },
        run: () => pause(undefined, { timeout: "1h" }),
        onMessage: () => ({ told: true }),
      });
    const { launcher, store, clock } = await start([waits]);
    const execution = await launcher.launch(waits, {});
    await clock.advance("5m");
    const claims = vi.spyOn(store, "claim");
    await clock.advance("10s");
    expect(claims.mock.calls.length).toBeLessThan(15);
    const claimed = await Promise.all(
      claims.mock.results.map(async ({ value }) => (await (value as Promise<Claimed>)).records),
    );
    expect(claimed.flat()).toEqual([]);
    await execution.send("delivered", null);
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { told: true } });
  });

  test("before it, and when the pivot itself fails, the execution turns", async () => {
    const undone: string[] = [];
    const failing = workflow("failing", { input })
      .step("before", { run: () => undefined, rollback: () => void undone.push("before") })
      .step("capture", { pivot: true, run: () => fail("declined"), rollback: () => void undone.push("capture") });
    const { launcher } = await start([failing]);
    expect(await (await launcher.launch(failing, {})).outcome()).toMatchObject({
      status: "rolledBack",
      reason: "declined",
    });
    expect(undone).toEqual(["capture", "before"]);
  });

  test("a request while the pivot runs is held: too late if it succeeds, otherwise it turns", async () => {
    const settle: ((value: { captured: boolean } | Error) => void)[] = [];
    const held = workflow("held", { input }).step("capture", {
      pivot: true,
      run: ({ signal }) =>
        new Promise<{ captured: boolean }>((resolve, reject) => {
          settle.push((value) => {
            expect(signal.aborted).toBe(false);
            if (value instanceof Error) reject(value);
            else resolve(value);
          });
        }),
    });
    const { launcher, clock } = await start([held]);
    const done = await launcher.launch(held, {});
    await clock.settle();
    const refused = done.rollback("late");
    await clock.settle();
    settle[0]!({ captured: true });
    await clock.advance("1s");
    expect(await refused).toMatchObject({ accepted: false, why: "past-pivot" });
    expect((await done.outcome()).status).toBe("completed");

    const broken = await launcher.launch(held, {});
    await clock.settle();
    const accepted = broken.rollback("in-time");
    await clock.settle();
    settle[1]!(new Error("no"));
    await clock.advance("1s");
    expect(await accepted).toEqual({ accepted: true });
    expect(await broken.outcome()).toMatchObject({ status: "rolledBack", reason: "in-time" });
  });
});

onEveryStore("stuck", (start) => {
  function stuckOnce(allowed: { now: boolean }) {
    return workflow("stuck", { input })
      .step("1", {
        run: () => ({ a: 1 }),
        rollback: ({ state }) => ({ undoneWith: (state as { fix?: string }).fix ?? "nothing" }),
      })
      .step("2", {
        run: () => fail("no"),
        rollbackRetry: { attempts: 1 },
        rollback: ({ attempt }) => {
          if (!allowed.now) throw new Error("can't");
          return { attempt };
        },
      });
  }

  test("an operator's retry runs the step's function from its beginning, with the policy counting anew", async () => {
    const allowed = { now: false };
    const stuck = stuckOnce(allowed);
    const { launcher } = await start([stuck]);
    const execution = await launcher.launch(stuck, {});
    expect((await execution.outcome()).status).toBe("stuck");
    await execution.retry({ by: "ann" });
    expect((await execution.outcome()).status).toBe("stuck");
    allowed.now = true;
    await execution.retry({ by: "ann" });
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      reason: "no",
      state: { attempt: 3 },
      error: { message: "no" },
    });
    const acts = (await execution.history()).filter(({ by }) => by === "ann");
    expect(acts.map(({ result }) => result)).toEqual(["retried", "retried"]);
  });

  test("a skip takes the step as done, with a written reason and a patch that later undos see", async () => {
    const stuck = stuckOnce({ now: false });
    const { launcher } = await start([stuck]);
    const execution = await launcher.launch(stuck, {});
    await execution.outcome();
    await execution.skip("refunded by hand, ticket 7", { by: "bob", patch: { fix: "manual" } as object });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", state: { undoneWith: "manual" } });
    expect((await execution.history()).find(({ result }) => result === "skipped")).toMatchObject({
      by: "bob",
      step: "2",
      error: { message: "refunded by hand, ticket 7" },
    });
  });

  test("what is not stuck can be neither retried nor skipped; a skip needs a reason and a plain patch", async () => {
    const stuck = stuckOnce({ now: false });
    const fine = workflow("fine", { input }).step("1", { run: () => undefined });
    const { launcher } = await start([stuck, fine]);
    const execution = await launcher.launch(fine, {});
    await execution.outcome();
    await expect(execution.retry()).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_NOT_STUCK" });
    await expect(execution.skip("x")).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_NOT_STUCK" });
    await expect(launcher.retry("nobody")).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND" });
    const other = await launcher.launch(stuck, {});
    await other.outcome();
    await expect(other.skip("  ")).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    await expect(other.skip("x", { patch: [1] as object })).rejects.toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
    });
    expect((await other.outcome()).status).toBe("stuck");
  });

  test("a skip on the way up after a pivot goes on with the next step", async () => {
    const up = workflow("up", { input })
      .step("pivot", { pivot: true, run: () => undefined })
      .step("notify", { run: () => fail("smtp") })
      .step("last", { run: ({ state }) => ({ seen: (state as { told?: string }).told ?? "" }) });
    const { launcher } = await start([up]);
    const execution = await launcher.launch(up, {});
    expect((await execution.outcome()).status).toBe("stuck");
    await execution.skip("told by phone", { patch: { told: "phone" } as object });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { seen: "phone" } });
  });
});
