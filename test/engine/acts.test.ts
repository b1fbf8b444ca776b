import { expect, test } from "vitest";
import { z } from "zod";
import { fail, observer, StepwellError, workflow, type AnyWorkflow, type Execution } from "../../src/index.js";
import { errorOf, onEveryStore, told, type Rig, type Start } from "../support/rig.js";

const order = z.object({
  cents: z.number().int().positive(),
  at: z.coerce.date().optional(),
  iban: z.string().default("none"),
});

/** Refunds to an account that only `good` names; what it was asked for is in `asked`. */
function refunding(asked: unknown[] = []) {
  return workflow("refunding", { input: order })
    .step("charge", {
      run: () => ({ paymentId: "p-1", cents: "3 EUR" as unknown as number }),
      rollback: ({ state }) => {
        asked.push({ ...state });
        if (state.iban !== "good") throw Object.assign(new Error("no such account"), { code: "ENOACCOUNT" });
        return { refunded: true };
      },
      rollbackRetry: { attempts: 1 },
    })
    .step("ship", { run: () => fail("sold-out") });
}

async function stuck(start: Start, made: AnyWorkflow = refunding(), input: object = { cents: 300 }) {
  const rig = await start([made]);
  const execution: Execution = await rig.launcher.launch(made, input, { id: "e" });
  await rig.clock.advance(0);
  expect(await execution.outcome()).toMatchObject({ status: "stuck" });
  return { rig, execution };
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** What nobody may change by a bad request. */
async function everything(execution: Execution, { launcher }: Rig): Promise<unknown> {
  return [await execution.summary(), await execution.history(), await execution.state(), await launcher.list()];
}

const done = async (rig: Rig, act: Promise<unknown>): Promise<unknown> => {
  await rig.clock.advance(0);
  return act;
};

onEveryStore("an operator's acts", (start) => {
  test("patchState changes the state, and the execution stays stuck; a retry goes on with it", async () => {
    const asked: unknown[] = [];
    const { rig, execution } = await stuck(start, refunding(asked));
    const before = await execution.summary();
    await done(rig, execution.patchState({ iban: "good", note: "by phone" }, "mistyped", { by: "ada" }));
    const { updatedAt: _ignored, revision: _grown, ...after } = await execution.summary();
    expect(before).toMatchObject(after);
    expect(await execution.state()).toMatchObject({ iban: "good", note: "by phone", paymentId: "p-1" });
    expect(await execution.outcome()).toMatchObject({ status: "stuck", error: { code: "ENOACCOUNT" } });
    expect(asked).toHaveLength(1);
    await execution.retry({ by: "bob", reason: "the account is known now" });
    expect(await done(rig, execution.outcome())).toMatchObject({ status: "rolledBack", state: { refunded: true } });
    expect(asked[1]).toMatchObject({ iban: "good", note: "by phone" });
    const rows = await execution.history({ changes: true });
    expect(rows.map(({ result, by, why }) => ({ result, by, why })).slice(-3)).toEqual([
      { result: "patched", by: "ada", why: "mistyped" },
      { result: "retried", by: "bob", why: "the account is known now" },
      { result: "ok" },
    ]);
    expect(rows.at(-3)).toMatchObject({
      direction: "down",
      step: "charge",
      changes: [
        { op: "add", path: "/note", value: "by phone" },
        { op: "replace", path: "/iban", value: "good" },
      ],
    });
    expect(await execution.stateAt(rows.length - 2)).toMatchObject({ iban: "good", note: "by phone" });
    expect(await execution.stateAt(rows.length - 3)).toMatchObject({ iban: "none" });
    expect(rig.errors.map(({ code }) => code)).toEqual(["STEPWELL_EXECUTION_STUCK"]);
  });

  test("patchState works after a pivot, on the way up, and more than once", async () => {
    const made = workflow("shipping", { input: order })
      .step("hand-over", { run: () => ({}), irreversible: "It has left.", pivot: true })
      .step("notify", { run: ({ state }) => (state.iban === "good" ? { told: true } : fail("unknown")) });
    const { rig, execution } = await stuck(start, made);
    await done(rig, execution.patchState({ iban: "better" }, "one"));
    await done(rig, execution.patchState({ iban: "good" }, "two"));
    expect(await execution.flow()).toMatchObject({ direction: "up", step: "notify" });
    await execution.retry();
    expect(await done(rig, execution.outcome())).toMatchObject({ status: "completed", state: { told: true } });
    expect(await told(execution)).toEqual([
      "run hand-over: ok",
      "run notify: unknown",
      "run notify: patched",
      "run notify: patched",
      "run notify: retried",
      "run notify: ok",
    ]);
  });

  test("a patched field of the input is checked by the schema and kept as its output; others are not its business", async () => {
    const { rig, execution } = await stuck(start);
    // What the step gave under the input's name is the step's.
    await done(rig, execution.patchState({ at: "2026-03-01T00:00:00Z", cents: "4 EUR", other: 5 }, "mended"));
    expect(await execution.state()).toMatchObject({ at: new Date("2026-03-01"), cents: "4 EUR", other: 5 });
  });

  test("bad input gets an error with a code, and changes nothing", async () => {
    const { rig, execution } = await stuck(start);
    const before = await everything(execution, rig);
    const { launcher } = rig;
    const untyped = launcher as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
    const refusals: [string, () => Promise<unknown>, string][] = [
      ["no such id", () => launcher.patchState("nobody", { a: 1 }, "x"), "STEPWELL_EXECUTION_NOT_FOUND"],
      ["an id that is none", () => launcher.patchState("", { a: 1 }, "x"), "STEPWELL_INVALID_ARGUMENT"],
      ["no reason", () => untyped["patchState"]!("e", { a: 1 }), "STEPWELL_INVALID_ARGUMENT"],
      ["a blank reason", () => launcher.patchState("e", { a: 1 }, " "), "STEPWELL_INVALID_ARGUMENT"],
      ["an option", () => untyped["patchState"]!("e", { a: 1 }, "x", { who: "ada" }), "STEPWELL_UNKNOWN_OPTION"],
      ["who in two lines", () => launcher.patchState("e", { a: 1 }, "x", { by: "a\nb" }), "STEPWELL_INVALID_ARGUMENT"],
      ["an array", () => launcher.patchState("e", [1], "x"), "STEPWELL_INVALID_ARGUMENT"],
      ["null", () => untyped["patchState"]!("e", null, "x"), "STEPWELL_INVALID_ARGUMENT"],
      ["what can't be read", () => launcher.patchState("e", revoked(), "x"), "STEPWELL_INVALID_ARGUMENT"],
      ["the same in a retry", () => launcher.retry("e", { patch: revoked() }), "STEPWELL_INVALID_ARGUMENT"],
      ["an empty patch", () => launcher.patchState("e", {}, "x"), "STEPWELL_INVALID_ARGUMENT"],
      ["a function", () => launcher.patchState("e", { a: () => 1 }, "x"), "STEPWELL_NOT_ENCODABLE"],
      ["too much", () => launcher.patchState("e", { a: "x".repeat(2 ** 21) }, "x"), "STEPWELL_TOO_LARGE"],
      ["a field of the input", () => launcher.patchState("e", { iban: 5 }, "x"), "STEPWELL_INVALID_PATCH"],
      ["one left open at the launch", () => launcher.patchState("e", { at: "soon" }, "x"), "STEPWELL_INVALID_PATCH"],
      ["the same in a retry", () => launcher.retry("e", { patch: { iban: 5 } }), "STEPWELL_INVALID_PATCH"],
      ["the same in a skip", () => launcher.skip("e", "x", { patch: { iban: 5 } }), "STEPWELL_INVALID_PATCH"],
      ["a blank reason of a retry", () => launcher.retry("e", { reason: "" }), "STEPWELL_INVALID_ARGUMENT"],
    ];
    for (const [what, refusal, code] of refusals) {
      const error = await done(rig, errorOf(refusal()));
      expect({ what, code: error instanceof StepwellError ? error.code : error }).toEqual({ what, code });
    }
    expect(await everything(execution, rig)).toEqual(before);
    expect(await rig.store.mail({ executions: ["e"] })).toEqual([]);
  });

  test("patchState is refused for what is not stuck, and checked by another launcher where the workflow is not known", async () => {
    const made = workflow("plain", { input: order }).step("one", { run: () => ({}) });
    const { rig, execution } = await stuck(start);
    const other = await rig.another([made]);
    const refused = errorOf(other.patchState("e", { iban: 5 }, "x"));
    await rig.clock.advance("1s");
    expect(await refused).toMatchObject({ code: "STEPWELL_INVALID_PATCH", execution: "e" });
    await other.launch(made, { cents: 1 }, { id: "done" });
    await rig.clock.advance(0);
    expect(await errorOf(other.patchState("done", { a: 1 }, "x"))).toMatchObject({
      code: "STEPWELL_EXECUTION_NOT_STUCK",
      message: expect.stringContaining("is not stuck but completed; there is nothing to patch"),
    });
    expect(await execution.state()).not.toHaveProperty("a");
  });

  test("of a patch and a retry at the same time one wins, or one comes after the other, and nothing is lost", async () => {
    const asked: unknown[] = [];
    const { rig, execution } = await stuck(start, refunding(asked));
    const acts = [execution.patchState({ iban: "good" }, "mistyped"), execution.retry()];
    const results = await done(rig, Promise.allSettled(acts));
    const failed = (results as PromiseSettledResult<void>[]).filter(({ status }) => status === "rejected");
    for (const { reason } of failed as PromiseRejectedResult[]) {
      expect(reason).toMatchObject({ code: "STEPWELL_EXECUTION_NOT_STUCK" });
    }
    await rig.clock.advance("1m");
    const status = (await execution.summary()).status;
    const history = (await execution.history()).map(({ result }) => result);
    const acted = history.filter((result) => result === "patched" || result === "retried");
    // Where the retry was first it may have failed, and be stuck again, before the patch comes.
    expect(["patched", "retried", "patched,retried", "retried,patched"]).toContain(acted.join());
    expect(acted).toHaveLength(2 - failed.length);
    expect(status).toBe(acted.join() === "patched,retried" ? "rolledBack" : "stuck");
    expect(await execution.state()).toMatchObject({ iban: history.includes("patched") ? "good" : "none" });
  });

  test("observers hear of a patch as a commit that called nothing", async () => {
    const heard: unknown[] = [];
    const made = refunding().observe(
      observer({
        name: "clerk",
        commit: ({ transition, called, status }) =>
          void heard.push([transition.result, transition.by, transition.why, called, status]),
      }),
    );
    const { rig, execution } = await stuck(start, made);
    heard.length = 0;
    await done(rig, execution.patchState({ iban: "good" }, "mistyped", { by: "ada" }));
    expect(heard).toEqual([["patched", "ada", "mistyped", false, "stuck"]]);
  });

  test("the history says who and why of a skip and a rollback request too", async () => {
    const { rig, execution } = await stuck(start);
    await execution.skip("refunded by hand", { by: "ada" });
    expect(await done(rig, execution.outcome())).toMatchObject({ status: "rolledBack" });
    expect((await execution.history()).at(-1)).toMatchObject({
      result: "skipped",
      by: "ada",
      why: "refunded by hand",
      error: { name: "Skipped", message: "refunded by hand" },
    });
    const whole = workflow("whole", { input: order }).step("one", { run: () => ({}), rollback: () => undefined });
    const other = await rig.another([whole]);
    const second = await other.launch(whole, { cents: 1 });
    await done(rig, second.outcome());
    await done(rig, second.rollback("customer-returned", { by: "bob" }));
    expect((await second.history())[1]).toMatchObject({
      result: "customer-returned",
      by: "bob",
      why: "customer-returned",
    });
  });
});

onEveryStore("what can't be undone", (start) => {
  const letters = (fails: boolean) =>
    workflow("letters", { input: z.object({}) })
      .step("reserve", { run: () => ({}), rollback: () => undefined })
      .step("post", { run: () => ({}), irreversible: "A letter that was posted." })
      .step("call", { run: () => (fails ? fail("nobody-there") : {}), irreversible: "A call that was made." })
      .step("sing", { run: () => ({}), irreversible: "A song that was heard." });
  const posted = { step: "post", reason: "A letter that was posted." };
  const called = { step: "call", reason: "A call that was made." };

  test("is in the outcome of a rollback: the steps that had been begun, in any process", async () => {
    const made = letters(true);
    const rig = await start([made]);
    const execution = await rig.launcher.launch(made, {});
    const outcome = await done(rig, execution.outcome());
    expect(outcome).toMatchObject({ status: "rolledBack", reason: "nobody-there", irreversible: [posted, called] });
    const stranger = await rig.another([refunding()]);
    expect(await stranger.execution(execution.id).outcome()).toEqual(outcome);
  });

  test("is all of it where a completed execution is rolled back, and none where nothing was begun", async () => {
    const made = letters(false);
    const rig = await start([made]);
    const execution = await rig.launcher.launch(made, {});
    expect(await done(rig, execution.outcome())).not.toHaveProperty("irreversible");
    await done(rig, execution.rollback("returned"));
    expect(await execution.outcome()).toMatchObject({ irreversible: [posted, called, { step: "sing" }] });
    const mail = workflow("mail", { input: z.object({}) }).step("send", {
      run: () => ({}),
      irreversible: "It is read.",
    });
    const later = await (await rig.another([mail])).launch(mail, {}, { delay: "1h" });
    await done(rig, later.rollback("cancelled"));
    expect(await later.outcome()).toMatchObject({ status: "rolledBack", reason: "cancelled" });
    expect(await later.outcome()).not.toHaveProperty("irreversible");
  });

  test("is known of one that is stuck on its way down, and of one that was launched in rollback", async () => {
    const made = workflow("letters", { input: z.object({}) })
      .step("reserve", { run: () => ({}), rollback: () => fail("gone") })
      .step("post", { run: () => ({}), irreversible: posted.reason })
      .step("call", { run: () => ({}), irreversible: called.reason });
    const rig = await start([made]);
    const execution = await rig.launcher.launch(made, {}, { rollback: { from: "post", reason: "moved" } });
    expect(await done(rig, execution.outcome())).toMatchObject({ status: "stuck", irreversible: [posted] });
    await execution.skip("never reserved");
    expect(await done(rig, execution.outcome())).toMatchObject({ status: "rolledBack", irreversible: [posted] });
  });
});

onEveryStore("a refused rollback request", (start) => {
  test("says why with a coded error", async () => {
    const made = workflow("shipping", { input: order })
      .step("hand-over", { run: () => ({}), irreversible: "It has left.", pivot: true })
      .step("notify", { run: () => undefined });
    const plain = workflow("plain", { input: order }).step("one", { run: () => ({}), rollback: () => undefined });
    const rig = await start([made, plain]);
    const shipped = await rig.launcher.launch(made, { cents: 1 }, { id: "shipped" });
    const kept = await rig.launcher.launch(plain, { cents: 1 }, { id: "kept" });
    await rig.clock.advance(0);
    const errors = async (...answers: ReturnType<typeof shipped.rollback>[]) =>
      (await Promise.all(answers)).map((answer) => (answer.accepted ? "accepted" : [answer.why, answer.error]));
    expect(
      await errors(
        shipped.rollback("returned"),
        kept.rollback("returned", { ifCompleted: "refuse" }),
        rig.launcher.rollback("nobody", "returned"),
      ),
    ).toEqual([
      [
        "past-pivot",
        expect.objectContaining({
          code: "STEPWELL_PAST_PIVOT",
          execution: "shipped",
          message: expect.stringContaining(`"hand-over", is done`),
        }),
      ],
      ["completed", expect.objectContaining({ code: "STEPWELL_ROLLBACK_REFUSED" })],
      ["not-found", expect.objectContaining({ code: "STEPWELL_EXECUTION_NOT_FOUND" })],
    ]);
    await done(rig, kept.rollback("returned"));
    await rig.clock.advance(0);
    expect(await errors(kept.rollback("again"))).toEqual([
      ["already-rolled-back", expect.objectContaining({ code: "STEPWELL_ROLLBACK_REFUSED" })],
    ]);
    expect(await shipped.outcome()).toMatchObject({ status: "completed" });
  });
});
