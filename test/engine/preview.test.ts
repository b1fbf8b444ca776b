/** Previews: what a rollback would do, told from committed rows to who has no code of the workflow. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Client, fail, pause, previewText, workflow } from "../../src/index.js";
import { previewLanes } from "../../src/desk/model/preview.js";
import { lanesOf } from "../../src/desk/model/lanes.js";
import { systemClock } from "../../src/clock.js";
import { through } from "../../src/testing/faults/through.js";
import { marks } from "../support/seen.js";
import { errorOf, onEveryStore, patient } from "../support/rig.js";

const input = z.object({});
const undo = (): void => undefined;

const order = workflow("order", { input })
  .step("charge", { run: () => undefined, rollback: undo })
  .step("letter", { run: () => undefined, irreversible: "The letter has left." })
  .step("gift", { when: () => false, run: () => undefined, rollback: undo })
  .step("note", { run: () => undefined })
  .sleep("cool-off", 1)
  .step("ship", {
    messages: { go: z.null() },
    run: () => pause(),
    onMessage: () => undefined,
    rollback: () => pause(),
    rollbackMessages: { back: z.null() },
    onRollbackMessage: () => undefined,
  })
  .step("thank", { run: () => undefined, rollback: undo });

onEveryStore("a preview of a rollback", (start) => {
  test("says what becomes of each step, to a client without the workflow, and changes nothing", async () => {
    const { launcher, clock, store } = await start([order]);
    await launcher.launch(order, {}, { id: "e" });
    await clock.advance("1s");
    const client = new Client({ store });
    const execution = client.execution("e");
    const before = await execution.details();
    const preview = await execution.previewRollback();
    expect(preview).toEqual({
      execution: "e",
      revision: before.revision,
      steps: [
        { step: "thank", index: 6, what: "never-ran" },
        { step: "ship", index: 5, what: "undo", waits: ["back"] },
        { step: "cool-off", index: 4, what: "waited" },
        { step: "note", index: 3, what: "no-undo" },
        { step: "gift", index: 2, what: "never-ran" },
        { step: "letter", index: 1, what: "irreversible", why: "The letter has left." },
        { step: "charge", index: 0, what: "undo" },
      ],
    });
    expect(await execution.details()).toEqual(before);
    expect(previewText(preview)).toBe(
      [
        `A rollback of "e" as it stands at revision ${before.revision}:`,
        "  thank     never ran",
        "  ship      is undone; may wait for back",
        "  cool-off  only waited: nothing to undo",
        "  note      stays: has no undo",
        "  gift      never ran",
        "  letter    stays: can't be undone: The letter has left.",
        "  charge    is undone",
      ].join("\n"),
    );
    const lanes = previewLanes(lanesOf(before, await execution.history()), preview);
    expect(marks(lanes.rounds[0]!.rows)).toEqual([
      "charge: done / to-undo",
      "letter: done / kept",
      "gift: passed-over / none",
      "note: done / nothing",
      "cool-off: done / nothing",
      "ship: waiting / to-undo",
      "thank: to-do / none",
    ]);
    await client.stop();
  });

  test("counts children and names the first of them, and those that go back with them", async () => {
    const seat = workflow("seat", { input }).step("seat", { run: () => undefined, rollback: undo });
    const item = workflow("item", { input: z.object({ waits: z.boolean() }) })
      .child("seat-of", seat, { input: () => ({}) })
      .step("pack", {
        messages: { go: z.null() },
        run: ({ state }) => (state.waits ? pause() : undefined),
        onMessage: undo,
      });
    const many = workflow("many", { input }).forEach("items", item, {
      items: () => [{ waits: false }, { waits: true }, { waits: true }],
      concurrency: 2,
    });
    const { launcher, clock } = await start([many]);
    const execution = await launcher.launch(many, {}, { id: "m" });
    await clock.advance("10s");
    const { steps, below } = await execution.previewRollback();
    const counts = { count: 3, notBegun: 0, underWay: 2, stuck: 0, completed: 1, rolledBack: 0, isClosed: false };
    expect(steps).toMatchObject([{ step: "items", what: "undo", children: counts }]);
    expect(steps[0]!.children!.first.map(({ id, status }) => [id, status])).toEqual([
      ["m/items/0", "completed"],
      ["m/items/1", "underWay"],
      ["m/items/2", "underWay"],
    ]);
    expect(below).toEqual({ count: 6, more: false });
    // The last one first, and those below it: not begun, since it waits at the step after that.
    const waiting = {
      steps: [
        { step: "pack", what: "no-undo" },
        { step: "seat-of", what: "undo" },
      ],
    };
    const seated = { previews: [{ steps: [{ step: "seat", what: "undo" }] }] };
    expect(steps[0]!.children!.previews).toMatchObject([
      { execution: "m/items/2", ...waiting },
      { execution: "m/items/1", ...waiting },
      {
        execution: "m/items/0",
        steps: [
          { step: "pack", what: "no-undo" },
          { step: "seat-of", children: seated },
        ],
      },
    ]);
    expect(previewText(await execution.previewRollback())).toContain(
      [
        "  items  is undone; 3 children: 1 completed, 2 under way",
        "    m/items/2:",
        "      pack     stays: has no undo",
        "      seat-of  is undone; 1 child: 1 completed",
        "        m/items/2/seat-of/0:",
        "          seat  is undone",
        "    m/items/1:",
      ].join("\n"),
    );
    const child = await launcher.execution("m/items/0").previewRollback();
    expect(child).toMatchObject({
      refused: "belongs-to-parent",
      error: { code: "STEPWELL_BELONGS_TO_PARENT" },
      steps: [],
    });
  });

  test("tells of a hundred in the whole tree, and counts the others; of an irreversible step those under way", async () => {
    const item = workflow("item", { input: z.object({ waits: z.boolean() }) }).step("pack", {
      messages: { go: z.null() },
      run: ({ state }) => (state.waits ? pause() : undefined),
      onMessage: undo,
      rollback: undo,
    });
    const of = (waits: boolean, count: number) => Array.from({ length: count }, () => ({ waits }));
    const many = workflow("many", { input })
      .forEach("kept", item, { items: () => of(false, 2), irreversible: "They have left." })
      .forEach("early", item, { items: () => of(false, 70) })
      .forEach("late", item, { items: () => [...of(true, 60), ...of(false, 10)], concurrency: 70 });
    const { launcher, clock } = await start([many]);
    const execution = await launcher.launch(many, {}, { id: "m" });
    await clock.advance("10s");
    const { steps, below } = await execution.previewRollback();
    expect(steps.map(({ step, children }) => [step, children?.count, children?.previews?.length])).toEqual([
      ["late", 70, 70],
      ["early", 70, 30],
      ["kept", 2, undefined],
    ]);
    expect(steps[1]!.children!.previews![0]).toMatchObject({ execution: "m/early/69", steps: [{ what: "undo" }] });
    expect(below).toEqual({ count: 142, more: false });
  });

  test("says why it would be refused, with the code that the request would get", async () => {
    const done = workflow("done", { input, undoFor: "1d" }).step("1", { run: () => undefined, rollback: undo });
    const past = workflow("past", { input })
      .step("1", { run: () => undefined, rollback: undo, pivot: true })
      .step("2", { run: () => fail("no") });
    const { launcher, clock } = await start([done, past], patient);
    await launcher.launch(done, {}, { id: "sealed" });
    const back = await launcher.launch(done, {}, { id: "back" });
    await launcher.launch(past, {}, { id: "past" });
    await clock.advance("1s");
    await back.rollback("returned");
    await clock.advance("2d");
    for (const [id, why] of [
      ["sealed", "sealed"],
      ["back", "already-rolled-back"],
      ["past", "past-pivot"],
    ] as const) {
      const { refused, error, steps } = await launcher.execution(id).previewRollback();
      const answer = await launcher.rollback(id, "returned");
      expect({ refused, steps }).toEqual({ refused: why, steps: [] });
      expect(answer).toMatchObject({ accepted: false, why, error: { code: error!.code, message: error!.message } });
    }
  });

  test("of a rewind says what is undone down to its step, and from where the execution goes up again", async () => {
    const { launcher, clock } = await start([order]);
    const execution = await launcher.launch(order, {}, { id: "e" });
    await clock.advance("1s");
    const preview = await execution.previewRollback({ to: "cool-off" });
    expect(preview.steps.map(({ step, what }) => `${step} ${what}`)).toEqual([
      "thank never-ran",
      "ship undo",
      "cool-off waited",
    ]);
    expect(preview.upAgain).toEqual({ step: "cool-off", round: 1 });
    expect(previewText(preview).split("\n").at(-1)).toBe('Then it goes up again at "cool-off", in round 1.');
    const repeating = await execution.previewRollback({ to: "letter" });
    expect(repeating).toMatchObject({ refused: "would-repeat", error: { code: "STEPWELL_WOULD_REPEAT" } });
    expect(repeating.steps.at(-1)).toMatchObject({ step: "letter", what: "irreversible" });
    const ahead = await execution.previewRollback({ to: "thank" });
    expect(ahead).toMatchObject({ refused: "step-not-begun", error: { code: "STEPWELL_STEP_NOT_BEGUN" }, steps: [] });
    expect(await errorOf(execution.previewRollback({ to: "nowhere" as never }))).toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
    });
  });

  test("of one that goes back already says what is still to come", async () => {
    const { launcher, clock } = await start([order]);
    const execution = await launcher.launch(order, {}, { id: "e" });
    await clock.advance("1s");
    await execution.rollback("returned");
    await clock.advance("1s");
    const { refused, steps } = await execution.previewRollback();
    expect(refused).toBe("already-rolling-back");
    expect(steps.map(({ step, what }) => `${step} ${what}`)).toEqual([
      "ship undo",
      "cool-off waited",
      "note no-undo",
      "gift never-ran",
      "letter irreversible",
      "charge undo",
    ]);
  });

  test("while the pivot runs says that only its end decides", async () => {
    let finish: (() => void) | undefined;
    const running = workflow("running", { input }).step("1", {
      pivot: true,
      run: () => new Promise<void>((resolve) => (finish = resolve)),
      rollback: undo,
    });
    const { launcher, clock } = await start([running]);
    const execution = await launcher.launch(running, {});
    await clock.settle();
    expect(await execution.previewRollback()).toMatchObject({ held: true, steps: [{ step: "1", what: "half-done" }] });
    finish!();
    await clock.advance("1s");
  });

  test("of an execution that is not there is refused", async () => {
    const { launcher } = await start([order]);
    const unknown = { code: "STEPWELL_EXECUTION_NOT_FOUND" };
    expect(await errorOf(launcher.execution("nobody").previewRollback())).toMatchObject(unknown);
  });
});

/** A request that is stored right before the commit with which its step is passed over, or begins. */
onEveryStore("a rollback that is asked for at the revision of its preview", (start) => {
  const nobodys = workflow("nobodys", { input }).step("1", { run: undo });
  test.each([
    ["a step is passed over", { when: (): boolean => false }],
    ["a step begins that has a condition", { when: (): boolean => true }],
    ["a step begins that may park in doubt", { inDoubt: "park" }],
  ] as const)("finds it as it stood, where %s meanwhile", async (_, options) => {
    const undone: string[] = [];
    const step = (name: string) => ({ run: undo, rollback: () => void undone.push(name) });
    const going = workflow("going", { input })
      .step("first", { ...step("first"), ...options })
      .step("second", step("second"));
    const { store, clock, another } = await start([nobodys]);
    const client = new Client({ store, workflows: [going] });
    let asked: Promise<unknown> | undefined;
    let told: readonly string[] = [];
    const asks = async (): Promise<void> => {
      const execution = client.execution("e");
      const { revision, steps } = await execution.previewRollback();
      told = steps.map(({ what }) => what);
      asked = execution.rollback("no", { ifRevision: revision });
      // A launcher may have to decide on it: it is enough that it is stored.
      while ((await store.mail({ executions: ["e"] })).length === 0) {
        await new Promise<void>((resolve) => systemClock.soon(resolve));
      }
    };
    const late = through(
      store,
      (call, name) => {
        if (name !== "write") return call;
        return async (...given) => {
          const { transitions } = given[0] as { readonly transitions: readonly unknown[] };
          if (transitions.length > 0 && asked === undefined) await asks();
          return call(...given);
        };
      },
      { gathers: true },
    );
    const launcher = await another([going], { store: late });
    await launcher.launch(going, {}, { id: "e" });
    await clock.advance("10s");
    expect(await asked).toEqual({ accepted: true });
    expect(told).toEqual(["never-ran", "never-ran"]);
    expect((await client.execution("e").summary()).status).toBe("rolledBack");
    expect(undone).toEqual([]);
    await client.stop();
  });
});
