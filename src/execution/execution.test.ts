import { describe, expect, test } from "vitest";
import { decided, executionAt, factsOf } from "../../test/support/executions.js";
import { z } from "zod";
import { workflow } from "../index.js";
import { definitionOf } from "../definition/workflow.js";
import {
  attemptOf,
  committedAs,
  hasBegun,
  isInDoubt,
  leftNothing,
  withOthersPatch,
  withoutPatches,
  withPatch,
} from "./execution.js";

const functions = { run: () => undefined, rollback: () => undefined };
const facts = factsOf(
  definitionOf(
    workflow("flow", { input: z.object({}) })
      .step("a", functions)
      .step("b", functions),
  ),
);

describe("patches", () => {
  test("make another record, and leave the one that they came to as it was", () => {
    const before = executionAt();
    const after = withOthersPatch(withPatch(before, { a: 1 }, Infinity), { b: 2 }, Infinity);
    expect(after).toMatchObject({ state: { order: 1, a: 1, b: 2 }, others: ["b"] });
    expect(before).toMatchObject({ state: { order: 1 }, unsaved: null, others: undefined });
    expect(withoutPatches(after, before)).toEqual(before);
  });

  test("that make the state too large are refused", () => {
    expect(() => withPatch(executionAt(), { a: "x".repeat(100) }, 50)).toThrow(/too large/);
  });
});

test("a commit makes the record of what it led to, with nothing left to store", () => {
  const execution = withPatch(executionAt({}, { takenBack: 2, claims: 3 }), { a: 1 }, Infinity);
  const { transition } = decided(execution, { type: "stepOk" }, facts);
  expect(committedAs(execution, transition)).toMatchObject({
    revision: 1,
    claims: 1,
    takenBack: 0,
    unsaved: null,
    state: { order: 1, a: 1 },
    position: { stepIndex: 1 },
  });
});

describe("attempts", () => {
  test("are numbered with those that count for nothing", () => {
    expect(attemptOf(executionAt())).toBe(1);
    expect(attemptOf(executionAt({ attempts: 2, uncounted: 1 }, { claims: 2, takenBack: 1 }))).toBe(6);
  });

  test("that were lost leave their step in doubt, unless it is work in a transaction", () => {
    const lost = executionAt({ lifecycle: "step" }, { claims: 2 });
    expect(isInDoubt(lost, {})).toBe(true);
    expect(isInDoubt(lost, { transactional: true })).toBe(false);
    expect(leftNothing(lost, { transactional: true })).toBe(true);
    expect(isInDoubt(executionAt({ lifecycle: "step" }), {})).toBe(false);
  });

  test("an execution has begun with its first attempt, and not while it is queued", () => {
    expect(hasBegun(executionAt())).toBe(false);
    expect(hasBegun(executionAt({}, { claims: 2 }))).toBe(true);
    expect(hasBegun(executionAt({}, { claims: 2, admission: "queued" }))).toBe(false);
    expect(hasBegun(executionAt({ direction: "down" }))).toBe(true);
  });
});
