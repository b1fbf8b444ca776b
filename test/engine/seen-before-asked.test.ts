/** Acts that carry the revision that somebody has seen, and what is told of an execution and of what is around it. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Client, fail, pause, workflow } from "../../src/index.js";
import { errorOf, onEveryStore, told } from "../support/rig.js";

const anything = z.object({});

/** Its undo fails until somebody says how it goes. */
const refunding = workflow("refunding", { input: anything })
  .step("charge", {
    run: () => ({}),
    rollback: ({ state }) => ("mended" in state ? {} : fail("no-account")),
  })
  .step("bill", { run: () => ({}), irreversible: "The letter has left." })
  .step("gift", { when: () => false, run: () => ({}), rollback: () => ({}) })
  .step("ship", { run: () => fail("sold-out") });

const asking = workflow("asking", { input: anything }).step("approve", {
  messages: { yes: z.object({}) },
  run: () => pause({}, { timeout: "1h" }),
  onMessage: () => ({}),
  rollback: () => ({}),
});

const changed = { code: "STEPWELL_EXECUTION_CHANGED" };

onEveryStore("an act for an execution as it was seen", (start) => {
  test("is refused once the execution has gone on, and changes nothing", async () => {
    const { launcher, clock } = await start([refunding]);
    const execution = await launcher.launch(refunding, {}, { id: "e" });
    await clock.advance(0);
    const seen = (await execution.summary()).revision;
    await execution.retry({ ifRevision: seen, reason: "the first one" });
    await clock.advance(0);
    expect((await execution.summary()).status).toBe("stuck");
    const before = await told(execution);
    expect(await errorOf(execution.retry({ ifRevision: seen }))).toMatchObject(changed);
    expect(await errorOf(execution.skip("done by hand", { ifRevision: seen }))).toMatchObject(changed);
    expect(await errorOf(execution.patchState({ mended: true }, "mended", { ifRevision: seen }))).toMatchObject(
      changed,
    );
    expect(await execution.rollback("again", { ifRevision: seen })).toMatchObject({ why: "moved-on", error: changed });
    await clock.advance(0);
    expect(await told(execution)).toEqual(before);
  });

  test("is followed while the execution stands where it was seen", async () => {
    const { launcher, clock } = await start([refunding]);
    const execution = await launcher.launch(refunding, {}, { id: "e" });
    await clock.advance(0);
    const { revision } = await execution.summary();
    const patched = execution.retry({ ifRevision: revision, patch: { mended: true }, by: "ada" });
    await clock.advance(0);
    await patched;
    expect((await execution.summary()).status).toBe("rolledBack");
    expect((await execution.history()).find(({ result }) => result === "retried")).toMatchObject({ by: "ada" });
  });

  test("a message is refused too, save one that was sent before; a message in between is no change", async () => {
    const { launcher, clock } = await start([asking]);
    const execution = await launcher.launch(asking, {}, { id: "e" });
    await clock.advance(0);
    const { revision } = await execution.summary();
    await launcher.send("e", "yes", {}, { messageId: "m", ifRevision: revision });
    await clock.advance(0);
    expect((await execution.summary()).status).toBe("completed");
    expect(await launcher.send("e", "yes", {}, { messageId: "m", ifRevision: revision })).toEqual({
      id: "m",
      duplicate: true,
    });
    expect(await errorOf(launcher.send("e", "yes", {}, { messageId: "n", ifRevision: revision }))).toMatchObject(
      changed,
    );
    expect(await execution.rollback("wrong", { ifRevision: revision })).toMatchObject({
      accepted: false,
      why: "moved-on",
    });
    const now = (await execution.summary()).revision;
    expect(await execution.rollback("wrong", { ifRevision: now })).toEqual({ accepted: true });
  });

  test("a revision that is none is an argument that is not usable", async () => {
    const { launcher } = await start([asking]);
    await launcher.launch(asking, {}, { id: "e" });
    for (const revision of [-1, 0.5, "1" as never, Number.NaN]) {
      const refused = { code: "STEPWELL_INVALID_ARGUMENT" };
      expect(await errorOf(launcher.retry("e", { ifRevision: revision }))).toMatchObject(refused);
      expect(await errorOf(launcher.send("e", "yes", {}, { ifRevision: revision }))).toMatchObject(refused);
      expect(await errorOf(launcher.rollback("e", "wrong", { ifRevision: revision }))).toMatchObject(refused);
    }
  });
});

onEveryStore("what is told of an execution", (start) => {
  test("its details name its steps, what stays, and what was passed over, also to who does not know the workflow", async () => {
    const { launcher, clock, store } = await start([refunding]);
    await launcher.launch(refunding, {}, { id: "e" });
    await clock.advance(0);
    const client = new Client({ store });
    const details = await client.execution("e").details();
    expect(details).toMatchObject({
      status: "stuck",
      attempts: 1,
      irreversible: [{ step: "bill", reason: "The letter has left." }],
      passedOver: [2],
    });
    expect(details.steps?.map(({ name, rollback = false, when = false }) => [name, rollback, when])).toEqual([
      ["charge", true, false],
      ["bill", false, false],
      ["gift", true, true],
      ["ship", false, false],
    ]);
    expect(details.revision).toBe((await client.execution("e").history()).length);
    await client.stop();
  });

  test("a list says until when each execution waits", async () => {
    const { launcher, clock } = await start([asking]);
    await launcher.launch(asking, {}, { id: "e" });
    await launcher.launch(asking, {}, { id: "later", delay: "2h" });
    await clock.advance(0);
    const [later, e] = (await launcher.list()).executions;
    expect(e?.waitUntil).toEqual(new Date(clock.now() + 3_600_000));
    expect(later?.resumeAt).toEqual(new Date(clock.now() + 7_200_000));
    expect(e).not.toHaveProperty("resumeAt");
  });
});

onEveryStore("what is told of what is around executions", (start) => {
  test("launchers, workflows with their steps, and how full limits are", async () => {
    const limited = workflow("limited", { input: anything, concurrency: 1 }).step("hold", {
      messages: { go: z.object({}) },
      run: () => pause({}, { timeout: "1h" }),
      onMessage: () => ({}),
    });
    const { launcher, clock, store } = await start([limited, asking]);
    await launcher.launchMany(limited, [
      { id: "a", input: {} },
      { id: "b", input: {} },
    ]);
    await clock.advance(0);
    const client = new Client({ store });
    const { fleet } = client;
    expect((await fleet.now()).getTime()).toBe(clock.now());
    expect(await fleet.launchers()).toMatchObject([{ number: 1, pid: process.pid, silentMs: expect.any(Number) }]);
    expect(await fleet.workflows()).toMatchObject([
      { name: "asking", version: "1", lists: [[{ name: "approve", messages: ["yes"] }]] },
      { name: "limited", version: "1", lists: [[{ name: "hold" }]] },
    ]);
    // This client does not know the workflow, so it knows of the queue only.
    const queue = { workflow: "limited", held: 1, waiting: true };
    expect(await fleet.limits()).toEqual([{ ...queue, concurrency: null, perKey: null, rate: null }]);
    expect(await launcher.fleet.limits()).toEqual([{ ...queue, concurrency: 1, perKey: null, rate: null }]);
    await client.stop();
  });

  test("work that no launcher takes is unattended after a minute", async () => {
    const { launcher, clock, store } = await start([asking]);
    await launcher.launch(asking, {}, { id: "e" });
    await clock.advance(0);
    await launcher.stop();
    if (!store.isOpen) await store.open();
    const client = new Client({ store });
    await client.send("e", "yes", {});
    expect(await client.fleet.unattended()).toEqual([]);
    await clock.advance(61_000);
    expect(await client.fleet.unattended()).toEqual([{ what: "executions", workflow: "asking", version: "1" }]);
    await client.stop();
  });
});
