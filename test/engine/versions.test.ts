/** A list of steps that changes under executions: they go on, or are parked before anything of them runs. */
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, pause, workflow, type AnyWorkflow, type Launcher } from "../../src/index.js";
import { onEveryStore, scribe, told, type Rig } from "../support/rig.js";

const input = z.object({});
const paid = { paid: z.object({}) };

/** A workflow of these steps, each of which writes down what is called; `wait` pauses, `fail` fails. */
function listOf(lines: string[], steps: string, version = "1"): AnyWorkflow {
  let list: AnyWorkflow = workflow("order", { input, version }).observe(scribe(lines));
  for (const step of steps.split(" ")) {
    const [name = "", ...marks] = step.split(":");
    const has = (mark: string): boolean => marks.includes(mark);
    list = (list as ReturnType<typeof workflow<typeof input>>).step(name, {
      run: () => {
        lines.push(`run ${name}`);
        return has("wait") ? pause({}, { timeout: "1h" }) : has("fail") ? fail("no") : undefined;
      },
      ...(has("pivot") && { pivot: true }),
      ...(has("wait") && { messages: paid, onMessage: () => void lines.push(`paid ${name}`) }),
      ...(!has("final") && {
        rollback: () => {
          lines.push(`undo ${name}`);
          if (has("stuck")) throw new Error("no undo today");
        },
        rollbackRetry: { attempts: 1 },
      }),
    });
  }
  return list;
}

/** The first launcher is gone; another one has the changed list, and has looked at what is due. */
async function redeployed({ launcher, another, clock }: Rig, list: AnyWorkflow): Promise<Launcher> {
  const stopped = launcher.stop();
  await clock.advance("1m");
  await stopped;
  const next = await another([list]);
  await clock.advance("1s");
  return next;
}

const changed = { code: "STEPWELL_DEFINITION_CHANGED" };

onEveryStore("a list of steps that was changed under its version", (start) => {
  test("does not matter to who stands before the change", async () => {
    const lines: string[] = [];
    const rig = await start([listOf(lines, "a b:wait c d")]);
    const { id } = await rig.launcher.launch(listOf(lines, "a b:wait c d"), {});
    await rig.clock.settle();
    lines.length = 0;
    const next = await redeployed(rig, listOf(lines, "a b:wait x"));
    await next.send(id, "paid", {});
    expect(await next.execution(id).outcome()).toMatchObject({ status: "completed" });
    expect(lines.filter((line) => /^(run|paid)/.test(line))).toEqual(["paid b", "run x"]);
    const [record] = await rig.store.load([id]);
    const kept = await rig.store.definitions!.of("order");
    expect(kept).toHaveLength(2);
    expect(kept.find(({ fingerprint }) => fingerprint === record!.fingerprint)!.steps).toContain('"x"');
  });

  test("parks who stands behind the change, before any step or observer of it was called", async () => {
    const lines: string[] = [];
    const rig = await start([listOf(lines, "a b:wait")]);
    const { id } = await rig.launcher.launch(listOf(lines, "a b:wait"), {});
    await rig.clock.settle();
    lines.length = 0;
    const next = await redeployed(rig, listOf(lines, "z b:wait"));
    // Nothing is due: it waits.
    expect((await next.execution(id).summary()).status).toBe("waiting");
    await next.send(id, "paid", {});
    expect(await next.execution(id).outcome()).toMatchObject({
      status: "stuck",
      step: "b",
      error: {
        ...changed,
        message: expect.stringMatching(/step 1 was "a" and is "z" now.*new version/) as string,
      },
    });
    expect(lines).toEqual([]);
    expect(rig.errors).toMatchObject([{ code: "STEPWELL_EXECUTION_STUCK" }]);
    // The old list is back: a retry looks again, and finds the wait and its message.
    const again = await redeployed({ ...rig, launcher: next }, listOf(lines, "a b:wait"));
    await again.retry(id);
    expect(await again.execution(id).outcome()).toMatchObject({ status: "completed" });
    expect(lines).toContain("paid b");
    expect(lines).not.toContain("run b");
  });

  test("may be shorter than where an execution stands", async () => {
    const lines: string[] = [];
    const rig = await start([listOf(lines, "a b:wait c")]);
    const { id } = await rig.launcher.launch(listOf(lines, "a b:wait c"), {});
    await rig.clock.settle();
    lines.length = 0;
    const next = await redeployed(rig, listOf(lines, "a"));
    expect(await next.rollback(id, "mistake")).toMatchObject({ accepted: true });
    await rig.clock.advance("1s");
    const message = expect.stringMatching(/step 2 was "b" and is not there any more/) as string;
    expect(await next.execution(id).outcome()).toMatchObject({ status: "stuck", error: { ...changed, message } });
    expect(lines).toEqual([]);
    await next.retry(id);
    expect(await next.execution(id).outcome()).toMatchObject({ status: "stuck", error: changed });
    await next.skip(id, "it is fine");
    expect(await next.execution(id).outcome()).toMatchObject({ status: "stuck", error: changed });
    expect(lines).toEqual([]);
  });

  test("keeps a wait that was parked, with its timeout, for a retry with the old list", async () => {
    const lines: string[] = [];
    const rig = await start([listOf(lines, "a b:wait")]);
    const { id } = await rig.launcher.launch(listOf(lines, "a b:wait"), {});
    await rig.clock.settle();
    const next = await redeployed(rig, listOf(lines, "z b:wait"));
    await rig.clock.advance("1h");
    expect(await next.execution(id).outcome()).toMatchObject({ status: "stuck", error: changed });
    const again = await redeployed({ ...rig, launcher: next }, listOf(lines, "a b:wait"));
    lines.length = 0;
    await again.retry(id);
    expect(await again.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "timeout" });
    expect(lines.filter((line) => line.startsWith("undo"))).toEqual(["undo b", "undo a"]);
  });

  test("parks a wait for a message that nobody declares any more, and keeps the message", async () => {
    const lines: string[] = [];
    const rig = await start([listOf(lines, "a b:wait")]);
    const { id } = await rig.launcher.launch(listOf(lines, "a b:wait"), {});
    await rig.clock.settle();
    lines.length = 0;
    const next = await redeployed(rig, listOf(lines, "a b"));
    await rig.clock.advance("1h");
    const message = expect.stringMatching(/step "b" waits for message "paid", which it does not declare/) as string;
    expect(await next.execution(id).outcome()).toMatchObject({ status: "stuck", error: { ...changed, message } });
    expect(lines).toEqual([]);
  });

  test("parks on the way down who could not undo what it did", async () => {
    const lines: string[] = [];
    const rig = await start([listOf(lines, "a b:stuck c:fail")]);
    const execution = await rig.launcher.launch(listOf(lines, "a b:stuck c:fail"), {});
    expect(await execution.outcome()).toMatchObject({ status: "stuck", step: "b", direction: "down" });
    lines.length = 0;
    const next = await redeployed(rig, listOf(lines, "a:final b"));
    await next.retry(execution.id);
    const message = expect.stringMatching(/step "a" has no rollback any more/) as string;
    const stuck = { status: "stuck", direction: "down", reason: "no", error: { ...changed, message } };
    expect(await next.execution(execution.id).outcome()).toMatchObject(stuck);
    expect(lines).toEqual([]);
    // What was undone already may be gone.
    const again = await redeployed({ ...rig, launcher: next }, listOf(lines, "a b x"));
    await again.retry(execution.id);
    expect(await again.execution(execution.id).outcome()).toMatchObject({ status: "rolledBack", reason: "no" });
    expect(lines.filter((line) => line.startsWith("undo"))).toEqual(["undo b", "undo a"]);
  });

  test("leaves a completed execution as it is, and tells whoever requests its rollback", async () => {
    const lines: string[] = [];
    const rig = await start([listOf(lines, "a b")]);
    const execution = await rig.launcher.launch(listOf(lines, "a b"), {});
    await execution.outcome();
    lines.length = 0;
    const next = await redeployed(rig, listOf(lines, "a z"));
    expect(await next.rollback(execution.id, "returned")).toMatchObject({ accepted: false, why: "parked-again" });
    // Who does not know the workflow hears the same.
    const stranger = await rig.another([
      workflow("other", { input: z.object({}) }).step("1", { run: () => undefined }),
    ]);
    const told = stranger.rollback(execution.id, "returned");
    await rig.clock.advance("1s");
    expect(await told).toMatchObject({ accepted: false, why: "parked-again" });
    expect(await next.execution(execution.id).outcome()).toMatchObject({ status: "completed" });
    expect(rig.errors).toMatchObject([changed, changed]);
    expect(lines).toEqual([]);
    const again = await redeployed({ ...rig, launcher: next }, listOf(lines, "a b c"));
    expect(await again.rollback(execution.id, "returned")).toEqual({ accepted: true });
    expect(await again.execution(execution.id).outcome()).toMatchObject({ status: "rolledBack", reason: "returned" });
    expect(lines.filter((line) => line.startsWith("undo"))).toEqual(["undo b", "undo a"]);
  });

  test("of a rolling deployment: whoever takes an execution up sees with which list it went on last", async () => {
    const lines: string[] = [];
    const old = listOf(lines, "a b:wait c");
    const rig = await start([old]);
    const { id } = await rig.launcher.launch(old, {});
    await rig.clock.settle();
    const stopped = rig.launcher.stop();
    await rig.clock.advance("1m");
    await stopped;
    const newer = await rig.another([listOf(lines, "a b:wait x:wait")]);
    await newer.send(id, "paid", {});
    await rig.clock.settle();
    expect(await newer.execution(id).flow()).toMatchObject({ step: "x" });
    const older = await redeployed({ ...rig, launcher: newer }, old);
    await older.send(id, "paid", {});
    const message = expect.stringMatching(/step 3 was "x" and is "c" now/) as string;
    expect(await older.execution(id).outcome()).toMatchObject({ status: "stuck", error: { ...changed, message } });
    expect(await told(older.execution(id))).toContain("runContinue x: STEPWELL_DEFINITION_CHANGED");
  });

  test("is compared by the name of the step alone where nothing else was kept", async () => {
    const lines: string[] = [];
    const rig = await start([listOf(lines, "a b:wait")]);
    const { id } = await rig.launcher.launch(listOf(lines, "a b:wait"), {});
    await rig.clock.settle();
    await rig.launcher.stop();
    // As of an execution from before lists of steps were kept.
    rig.store.definitions!.of = () => [];
    const next = await rig.another([listOf(lines, "z b:wait")]);
    await next.send(id, "paid", {});
    expect(await next.execution(id).outcome()).toMatchObject({ status: "completed" });
  });
});

onEveryStore("compatibility", (start) => {
  test("says of what stands alike whether it would go on, and back, with the lists that are registered", async () => {
    const lines: string[] = [];
    const list = listOf(lines, "a b:wait c");
    const rig = await start([list, listOf(lines, "a b:wait", "2")]);
    for (const id of ["one", "two"]) await rig.launcher.launch(list, {}, { id });
    await rig.launcher.launch(listOf(lines, "a b:wait", "2"), {}, { id: "three" });
    const ended = await rig.launcher.launch(list, {}, { id: "ended" });
    await ended.send("paid", {});
    await ended.outcome();
    await rig.clock.settle();
    const asked = async (...lists: AnyWorkflow[]): Promise<unknown> =>
      (await rig.another(lists, { onError: () => undefined })).compatibility();
    const standing = { workflow: "order", status: "waiting", direction: "up", step: "b" };
    const ones = { ...standing, version: "1", count: 2, examples: ["two", "one"] };
    const twos = { ...standing, version: "2", count: 1, examples: ["three"] };
    expect(await rig.launcher.compatibility()).toEqual([
      { ...ones, forward: "goes-on", back: "goes-on" },
      { ...twos, forward: "goes-on", back: "goes-on" },
    ]);
    expect(await asked(listOf(lines, "a b:wait d"))).toEqual([
      { ...ones, forward: "goes-on", back: "goes-on" },
      { ...twos, forward: "unknown", back: "unknown" },
    ]);
    // It could go on with another step in the place of `b`, were it not for its wait; back it could not go.
    expect(await asked(listOf(lines, "a b c"))).toMatchObject([
      {
        ...ones,
        forward: "parks",
        back: "goes-on",
        why: expect.stringContaining('waits for message "paid"') as string,
      },
      twos,
    ]);
    expect(await asked(listOf(lines, "a:final b:wait c"))).toMatchObject([
      { ...ones, forward: "parks", back: "parks", why: expect.stringContaining('"a" has no rollback') as string },
      twos,
    ]);
    expect((await rig.launcher.execution("one").summary()).status).toBe("waiting");
  });

  test("asks for no way back past a pivot", async () => {
    const lines: string[] = [];
    const list = listOf(lines, "a b:pivot c:wait");
    const rig = await start([list]);
    await rig.launcher.launch(list, {}, { id: "one" });
    await rig.clock.settle();
    const next = await rig.another([listOf(lines, "a:final b:pivot c:wait")]);
    expect(await next.compatibility()).toMatchObject([{ step: "c", forward: "goes-on", back: "goes-on" }]);
  });
});
