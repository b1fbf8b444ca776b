/** Rewinds that meet something else on their way: a migration, a seal, another rewind, limits, kept publications. */
import { expect, test } from "vitest";
import { z } from "zod";
import {
  Client,
  pause,
  StepwellError,
  workflow,
  type AnyWorkflow,
  type Execution,
  type Launcher,
} from "../../src/index.js";
import { through } from "../../src/testing/faults/through.js";
import { errorOf, onEveryStore, type Rig } from "../support/rig.js";

const input = z.object({});
const undo = (): void => undefined;
const day = 24 * 60 * 60 * 1000;
const wrong = { reason: "wrong-address", by: "ada" } as const;

/** Asks, and lets it be followed. */
async function asked<Answer>({ clock }: Rig, asking: Promise<Answer>): Promise<Answer> {
  asking.catch(() => undefined);
  await clock.advance("5s");
  return asking;
}

/** The last launcher is gone, and another one has these workflows instead. */
async function deployed(rig: Rig, from: Launcher, ...workflows: AnyWorkflow[]): Promise<Launcher> {
  const stopped = from.stop();
  await rig.clock.advance("1m");
  await stopped;
  const next = await rig.another(workflows);
  await rig.clock.advance("5s");
  return next;
}

/** The undo of its last step waits for a message: so a rewind can be met on its way. */
function versions(log: string[]) {
  const noted = (name: string) => ({
    run: ({ idempotencyKey }: { idempotencyKey: string }): void => void log.push(`${name} ${idempotencyKey}`),
    rollback: ({ runKey }: { runKey: string }): void => void log.push(`undo ${name} ${runKey}`),
  });
  const held = {
    messages: { go: z.null() },
    rollbackMessages: { back: z.null() },
    run: () => pause(),
    onMessage: undo,
    rollback: () => pause(),
    onRollbackMessage: undo,
  };
  const older = workflow("order", { input })
    .step("charge", noted("charge"))
    .step("book", noted("book"))
    .step("label", noted("label"))
    .step("hold", held);
  const newer = workflow("order", { input, version: "2" })
    .step("check", noted("check"))
    .step("charge", noted("charge"))
    .step("ship", noted("ship"))
    .step("label", noted("label"))
    .step("hold", held)
    .migrate(older, { steps: { book: "ship" } });
  const dropping = workflow("order", { input, version: "2" })
    .step("charge", noted("charge"))
    .step("label", noted("label"))
    .step("hold", held)
    .migrate(older, { steps: { book: null } });
  return { older, newer, dropping };
}

onEveryStore("a rewind", (start) => {
  test("over a migration goes to its step under the name that it has now, and up again in the new version", async () => {
    const log: string[] = [];
    const { older, newer } = versions(log);
    const rig = await start([older]);
    const launched = await rig.launcher.launch(older, {}, { id: "o" });
    await rig.clock.advance("1s");
    expect(await asked(rig, launched.rewind({ ...wrong, to: "book" }))).toEqual({ accepted: true });
    expect(await launched.flow()).toMatchObject({ step: "hold", direction: "down", until: 1 });
    const next = await deployed(rig, rig.launcher, newer);
    const execution = next.execution("o");
    await asked(rig, execution.send("back", null));
    expect(await execution.flow()).toMatchObject({ step: "hold", direction: "up", round: 1 });
    expect(await execution.flow()).not.toHaveProperty("until");
    expect((await execution.summary()).version).toBe("2");
    // It was begun as "book": others know it by that name, in each round.
    expect(log.slice(3)).toEqual([
      ...["undo label o/label/run", "undo ship o/book/run", "ship o/book/run@1", "label o/label/run@1"],
    ]);
    await asked(rig, execution.send("go", null));
    expect((await execution.outcome()).status).toBe("completed");
  });

  test("over a migration that drops its step is parked as it is, and an older version beside it lets it go on", async () => {
    const log: string[] = [];
    const { older, dropping } = versions(log);
    const rig = await start([older]);
    const launched = await rig.launcher.launch(older, {}, { id: "o" });
    await rig.clock.advance("1s");
    expect(await asked(rig, launched.rewind({ ...wrong, to: "book" }))).toEqual({ accepted: true });
    const next = await deployed(rig, rig.launcher, dropping);
    const execution = next.execution("o");
    await asked(rig, execution.send("back", null));
    expect(await execution.summary()).toMatchObject({
      status: "stuck",
      version: "1",
      error: { code: "STEPWELL_MIGRATION_FAILED", message: expect.stringContaining('rewound to step "book"') },
    });
    rig.errors.length = 0;
    const last = await deployed(rig, next, dropping, older);
    await asked(rig, last.execution("o").retry({ by: "ada" }));
    expect(log.slice(3)).toEqual([
      ...["undo label o/label/run", "undo book o/book/run", "book o/book/run@1", "label o/label/run@1"],
    ]);
    rig.errors.length = 0;
  });

  test("of what is sealed is refused; what completes again can be undone for as long again", async () => {
    const order = workflow("order", { input, undoFor: "30d" }).step("ship", { run: undo, rollback: undo });
    const rig = await start([order]);
    const { clock } = rig;
    const execution = await rig.launcher.launch(order, {});
    await clock.advance("1s");
    await clock.advance("20d");
    expect(await asked(rig, execution.rewind({ ...wrong, to: "ship" }))).toEqual({ accepted: true });
    const { sealedAt } = await execution.summary();
    expect(sealedAt!.getTime()).toBeGreaterThan(clock.now() + 29.9 * day);
    await clock.advance("20d");
    expect(await asked(rig, execution.rewind({ ...wrong, to: "ship" }))).toEqual({ accepted: true });
    await clock.advance("31d");
    const { revision } = await execution.summary();
    expect(await asked(rig, execution.rewind({ ...wrong, to: "ship" }))).toMatchObject({
      accepted: false,
      why: "sealed",
      error: { code: "STEPWELL_SEALED" },
    });
    expect((await execution.summary()).revision).toBe(revision);
  });

  test("is taken once where two are asked for, and one for a revision that is gone not at all", async () => {
    const { older } = versions([]);
    const rig = await start([older]);
    const execution = await rig.launcher.launch(older, {}, { id: "o" });
    await rig.clock.advance("1s");
    const { revision } = await execution.summary();
    const client = new Client({ store: rig.store });
    const bobs = client.execution("o").rewind({ reason: "wrong-card", by: "bob", to: "charge" });
    const both = await asked(rig, Promise.all([execution.rewind({ ...wrong, to: "book" }), bobs]));
    expect(both.map((it) => (it.accepted ? "accepted" : it.why)).toSorted()).toEqual(["accepted", "already-rewinding"]);
    await asked(rig, execution.send("back", null));
    expect(await execution.flow()).toMatchObject({ direction: "up", round: 1 });
    const late = { reason: "wrong-card", by: "bob", to: "charge", ifRevision: revision } as const;
    expect(await asked(rig, execution.rewind(late))).toMatchObject({ accepted: false, why: "moved-on" });
    expect(await execution.flow()).toMatchObject({ direction: "up", round: 1 });
    await client.stop();
  });

  test("takes no place of a limit, on its way down and up again", async () => {
    const order = workflow("order", { input: z.object({ waits: z.boolean() }), concurrency: 1 })
      .step("ship", { run: undo, rollback: undo })
      .step("stay", {
        messages: { go: z.null() },
        run: ({ state }) => (state.waits ? pause() : undefined),
        onMessage: undo,
      });
    const rig = await start([order]);
    const done = await rig.launcher.launch(order, { waits: false });
    await rig.clock.advance("1s");
    const waits = await rig.launcher.launch(order, { waits: true });
    await rig.clock.advance("1s");
    expect((await waits.summary()).status).toBe("waiting");
    expect(await asked(rig, done.rewind({ ...wrong, to: "ship" }))).toEqual({ accepted: true });
    expect(await done.summary()).toMatchObject({ status: "completed", flow: { round: 1 } });
  });

  test("does not get again what it had taken from a publication that is kept, nor what died with what it undid", async () => {
    const heard: string[] = [];
    const order = workflow("order", { input })
      .step("listen", {
        messages: { price: z.number() },
        run: async ({ subscribe }) => {
          await subscribe("prices", { until: "end" });
          return pause();
        },
        onMessage: ({ message }) => void heard.push(`price ${message.payload}`),
        rollback: undo,
      })
      .step("stay", { messages: { go: z.null() }, run: () => pause(), onMessage: undo });
    const rig = await start([order]);
    const { launcher } = rig;
    const execution = await launcher.launch(order, {});
    await rig.clock.advance("1s");
    await asked(rig, launcher.publish("prices", "price", 1, { messageId: "p-1" }));
    await asked(rig, launcher.publish("prices", "price", 2, { messageId: "p-2" }));
    expect(heard).toEqual(["price 1"]);
    expect(await asked(rig, execution.rewind({ ...wrong, to: "listen" }))).toEqual({ accepted: true });
    // Both are kept, and it has subscribed again.
    expect(await execution.flow()).toMatchObject({ step: "listen", stepFunc: "runContinue", round: 1 });
    expect((await execution.mailbox()).map(({ status }) => status)).toEqual(["consumed", "dead"]);
    await asked(rig, launcher.publish("prices", "price", 3, { messageId: "p-3" }));
    expect(heard).toEqual(["price 1", "price 3"]);
  });

  test("is not followed before its patch is checked, also where the store is away while that is done", async () => {
    const log: string[] = [];
    const order = workflow("order", { input: z.object({ address: z.string() }) })
      .step("ship", { run: () => void log.push("ship"), rollback: () => void log.push("undo ship") })
      .step("stay", { messages: { go: z.null() }, run: () => pause(), onMessage: undo });
    const rig = await start([workflow("other", { input }).step("s", { run: undo })]);
    let outages = 0;
    const failing = through(rig.store, (call, name) => {
      if (name !== "history") return call;
      return async (...given) => {
        if (outages === 0) return call(...given);
        outages -= 1;
        throw new StepwellError("STEPWELL_STORE_BUSY", "It is away.", { retryable: true });
      };
    });
    const told: string[] = [];
    const onError = ({ code }: StepwellError): void => void told.push(code);
    const launcher = await rig.another([order], { store: failing, onError });
    const execution = await launcher.launch(order, { address: "Elm Street" });
    await rig.clock.advance("1s");
    outages = 2;
    await using client = new Client({ store: rig.store });
    const refused = await asked(
      rig,
      client.execution(execution.id).rewind({ ...wrong, to: "ship", patch: { address: 4 } }),
    );
    expect(refused).toMatchObject({ accepted: false });
    expect([outages, log]).toEqual([0, ["ship"]]);
    expect(told).toContain("STEPWELL_INVALID_PATCH");
    expect(await execution.summary()).toMatchObject({ status: "waiting", flow: { direction: "up", step: "stay" } });
  });

  test("is refused where nobody is named, and where a step is meant that is undone already", async () => {
    const { older } = versions([]);
    const rig = await start([older]);
    const execution: Execution = await rig.launcher.launch(older, {}, { id: "o" });
    await rig.clock.advance("1s");
    expect(await errorOf(execution.rewind({ to: "book", reason: "x" } as never))).toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
      message: expect.stringContaining('"by" is missing'),
    });
    await asked(rig, execution.rollback("cancelled", { by: "ada" }));
    await asked(rig, execution.send("back", null));
    expect(await execution.rewind({ ...wrong, to: "book" })).toMatchObject({
      accepted: false,
      why: "already-rolled-back",
      error: { code: "STEPWELL_REWIND_REFUSED" },
    });
  });
});
