/** Requests to go back: who asked and why is known to every undo, and an execution that has gone on does not go back unseen. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Client, fail, pause, workflow, type UndoRequest } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { errorOf, onEveryStore, patient } from "../support/rig.js";
import { through } from "../../src/testing/faults/through.js";

const input = z.object({});

/** What each undo was told of the request, by its step. */
type Seen = Record<string, UndoRequest | undefined>;

/** Books for as many as the order says, each booked by a child that is made of steps itself. */
function orders(seen: Seen) {
  const saw =
    (step: string) =>
    ({ request }: { request: UndoRequest | undefined }): void =>
      void (seen[step] = request);
  const seat = workflow("seat", { input }).step("seat", { run: () => undefined, rollback: saw("seat") });
  const item = workflow("item", { input })
    .step("pack", { run: () => undefined, rollback: saw("pack") })
    .child("seat-of", seat, { input: () => ({}) });
  return workflow("order", { input: z.object({ fails: z.boolean().optional() }), deadline: "1d" })
    .step("pay", { run: () => undefined, rollback: saw("pay") })
    .forEach("items", item, { items: () => [{}, {}] })
    .step("ship", {
      run: ({ state }) => (state.fails === true ? fail("no-carrier") : undefined),
      rollback: saw("ship"),
    })
    .step("arrive", { messages: { arrived: z.null() }, run: () => pause(), onMessage: () => undefined });
}

onEveryStore("a request to go back", (start) => {
  test("is told to every undo, and to those of children and theirs, with all that came with it", async () => {
    const seen: Seen = {};
    const order = orders(seen);
    const { launcher, clock } = await start([order]);
    const execution = await launcher.launch(order, {}, { id: "e" });
    await clock.advance("1s");
    const details = { percent: 30, lines: new Map([["a", 1n]]), by: new Date(0) };
    const request = { reason: "returned", details, by: "ada" };
    expect(await execution.rollback("returned", { details, by: "ada" })).toEqual({ accepted: true });
    await clock.advance("10s");
    expect((await execution.summary()).status).toBe("rolledBack");
    expect(seen).toEqual({ pay: request, ship: request, pack: request, seat: request });
    const turned = (await execution.history()).find(({ why }) => why === "returned");
    expect(turned).toMatchObject({ by: "ada", details });
    const child = (await execution.childrenOf("items"))[0]!.id;
    const asked = (await launcher.execution(child).history()).find(({ why }) => why === "returned");
    expect(asked).toMatchObject({ by: "ada", details });
  });

  test("is not told where nobody asked: a failure or the deadline has turned the execution", async () => {
    const seen: Seen = {};
    const order = orders(seen);
    const { launcher, clock } = await start([order]);
    const failing = await launcher.launch(order, { fails: true });
    await clock.advance("10s");
    expect((await failing.summary()).status).toBe("rolledBack");
    const nobody = { pay: undefined, ship: undefined, pack: undefined, seat: undefined };
    expect(seen).toStrictEqual(nobody);
    for (const step of Object.keys(seen)) delete seen[step];
    const late = await launcher.launch(order, {});
    await clock.advance("1s");
    await clock.advance("1d");
    await clock.advance("10s");
    expect((await late.summary()).flow.reason).toBe("deadline");
    expect(seen).toStrictEqual(nobody);
  });

  test("is known after a crash, and without details and a name too", async () => {
    const seen: (UndoRequest | undefined)[] = [];
    const slow = workflow("slow", { input })
      .step("1", { run: () => undefined, rollback: ({ request }) => void seen.push(request) })
      .step("2", {
        run: () => undefined,
        rollback: ({ attempt, request }) => {
          seen.push(request);
          return attempt === 1 ? new Promise<never>(() => undefined) : undefined;
        },
      });
    const own = new VirtualClock();
    const { clock, another, launcher } = await start([slow], { clock: own, abortGrace: 1 });
    await launcher.launch(slow, {}, { id: "e" });
    await clock.settle();
    expect(await launcher.rollback("e", "returned")).toEqual({ accepted: true });
    await clock.settle();
    expect(seen).toEqual([{ reason: "returned" }]);
    const second = await another();
    await clock.advance("20s");
    expect((await second.execution("e").outcome()).status).toBe("rolledBack");
    expect(seen).toEqual([{ reason: "returned" }, { reason: "returned" }, { reason: "returned" }]);
    await own.advance("1m");
  });

  test("is told where a completed execution is undone, and where one is launched in rollback", async () => {
    const seen: Seen = {};
    const done = workflow("done", { input }).step("1", {
      run: () => undefined,
      rollback: ({ request, execution }) => void (seen[execution.id] = request),
    });
    const { launcher, clock } = await start([done]);
    const execution = await launcher.launch(done, {}, { id: "e" });
    await clock.advance("1s");
    await execution.rollback("returned", { details: [1, 2] });
    await launcher.launch(done, {}, { id: "down", rollback: { from: "1", reason: "import" } });
    await clock.advance("1s");
    expect(seen).toEqual({ e: { reason: "returned", details: [1, 2] }, down: { reason: "import" } });
  });

  test("of many is told to the undos of each", async () => {
    const seen: Seen = {};
    const done = workflow("done", { input }).step("1", {
      run: () => undefined,
      rollback: ({ request, execution }) => void (seen[execution.id] = request),
    });
    const { launcher, clock } = await start([done]);
    for (const id of ["a", "b"]) await launcher.launch(done, {}, { id });
    await clock.advance("1s");
    const asked = { by: "ada", details: { percent: 30 } };
    expect(await launcher.select({ workflow: "done" }).rollback("wrong price", asked)).toMatchObject({ accepted: 2 });
    await clock.advance("1s");
    expect(seen).toEqual({ a: { reason: "wrong price", ...asked }, b: { reason: "wrong price", ...asked } });
  });

  test("with details that can't be kept, or are too large, is refused before anything is stored", async () => {
    const done = workflow("done", { input }).step("1", { run: () => undefined });
    const { launcher, clock } = await start([done]);
    const execution = await launcher.launch(done, {}, { id: "e" });
    await clock.advance("1s");
    const unkept = { code: "STEPWELL_NOT_ENCODABLE" };
    expect(await errorOf(execution.rollback("returned", { details: () => 1 }))).toMatchObject(unkept);
    const large = "x".repeat(16 * 1024);
    expect(await errorOf(execution.rollback("returned", { details: large }))).toMatchObject({
      code: "STEPWELL_TOO_LARGE",
    });
    expect((await execution.summary()).status).toBe("completed");
  });

  test("for a revision is refused where the execution goes on while it is asked, and nothing is undone", async () => {
    const undone: string[] = [];
    const moving = workflow("moving", { input })
      .step("1", {
        messages: { go: z.null() },
        run: () => pause(),
        onMessage: () => undefined,
        rollback: () => void undone.push("1"),
      })
      .step("2", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock, store } = await start([moving]);
    const execution = await launcher.launch(moving, {}, { id: "e" });
    await clock.settle();
    const { revision } = await execution.summary();
    // It goes on after the client has looked, and before its request is stored.
    let isFirst = true;
    const late = through(store, (call, name) => async (...given) => {
      if (name === "write" && isFirst) {
        isFirst = false;
        await launcher.send("e", "go", null);
        await clock.settle();
      }
      return call(...given);
    });
    const client = new Client({ store: late });
    const answer = await client.rollback("e", "returned", { ifRevision: revision });
    expect(answer).toMatchObject({ accepted: false, why: "moved-on", error: { code: "STEPWELL_EXECUTION_CHANGED" } });
    await clock.advance("1s");
    expect((await execution.summary()).flow).toMatchObject({ direction: "up", step: "2" });
    expect(undone).toEqual([]);
    await client.stop();
  });

  test("for a revision turns the execution right there, whatever its step gives meanwhile", async () => {
    let finish: (() => void) | undefined;
    const running = workflow("running", { input })
      .step("1", { run: () => new Promise<void>((resolve) => (finish = resolve)), rollback: () => undefined })
      .step("2", { run: () => undefined });
    const { launcher, clock } = await start([running]);
    const execution = await launcher.launch(running, {}, { id: "e" });
    await clock.settle();
    const { revision } = await execution.summary();
    expect(await execution.rollback("returned", { ifRevision: revision })).toEqual({ accepted: true });
    finish!();
    await clock.advance("1s");
    const rows = await execution.history({ from: revision });
    expect(rows[0]).toMatchObject({ step: "1", result: "returned", why: "returned" });
    expect(rows.map(({ step }) => step)).toEqual(["1", "1"]);
  });
});

const day = 86_400_000;

onEveryStore("a workflow that says for how long it can be undone", (start) => {
  const undone: string[] = [];
  const made = (undoFor: "30d" | 0) =>
    workflow("sealing", { input, undoFor }).step("1", {
      run: () => undefined,
      rollback: ({ execution }) => void undone.push(execution.id),
    });

  test("is undone until then, counted from its completion, and refused from then on", async () => {
    undone.length = 0;
    const sealing = made("30d");
    const { launcher, clock } = await start([sealing], patient);
    for (const id of ["early", "late"]) await launcher.launch(sealing, {}, { id, delay: "1d" });
    await clock.advance("1d");
    const early = launcher.execution("early");
    expect((await early.summary()).status).toBe("completed");
    const { sealedAt } = await early.details();
    expect(sealedAt).toEqual(new Date(clock.now() + 30 * day));
    expect((await launcher.list()).executions.map((it) => it.sealedAt)).toEqual([sealedAt, sealedAt]);
    await clock.advance(30 * day - 1);
    expect(await early.rollback("returned")).toEqual({ accepted: true });
    await clock.advance(1);
    const refused = await launcher.rollback("late", "returned");
    expect(refused).toMatchObject({ accepted: false, why: "sealed", error: { code: "STEPWELL_SEALED" } });
    expect(await launcher.select({ workflow: "sealing" }).rollback("all", { dryRun: true })).toMatchObject({
      accepted: 0,
      refused: expect.arrayContaining([expect.objectContaining({ id: "late", code: "STEPWELL_SEALED" })]),
    });
    await clock.advance("1m");
    expect(undone).toEqual(["early"]);
    expect((await early.summary()).status).toBe("rolledBack");
    expect(await early.summary()).not.toHaveProperty("sealedAt");
    expect((await launcher.execution("late").summary()).status).toBe("completed");
  });

  test("decides by when a request was accepted, not by when somebody follows it", async () => {
    undone.length = 0;
    const sealing = made("30d");
    const { launcher, clock, store, another } = await start([sealing], patient);
    await launcher.launch(sealing, {}, { id: "e" });
    await clock.advance("1m");
    await launcher.stop();
    if (!store.isOpen) await store.open();
    await clock.advance(30 * day - 120_000);
    const client = new Client({ store, patience: 1 });
    const asked = errorOf(client.rollback("e", "returned"));
    await clock.advance("10s");
    expect(await asked).toMatchObject({ code: "STEPWELL_UNDECIDED" });
    await clock.advance("2d");
    const second = await another([sealing], patient);
    await clock.advance("1m");
    expect((await second.execution("e").outcome()).status).toBe("rolledBack");
    expect(undone).toEqual(["e"]);
    await client.stop();
  });

  test("that is not at all, is never undone once it has completed", async () => {
    const never = made(0);
    const { launcher, clock } = await start([never]);
    const execution = await launcher.launch(never, {});
    await clock.advance("1s");
    expect(await execution.rollback("returned")).toMatchObject({ accepted: false, why: "sealed" });
  });

  test("is undone with its parent all the same, and the parent's own time decides", async () => {
    undone.length = 0;
    const never = made(0);
    const parent = workflow("parent", { input, undoFor: "1d" }).child("one", never, { input: () => ({}) });
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.advance("1m");
    expect((await execution.summary()).status).toBe("completed");
    const child = (await execution.childrenOf("one"))[0]!.id;
    expect(await launcher.execution(child).summary()).not.toHaveProperty("sealedAt");
    expect(await launcher.rollback(child, "returned")).toMatchObject({ why: "belongs-to-parent" });
    expect(await execution.rollback("returned")).toEqual({ accepted: true });
    await clock.advance("1m");
    expect((await execution.summary()).status).toBe("rolledBack");
    expect(undone).toEqual([child]);
  });

  test("is kept until then, whatever retention says", async () => {
    const sealing = made("30d");
    const { launcher, clock } = await start([sealing], patient);
    await launcher.launch(sealing, {}, { id: "e" });
    await clock.advance("8d");
    expect(await launcher.prune({ completed: "7d" })).toMatchObject({ completed: 0 });
    await clock.advance("22d");
    expect(await launcher.prune({ completed: "7d" })).toMatchObject({ completed: 1 });
  });
});
