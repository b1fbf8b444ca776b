/** Going back to a step and up again from there: what is undone, what is forgotten, and what is done again under other keys. */
import { expect, test } from "vitest";
import { z } from "zod";
import {
  again,
  Client,
  complete,
  fail,
  observer,
  pause,
  step,
  workflow,
  type Execution,
  type Flow,
  type RewindOptions,
  type UndoRequest,
} from "../../src/index.js";
import { errorOf, onEveryStore } from "../support/rig.js";
import { onTransactingStores } from "../support/transacting.js";

const input = z.object({});

/** What the steps did and undid, by the keys that they had. */
function booking(log: string[]) {
  const noted = (name: string) => ({
    run: ({ idempotencyKey, round }: { idempotencyKey: string; round: number }): void =>
      void log.push(`${name} ${round} ${idempotencyKey}`),
    rollback: ({ idempotencyKey, runKey, round }: { idempotencyKey: string; runKey: string; round: number }): void =>
      void log.push(`undo ${name} ${round} ${idempotencyKey} of ${runKey}`),
  });
  return noted;
}

async function accepted(execution: Execution, options: RewindOptions): Promise<void> {
  expect(await execution.rewind(options)).toEqual({ accepted: true });
}

onEveryStore("a rewind", (start) => {
  test("undoes the step and all after it, and does them again under other keys, with what was patched", async () => {
    const log: string[] = [];
    const noted = booking(log);
    const order = workflow("order", { input: z.object({ address: z.string() }) })
      .step("pay", noted("pay"))
      .step("ship", {
        run: ({ state, idempotencyKey, round }) => {
          log.push(`ship ${round} ${idempotencyKey}`);
          return { parcel: `parcel to ${state.address}` };
        },
        rollback: ({ given, halfDone, runKey, round, request }) => {
          log.push(`undo ship ${round} ${runKey} ${given.parcel} ${halfDone} ${request?.to}`);
        },
      })
      .step("arrive", { messages: { arrived: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock } = await start([order]);
    const execution = await launcher.launch(order, { address: "Elm Street" }, { id: "o" });
    await clock.advance("1s");
    const options = { to: "ship", reason: "wrong-address", by: "ada", patch: { address: "Oak Street" } } as const;
    await accepted(execution, options);
    await clock.advance("1s");
    expect(log).toEqual([
      "pay 0 o/pay/run",
      "ship 0 o/ship/run",
      "undo ship 0 o/ship/run parcel to Elm Street false ship",
      "ship 1 o/ship/run@1",
    ]);
    expect(await execution.state()).toEqual({ address: "Oak Street", parcel: "parcel to Oak Street" });
    expect(await execution.flow()).toMatchObject({ direction: "up", reason: "normal", step: "arrive", round: 1 });
    const rows = (await execution.history()).slice(3);
    expect(rows.map(({ direction, step, result, round }) => [direction, step, result, round])).toEqual([
      ["up", "arrive", "wrong-address", undefined],
      ["down", "arrive", "ok", undefined],
      ["down", "ship", "ok", undefined],
      ["up", "ship", "ok", 1],
      ["up", "arrive", "continue", 1],
    ]);
    expect(rows[0]).toMatchObject({ by: "ada", why: "wrong-address", backTo: "ship" });
    expect(rows[2]).toMatchObject({ upInto: 1 });
    expect(await execution.stateAt(6)).toEqual({ address: "Oak Street" });
    expect(await execution.stateAt(5)).toEqual({ address: "Elm Street", parcel: "parcel to Elm Street" });
    await execution.send("arrived", null);
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("completed");
    expect(await execution.rollback("returned")).toEqual({ accepted: true });
    await clock.advance("1s");
    expect(log.slice(4)).toEqual([
      "undo ship 1 o/ship/run@1 parcel to Oak Street false undefined",
      "undo pay 0 o/pay/rollback of o/pay/run",
    ]);
    expect((await execution.summary()).flow).toMatchObject({ reason: "returned", round: 1 });
  });

  test("takes from the state what the undone steps gave, and leaves what guards, operators and undos changed", async () => {
    const guard = observer({
      name: "seal",
      guard: true,
      afterStep: ({ step, flow }) => (flow.direction === "up" ? { sealed: step?.name } : undefined),
    });
    const parts = workflow("parts", { input: z.object({ parts: z.array(z.string()), note: z.string().optional() }) })
      .step("a", { run: ({ state }) => ({ parts: [...state.parts, "a"] }), rollback: () => undefined })
      .step("b", {
        run: ({ state }) => ({ parts: [...state.parts, "b"], onlyB: 1 }),
        rollback: ({ state }) => ({ undone: state.parts.join("") }),
      })
      .step("c", { run: ({ state }) => ({ parts: [...state.parts, "c"] }), rollback: () => undefined })
      .step("d", {
        run: ({ state, round }) => (round === 0 ? fail("broken") : { parts: [...state.parts, "d"] }),
        rollback: ({ round }) => (round === 0 ? fail("away") : undefined),
      })
      .observe(guard);
    const { launcher, clock } = await start([parts]);
    const execution = await launcher.launch(parts, { parts: [] });
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("stuck");
    await execution.patchState({ note: "by hand" }, "seen", { by: "ada" });
    await accepted(execution, { to: "b", reason: "again", by: "ada" });
    await execution.outcome();
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("stuck");
    await execution.skip("called them", { by: "ada" });
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("completed");
    expect(await execution.state()).toEqual({
      ...{ parts: ["a", "b", "c", "d"], onlyB: 1, undone: "abc", note: "by hand", sealed: "d" },
    });
    const rows = await execution.history();
    const turn = rows.find(({ upInto }) => upInto === 1)!;
    expect(await execution.stateAt(turn.revision)).toEqual({
      ...{ parts: ["a"], undone: "abc", note: "by hand", sealed: "d" },
    });
  });

  test("goes back from where it has completed, early too, and from where it is stuck behind a pivot", async () => {
    const log: string[] = [];
    const noted = booking(log);
    const done = workflow("done", { input })
      .step("a", noted("a"))
      .step("b", { ...noted("b"), run: () => complete() })
      .step("c", noted("c"));
    const { launcher, clock } = await start([done]);
    const execution = await launcher.launch(done, {}, { id: "e" });
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("completed");
    const late = await execution.rewind({ to: "c", reason: "x", by: "ada" });
    expect(late).toMatchObject({ accepted: false, why: "step-not-begun" });
    log.length = 0;
    await accepted(execution, { to: "a", reason: "wrong", by: "ada" });
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("completed");
    expect(log).toEqual(["undo b 0 e/b/rollback of e/b/run", "undo a 0 e/a/rollback of e/a/run", "a 1 e/a/run@1"]);
  });

  test("goes back behind a pivot, and not over it, and nothing else turns it there", async () => {
    const log: string[] = [];
    const noted = booking(log);
    let isBroken = true;
    const pivoted = workflow("pivoted", { input })
      .step("pay", noted("pay"))
      .step("sign", { run: () => undefined, pivot: true })
      .step("label", noted("label"))
      .step("notify", {
        run: () => (isBroken ? fail("away") : undefined),
        rollback: ({ round }) => (round === 0 && isBroken ? fail("locked") : undefined),
      });
    const { launcher, clock } = await start([pivoted]);
    const execution = await launcher.launch(pivoted, {}, { id: "p" });
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("stuck");
    for (const to of ["pay", "sign"] as const) {
      const answer = await execution.rewind({ to, reason: "x", by: "ada" });
      expect(answer).toMatchObject({ accepted: false, why: "past-pivot", error: { code: "STEPWELL_PAST_PIVOT" } });
    }
    await accepted(execution, { to: "label", reason: "wrong-label", by: "ada" });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "stuck", direction: "down", step: "notify" });
    expect(await execution.rollback("customer")).toMatchObject({ accepted: false, why: "past-pivot" });
    isBroken = false;
    await execution.retry({ by: "ada" });
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("completed");
    expect(log).toEqual([
      "pay 0 p/pay/run",
      "label 0 p/label/run",
      "undo label 0 p/label/rollback of p/label/run",
      "label 1 p/label/run@1",
    ]);
  });

  test("keeps of each step the round in which it was done last", async () => {
    const log: string[] = [];
    const noted = booking(log);
    const long = ["s1", "s2", "s3", "s4", "s5", "s6"].reduce(
      (all, name) => all.step(name, noted(name)) as unknown as typeof all,
      workflow("long", { input }).step("s0", noted("s0")),
    );
    const { launcher, clock } = await start([long]);
    const execution = (await launcher.launch(long, {}, { id: "l" })) as Execution;
    await clock.advance("1s");
    for (const to of ["s3", "s5"]) {
      await accepted(execution, { to, reason: "again", by: "ada" });
      await clock.advance("1s");
    }
    log.length = 0;
    await accepted(execution, { to: "s2", reason: "again", by: "ada" });
    await clock.advance("1s");
    expect(log).toEqual([
      "undo s6 2 l/s6/rollback@2 of l/s6/run@2",
      "undo s5 2 l/s5/rollback@2 of l/s5/run@2",
      "undo s4 1 l/s4/rollback@1 of l/s4/run@1",
      "undo s3 1 l/s3/rollback@1 of l/s3/run@1",
      "undo s2 0 l/s2/rollback of l/s2/run",
      ...["s2", "s3", "s4", "s5", "s6"].map((name) => `${name} 3 l/${name}/run@3`),
    ]);
    expect((await execution.outcome()).status).toBe("completed");
  });

  test("buries what the undone steps had waited for, ends what they had subscribed to, and leaves the rest", async () => {
    const heard: string[] = [];
    const mail = { settled: z.string(), said: z.string() };
    const paid = workflow("paid", { input })
      .step("listen", { run: async ({ subscribe }) => subscribe("news", { until: "end" }) })
      .step("charge", {
        messages: mail,
        run: async ({ subscribe, round }) => {
          await subscribe(`payment:${round}`, { until: "end" });
          return pause();
        },
        onMessage: ({ message }) => void heard.push(`${message.name} ${message.payload}`),
      })
      .step("later", {
        messages: { news: z.string(), early: z.string() },
        run: () => pause(),
        onMessage: ({ message }) => void heard.push(`${message.name} ${message.payload}`),
      })
      .step("stay", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock } = await start([paid]);
    const execution = await launcher.launch(paid, {}, { id: "x" });
    await clock.advance("1s");
    await execution.send("early", "bird");
    await launcher.publish("payment:0", "said", "first");
    await clock.advance("1s");
    expect(heard).toEqual(["said first", "early bird"]);
    await execution.send("settled", "of the first payment");
    await accepted(execution, { to: "charge", reason: "again", by: "ada" });
    await clock.advance("1s");
    expect(await execution.flow()).toMatchObject({ step: "charge", stepFunc: "runContinue", round: 1 });
    expect(
      (await execution.mailbox()).map(({ name, payload, status }) => `${name} ${String(payload)} ${status}`),
    ).toEqual([...["early bird consumed", "said first consumed", "settled of the first payment dead"]]);
    expect((await launcher.publish("payment:0", "said", "late")).delivered).toBe(0);
    expect((await launcher.publish("news", "news", "of the day")).delivered).toBe(1);
    expect((await launcher.publish("payment:1", "settled", "of the second payment")).delivered).toBe(1);
    await clock.advance("1s");
    expect(heard.slice(2)).toEqual(["settled of the second payment", "news of the day"]);
  });

  test("lets attempts, the step's deadline and the workflow's count anew from where it goes up", async () => {
    let fails = true;
    const seen: number[] = [];
    const timed = workflow("timed", { input, deadline: "1d" })
      .step("a", { run: () => undefined, rollback: () => undefined })
      .step("b", {
        retry: { attempts: 3, delay: "1m", jitter: false },
        deadline: "1h",
        run: ({ attempt }) => {
          seen.push(attempt);
          if (fails) throw new Error("away");
        },
        rollback: () => undefined,
      })
      .step("c", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock } = await start([timed]);
    const execution = await launcher.launch(timed, {});
    await clock.advance("1s");
    await clock.advance("61s");
    fails = false;
    await clock.advance("1m");
    await clock.advance("20h");
    await accepted(execution, { to: "b", reason: "again", by: "ada" });
    await clock.advance("1s");
    expect(seen).toEqual([1, 2, 3, 1]);
    await clock.advance("23h");
    expect((await execution.summary()).status).toBe("waiting");
    await clock.advance("1h");
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "deadline" });
  });

  test("is taken over by a rollback request, also one that comes while its last step is undone", async () => {
    for (const at of ["b", "a"]) {
      const seen: (UndoRequest | undefined)[] = [];
      let release = (): void => undefined;
      const slow = (name: string) => ({
        run: () => undefined,
        rollback: ({ request }: { request: UndoRequest | undefined }): Promise<void> | undefined => {
          seen.push(request);
          return name === at ? new Promise((resolve) => (release = resolve)) : undefined;
        },
      });
      const order = workflow("order", { input })
        .step("0", slow("0"))
        .step("a", slow("a"))
        .step("b", slow("b"))
        .step("c", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
      const { launcher, clock } = await start([order]);
      const execution = await launcher.launch(order, {});
      await clock.advance("1s");
      await accepted(execution, { to: "a", reason: "again", by: "ada" });
      await clock.advance("1s");
      const again = await execution.rewind({ to: "a", reason: "again", by: "ada" });
      expect(again).toMatchObject({ accepted: false, why: "already-rewinding" });
      expect(await execution.rollback("customer", { by: "eve" })).toEqual({ accepted: true });
      expect(await execution.rollback("twice")).toMatchObject({ accepted: false, why: "already-rolling-back" });
      release();
      await clock.advance("1s");
      expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "customer" });
      const rewound = { reason: "again", by: "ada", to: "a" };
      const customers = { reason: "customer", by: "eve" };
      const before = at === "b" ? 1 : 2;
      expect(seen).toEqual([...seen.slice(0, before).map(() => rewound), ...seen.slice(before).map(() => customers)]);
      expect(seen).toHaveLength(3);
      expect((await execution.history()).some(({ by }) => by === "eve")).toBe(true);
    }
  });

  test.each(["waits", "is to be tried again later", "is polled"])(
    "is taken over at once by a rollback request that came while its undo ran, also where that %s",
    async (then) => {
      let end = (): void => undefined;
      const order = workflow("order", { input })
        .step("a", {
          run: () => undefined,
          rollbackMessages: { back: z.null() },
          rollbackRetry: { attempts: 9, delay: "1h" },
          rollback: async () => {
            await new Promise<void>((resolve) => (end = resolve));
            if (then === "waits") return pause();
            if (then === "is polled") return again(undefined, { after: "1h" });
            throw new Error("The bank is away.");
          },
          onRollbackMessage: () => undefined,
        })
        .step("b", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
      const { launcher, clock } = await start([order]);
      const execution = await launcher.launch(order, {});
      await clock.advance("1s");
      await accepted(execution, { to: "a", reason: "again", by: "ada" });
      await clock.advance("1s");
      expect(await execution.rollback("customer", { by: "eve" })).toEqual({ accepted: true });
      end();
      await clock.advance("1s");
      expect((await execution.details()).request).toMatchObject({ reason: "customer", by: "eve" });
      expect(await execution.rewind({ to: "a", reason: "x", by: "ada" })).toMatchObject({
        why: "already-rolling-back",
      });
    },
  );

  test("aborts a step that runs, and undoes it with what it gave", async () => {
    const log: string[] = [];
    const order = workflow("order", { input })
      .step("a", { run: () => undefined, rollback: () => undefined })
      .step("b", {
        run: async ({ signal, round }) => {
          if (round === 1) return { booked: "twice" };
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
          return { booked: "once" };
        },
        rollback: ({ given, halfDone }) => void log.push(`${given.booked} ${halfDone}`),
      });
    const { launcher, clock } = await start([order]);
    const execution = await launcher.launch(order, {});
    await clock.advance("1s");
    await accepted(execution, { to: "b", reason: "again", by: "ada" });
    await clock.advance("1s");
    expect(log).toEqual(["once false"]);
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { booked: "twice" } });
  });

  test("tells observers of its way down and of its end again, by the round, and of no failure", async () => {
    const heard: string[] = [];
    const tell =
      (what: string) =>
      ({ flow }: { flow: Flow }): void =>
        void heard.push(`${what} ${flow.round ?? 0} ${flow.reason}`);
    const order = workflow("order", { input })
      .step("a", { run: () => undefined, rollback: () => undefined })
      .observe(
        observer({
          name: "ear",
          init: tell("init"),
          startRollback: tell("startRollback"),
          success: tell("success"),
          failure: tell("failure"),
        }),
      );
    const { launcher, clock } = await start([order]);
    const execution = await launcher.launch(order, {});
    await clock.advance("1s");
    await accepted(execution, { to: "a", reason: "again", by: "ada" });
    await clock.advance("1s");
    expect(heard).toEqual(["init 0 normal", "success 0 normal", "startRollback 0 again", "success 1 normal"]);
  });

  test("is refused, with a code, where it would lose or double something, and changes nothing then", async () => {
    const child = workflow("child", { input }).step("x", { run: () => undefined });
    const order = workflow("order", { input: z.object({ fails: z.boolean() }) })
      .step("a", {
        run: () => undefined,
        rollback: ({ request }) => (request?.to === undefined ? fail("locked") : undefined),
      })
      .step("mail", { run: () => undefined, irreversible: "a letter can't be called back" })
      .child("kid", child, { input: () => ({}) })
      .step("b", {
        run: ({ state }) => (state.fails ? fail("broken") : pause()),
        messages: { go: z.null() },
        onMessage: () => undefined,
        rollback: () => undefined,
      });
    const { launcher, clock, errors } = await start([order]);
    const execution = await launcher.launch(order, { fails: false }, { id: "o" });
    await clock.advance("1s");
    const { revision } = await execution.summary();
    const ask = { reason: "x", by: "ada" };
    expect(await execution.rewind({ ...ask, to: "mail" })).toMatchObject({
      why: "would-repeat",
      error: { code: "STEPWELL_WOULD_REPEAT" },
    });
    expect(await execution.rewind({ ...ask, to: "b", ifRevision: 1 })).toMatchObject({ why: "moved-on" });
    expect(await launcher.execution("nobody").rewind({ ...ask, to: "b" })).toMatchObject({ why: "not-found" });
    const kid = (await execution.childrenOf("kid"))[0]!.id;
    expect(await launcher.execution(kid).rewind({ ...ask, to: "x" })).toMatchObject({ why: "belongs-to-parent" });
    expect(await errorOf(launcher.execution("o").rewind({ ...ask, to: "nowhere" }))).toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
    });
    expect(await errorOf(launcher.execution("o").rewind({ to: "b", reason: "x" } as never))).toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
    });
    expect(await errorOf(launcher.execution("o").rewind({ ...ask, to: "b", patch: [] as never }))).toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
    });
    expect(await errorOf(execution.rewind({ ...ask, to: "b", patch: { fails: "no" as never } }))).toMatchObject({
      code: "STEPWELL_INVALID_PATCH",
    });
    expect((await execution.summary()).revision).toBe(revision);
    expect(await execution.rewind({ ...ask, to: "mail", repeat: ["mail"] })).toEqual({ accepted: true });
    await clock.advance("1s");
    expect((await execution.rollback("customer")).accepted).toBe(true);
    await clock.advance("2d");
    expect((await execution.outcome()).status).toBe("stuck");
    expect(await execution.rewind({ ...ask, to: "a" })).toMatchObject({ why: "already-rolling-back" });
    const failing = await launcher.launch(order, { fails: true });
    await clock.advance("1s");
    await clock.advance("2d");
    expect(await failing.outcome()).toMatchObject({ status: "stuck", direction: "down", step: "a" });
    expect(await failing.rewind({ ...ask, to: "b" })).toMatchObject({ why: "step-not-begun" });
    expect(await failing.rewind({ ...ask, to: "a", patch: { fails: false }, repeat: ["mail"] })).toEqual({
      accepted: true,
    });
    await clock.advance("1s");
    expect((await failing.summary()).status).toBe("waiting");
    errors.length = 0;
    await failing.skip("x").catch(() => undefined);
  });

  test("can be asked for by who does not know the workflow; a patch is then checked before anything is undone", async () => {
    const log: string[] = [];
    const noted = booking(log);
    const order = workflow("order", { input: z.object({ address: z.string() }) })
      .step("ship", noted("ship"))
      .step("stay", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock, store, errors } = await start([order]);
    const execution = await launcher.launch(order, { address: "Elm Street" }, { id: "o" });
    await clock.advance("1s");
    await using client = new Client({ store });
    const refused = client.execution("o").rewind({ to: "ship", reason: "x", by: "ada", patch: { address: 4 } });
    await clock.advance("1s");
    expect(await refused).toMatchObject({ accepted: false, why: "parked-again" });
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_INVALID_PATCH"]);
    expect(log).toEqual(["ship 0 o/ship/run"]);
    errors.length = 0;
    expect(
      await client
        .execution("o")
        .rewind({ to: "gone", reason: "x", by: "ada" })
        .catch((error: unknown) => error),
    ).toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    const asked = client
      .execution("o")
      .rewind({ to: "ship", reason: "x", by: "ada", patch: { address: "Oak Street" } });
    await clock.advance("1s");
    expect(await asked).toEqual({ accepted: true });
    await clock.advance("1s");
    expect(await execution.state()).toEqual({ address: "Oak Street" });
    expect(log).toHaveLength(3);
  });

  test("does children again under other ids, once those before are undone", async () => {
    const log: string[] = [];
    const item = workflow("item", { input: z.object({ sku: z.string() }) }).step("pack", {
      run: ({ execution }) => void log.push(execution.id),
      rollback: ({ execution, request }) => void log.push(`undo ${execution.id} ${request?.to}`),
    });
    const order = workflow("order", { input })
      .step("pay", { run: () => undefined, rollback: () => undefined })
      .forEach("items", item, { items: () => [{ sku: "A" }, { sku: "B" }], key: ({ item: { sku } }) => sku })
      .step("stay", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock } = await start([order]);
    const execution = await launcher.launch(order, {}, { id: "o" });
    await clock.advance("5s");
    await accepted(execution, { to: "items", reason: "wrong-items", by: "ada" });
    await clock.advance("5s");
    expect(log.slice(0, 2).toSorted()).toEqual(["o/items/A", "o/items/B"]);
    expect(log.slice(2, 4).toSorted()).toEqual(["undo o/items/A items", "undo o/items/B items"]);
    expect(log.slice(4).toSorted()).toEqual(["o/items~r1/A", "o/items~r1/B"]);
    expect((await execution.summary()).status).toBe("waiting");
    const groups = await execution.children();
    expect(groups.map(({ step, round, completed, rolledBack }) => [step, round, completed, rolledBack])).toEqual([
      ["items", 0, 0, 2],
      ["items", 1, 2, 0],
    ]);
    expect((await execution.childrenOf("items")).map(({ id }) => id)).toEqual(["o/items~r1/A", "o/items~r1/B"]);
    expect((await execution.childrenOf("items", { round: 0 })).map(({ status }) => status)).toEqual([
      "rolledBack",
      "rolledBack",
    ]);
    expect((await execution.rollback("off")).accepted).toBe(true);
    await clock.advance("5s");
    expect(log.slice(6).toSorted()).toEqual(["undo o/items~r1/A undefined", "undo o/items~r1/B undefined"]);
    expect((await execution.outcome()).status).toBe("rolledBack");
  });
});

onTransactingStores("a rewind to a transaction that was never committed", (start) => {
  test("has nothing to undo, and goes up at once", async () => {
    let fails = true;
    const { launcher, clock } = await start((transact) => [
      workflow("order", { input })
        .step("a", { run: () => undefined, rollback: () => undefined })
        .step(
          step()("b", {
            run: transact(() => {
              if (fails) throw new Error("away");
              return { written: 1 };
            }),
            retry: { attempts: 5, delay: "1h", jitter: false },
            rollback: () => {
              throw new Error("never");
            },
          }),
        ),
    ]);
    const execution = await launcher.launch(workflow("order", { input }).step("a", { run: () => undefined }), {});
    await clock.advance("1s");
    fails = false;
    await accepted(execution, { to: "b", reason: "now", by: "ada" });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { written: 1 } });
    const rows = await execution.history();
    expect(rows.map(({ direction, step: name, result }) => [direction, name, result])).toEqual([
      ["up", "a", "ok"],
      ["up", "b", "Error"],
      ["up", "b", "now"],
      ["up", "b", "ok"],
    ]);
    expect(rows[2]).toMatchObject({ upInto: 1 });
  });
});

onEveryStore("a rollback that is asked for while an undo of a rewind runs", (start) => {
  test("takes over where that undo then fails for good, and has it tried anew", async () => {
    let fails: (() => void) | undefined;
    let tries = 0;
    const stubborn = workflow("stubborn", { input: z.object({}) })
      .step("first", {
        run: () => undefined,
        rollbackRetry: { attempts: 1 },
        rollback: () =>
          ++tries === 1
            ? new Promise<undefined>((_, reject) => (fails = () => reject(new Error("not now"))))
            : undefined,
      })
      .step("stay", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock } = await start([stubborn], { onError: () => undefined });
    const execution = await launcher.launch(stubborn, {}, { id: "o" });
    await clock.advance("1s");
    const rewound = execution.rewind({ to: "first", reason: "again", by: "ada" });
    await clock.advance("1s");
    const asked = execution.rollback("no more");
    await clock.advance("1s");
    fails!();
    await clock.advance("5s");
    expect(await rewound).toMatchObject({ accepted: true });
    expect(await asked).toMatchObject({ accepted: true });
    expect({ status: (await execution.summary()).status, tries }).toEqual({ status: "rolledBack", tries: 2 });
  });
});
