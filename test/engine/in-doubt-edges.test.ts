/** A step in doubt, where something else comes in between. */
import { expect, test } from "vitest";
import { z } from "zod";
import { again, didNotHappen, fail, happened, Launcher, pause, unknown, workflow } from "../../src/index.js";
import { Bank } from "../support/bank.js";
import { mortal } from "../support/dying.js";
import { onEveryStore, told } from "../support/rig.js";

const input = z.object({ cents: z.number() });
const order = workflow("order", { input });
const soon = { attempts: 3, delay: "1s", jitter: false } as const;

const forever = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

function lost(): never {
  throw new Error("socket hang up");
}

onEveryStore("a step in doubt", (start) => {
  test("is a pivot that is answered before anything turns it, and a request that came too late is told so", async () => {
    let answers = 0;
    const made = (name: string, deadline: object) =>
      workflow(name, { input, ...deadline })
        .step("reserve", { run: () => undefined, rollback: () => undefined })
        .step("hand-over", {
          pivot: true,
          run: ({ state }): { done: boolean } => (state.cents > 0 ? lost() : { done: false }),
          probe: ({ state, polls }) => {
            answers++;
            if (polls < 3) return again({ after: "10s" });
            return state.cents === 1 ? happened({ done: true }) : didNotHappen();
          },
        })
        .step("mail", { run: () => ({ mailed: true }) });
    const [asked, limited] = [made("asked", {}), made("limited", { deadline: "15s" })];
    const { launcher, clock } = await start([asked, limited]);
    const went = await launcher.launch(asked, { cents: 1 });
    const turned = await launcher.launch(asked, { cents: 2 });
    const late = await launcher.launch(limited, { cents: 1 });
    const overdue = await launcher.launch(limited, { cents: 2 });
    await clock.advance("1s");
    const [refused, accepted] = [went.rollback("changed-my-mind"), turned.rollback("changed-my-mind")];
    await clock.advance("2m");
    expect(await refused).toMatchObject({ accepted: false, why: "past-pivot" });
    expect(await accepted).toEqual({ accepted: true });
    expect(await went.outcome()).toMatchObject({ status: "completed", state: { mailed: true } });
    expect(await turned.outcome()).toMatchObject({ status: "rolledBack", reason: "changed-my-mind" });
    expect(await late.outcome()).toMatchObject({ status: "completed", state: { mailed: true } });
    expect(await overdue.outcome()).toMatchObject({ status: "rolledBack", reason: "deadline" });
    expect((await told(turned)).slice(-2)).toEqual(["run hand-over: changed-my-mind", "rollback reserve: ok"]);
    expect(answers).toBe(16);
  });

  test("is a pivot of which nobody knows: it stays parked, whoever asks that it goes back", async () => {
    const steps = order.step("hand-over", {
      pivot: true,
      run: ({ state }): { done: boolean } => (state.cents > 0 ? lost() : { done: false }),
      probe: ({ state }) => (state.cents > 0 ? unknown() : didNotHappen()),
    });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 1 });
    await clock.advance("1s");
    const answer = execution.rollback("changed-my-mind");
    await clock.advance("5s");
    expect(await answer).toMatchObject({ accepted: false, why: "parked-again" });
    expect(await execution.outcome()).toMatchObject({
      status: "stuck",
      direction: "up",
      error: { code: "STEPWELL_IN_DOUBT" },
    });
    await execution.resolve({ happened: { done: true } }, "seen", { by: "ada" });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { done: true } });
  });

  test("is the pivot of a child: what an operator says of it counts, though its parent has asked it to go back", async () => {
    const undone: string[] = [];
    const pays = workflow("pays", { input: z.object({}) })
      .step("reserve", { run: () => undefined, rollback: () => void undone.push("reserve") })
      .step("pay", { pivot: true, inDoubt: "park", run: (): { done: boolean } => lost() });
    const parent = workflow("parent", { input: z.object({}) }).child("pay", pays, { pivot: true, input: () => ({}) });
    const { launcher, clock } = await start([parent]);
    for (const id of ["happened", "did-not"]) {
      const execution = await launcher.launch(parent, {}, { id });
      await clock.advance("1s");
      void execution.rollback("changed-my-mind");
      await clock.advance("1s");
      const child = launcher.execution(pays, `${id}/pay/0`);
      expect((await child.summary()).status).toBe("stuck");
      const said = id === "happened" ? { happened: { done: true } } : ({ didNotHappen: true } as const);
      void child.resolve(said, "seen", { by: "ada" });
      await clock.advance("1m");
      const status = id === "happened" ? "completed" : "rolledBack";
      expect((await child.summary()).status).toBe(status);
      expect((await execution.summary()).status).toBe(status);
    }
    expect(undone).toEqual(["reserve"]);
  });

  test("did not happen only once its attempt has settled, and not after something of it was committed", async () => {
    const bank = new Bank();
    const late: (() => void)[] = [];
    const steps = order.step("pay", {
      timeout: "1s",
      retry: soon,
      run: ({ state, attempt, polls, idempotencyKey }) => {
        if (state.cents === 1 && attempt === 1)
          return new Promise<{ paid: string }>((resolve) =>
            late.push(() => resolve({ paid: bank.transfer(idempotencyKey).id })),
          );
        if (state.cents === 2 && polls === 0) return again({ ordered: true }, { after: "1s" });
        if (state.cents === 2) return lost();
        return { paid: bank.transfer(idempotencyKey).id };
      },
      probe: ({ idempotencyKey }) => (bank.find(idempotencyKey) === undefined ? didNotHappen() : unknown()),
    });
    const { launcher, clock } = await start([steps], { abortGrace: "2s" });
    const running = await launcher.launch(steps, { cents: 1 });
    const partly = await launcher.launch(steps, { cents: 2 });
    await clock.advance("1m");
    expect(await running.outcome()).toMatchObject({ status: "stuck", reason: "in-doubt" });
    expect(await partly.outcome()).toMatchObject({ status: "stuck", reason: "in-doubt", state: { ordered: true } });
    // The attempt settles now, and has made no transfer.
    bank.transfer = (memo) => ({ id: "none", memo });
    late[0]!();
    await clock.settle();
    await running.retry();
    await clock.advance("1m");
    expect(await running.outcome()).toMatchObject({ status: "completed" });
  });

  test("has a probe that fails: it is tried again as an undo is, then the execution is parked, and a retry asks anew", async () => {
    let calls = 0;
    const attempts: number[] = [];
    const steps = order.step("pay", {
      rollbackRetry: { attempts: 6, delay: "1s", factor: 1, jitter: false },
      run: ({ state }): { paid: boolean } => (state.cents > 0 ? lost() : { paid: false }),
      probe: ({ attempt }) => {
        attempts.push(attempt);
        if (++calls < 7) throw new Error("the lookup is away");
        return happened({ paid: true });
      },
    });
    const { launcher, clock, errors } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 1 });
    await clock.advance("4500ms");
    expect(await execution.details()).toMatchObject({
      struggling: true,
      flow: { stepFunc: "probe" },
      inDoubt: { asked: 5 },
    });
    await clock.advance("1m");
    expect(await execution.outcome()).toMatchObject({ status: "stuck", error: { message: "the lookup is away" } });
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_EXECUTION_STRUGGLING", "STEPWELL_EXECUTION_STUCK"]);
    await execution.retry();
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: true } });
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 1]);
  });

  test("is not what its probe says where that is no answer: it is parked", async () => {
    const steps = order.step("pay", {
      run: ({ state }): { paid: boolean } => (state.cents > 0 ? lost() : { paid: false }),
      probe: (() => ({ paid: true })) as never,
    });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 1 });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({
      status: "stuck",
      reason: "STEPWELL_INVALID_RETURN_VALUE",
      error: { message: expect.stringContaining("didNotHappen()") as string },
    });
  });

  test("fails where what it gave can't be stored, and is undone half done", async () => {
    const heard: unknown[] = [];
    const steps = order.step("pay", {
      run: ({ state }): { paid: string } => (state.cents > 0 ? lost() : { paid: "" }),
      probe: ({ state }) => happened({ paid: "x".repeat(state.cents) }),
      rollback: ({ halfDone, given }) => void heard.push(halfDone, given),
    });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 20_000_000 });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "STEPWELL_TOO_LARGE" });
    expect(heard).toEqual([true, {}]);
  });

  test("is not asked about a handler that crashed: that is called again, or undone half done", async () => {
    const heard: unknown[] = [];
    const steps = order.step("pay", {
      messages: { settled: z.null() },
      run: () => pause({ asked: true }),
      probe: ({ state }) => {
        heard.push("asked");
        return state.cents > 0 ? unknown() : didNotHappen();
      },
      onMessage: () => lost(),
      rollback: ({ halfDone }) => void heard.push(halfDone),
    });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 1 });
    await clock.advance("1s");
    await execution.send("settled", null);
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(heard).toEqual([true]);
  });

  test("is asked again when it is undone later, where the execution had gone on without knowing", async () => {
    const bank = new Bank();
    const heard: unknown[] = [];
    let isKnown = false;
    const steps = order
      .step("pay", {
        inDoubt: "rerun",
        run: ({ idempotencyKey, state }): { paid: string } => {
          bank.transfer(idempotencyKey);
          return state.cents > 0 ? lost() : { paid: "" };
        },
        probe: ({ idempotencyKey }) => (isKnown ? happened({ paid: bank.find(idempotencyKey)!.id }) : unknown()),
        recover: () => ({ paid: "later" }),
        rollback: ({ given, halfDone }) => void heard.push(given.paid, halfDone),
      })
      .step("ship", { run: ({ signal }) => forever(signal) });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { cents: 1 });
    await clock.advance("1s");
    isKnown = true;
    await execution.rollback("changed-my-mind");
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(heard).toEqual(["t-1", false]);
  });

  test("is asked in the version that it goes on with, under the key that it had", async () => {
    const bank = new Bank();
    const probe = ({ idempotencyKey }: { idempotencyKey: string }) => {
      const found = bank.find(idempotencyKey);
      return found === undefined ? unknown() : happened({ paid: found.id });
    };
    const older = workflow("order", { input })
      .step("note", { run: () => undefined })
      .step("pay", {
        run: ({ idempotencyKey, state }): { paid: string } => {
          bank.transfer(idempotencyKey);
          return state.cents > 0 ? lost() : { paid: "" };
        },
        probe: ({ state }) => (state.cents > 0 ? unknown() : happened({ paid: "" })),
      });
    const newer = workflow("order", { input, version: "2" })
      .step("transfer", { run: ({ state }): { paid: string } => ({ paid: String(state.cents) }), probe })
      .step("ship", { run: ({ state }) => (state.paid === "t-1" ? undefined : fail("unpaid")) })
      .migrate(older, { steps: { note: null, pay: "transfer" } });
    const { launcher, clock, another } = await start([older]);
    const execution = await launcher.launch(older, { cents: 1 }, { id: "o-1" });
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("stuck");
    const stopped = launcher.stop();
    await clock.advance("1m");
    await stopped;
    const second = await another([newer]);
    const there = second.execution("o-1");
    await there.retry();
    await clock.advance("1s");
    expect(await there.outcome()).toMatchObject({ status: "completed", state: { paid: "t-1" } });
    expect(bank.transfers).toHaveLength(1);
  });

  test("has been in no doubt where its launcher died before it began", async () => {
    let asked = 0;
    const steps = order.step("pay", {
      run: () => ({ paid: true }),
      probe: ({ state }) => {
        asked++;
        return state.cents > 0 ? unknown() : didNotHappen();
      },
    });
    const { store, clock, launcher } = await start([steps]);
    // It dies with its second change, which is that the step begins.
    const dying = new Launcher({
      store: mortal(store, 2, "before").store,
      workflows: [steps],
      onError: () => undefined,
    });
    const began = dying.start().then(() => dying.launch(steps, { cents: 1 }, { id: "o-1" }));
    began.catch(() => undefined);
    await clock.advance("1m");
    expect(await launcher.execution("o-1").outcome()).toMatchObject({ status: "completed", state: { paid: true } });
    expect(asked).toBe(0);
  });
});
