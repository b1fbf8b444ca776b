import { expect, test } from "vitest";
import { z } from "zod";
import { fail, pause, workflow, type AnyWorkflow, type LauncherOptions, type MailboxOptions } from "../../src/index.js";
import { deaf, onEveryStore, reading, told, type Rig } from "../support/rig.js";

const input = z.object({});

/** Waits for "go", then gathers what is sent as "part" until "end"; its undo waits for "undo". */
function patient(got: unknown[]) {
  return workflow("patient", { input })
    .step("wait", {
      messages: { go: z.null() },
      rollbackMessages: { undo: z.null() },
      run: () => pause(undefined, { timeout: "20s" }),
      onMessage: () => undefined,
      onTimeout: () => undefined,
      rollback: () => pause(),
      onRollbackMessage: () => undefined,
    })
    .step("gather", {
      messages: { part: z.number(), end: z.null() },
      run: () => pause(),
      onMessage: ({ message }) => {
        if (message.name === "end") return undefined;
        got.push(message.payload);
        return pause();
      },
    });
}

const idle = workflow("idle", { input }).step("nothing", { run: () => undefined });

const parts = Array.from({ length: 60 }, (_, index) => index);

onEveryStore("a large mailbox", (start) => {
  /** A launcher that knows the workflow, whose store counts; the rig's own one only sends. */
  async function counted(workflows: readonly AnyWorkflow[], options: Partial<LauncherOptions> = {}) {
    const rig: Rig = await start([idle]);
    const { store, reads } = reading(deaf(rig.store));
    const launcher = await rig.another(workflows, { store, ...options });
    return { ...rig, sender: rig.launcher, launcher, reads };
  }

  test("gives each step the oldest message that it waits for, whatever lies before it", async () => {
    const got: unknown[] = [];
    const flow = patient(got);
    const { launcher, clock } = await start([flow]);
    const execution = await launcher.launch(flow, {});
    await clock.settle();
    for (const part of parts) await execution.send("part", part);
    await execution.send("end", null);
    await execution.send("part", -1);
    await clock.settle();
    expect((await execution.summary()).status).toBe("waiting");
    await execution.send("go", null);
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    expect(got).toEqual(parts);
    expect((await execution.mailbox()).filter(({ status }) => status === "dead")).toMatchObject([{ payload: -1 }]);
  });

  test("is read in parts: the last that came, what nobody has taken, or one message", async () => {
    const flow = patient([]);
    const { launcher, clock } = await start([flow]);
    const execution = await launcher.launch(flow, {});
    await clock.settle();
    const sent: string[] = [];
    for (const part of parts) sent.push((await execution.send("part", part)).id);
    await execution.send("go", null);
    await clock.settle();
    const payloads = async (options?: MailboxOptions) =>
      (await execution.mailbox(options)).map(({ payload }) => payload as number);
    expect(await payloads()).toEqual([...parts, null]);
    expect(await payloads({ last: 2 })).toEqual([59, null]);
    const late = (await execution.send("part", 60)).id;
    expect(await payloads({ last: 2 })).toEqual([null, 60]);
    expect((await execution.mailbox({ id: late })).map(({ id }) => id)).toEqual([late]);
    expect(await payloads({ id: sent[7]! })).toEqual([7]);
    expect(await payloads({ id: "none" })).toEqual([]);
    for (const options of [
      { last: 0 },
      { last: 1, id: "a" },
      { limit: 3 },
      { status: "dead" },
      { status: "pending", limit: 0.5 },
    ] as object[])
      await expect(payloads(options as MailboxOptions)).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
  });

  test("shows what nobody has taken, the oldest of each name first", async () => {
    const flow = patient([]);
    const { launcher, clock } = await start([flow]);
    const execution = await launcher.launch(flow, {});
    await clock.settle();
    for (const part of parts) await execution.send("part", part);
    const pending = await execution.mailbox({ status: "pending", limit: 3 });
    expect(pending.map(({ payload }) => payload)).toEqual([0, 1, 2]);
    expect(await execution.mailbox({ status: "pending" })).toHaveLength(60);
  });

  test("hides neither a rollback request nor what the undo waits for", async () => {
    const flow = patient([]);
    const { launcher, clock } = await start([flow]);
    const execution = await launcher.launch(flow, {});
    await clock.settle();
    for (const part of parts) await execution.send("part", part);
    expect(await execution.rollback("changed my mind")).toEqual({ accepted: true });
    await clock.settle();
    expect(await execution.flow()).toMatchObject({ direction: "down", stepFunc: "rollbackContinue" });
    await execution.send("undo", null);
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "changed my mind" });
  });

  test("of messages that their schema refuses hides nothing: each is given up, and the next one is taken", async () => {
    const strict = workflow("strict", { input }).step("wait", {
      messages: { m: z.literal("yes") },
      run: () => pause(),
      onMessage: ({ message }) => ({ got: message.payload }),
    });
    const { launcher, sender, clock, errors } = await counted([strict]);
    const execution = await launcher.launch(strict, {});
    await clock.settle();
    // It does not know the workflow, so nothing is checked.
    for (let index = 0; index < 150; index++) await sender.send(execution.id, "m", "no");
    await sender.send(execution.id, "m", "yes");
    await clock.advance("10s");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { got: "yes" } });
    expect(errors).toHaveLength(150);
    expect(await sender.countDeadLetters({ execution: execution.id })).toEqual({ count: 150, more: false });
  });

  test("costs a wake no more than a few rows, and a send with a messageId none", async () => {
    const flow = patient([]);
    const { launcher, sender, clock, reads } = await counted([flow]);
    const execution = await launcher.launch(flow, {});
    await clock.settle();
    for (let index = 0; index < 300; index++) await sender.send(execution.id, "part", index);
    await clock.advance("5s");
    reads.rows["mail"] = 0;
    reads.calls["mail"] = 0;
    for (let index = 0; index < 5; index++) {
      await launcher.send(execution.id, "part", index, { messageId: `m${index}` });
      expect(await launcher.send(execution.id, "part", index, { messageId: `m${index}` })).toMatchObject({
        duplicate: true,
      });
    }
    expect(reads.calls["mail"]).toBe(0);
    // One wake, by polling.
    await clock.advance("1s");
    expect(reads.rows["mail"]).toBeGreaterThan(0);
    expect(reads.rows["mail"]).toBeLessThan(50);
  });

  test("a message that comes twice is a duplicate before its name, its payload or its size are looked at", async () => {
    const flow = patient([]);
    const { launcher, clock } = await start([flow], { sizeLimit: 100 });
    const { id } = await launcher.launch(flow, {});
    const execution = launcher.execution(id);
    await clock.settle();
    await execution.send("part", 1, { messageId: "m" });
    const duplicate = { id: "m", duplicate: true };
    expect(await execution.send("nonsense", 1, { messageId: "m" })).toEqual(duplicate);
    expect(await execution.send("part", "no number", { messageId: "m" })).toEqual(duplicate);
    expect(await execution.send("part", 1e10, { messageId: "m" })).toEqual(duplicate);
    expect(await execution.send("go", Symbol("never stored"), { messageId: "m" })).toEqual(duplicate);
    await expect(execution.send("nonsense", 1, { messageId: "other" })).rejects.toMatchObject({
      code: "STEPWELL_UNKNOWN_MESSAGE",
    });
  });

  test("what is claimed together is read together, and nothing where no mail has come", async () => {
    const flow = patient([]);
    const { launcher, sender, clock, reads } = await counted([flow]);
    const executions = await launcher.launchMany(
      flow,
      Array.from({ length: 20 }, (_, index) => ({ input: {}, id: `e${index}` })),
    );
    await clock.settle();
    const forget = (): void => void Object.assign(reads, { calls: {}, rows: {} });
    forget();
    for (const { id } of executions.slice(0, 10)) await sender.send(id, "go", null);
    await clock.advance("1s");
    const { calls, rows } = { ...reads };
    forget();
    // The others time out.
    await clock.advance("20s");
    expect(reads.calls["mail"]).toBeUndefined();
    expect(reads.calls["load"]).toBeUndefined();
    expect(await told(executions[19]!)).toHaveLength(3);
    expect(await told(executions[9]!)).toEqual(["run wait: continue", "runContinue wait: ok", "run gather: continue"]);
    expect(calls).toMatchObject({ mail: 1 });
    expect(calls["load"]).toBeUndefined();
    expect(rows["mail"]).toBe(10);
  });

  test("of what somebody waits for, only where it stands is read until it is at rest", async () => {
    const flow = workflow("short", { input }).step("fails", { run: () => fail("no") });
    const { launcher, clock, reads } = await counted([flow], { concurrency: 5 });
    const executions = await launcher.launchMany(
      flow,
      Array.from({ length: 400 }, () => ({ input: {} })),
    );
    const outcomes = Promise.all(executions.map(async (execution) => execution.outcome()));
    await clock.advance("5s");
    expect(new Set((await outcomes).map(({ status }) => status))).toEqual(new Set(["rolledBack"]));
    expect(reads.rows["load"]).toBeLessThan(3 * executions.length);
  });

  test("an outcome in another process is heard of, however many are waited for", async () => {
    const flow = patient([]);
    const { launcher, sender, clock } = await counted([flow]);
    const outcomes = await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        await launcher.launch(flow, {}, { id: `e${index}` });
        return { id: `e${index}`, outcome: sender.execution(`e${index}`).outcome() };
      }),
    );
    await clock.settle();
    for (const { id } of outcomes) {
      await launcher.send(id, "go", null);
      await launcher.send(id, "end", null);
    }
    await clock.advance("5s");
    expect(await Promise.all(outcomes.map(async ({ outcome }) => (await outcome).status))).toEqual(
      outcomes.map(() => "completed"),
    );
  });
});
