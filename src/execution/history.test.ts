import { expect, test } from "vitest";
import { encode } from "../values/encode.js";
import { executionAt } from "../../test/support/executions.js";
import { eventAt } from "./events.js";
import { givenIn, stateAtRevision } from "./history.js";
import type { ExecutionRecord, HistoryRecord } from "./records.js";
import { entryOf } from "./transition.js";

const encoded = (value: object) => encode(value, { what: "A value" });
const record = {
  id: "1",
  workflow: "flow",
  input: encoded({ order: 1 }),
  state: encoded({ order: 1 }),
} as ExecutionRecord;

function row(revision: number, fields: Partial<HistoryRecord>): HistoryRecord {
  const execution = executionAt();
  return { ...entryOf(execution, eventAt(execution, { type: "stepOk" }, "ok")), revision, at: 0, ...fields };
}

const rows = [
  row(1, { patch: encoded({ a: 1 }), others: encoded({ a: 2 }) }),
  row(2, { replaced: encoded({ fresh: true }) }),
  row(3, { step: "b", patch: encoded({ b: 3 }) }),
];

test("the state of every revision is made again from what was given", () => {
  expect([0, 1, 2, 3].map((revision) => stateAtRevision(record, rows, revision))).toEqual([
    { order: 1 },
    { order: 1, a: 2 },
    { fresh: true },
    { fresh: true, b: 3 },
  ]);
  expect(() => stateAtRevision(record, rows, 4)).toThrow(/has no revision 4: its last one is 3/);
});

test("what a step gave is known under the name that the step has now, and lost with a step that is gone", () => {
  const steps = { a: "first", b: null };
  const renamed = [...rows, row(4, { migration: { from: "1", to: "2", steps } })];
  expect(givenIn(renamed).map(({ step }) => step)).toEqual(["first"]);
});
