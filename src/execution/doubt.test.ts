import { expect, test } from "vitest";
import { executionAt, time } from "../../test/support/executions.js";
import { doubtOf, doubtsAfter, holdsTurns, isClean, openDoubt, type Doubt } from "./doubt.js";
import { eventAt } from "./events.js";

const probed = { probe: () => undefined, inDoubt: "park" } as const;
const doubt: Doubt = { index: 0, since: 5 };

function inDoubt(more: Partial<Doubt> = {}, position: object = {}) {
  return executionAt({ ...position, doubts: [{ ...doubt, ...more }] });
}

test("a step whose launcher died in an attempt is in doubt, and no other", () => {
  expect(doubtOf(executionAt(), probed)).toBeUndefined();
  // Such a step commits that it begins: before that nothing of it was called.
  expect(doubtOf(executionAt({}, { claims: 2 }), probed)).toBeUndefined();
  expect(doubtOf(executionAt({ begins: true }, { claims: 2 }), probed)).toMatchObject({ index: 0 });
  expect(doubtOf(executionAt({ begins: true }, { claims: 2 }), { ...probed, transactional: true })).toBeUndefined();
  expect(doubtOf(executionAt({ stepFunc: "runContinue" }, { claims: 2 }), probed)).toBeUndefined();
});

test("only where somebody can settle it does it hold anything up, and only until it is answered", () => {
  expect(openDoubt(inDoubt(), probed)).toMatchObject(doubt);
  expect(openDoubt(inDoubt({ answer: "again" }), probed)).toMatchObject({ answer: "again" });
  expect(openDoubt(inDoubt({ answer: "unknown" }), probed)).toBeUndefined();
  expect(openDoubt(inDoubt(), {})).toBeUndefined();
});

test("nothing of the step is there once it is said that it did not happen, and it had given nothing before", () => {
  expect(isClean(inDoubt({ answer: "did-not-happen" }), probed)).toBe(true);
  expect(isClean(inDoubt({ answer: "did-not-happen", partly: true }), probed)).toBe(false);
  expect(isClean(inDoubt({ answer: "unknown" }), probed)).toBe(false);
});

test("a pivot in doubt holds what wants to turn the execution, until it is known that it did not happen", () => {
  const shape = { count: 2, pivot: 0 };
  expect(holdsTurns(inDoubt(), probed, shape)).toBe(true);
  expect(holdsTurns(inDoubt({ answer: "did-not-happen" }), probed, shape)).toBe(false);
  expect(holdsTurns(inDoubt(), probed, { count: 2, pivot: 1 })).toBe(false);
});

test("an operator's retry asks the probe anew, and consents where there is none", () => {
  const resumed = eventAt(executionAt(), { type: "resumed" }, "retried");
  const after = (step: object) =>
    doubtsAfter(
      inDoubt({ answer: "unknown", asked: 3 }),
      resumed,
      executionAt().position,
      "execute",
      { steps: [step] } as never,
      time,
    );
  expect(after(probed)).toEqual([doubt]);
  expect(after({ inDoubt: "park" })).toEqual([{ ...doubt, answer: "consented" }]);
});
