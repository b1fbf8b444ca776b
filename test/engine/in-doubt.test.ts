/** What becomes of a step whose last attempt may have begun and gave nothing back. */
import { expect, test } from "vitest";
import { z } from "zod";
import { again, complete, didNotHappen, fail, happened, pause, unknown, workflow } from "../../src/index.js";
import { Bank } from "../support/bank.js";
import { onEveryStore, told } from "../support/rig.js";

const input = z.object({ cents: z.number() });
const order = workflow("order", { input });
const soon = { attempts: 3, delay: "1s", jitter: false } as const;

/** Without the row that says that the step begins, which each step has that may be parked. */
async function toldOf(execution: Parameters<typeof told>[0]): Promise<string[]> {
  return (await told(execution)).filter((line) => !line.endsWith(": begins"));
}

/** The transfer is made, and the answer is lost. */
function lostAnswer(bank: Bank, memo: string): never {
  bank.transfer(memo);
  throw new Error("socket hang up");
}

const forever = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

onEveryStore("a step in doubt", (start) => {
  test("asks its probe before it is called again, and goes on with what had happened", async () => {
    const bank = new Bank();
    const seen: object[] = [];
    const steps = order
      .step("pay", {
        retry: soon,
        run: ({ idempotencyKey, state }): { paid: string } =>
          state.cents > 0 ? lostAnswer(bank, idempotencyKey) : { paid: "never" },
        probe: ({ idempotencyKey, attempt, direction, since, state, step, execution }) => {
          seen.push({
            idempotencyKey,
            attempt,
            direction,
            since,
            cents: state.cents,
            step: step.name,
            id: execution.id,
          });
          const found = bank.find(idempotencyKey);
          return found === undefined ? didNotHappen() : happened({ paid: found.id });
        },
      })
      .step("ship", { run: ({ state }) => ({ shipped: state.paid }) });
    const { launcher, clock } = await start([steps]);
    const began = clock.now();
    const execution = await launcher.launch(steps, { cents: 5 }, { id: "o-1" });
    await clock.advance("1m");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: "t-1", shipped: "t-1" } });
    expect(bank.transfers).toHaveLength(1);
    expect(await toldOf(execution)).toEqual(["run pay: Error", "probe pay: happened", "run ship: ok"]);
    expect(seen).toEqual([
      {
        idempotencyKey: "o-1/pay/run",
        attempt: 1,
        direction: "up",
        since: expect.any(Date) as Date,
        cents: 5,
        step: "pay",
        id: "o-1",
      },
    ]);
    const [{ since }] = seen as [{ since: Date }];
    expect(Math.abs(since.getTime() - began)).toBeLessThan(1000);
  });

  test("is called again once its probe has said that it did not happen", async () => {
    const bank = new Bank();
    let calls = 0;
    const steps = order.step("pay", {
      retry: soon,
      run: ({ idempotencyKey, attempt }) => {
        if (++calls === 1) throw new Error("no route to host");
        return { paid: bank.transfer(idempotencyKey).id, attempt };
      },
      probe: ({ idempotencyKey }) => (bank.find(idempotencyKey) === undefined ? didNotHappen() : unknown()),
    });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 5 });
    await clock.advance("1m");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: "t-1", attempt: 2 } });
    expect(await toldOf(execution)).toEqual(["run pay: Error", "probe pay: did-not-happen", "run pay: ok"]);
  });

  test("is asked before its failure turns the execution, and before it recovers", async () => {
    const bank = new Bank();
    const recovered: string[] = [];
    const made = (answer: "happened" | "did-not-happen") =>
      workflow(answer, { input })
        .step("reserve", { run: () => ({ reserved: true }), rollback: () => void recovered.push("reserve undone") })
        .step("pay", {
          run: ({ idempotencyKey, state }): { paid: string } => {
            if (answer === "happened") return lostAnswer(bank, idempotencyKey);
            throw new Error(`no route to host for ${state.cents}`);
          },
          probe: ({ idempotencyKey }) => {
            const found = bank.find(idempotencyKey);
            return found === undefined ? didNotHappen() : happened({ paid: found.id });
          },
          recover: ({ reason, error }) => {
            recovered.push(`${reason}: ${error?.message}`);
            return fail("no-money");
          },
          rollback: () => void recovered.push("pay undone"),
        });
    const all = { happened: made("happened"), not: made("did-not-happen") };
    const { launcher, clock } = await start(Object.values(all));
    const went = await launcher.launch(all.happened, { cents: 5 });
    const failed = await launcher.launch(all.not, { cents: 5 });
    await clock.advance("1m");
    expect(await went.outcome()).toMatchObject({ status: "completed", state: { paid: "t-1" } });
    expect(await failed.outcome()).toMatchObject({ status: "rolledBack", reason: "no-money" });
    // Nothing of it is undone.
    expect(recovered).toEqual(["Error: no route to host for 5", "reserve undone"]);
    expect(await toldOf(failed)).toEqual([
      "run reserve: ok",
      "run pay: Error",
      "probe pay: did-not-happen",
      "run pay: no-money",
      "rollback reserve: ok",
    ]);
    expect((await failed.history()).map(({ leftNothing }) => leftNothing)).toEqual([
      ...Array<undefined>(4),
      true,
      undefined,
    ]);
  });

  test("goes on as its run would have: waits, completes early, fails or polls", async () => {
    let polls = 0;
    const steps = order
      .step("kind", { run: ({ state }) => ({ kind: state.cents }) })
      .step("pay", {
        messages: { settled: z.object({ at: z.number() }) },
        run: ({ state }) => {
          if (state.kind === 4 && polls > 0) return { polled: true };
          if (state.kind < 5) throw new Error("no answer");
          if (state.kind === 6) return complete({ early: true });
          if (state.kind === 7) return fail("declined", { patch: { code: "x" } });
          if (state.kind === 8) return again({ asked: true }, { after: "1m" });
          return state.kind === 9 ? { polled: true } : pause({ paymentId: "p" }, { timeout: "1h" });
        },
        probe: async ({ state, subscribe }) => {
          if (state.kind === 1) {
            await subscribe("payment:p");
            return happened(pause({ paymentId: "p" }, { timeout: "1h" }));
          }
          if (state.kind === 2) return happened(complete({ early: true }));
          if (state.kind === 3) return happened(fail("declined", { patch: { code: "x" } }));
          polls++;
          return happened(again({ asked: true }, { after: "1m" }));
        },
        onMessage: ({ message, state }) => ({ settledAt: message.payload.at, of: state.paymentId }),
        rollback: ({ state, halfDone }) => ({ undone: `${state.code} ${halfDone}` }),
      })
      .step("ship", { run: () => ({ shipped: true }) });
    const { launcher, clock } = await start([steps]);
    const [waits, early, declined, polled] = await Promise.all(
      [1, 2, 3, 4].map((cents) => launcher.launch(steps, { cents })),
    );
    await clock.advance("10s");
    expect((await waits!.details()).status).toBe("waiting");
    await launcher.publish("payment:p", "settled", { at: 7 });
    await clock.advance("2m");
    expect(await waits!.outcome()).toMatchObject({ state: { settledAt: 7, of: "p", shipped: true } });
    const { state } = (await early!.outcome()) as { state: object };
    expect(state).toMatchObject({ early: true });
    expect(state).not.toHaveProperty("shipped");
    expect(await declined!.outcome()).toMatchObject({ reason: "declined", state: { code: "x", undone: "x false" } });
    expect(await polled!.outcome()).toMatchObject({ state: { polled: true, asked: true, shipped: true } });
    expect(await toldOf(polled!)).toEqual([
      "run kind: ok",
      "run pay: Error",
      "probe pay: happened",
      "run pay: ok",
      "run ship: ok",
    ]);
  });

  test("is parked where its probe does not know, and asked again when it is retried", async () => {
    const bank = new Bank();
    const answers = [unknown(), unknown(), happened({ paid: "t-1" })];
    const steps = order.step("pay", {
      run: ({ idempotencyKey, state }): { paid: string } =>
        state.cents > 0 ? lostAnswer(bank, idempotencyKey) : { paid: "" },
      probe: ({ state }) => (state.cents > 0 ? answers.shift()! : unknown()),
    });
    const { launcher, clock, errors } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 5 }, { id: "o-1" });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({
      status: "stuck",
      reason: "in-doubt",
      error: { code: "STEPWELL_IN_DOUBT" },
    });
    expect(errors[0]?.message).toContain('under the key "o-1/pay/run"');
    await execution.retry({ by: "eve" });
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("stuck");
    await execution.retry({ by: "eve" });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: "t-1" } });
    expect(bank.transfers).toHaveLength(1);
    expect(await told(execution)).toEqual([
      "run pay: begins",
      "run pay: Error",
      "probe pay: unknown",
      "run pay: retried",
      "probe pay: unknown",
      "run pay: retried",
      "probe pay: happened",
    ]);
  });

  test("says with inDoubt what follows where nobody knows: up it is run again, down it is undone half done", async () => {
    const heard: unknown[] = [];
    let calls = 0;
    const steps = order
      .step("pay", {
        inDoubt: "rerun",
        retry: { attempts: 2, delay: "1s", jitter: false },
        run: () => {
          calls++;
          throw new Error(`no answer ${calls}`);
        },
        probe: () => unknown(),
        rollback: ({ halfDone, runKey }) => void heard.push(halfDone, runKey),
      })
      .step("ship", { run: () => undefined });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 5 }, { id: "o-1" });
    await clock.advance("1m");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", error: { message: "no answer 2" } });
    expect(heard).toEqual([true, "o-1/pay/run"]);
    expect(await toldOf(execution)).toEqual([
      "run pay: Error",
      "probe pay: unknown",
      "run pay: Error",
      "probe pay: unknown",
      "run pay: Error",
      "rollback pay: ok",
    ]);
  });

  test("is parked without a probe where it says so, both ways, and a retry consents", async () => {
    const heard: unknown[] = [];
    let calls = 0;
    const steps = order.step("pay", {
      inDoubt: "park",
      retry: soon,
      run: () => {
        if (++calls < 3) throw new Error("no answer");
        return { paid: true };
      },
      rollback: ({ halfDone }) => void heard.push(halfDone),
    });
    const { launcher, clock } = await start([steps]);
    const up = await launcher.launch(steps, { cents: 5 });
    await clock.advance("1s");
    expect(await up.outcome()).toMatchObject({ status: "stuck", reason: "in-doubt", direction: "up" });
    expect(calls).toBe(1);
    await up.rollback("changed-my-mind");
    await clock.advance("1s");
    expect(await up.outcome()).toMatchObject({
      status: "stuck",
      direction: "down",
      error: { code: "STEPWELL_IN_DOUBT" },
    });
    await up.retry();
    await clock.advance("1s");
    expect((await up.outcome()).status).toBe("rolledBack");
    expect(heard).toEqual([true]);
    const other = await launcher.launch(steps, { cents: 5 });
    await clock.advance("1s");
    expect((await other.outcome()).status).toBe("stuck");
    await other.retry();
    await clock.advance("1s");
    expect(await other.outcome()).toMatchObject({ status: "completed", state: { paid: true } });
  });

  test("is asked again on the way down when a request aborts its run or its probe, and its undo knows what was found", async () => {
    const bank = new Bank();
    const heard: unknown[] = [];
    let asked = 0;
    const steps = order
      .step("reserve", { run: () => ({ reserved: true }), rollback: () => void heard.push("reserve") })
      .step("pay", {
        retry: soon,
        run: ({ idempotencyKey, signal, state }): Promise<{ paid: string }> => {
          bank.transfer(idempotencyKey);
          return state.cents === 1 ? forever(signal) : Promise.reject(new Error("no answer"));
        },
        probe: ({ idempotencyKey, signal, direction, reason }) => {
          asked++;
          heard.push(`probe ${direction} ${reason}`);
          if (direction === "up") return forever(signal);
          return happened({ paid: bank.find(idempotencyKey)!.id });
        },
        rollback: ({ state, given, halfDone }) => {
          heard.push({ paid: state.paid, given, halfDone });
          bank.refund(state.paid!);
        },
      });
    const { launcher, clock } = await start([steps]);
    const aborted = await launcher.launch(steps, { cents: 1 });
    await clock.advance("1s");
    await aborted.rollback("changed-my-mind");
    await clock.advance("1s");
    expect(await aborted.outcome()).toMatchObject({ status: "rolledBack", reason: "changed-my-mind" });
    expect(heard).toEqual([
      "probe down changed-my-mind",
      { paid: "t-1", given: { paid: "t-1" }, halfDone: false },
      "reserve",
    ]);
    heard.length = 0;
    const probing = await launcher.launch(steps, { cents: 2 });
    await clock.advance("5s");
    expect(heard).toEqual(["probe up undefined"]);
    await probing.rollback("changed-my-mind");
    await clock.advance("1s");
    expect(await probing.outcome()).toMatchObject({ status: "rolledBack", reason: "changed-my-mind" });
    expect(heard.slice(1)).toEqual([
      "probe down changed-my-mind",
      { paid: "t-2", given: { paid: "t-2" }, halfDone: false },
      "reserve",
    ]);
    expect(asked).toBe(3);
    expect(bank.transfers).toEqual([]);
  });

  test("is passed on to the step before where it did not happen and the execution goes down", async () => {
    const heard: string[] = [];
    const steps = order
      .step("reserve", { run: () => undefined, rollback: () => void heard.push("reserve undone") })
      .step("pay", {
        run: ({ signal }) => forever(signal),
        probe: () => didNotHappen(),
        rollback: () => void heard.push("pay undone"),
      });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 1 });
    await clock.advance("1s");
    await execution.rollback("changed-my-mind");
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(heard).toEqual(["reserve undone"]);
    expect((await told(execution)).slice(-2)).toEqual(["probe pay: did-not-happen", "rollback reserve: ok"]);
  });
});
