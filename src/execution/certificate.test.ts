import { expect, test } from "vitest";
import type { StepOutline } from "../definition/outline.js";
import { doingsOf } from "./certificate.js";
import type { HistoryRecord } from "./records.js";

const steps: readonly StepOutline[] = [
  { name: "a", rollback: true },
  { name: "b", irreversible: "It has left." },
  { name: "c" },
  { name: "sleep", waits: true },
];

const up = (step: string, result = "ok", more: Partial<HistoryRecord> = {}): HistoryRecord => ({
  ...{ revision: 1, at: 0, direction: "up", step, stepIndex: 0, func: "run", attempt: 1, durationMs: 0, patch: null },
  result,
  ...more,
});
const down = (step: string, result = "ok", more: Partial<HistoryRecord> = {}): HistoryRecord =>
  up(step, result, { direction: "down", func: "rollback", ...more });

const keyOf = (step: string, func: string, round: number): string => `${step} ${func} ${round}`;

const told = (rows: readonly HistoryRecord[], status: "completed" | "rolledBack" | "stuck"): string[] =>
  doingsOf(rows, status, steps, keyOf).map(
    ({ step, outcome, undo, left = "-" }) => `${step} ${outcome}, ${undo?.outcome ?? "-"}, ${left}`,
  );

test("a doing stays for the reason for which nothing undid it", () => {
  const all = [up("a"), up("b"), up("c"), up("sleep")];
  const back = [down("sleep"), down("c"), down("b")];
  expect(told([...all, ...back, down("a")], "rolledBack")).toEqual([
    "a done, undone, -",
    "b done, -, irreversible",
    "c done, -, no-undo",
    "sleep done, -, -",
  ]);
  expect(told([...all, ...back, down("a", "no")], "stuck")[0]).toBe("a done, failed, undo-failed");
  expect(told([...all, ...back, down("a", "skipped", { by: "ada", why: "by hand" })], "rolledBack")[0]).toBe(
    "a done, skipped, skipped",
  );
  expect(told(all, "completed")).toEqual([
    "a done, -, stands",
    "b done, -, irreversible",
    "c done, -, stands",
    "sleep done, -, -",
  ]);
});

test("a step that a request, or a guard's veto, came before is no doing", () => {
  const asked = { why: "returned", by: "ada" };
  expect(told([up("a"), up("c", "returned", asked), down("a")], "rolledBack")).toEqual(["a done, undone, -"]);
  expect(told([up("a"), up("c", "closed"), down("a")], "rolledBack")).toEqual(["a done, undone, -"]);
  expect(told([up("a", "returned", asked)], "rolledBack")).toEqual([]);
  expect(told([up("a", "returned", asked), down("a")], "rolledBack")).toEqual(["a begun, undone, -"]);
});

test("what is done again is another doing, under the keys of its round", () => {
  const rows = [up("a"), down("a", "ok", { upInto: 1 }), up("a", "ok", { round: 1 })];
  expect(doingsOf(rows, "completed", steps, keyOf)).toMatchObject([
    { round: 0, key: "a run 0", undo: { key: "a rollback 0" } },
    { round: 1, key: "a run 1", left: "stands" },
  ]);
});

test("a step keeps its key under another name, and is dropped where a migration has no place for it", () => {
  const migration = { from: "1", to: "2", steps: { old: "a", gone: null } };
  const rows = [up("old"), up("gone"), up("c", "migrated", { migration }), up("c"), down("c"), down("a")];
  expect(doingsOf(rows, "rolledBack", steps, keyOf)).toMatchObject([
    { step: "a", key: "old run 0", undo: { key: "old rollback 0" } },
    { step: "gone", left: "dropped" },
    { step: "c", left: "no-undo" },
  ]);
});

test("what is found of an attempt stands also where an attempt before it was found not to have happened", () => {
  const asked = (result: string): HistoryRecord => up("a", result, { func: "probe" });
  const before = [up("a", "cut-off"), asked("again"), asked("did-not-happen")];
  expect(told(before, "stuck")).toEqual(["a failed, -, -"]);
  // The process of the next attempt has died: no row tells of it.
  expect(told([...before, asked("happened")], "completed")).toEqual(["a done, -, stands"]);
  expect(told([...before, asked("again")], "stuck")).toEqual(["a in-doubt, -, in-doubt"]);
  expect(told([...before, asked("again"), asked("did-not-happen")], "stuck")).toEqual(["a failed, -, -"]);
});
