import { expect, test } from "vitest";
import { z } from "zod";
import { pause, workflow } from "../../src/index.js";
import { onEveryStore, patient } from "../support/rig.js";

const none = z.object({});

/** Waits for `done`. */
const childOf = (version: string, lines: string[] = [], name = "child") =>
  workflow(name, { input: z.object({ n: z.number() }), version }).step("work", {
    messages: { done: z.null() },
    run: ({ state, execution }) => {
      lines.push(`${state.n} by version ${execution.version}`);
      return pause();
    },
    onMessage: () => undefined,
    rollback: ({ state }) => void lines.push(`undo ${state.n}`),
  });
type Child = ReturnType<typeof childOf>;

const parentOf = (child: Child, version = "1") =>
  workflow("parent", { input: none, version }).forEach("work", child, {
    items: () => [{ n: 0 }, { n: 1 }],
    concurrency: 1,
  });

onEveryStore("children whose workflows change", (start) => {
  test("keep the version that their list names, whichever one their parent would begin now", async () => {
    const lines: string[] = [];
    const first = childOf("1", lines);
    const rig = await start([parentOf(first)], patient);
    const execution = await rig.launcher.launch(parentOf(first), {}, { id: "p" });
    await rig.clock.settle();
    await rig.launcher.stop();
    const next = await rig.another([parentOf(childOf("2", lines)), first], patient);
    for (const n of [0, 1]) {
      await next.send(`p/work/${n}`, "done", null);
      await rig.clock.settle();
    }
    expect(await next.execution(execution.id).outcome()).toMatchObject({ status: "completed" });
    expect(lines).toEqual(["0 by version 1", "1 by version 1"]);
  });

  test("are named by compatibility() where no version of theirs is registered, begun or not", async () => {
    const rig = await start([parentOf(childOf("1"))], patient);
    await rig.launcher.launch(parentOf(childOf("1")), {}, { id: "p" });
    await rig.clock.settle();
    expect(await rig.launcher.compatibility()).toMatchObject([
      { workflow: "child", forward: "goes-on" },
      { workflow: "parent", forward: "goes-on" },
    ]);
    await rig.launcher.stop();
    const next = await rig.another([parentOf(childOf("2"))], { ...patient, onError: () => undefined });
    expect(await next.compatibility()).toMatchObject([
      { workflow: "child", version: "1", count: 1, forward: "unknown", back: "unknown" },
      {
        workflow: "parent",
        ...{ count: 1, forward: "unknown", back: "goes-on" },
        why: 'children of step "work" that have not begun are of workflow "child" version "1", which is not registered',
      },
    ]);
  });

  test("are in the way of another kind of step, and of another workflow, in their place", async () => {
    const child = childOf("1");
    const rig = await start([parentOf(child)], patient);
    const execution = await rig.launcher.launch(parentOf(child), {}, { id: "p" });
    await rig.clock.settle();
    await rig.launcher.stop();
    const other = await rig.another([parentOf(childOf("1", [], "other")), child], patient);
    expect(await other.compatibility()).toMatchObject([
      { workflow: "child" },
      { workflow: "parent", forward: "parks", back: "parks", why: expect.stringContaining('"other" is in its place') },
    ]);
    await other.send("p/work/0", "done", null);
    await rig.clock.settle();
    await other.send("p/work/1", "done", null);
    expect(await other.execution(execution.id).outcome()).toMatchObject({
      status: "stuck",
      error: { code: "STEPWELL_DEFINITION_CHANGED" },
    });
    await other.stop();
    const again = await rig.another([parentOf(child)], patient);
    await again.execution(execution.id).retry();
    expect(await again.execution(execution.id).outcome()).toMatchObject({ status: "completed" });
  });

  test("keep a migration from dropping their step while they may be live", async () => {
    const child = childOf("1");
    const ended = (version: string) =>
      parentOf(child, version).step("end", {
        messages: { done: z.null() },
        run: () => pause(),
        onMessage: () => undefined,
      });
    const rig = await start([ended("1")], patient);
    for (const id of ["early", "late"]) await rig.launcher.launch(ended("1"), {}, { id });
    await rig.clock.settle();
    for (const n of [0, 1]) {
      await rig.launcher.send(`late/work/${n}`, "done", null);
      await rig.clock.settle();
    }
    await rig.launcher.stop();
    const newer = workflow("parent", { input: none, version: "2" })
      .step("end", { messages: { done: z.null() }, run: () => pause(), onMessage: () => undefined })
      .migrate(ended("1"), {
        steps: { work: null },
        move: ({ step }) => (step === "work" ? { step: "end" } : undefined),
      });
    const next = await rig.another([newer, child], patient);
    await next.send("late", "done", null);
    expect(await next.execution("late").outcome()).toMatchObject({ status: "completed" });
    // Nothing of the parent's undoes them any more: they are let go.
    expect(await next.execution("late/work/0").summary()).not.toHaveProperty("parent");
    expect(await next.execution("late").rollback("wrong")).toMatchObject({ accepted: true });
    expect(await next.execution("late").outcome()).toMatchObject({ status: "rolledBack" });
    expect(await next.execution("late/work/0").summary()).toMatchObject({ status: "completed" });
    expect(await next.execution("late/work/1").rollback("wrong")).toMatchObject({ accepted: true });
    expect(await next.execution("late/work/1").outcome()).toMatchObject({ status: "rolledBack" });
    for (const n of [0, 1]) {
      await next.send(`early/work/${n}`, "done", null);
      await rig.clock.settle();
    }
    expect(await next.execution("early").outcome()).toMatchObject({
      status: "stuck",
      error: { code: "STEPWELL_MIGRATION_FAILED", message: expect.stringContaining("waits for its children") },
    });
  });
});
