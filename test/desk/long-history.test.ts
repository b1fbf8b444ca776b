/** An execution with a long history: how much of it each look at its page reads. By counting, not by a clock. */
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { fail, Launcher, memoryStore, workflow, type AnyWorkflow } from "../../src/index.js";
import type { HistoryRecord } from "../../src/execution/records.js";
import type { CountedView, ExecutionView } from "../../src/desk/index.js";
import { deskRig } from "../support/desk.js";
import { through } from "../../src/testing/faults/through.js";

const many = 2_800;

/** Of many steps; on the way down an operator takes one as undone before them. */
function workflowOfMany(): AnyWorkflow {
  let made: AnyWorkflow = workflow("many", { input: z.object({}) });
  const add = (name: string, options: object): void => {
    made = (made as unknown as { step(name: string, options: object): AnyWorkflow }).step(name, options);
  };
  for (let index = 0; index < many; index++) add(`pack ${index}`, { run: () => ({}), rollback: () => ({}) });
  add("charge", { run: () => ({}), rollback: () => fail("no-account") });
  add("ship", { run: () => fail("sold-out"), rollback: () => ({}) });
  return made;
}

async function scene() {
  const long = workflowOfMany();
  const memory = memoryStore();
  /** How many rows each read of a history gave, and how often others had their turn by then. */
  const reads: { readonly rows: number; readonly turns: number }[] = [];
  let turns = 0;
  const counting = through(memory, (call, name) => {
    if (name !== "history") return call;
    return (...given) => {
      const rows = call(...given) as readonly HistoryRecord[];
      reads.push({ rows: rows.length, turns });
      return rows;
    };
  });
  const launcher = new Launcher({ store: counting, workflows: [long], onError: () => undefined });
  await launcher.start();
  let isOver = false;
  const turn = (): void => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  onTestFinished(async () => {
    isOver = true;
    await launcher.stop();
  });
  const execution = await launcher.launch(long, {}, { id: "long" });
  await execution.outcome();
  const { get } = deskRig(launcher);
  const look = async () => {
    reads.length = 0;
    const { body } = await get<ExecutionView>("execution", { id: "long" });
    return { view: body, rows: body.lanes.rounds[0]!.rows, read: reads.reduce((sum, one) => sum + one.rows, 0) };
  };
  return { execution, get, look, reads };
}

test("a look at a long history reads its end, and says what is not counted yet; the rest is counted part by part when it is asked for", async () => {
  const { execution, get, look, reads } = await scene();
  await execution.skip("refunded by hand", { by: "ada" });
  await execution.outcome();
  const { revision } = await execution.summary();
  expect(revision).toBeGreaterThan(2 * many);

  const first = await look();
  expect(first.read).toBe(500);
  expect(first.view.history.rows).toHaveLength(100);
  expect(first.view.lanes.countedAfter).toBe(revision - 500);
  expect(first.view.words.lines.at(-1)).toContain(
    `up to transition ${(revision - 500).toLocaleString("en")} is not counted`,
  );
  const marks = ({ rows }: typeof first, index: number) => `${rows[index]!.up.mark} ${rows[index]!.down.mark}`;
  expect([0, 498, 499, 500, many].map((index) => marks(first, index))).toEqual([
    ...["done undone", "done undone", "uncounted undone", "uncounted uncounted", "uncounted uncounted"],
  ]);

  expect((await look()).read).toBe(100);
  for (let left = revision - 500; left > 0; left -= 5_000) {
    reads.length = 0;
    expect((await get<CountedView>("execution/count", { id: "long" })).body).toEqual({
      countedAfter: Math.max(0, left - 5_000),
    });
    for (const { rows } of reads) expect(rows).toBeLessThanOrEqual(500);
    // Between two parts others had their turn.
    const parts = reads.slice(1).map(({ turns }) => turns);
    expect(new Set(parts).size).toBe(parts.length);
    expect((await look()).read).toBe(100);
  }

  const last = await look();
  expect(last.read).toBe(100);
  expect(last.view.words.lines.join()).not.toContain("not counted");
  expect([0, 500, many, many + 1].map((index) => marks(last, index))).toEqual([
    ...["done undone", "done undone", "done skipped", "failed undone"],
  ]);
  expect(last.rows[many]!.down.by).toBe("ada");
  expect(last.view.lanes.rounds[0]!.turned).toMatchObject({ step: "ship", reason: "sold-out" });
});

test("what was committed since the last look is counted part by part too", async () => {
  const { execution, get, look, reads } = await scene();
  expect((await look()).view.lanes.countedAfter).toBeGreaterThan(0);
  while ((await get<CountedView>("execution/count", { id: "long" })).body.countedAfter > 0);
  await execution.skip("refunded by hand", { by: "ada" });
  await execution.outcome();
  const { view, read } = await look();
  expect(view.lanes.countedAfter).toBe(0);
  expect(read).toBe(many + 1);
  for (const { rows } of reads) expect(rows).toBeLessThanOrEqual(500);
});
