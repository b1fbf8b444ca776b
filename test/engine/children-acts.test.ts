import { expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/clock.js";
import { Client, fail, pause, workflow } from "../../src/index.js";
import type { Advance } from "../../src/stores/lists.js";
import { through } from "../../src/testing/faults/through.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import { onEveryStore, patient, told } from "../support/rig.js";

const none = z.object({});

/** Waits for `done`, and says what becomes of it. */
function waiting(name: string, lines: string[] = []) {
  return workflow(name, { input: z.object({ n: z.number() }) }).step("work", {
    messages: { done: z.object({ ok: z.boolean() }) },
    run: ({ state }) => {
      lines.push(`do ${state.n}`);
      return pause();
    },
    onMessage: ({ message }) => (message.payload.ok ? undefined : fail("refused")),
    rollback: ({ state }) => void lines.push(`undo ${state.n}`),
  });
}

const three = { items: () => [{ n: 0 }, { n: 1 }, { n: 2 }] };

/** Three letters behind a pivot, each of which waits for `go` and is then posted for good. */
function posting(lines: string[], pays: boolean) {
  const letter = workflow("letter", { input: z.object({ n: z.number() }) })
    .step("write", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined })
    .step("post", { pivot: true, run: ({ state }) => void lines.push(`post ${state.n}`) });
  const parent = workflow("parent", { input: none })
    .step("pay", { pivot: true, when: () => pays, run: () => undefined })
    .step("pack", { run: () => undefined, rollback: () => void lines.push("unpack") })
    .forEach("letters", letter, three);
  const letGo = async (clock: VirtualClock, client: Client, round = ""): Promise<void> => {
    await clock.settle();
    for (const n of [0, 1, 2]) {
      await client.send(`p/letters${round}/${n}`, "go", null);
      await clock.settle();
    }
  };
  return { parent, letGo };
}

onEveryStore("who looks at children, or acts on them", (start) => {
  test("sees them under their step, counted, and each by its key", async () => {
    const parent = workflow("parent", { input: none }).forEach("work", waiting("child"), { ...three, concurrency: 2 });
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    const counts = { step: "work", round: 0, number: 1, count: 3, isClosed: false };
    const group = { ...counts, notBegun: 1, underWay: 2, stuck: 0, completed: 0, rolledBack: 0 };
    expect(await execution.children()).toEqual([group]);
    expect((await execution.details()).children).toEqual([group]);
    expect((await execution.childrenOf("work")).map(({ key, id, status }) => [key, id, status])).toEqual([
      ["0", "p/work/0", "underWay"],
      ["1", "p/work/1", "underWay"],
      ["2", "p/work/2", "notBegun"],
    ]);
    expect((await execution.childrenOf("work", { from: 1, limit: 1 })).map(({ key }) => key)).toEqual(["1"]);
    expect(await launcher.execution("p/work/0").summary()).toMatchObject({ parent: "p", root: "p" });
    await expect(execution.childrenOf("work", { limit: 0 })).rejects.toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
    });
  });

  test("is told the root of a child, where it asks for all below that one", async () => {
    const middle = workflow("middle", { input: z.object({ n: z.number() }) }).forEach("work", waiting("child"), three);
    const parent = workflow("parent", { input: none }).forEach("parts", middle, three);
    const { launcher, clock } = await start([parent], patient);
    await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    const below = { root: "p/parts/1" };
    const chosen = launcher.select(below);
    for (const asked of [
      launcher.list(below),
      chosen.count(),
      chosen.retry(),
      chosen.rollback("no", { dryRun: true }),
    ]) {
      await expect(asked).rejects.toMatchObject({
        code: "STEPWELL_INVALID_ARGUMENT",
        message: expect.stringContaining('"p/parts/1" is a child in the tree of "p". Give "p"') as string,
      });
    }
    expect((await launcher.list({ root: "p" })).executions).toHaveLength(12);
    expect((await launcher.list({ root: "nobody" })).executions).toEqual([]);
    expect((await launcher.execution("p/parts/1").childrenOf("work")).map(({ id }) => id)).toEqual([
      "p/parts/1/work/0",
      "p/parts/1/work/1",
      "p/parts/1/work/2",
    ]);
  });

  test("lists what was launched by itself, unless it asks for children, or for all below one", async () => {
    const parent = workflow("parent", { input: none }).forEach("work", waiting("child"), three);
    const { launcher, clock } = await start([parent], patient);
    await launcher.launch(parent, {}, { id: "p" });
    await launcher.launch(parent, {}, { id: "q" });
    await clock.settle();
    const ids = async (options: object) => (await launcher.list(options)).executions.map(({ id }) => id).toSorted();
    expect(await ids({})).toEqual(["p", "q"]);
    expect(await ids({ children: true })).toHaveLength(8);
    expect(await ids({ root: "q" })).toEqual(["q/work/0", "q/work/1", "q/work/2"]);
    expect(await ids({ root: "q", status: "completed" })).toEqual([]);
    expect(await launcher.select({ root: "q" }).count()).toEqual({ count: 3, more: false });
  });

  test("keeps of an irreversible step a child that completes just before it would be asked, and waits for the others", async () => {
    const lines: string[] = [];
    const parent = workflow("parent", { input: none }).forEach("work", waiting("child", lines), {
      ...three,
      irreversible: "What is done stays done.",
    });
    const { store, clock, another } = await start([
      workflow("other", { input: none }).step("a", { run: () => undefined }),
    ]);
    const client = new Client({ store, workflows: [parent] });
    let isAsked = false;
    const completes = async (): Promise<void> => {
      isAsked = true;
      await client.execution("p/work/1").send("done", { ok: true });
      while ((await store.load(["p/work/1"]))[0]!.status !== "completed")
        await new Promise<void>((resolve) => systemClock.soon(resolve));
    };
    const late = through(store, (call, name) => {
      if (name !== "lists.advance") return call;
      return async (...given) => {
        if (!isAsked && (given[0] as readonly Advance[]).some(({ asks }) => asks.length > 0)) await completes();
        return call(...given);
      };
    });
    const launcher = await another([parent], { store: late });
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.advance("1s");
    const asked = execution.rollback("cancelled");
    await clock.advance("1m");
    expect(await asked).toEqual({ accepted: true });
    expect(await execution.summary()).toMatchObject({ status: "rolledBack" });
    const { executions } = await launcher.list({ root: "p" });
    expect(Object.fromEntries(executions.map(({ id, status }) => [id, status]))).toEqual({
      "p/work/0": "rolledBack",
      "p/work/1": "completed",
      "p/work/2": "rolledBack",
    });
    expect(lines.filter((line) => line.startsWith("undo")).toSorted()).toEqual(["undo 0", "undo 2"]);
    await client.stop();
  });

  test("has its children, and theirs, wait for their limits with the priority that it was launched with", async () => {
    const order: string[] = [];
    const limited = workflow("limited", { input: z.object({ of: z.string() }), concurrency: { limit: 1 } }).step(
      "work",
      {
        messages: { done: none },
        run: ({ state }) => {
          order.push(state.of);
          return pause();
        },
        onMessage: () => undefined,
      },
    );
    const between = workflow("between", { input: z.object({ of: z.string() }) })
      .step("before", { run: () => undefined })
      .child("limited", limited, { input: ({ state }) => ({ of: state.of }) });
    const parent = workflow("parent", { input: z.object({ of: z.string() }) })
      .step("before", { run: () => undefined })
      .child("between", between, { input: ({ state }) => ({ of: state.of }) });
    const { launcher, clock } = await start([parent], patient);
    for (const [index, of] of ["first", "plain", "urgent"].entries()) {
      await launcher.launch(parent, { of }, { id: of, ...(of === "urgent" && { priority: 1 }) });
      await clock.advance(index === 0 ? 0 : 5_000);
    }
    expect(order).toEqual(["first"]);
    for (const of of ["first", "urgent", "plain"]) {
      await launcher.execution(`${of}/between/0/limited/0`).send("done", {});
      await clock.settle();
    }
    expect(order).toEqual(["first", "urgent", "plain"]);
  });

  test("follows the tree of one execution, and hears in `onError` of which tree a stuck child is", async () => {
    const parent = workflow("parent", { input: none }).forEach("work", waiting("child"), three);
    const { launcher, clock, errors } = await start([parent], patient);
    await launcher.launch(parent, {}, { id: "p" });
    await launcher.launch(parent, {}, { id: "q" });
    await clock.settle();
    const seen = new Set<string>();
    for await (const { id } of launcher.follow({ root: "p" })) if (seen.add(id).size === 4) break;
    expect([...seen].toSorted()).toEqual(["p", "p/work/0", "p/work/1", "p/work/2"]);
    const stuck = workflow("stuck", { input: none })
      .step("pay", { pivot: true, run: () => undefined })
      .step("fails", { run: () => fail("no") });
    const above = workflow("above", { input: none }).child("one", stuck, { input: () => ({}), pivot: true });
    const other = await start([above], patient);
    await other.launcher.launch(above, {}, { id: "a" });
    await other.clock.settle();
    expect(other.errors.map(({ message }) => message).join()).toContain('It is part of execution "a"');
    expect(errors).toEqual([]);
  });

  test("can't send to one that has not begun, and is told so; a rollback of it is refused", async () => {
    const parent = workflow("parent", { input: none }).forEach("work", waiting("child"), { ...three, concurrency: 1 });
    const { launcher, clock } = await start([parent], patient);
    await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    await expect(launcher.send("p/work/2", "done", { ok: true })).rejects.toMatchObject({
      code: "STEPWELL_CHILD_NOT_BEGUN",
    });
    expect(await launcher.rollback("p/work/2", "wrong")).toMatchObject({ accepted: false, why: "not-begun" });
    await expect(launcher.send("p/other/2", "done", {})).rejects.toMatchObject({
      code: "STEPWELL_EXECUTION_NOT_FOUND",
    });
  });

  test("can't launch what is a child already", async () => {
    const child = waiting("child");
    const parent = workflow("parent", { input: none }).forEach("work", child, three);
    const { launcher, clock } = await start([parent, child], patient);
    await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    await expect(launcher.launch(child, { n: 0 }, { id: "p/work/0" })).rejects.toMatchObject({
      code: "STEPWELL_LAUNCH_CONFLICT",
    });
  });

  test("fails the parent by rolling back a child that is not settled", async () => {
    const lines: string[] = [];
    const parent = workflow("parent", { input: none }).forEach("work", waiting("child", lines), three);
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    expect(await launcher.rollback("p/work/1", "not-wanted")).toMatchObject({ accepted: true });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "not-wanted" });
    expect(lines.toSorted()).toEqual(["do 0", "do 1", "do 2", "undo 0", "undo 1", "undo 2"]);
  });

  test("launches in rollback over a step of children only where it is named, since there are none to undo", async () => {
    const lines: string[] = [];
    const parent = workflow("parent", { input: none })
      .step("before", { run: () => undefined, rollback: () => void lines.push("undo before") })
      .forEach("work", waiting("child"), three)
      .step("after", { run: () => undefined, rollback: () => void lines.push("undo after") });
    const { launcher } = await start([parent], patient);
    const from = { from: "after", reason: "import" } as const;
    await expect(launcher.launch(parent, {}, { rollback: from })).rejects.toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
    });
    const execution = await launcher.launch(parent, {}, { rollback: { ...from, without: ["work"] } });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "import" });
    expect(lines).toEqual(["undo after", "undo before"]);
  });
});

onEveryStore("children after a pivot", (start) => {
  test("are all waited for; then the parent parks, and a retry begins those anew that were rolled back", async () => {
    const lines: string[] = [];
    const parent = workflow("parent", { input: none })
      .step("pay", { pivot: true, run: () => undefined })
      .forEach("work", waiting("child", lines), {
        ...three,
        join: ({ children }) => ({ joined: children.map(({ id }) => id) }),
      });
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    await launcher.send("p/work/1", "done", { ok: false });
    await clock.settle();
    expect(await execution.summary()).toMatchObject({ status: "waiting" });
    for (const n of [0, 2]) await launcher.send(`p/work/${n}`, "done", { ok: true });
    expect(await execution.outcome()).toMatchObject({ status: "stuck", reason: "refused" });
    await execution.retry();
    await clock.settle();
    expect((await execution.childrenOf("work")).map(({ id }) => id)).toEqual(["p/work~2/1"]);
    await launcher.send("p/work~2/1", "done", { ok: true });
    expect(await execution.outcome()).toMatchObject({
      status: "completed",
      state: { joined: ["p/work/0", "p/work~2/1", "p/work/2"] },
    });
    expect(lines).toEqual(["do 0", "do 1", "do 2", "undo 1", "do 1"]);
  });

  test("may be skipped by an operator once they are settled, and not before", async () => {
    const parent = workflow("parent", { input: none })
      .step("pay", { pivot: true, run: () => undefined })
      .forEach("work", waiting("child"), three);
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    for (const n of [0, 1, 2]) await launcher.send(`p/work/${n}`, "done", { ok: n > 0 });
    expect(await execution.outcome()).toMatchObject({ status: "stuck" });
    await execution.retry();
    await clock.settle();
    await launcher.send("p/work~2/0", "done", { ok: false });
    expect(await execution.outcome()).toMatchObject({ status: "stuck" });
    await execution.skip("two are enough");
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
  });

  test("with pivots of their own are not begun a second time by a rewind, unless the step is named in repeat", async () => {
    const lines: string[] = [];
    const { parent, letGo } = posting(lines, true);
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await letGo(clock, launcher);
    expect((await execution.outcome()).status).toBe("completed");
    const asking = { to: "pack", reason: "wrong-box", by: "ada" } as const;
    const why = 'workflow "letter" has a pivot, "post", after which nothing undoes it';
    expect(await execution.previewRollback({ to: "pack" })).toMatchObject({
      refused: "would-repeat",
      steps: [
        { step: "letters", what: "irreversible", why },
        { step: "pack", what: "undo" },
      ],
    });
    const refused = await execution.rewind(asking);
    expect(refused).toMatchObject({ accepted: false, why: "would-repeat", error: { code: "STEPWELL_WOULD_REPEAT" } });
    expect(refused).toHaveProperty("error.message", expect.stringContaining('"letters" can\'t be undone'));
    expect(await execution.rewind({ ...asking, repeat: ["letters"] })).toMatchObject({ accepted: true });
    await letGo(clock, launcher, "~r1");
    expect((await execution.outcome()).status).toBe("completed");
    const posted = ["post 0", "post 1", "post 2"];
    expect(lines).toEqual([...posted, "unpack", ...posted]);
    const { doings } = await execution.certificate();
    expect(doings.filter(({ step }) => step === "letters")).toMatchObject([
      { round: 0, left: "irreversible", said: why },
      { round: 1, left: "irreversible", said: why },
    ]);
  });

  test("with pivots of their own stay where the parent's pivot was passed over and it goes back", async () => {
    const lines: string[] = [];
    const { parent, letGo } = posting(lines, false);
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await letGo(clock, launcher);
    await execution.outcome();
    await execution.rollback("changed-mind");
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      irreversible: [{ step: "letters", reason: expect.stringContaining('workflow "letter" has a pivot') as string }],
    });
    expect(lines).toEqual(["post 0", "post 1", "post 2", "unpack"]);
  });
});

onEveryStore("a child with a pivot, as the pivot of its parent", (start) => {
  const payment = (lines: string[]) =>
    workflow("payment", { input: none })
      .step("reserve", {
        messages: { go: z.null() },
        run: () => pause(),
        onMessage: () => undefined,
        rollback: () => void lines.push("undo reserve"),
      })
      .step("pay", { pivot: true, run: () => undefined })
      .step("tell", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
  const order = (lines: string[]) =>
    workflow("order", { input: none, deadline: "1d" })
      .step("hold", { run: () => undefined, rollback: () => void lines.push("undo hold") })
      .child("payment", payment(lines), { input: () => ({}), pivot: true });

  test("is asked first whether the parent may still go back: before its pivot it does", async () => {
    const lines: string[] = [];
    const it = order(lines);
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {}, { id: "o" });
    await clock.settle();
    const asked = execution.rollback("changed-mind");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "changed-mind" });
    await asked;
    expect(lines).toEqual(["undo reserve", "undo hold"]);
  });

  test.each(["request", "deadline"])("is too late past it, for the parent too: a %s", async (what) => {
    const lines: string[] = [];
    const it = order(lines);
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {}, { id: "o" });
    await clock.settle();
    await launcher.send("o/payment/0", "go", null);
    await clock.settle();
    const asked = what === "request" ? execution.rollback("changed-mind") : undefined;
    await clock.advance(what === "deadline" ? "2d" : "1s");
    expect(await execution.summary()).toMatchObject({ status: "waiting" });
    await launcher.send("o/payment/0", "go", null);
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    if (asked !== undefined) expect(await asked).toMatchObject({ accepted: false, why: "past-pivot" });
    expect(lines).toEqual([]);
  });
});

onEveryStore("children in an irreversible step", (start) => {
  test("stay where they have completed, and only those under way are asked to go back", async () => {
    const lines: string[] = [];
    const parent = workflow("parent", { input: none }).forEach("work", waiting("child", lines), {
      ...three,
      irreversible: "letters are sent",
    });
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    await launcher.send("p/work/0", "done", { ok: true });
    await clock.settle();
    await execution.rollback("enough");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack" });
    expect(lines.slice(3).toSorted()).toEqual(["undo 1", "undo 2"]);
    expect(await launcher.execution("p/work/0").summary()).toMatchObject({ status: "completed" });
    expect(await told(execution)).toContain("rollbackContinue work: ok");
  });
});
