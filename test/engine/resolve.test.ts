/** An operator says what became of a step in doubt. */
import { expect, test } from "vitest";
import { z } from "zod";
import { unknown, workflow, type Execution } from "../../src/index.js";
import { Bank } from "../support/bank.js";
import { errorOf, onEveryStore, told, type Start } from "../support/rig.js";

const input = z.object({ cents: z.number() });

function transfers(bank: Bank, heard: unknown[]) {
  return workflow("order", { input })
    .step("reserve", { run: () => ({ reserved: true }), rollback: () => void heard.push("reserve undone") })
    .step("pay", {
      run: ({ idempotencyKey, state }): { paid: string } => {
        const { id } = bank.transfer(idempotencyKey);
        if (bank.transfers.length + bank.refunded.length === 1) throw new Error("socket hang up");
        return { paid: `${id} ${state.cents}` };
      },
      probe: ({ direction }) => {
        heard.push(`asked ${direction}`);
        return unknown();
      },
      rollback: ({ given, halfDone }) => void heard.push({ given, halfDone }),
    })
    .step("ship", { run: () => ({ shipped: true }) });
}

onEveryStore("an operator's word on a step in doubt", (start: Start) => {
  const parked = async () => {
    const bank = new Bank();
    const heard: unknown[] = [];
    const steps = transfers(bank, heard);
    const rig = await start([steps]);
    const execution = await rig.launcher.launch(steps, { cents: 5 }, { id: "o-1" });
    await rig.clock.advance("1s");
    expect((await execution.outcome()).status).toBe("stuck");
    heard.length = 0;
    return { ...rig, bank, heard, execution };
  };
  const parkedDown = async () => {
    const parts = await parked();
    await parts.execution.rollback("changed-my-mind");
    await parts.clock.advance("1s");
    expect(await parts.execution.outcome()).toMatchObject({ status: "stuck", direction: "down" });
    parts.heard.length = 0;
    return parts;
  };
  const lastRows = async (execution: Execution, count: number) =>
    (await execution.history())
      .slice(-count)
      .map(({ func, step, result, by, why }) => ({ func, step, result, by, why }));

  test("lets it go on with what the step gave, and the probe is not asked", async () => {
    const { execution, clock, bank, heard } = await parked();
    await execution.resolve({ happened: { paid: "t-1" } }, "on the statement of 3 May", { by: "ada" });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: "t-1", shipped: true } });
    expect(bank.transfers).toHaveLength(1);
    expect(heard).toEqual([]);
    const said = { func: "probe", step: "pay", result: "happened", by: "ada", why: "on the statement of 3 May" };
    expect(await lastRows(execution, 2)).toEqual([
      said,
      { func: "run", step: "ship", result: "ok", by: undefined, why: undefined },
    ]);
    // What it gave belongs to the step.
    await execution.rollback("returned");
    await clock.advance("1s");
    expect(heard).toEqual([{ given: { paid: "t-1" }, halfDone: false }, "reserve undone"]);
  });

  test("turns it where it did not happen and no attempt is left, and nothing of the step is undone", async () => {
    const { execution, clock, heard } = await parked();
    await execution.resolve({ didNotHappen: true }, "not on the statement", { by: "ada" });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", error: { message: "socket hang up" } });
    expect(heard).toEqual(["reserve undone"]);
    expect((await told(execution)).slice(-3)).toEqual([
      "probe pay: did-not-happen",
      "run pay: Error",
      "rollback reserve: ok",
    ]);
  });

  test("lets the undo know what it undoes, or passes it over", async () => {
    const first = await parkedDown();
    await first.execution.resolve({ happened: { paid: "t-1" } }, "on the statement", { by: "ada" });
    await first.clock.advance("1s");
    expect((await first.execution.outcome()).status).toBe("rolledBack");
    expect(first.heard).toEqual([{ given: { paid: "t-1" }, halfDone: false }, "reserve undone"]);
    const second = await parkedDown();
    await second.execution.resolve({ didNotHappen: true }, "not on the statement", { by: "ada" });
    await second.clock.advance("1s");
    expect(await second.execution.outcome()).toMatchObject({ status: "rolledBack", reason: "changed-my-mind" });
    expect(second.heard).toEqual(["reserve undone"]);
  });

  test("is refused where there is nothing to say, or nobody says it, and nothing is changed", async () => {
    const { execution, launcher } = await parked();
    const { revision } = await execution.details();
    const untyped = execution as unknown as { resolve: (...given: unknown[]) => Promise<void> };
    const by = { by: "ada" };
    for (const given of [
      [{ happened: {} }, "seen", {}],
      [{ happened: { paid: "t" }, didNotHappen: true }, "seen", by],
      [{}, "seen", by],
      [{ didNotHappen: false }, "seen", by],
      [{ happened: 5 }, "seen", by],
      [{ happened: {} }, "", by],
    ])
      expect(await errorOf(untyped.resolve(...given))).toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    const stale = execution.resolve({ didNotHappen: true }, "seen", { by: "ada", ifRevision: revision - 1 });
    expect(await errorOf(stale)).toMatchObject({ code: "STEPWELL_EXECUTION_CHANGED" });
    const huge = execution.resolve({ happened: { paid: "x".repeat(20_000_000) } }, "seen", by);
    expect(await errorOf(huge)).toMatchObject({ code: "STEPWELL_TOO_LARGE" });
    const nobody = launcher.execution("nobody").resolve({ didNotHappen: true }, "seen", by);
    expect(await errorOf(nobody)).toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND" });
    expect((await execution.details()).revision).toBe(revision);
  });

  test("is refused where it is known what the step did", async () => {
    const steps = workflow("other", { input }).step("pay", {
      run: () => ({ paid: true }),
      rollback: () => {
        throw new Error("away");
      },
      rollbackRetry: { attempts: 1 },
    });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 1 });
    const early = execution.resolve({ didNotHappen: true }, "seen", { by: "ada" });
    expect(await errorOf(early)).toMatchObject({ code: "STEPWELL_EXECUTION_NOT_STUCK" });
    await clock.advance("1s");
    await execution.rollback("returned");
    await clock.advance("1s");
    const known = execution.resolve({ didNotHappen: true }, "seen", { by: "ada" });
    expect(await errorOf(known)).toMatchObject({ code: "STEPWELL_NOT_IN_DOUBT" });
  });

  test("can be given where the step is listed as in doubt: under which key, since when, what the probe said", async () => {
    const { execution, launcher, clock } = await parked();
    const inDoubt = {
      key: "o-1/pay/run",
      since: expect.any(Date) as Date,
      asked: 1,
      answer: { said: "unknown", at: expect.any(Date) as Date },
    };
    expect((await execution.details()).inDoubt).toEqual(inDoubt);
    expect((await launcher.list({ status: "stuck" })).executions[0]?.inDoubt).toEqual(inDoubt);
    await execution.resolve({ happened: { paid: "t-1" } }, "seen", { by: "ada" });
    await clock.advance("1s");
    expect(await execution.details()).not.toHaveProperty("inDoubt");
  });
});
