import { expect, test } from "vitest";
import { arrival, executionAt, mailOf, nothingCame } from "../../test/support/executions.js";
import { eventAt } from "./events.js";
import { encode } from "../values/encode.js";
import { patchOptions, withOutsidePatch, withPatch } from "./execution.js";
import { withDead } from "./mail.js";
import { entryOf, settledBy } from "./transition.js";

const paid = arrival("message", {}, "paid");
const retry = { type: "retry", reason: "away", wait: 1, afresh: false } as const;

test("the row keeps apart what the step gave and what others changed", () => {
  const execution = withOutsidePatch(withPatch(executionAt(), { a: 1 }, Infinity), { b: 2 }, Infinity);
  const entry = entryOf(execution, {
    ...eventAt(execution, { type: "stepOk" }, "ok"),
    patch: encode({ a: 1 }, patchOptions),
    cause: paid,
    by: "ada",
  });
  expect(entry).toMatchObject({ step: "a", stepIndex: 0, func: "run", attempt: 1, result: "ok", by: "ada" });
  expect(entry).toMatchObject({ message: { id: "message paid", name: "paid" } });
  expect([entry.patch?.value, entry.others?.value]).toEqual([{ a: 1 }, { b: 2 }]);
});

test("a message is consumed with its handler, and stays where the handler is tried again", () => {
  const handled = { ...eventAt(executionAt(), { type: "stepOk" }, "ok"), cause: paid };
  expect(settledBy("a", mailOf(paid), handled, undefined)).toEqual([{ arrival: paid.id, as: "consumed" }]);
  expect(settledBy("a", mailOf(paid), { ...handled, what: retry }, undefined)).toEqual([]);
});

test("with a parking all requests are dead, and messages stay", () => {
  const request = arrival("rollback", { reason: "x", ifCompleted: "undo" });
  const parked = eventAt(executionAt(), { type: "parked", reason: "broken", untouched: true }, "broken");
  expect(settledBy("a", mailOf(paid, request), parked, undefined)).toEqual([{ arrival: request.id, as: "dead" }]);
});

test("what an operator says of a step is dead where a migration moves the execution to another step", () => {
  const execution = executionAt();
  const [skip, retry] = [arrival("skip", {}), arrival("retry", {})];
  const settled = (steps: Record<string, string | null> | undefined, step: string) => {
    const migration = { from: "1", to: "2", ...(steps !== undefined && { steps }) };
    const position = { ...execution.position, step };
    const what = { type: "migrated", status: "stuck", position, migration, stays: false } as const;
    return settledBy("a", mailOf(skip, retry), eventAt(execution, what, "migrated"), undefined);
  };
  expect(settled(undefined, "a")).toEqual([]);
  expect(settled({ a: "b" }, "b")).toEqual([]);
  expect(settled({ a: null }, "b")).toEqual([{ arrival: skip.id, as: "dead" }]);
  expect(settled(undefined, "b")).toEqual([{ arrival: skip.id, as: "dead" }]);
});

test("what nobody takes is settled as dead with the next commit", () => {
  const ok = eventAt(executionAt(), { type: "stepOk" }, "ok");
  expect(settledBy("a", withDead(mailOf(paid), [paid.id]), ok, undefined)).toEqual([{ arrival: paid.id, as: "dead" }]);
  expect(settledBy("a", nothingCame, ok, undefined)).toEqual([]);
});
