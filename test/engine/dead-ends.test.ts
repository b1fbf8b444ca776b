/** Dead ends: what an operator is told to do where an act is refused, and that there is a way on. */
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { Client, fail, observer, pause, workflow, type Launcher } from "../../src/index.js";
import { errorOf, onEveryStore, patient, told } from "../support/rig.js";

const undo = (): void => undefined;

const older = workflow("order", { input: z.object({ sku: z.string() }), version: "1" }).step("ask", {
  messages: { go: z.null() },
  run: () => pause(),
  onMessage: undo,
  rollback: undo,
});

/** @param isMended else no execution can be moved */
const newer = (isMended: boolean) =>
  workflow("order", { input: z.object({ item: z.string() }), version: "2" })
    .step("ask", { messages: { go: z.null() }, run: () => pause(), onMessage: undo, rollback: undo })
    .step("ship", { run: ({ state }) => (state.item === "B-2" ? undefined : fail("unknown-item")), rollback: undo })
    .migrate(older, {
      move: ({ state }) => {
        if (!isMended) throw new Error("not written yet");
        return { state: { item: state.sku } };
      },
    });

onEveryStore("a rollback that was promised to who asked", (start) => {
  test.each(["an operator retries", "somebody asks again"])(
    "is kept where no launcher can follow it, and followed once one can: %s",
    async (then) => {
      const rig = await start([older]);
      const { id } = await rig.launcher.launch(older, { sku: "A-1" });
      await rig.clock.settle();
      await rig.launcher.stop();
      if (!rig.store.isOpen) await rig.store.open();
      const client = new Client({ store: rig.store, workflows: [older] });
      onTestFinished(() => client.stop());
      expect(await client.rollback(id, "customer", { by: "eve" })).toEqual({ accepted: true });
      let stuck = 0;
      const broken = await rig.another([newer(false).observe(observer({ name: "o", stuck: () => void stuck++ }))]);
      await rig.clock.advance("1m");
      const execution = broken.execution(id);
      expect(await execution.summary()).toMatchObject({
        status: "stuck",
        error: { code: "STEPWELL_MIGRATION_FAILED" },
      });
      expect(await execution.history()).toHaveLength(2);
      expect(stuck).toBeLessThanOrEqual(1);
      expect(await client.execution(id).rewind({ to: "ask", reason: "x", by: "ada" })).toMatchObject({
        accepted: false,
        why: "already-rolling-back",
      });
      const again = broken.rollback(id, "again");
      await rig.clock.advance("1s");
      expect(await again).toMatchObject({ accepted: false, why: "parked-again" });
      await broken.stop();
      const mended = await rig.another([newer(true)]);
      if (then === "an operator retries") await mended.execution(id).retry();
      else expect((await mended.rollback(id, "twice")).accepted).toBe(false);
      await rig.clock.advance("1m");
      expect(await mended.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "customer" });
    },
  );

  test("is kept where the newer list has its pivot at another place than the one where it was passed over", async () => {
    const noted = (name: string) => ({ run: undo, rollback: () => void lines.push(name) });
    const lines: string[] = [];
    let isMended = false;
    const before = workflow("order", { input: z.object({}) })
      .step("pay", { ...noted("pay"), pivot: true, when: () => false })
      .step("ask", { ...noted("ask"), messages: { go: z.null() }, run: () => pause(), onMessage: undo });
    const after = workflow("order", { input: z.object({}), version: "2" })
      .step("check", noted("check"))
      .step("pay", { ...noted("pay"), pivot: true, when: () => false })
      .step("ask", { ...noted("ask"), messages: { go: z.null() }, run: () => pause(), onMessage: undo })
      .migrate(before, {
        move: () => {
          if (!isMended) throw new Error("not written yet");
        },
      });
    const rig = await start([before]);
    const { id } = await rig.launcher.launch(before, {});
    await rig.clock.settle();
    await rig.launcher.stop();
    if (!rig.store.isOpen) await rig.store.open();
    const client = new Client({ store: rig.store, workflows: [before] });
    onTestFinished(() => client.stop());
    expect(await client.rollback(id, "customer")).toEqual({ accepted: true });
    const next = await rig.another([after]);
    await rig.clock.advance("1m");
    expect(await next.execution(id).summary()).toMatchObject({ status: "stuck" });
    isMended = true;
    await next.retry(id);
    await rig.clock.advance("1m");
    expect(await next.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "customer" });
    expect(lines).toEqual(["ask", "check"]);
  });
});

onEveryStore("patchState of an execution that could not be migrated", (start) => {
  /** Stuck with version 1, where only launchers with version 2 run. */
  async function parked() {
    const rig = await start([older]);
    const { id } = await rig.launcher.launch(older, { sku: "A-1" });
    await rig.clock.settle();
    await rig.launcher.stop();
    if (!rig.store.isOpen) await rig.store.open();
    const deploy = (isMended: boolean): Promise<Launcher> => rig.another([newer(isMended)]);
    const broken = await deploy(false);
    await broken.send(id, "go", null);
    await rig.clock.advance("1s");
    expect(await broken.execution(id).summary()).toMatchObject({
      status: "stuck",
      version: "1",
      error: { code: "STEPWELL_MIGRATION_FAILED" },
    });
    return { ...rig, id, broken, deploy };
  }

  test("migrates it first, then patches it in its new version, and it stays stuck until it is tried again", async () => {
    const { id, broken, deploy, clock } = await parked();
    await broken.stop();
    const mended = await deploy(true);
    await mended.patchState(id, { item: "B-2" }, "the customer mistyped it", { by: "ada" });
    const execution = mended.execution(id);
    expect(await execution.summary()).toMatchObject({ status: "stuck", version: "2" });
    expect(await execution.state()).toEqual({ item: "B-2" });
    expect((await told(execution)).slice(-2)).toEqual(["runContinue ask: migrated", "runContinue ask: patched"]);
    await execution.retry();
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("completed");
  });

  test("where it can't be migrated now either, says so, why, and what to do", async () => {
    const { id, broken } = await parked();
    const refused = (await errorOf(broken.patchState(id, { item: "B-2" }, "mistyped"))) as Error;
    expect(refused).toMatchObject({ code: "STEPWELL_MIGRATION_FAILED", execution: id });
    expect(refused.message).toContain("not written yet");
    expect(refused.message).toContain("Deploy");
    expect((await broken.execution(id).summary()).status).toBe("stuck");
  });
});

onEveryStore("a refused rollback", (start) => {
  test("says what to do instead, whatever refuses it", async () => {
    const child = workflow("child", { input: z.object({}) }).step("1", { run: undo, rollback: undo });
    const parent = workflow("parent", { input: z.object({}) }).child("one", child, { input: () => ({}) });
    const sealing = workflow("sealing", { input: z.object({}), undoFor: 0 }).step("1", { run: undo, rollback: undo });
    const past = workflow("past", { input: z.object({}) }).step("1", { run: undo, pivot: true });
    const waits = workflow("waits", { input: z.object({}) }).step("1", {
      run: undo,
      rollback: () => pause(),
      rollbackMessages: { go: z.null() },
      onRollbackMessage: undo,
    });
    const { launcher, clock, store } = await start([parent, sealing, past, waits, child], patient);
    await launcher.launch(parent, {}, { id: "p" });
    await launcher.launch(sealing, {}, { id: "sealed" });
    await launcher.launch(past, {}, { id: "past" });
    await launcher.launch(waits, {}, { id: "going" });
    for (const id of ["back", "kept"]) await launcher.launch(child, {}, { id });
    await clock.advance("1s");
    await launcher.rollback("back", "returned");
    await launcher.rollback("going", "returned");
    await clock.advance("1s");
    const client = new Client({ store });
    const said = async (id: string, options = {}): Promise<[string, string]> => {
      const answer = await client.rollback(id, "again", options);
      return answer.accepted ? ["accepted", ""] : [answer.why, answer.error.message];
    };
    expect([
      await said("p/one/0"),
      await said("sealed"),
      await said("past"),
      await said("going"),
      await said("back"),
      await said("kept", { ifCompleted: "refuse" }),
      await said("kept", { ifRevision: 0 }),
    ]).toEqual([
      ["belongs-to-parent", expect.stringContaining('Roll that back, or "p", at the top.')],
      ["sealed", expect.stringContaining("Make good what it did in a workflow of its own.")],
      ["past-pivot", expect.stringContaining("Make good what it did in a workflow of its own.")],
      ["already-rolling-back", expect.stringContaining("where it gets stuck, retry its step, or skip it.")],
      ["already-rolled-back", expect.stringContaining("its certificate says.")],
      ["completed", expect.stringContaining("To undo it all the same, ask without that.")],
      ["moved-on", expect.stringContaining("look at it again, and ask again where you still mean it.")],
    ]);
    await client.stop();
  });
});
