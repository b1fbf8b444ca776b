import { describe, expect, test } from "vitest";
import { decided, executionAt, factsOf } from "../../test/support/executions.js";
import { z } from "zod";
import { workflow } from "../index.js";
import { encode } from "../values/encode.js";
import { definitionOf } from "../definition/definition-of.js";
import {
  attemptOf,
  changesOf,
  committedAs,
  hasBegun,
  isInDoubt,
  leftNothing,
  shownState,
  withOutsidePatch,
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
    const after = withOutsidePatch(withPatch(before, { a: 1 }, Infinity), { b: 2 }, Infinity);
    expect(after).toMatchObject({ state: { order: 1, a: 1, b: 2 }, outsideFields: ["b"] });
    expect(before).toMatchObject({ state: { order: 1 }, unsaved: null, outsideFields: undefined });
    expect(withoutPatches(after, before)).toEqual(before);
  });

  test("to a large state are kept together, and written in place of it until they are much themselves", () => {
    const long = "x".repeat(10_000);
    const whole = encode({ long }, { what: "The state" });
    expect(whole.text.length).toBeGreaterThan(10_000);
    let execution = { ...executionAt(), state: whole.value as object, wholeLength: whole.text.length, changed: {} };
    execution = { ...withPatch(execution, { a: 1 }, Infinity), changed: { a: 1 } };
    const first = decided(execution, { type: "stepOk" }, facts).transition;
    expect([first.changes?.value, first.state?.value]).toEqual([{ a: 1 }, { long, a: 1 }]);
    const after = withPatch(committedAs(execution, first), { b: "y".repeat(500) }, Infinity);
    expect(changesOf(after)?.value).toEqual({ a: 1, b: "y".repeat(500) });
    const much = withPatch(after, { c: "z".repeat(2_000) }, Infinity);
    expect(changesOf(much)).toBeUndefined();
    const last = decided(much, { type: "stepOk" }, facts).transition;
    const { length } = last.state!.text;
    expect(committedAs(much, last)).toMatchObject({ wholeLength: length, changed: {} });
  });

  test("to a small state are written with it", () => {
    const execution = withPatch(executionAt(), { a: 1 }, Infinity);
    expect(changesOf(execution)).toBeUndefined();
  });

  test("that make the state too large are refused", () => {
    expect(() => withPatch(executionAt(), { a: "x".repeat(100) }, 50)).toThrow(/too large/);
  });

  test("that come again and again to one field are no reason to refuse a state which is small", () => {
    let execution = executionAt();
    for (let time = 0; time < 100; time++) execution = withPatch(execution, { a: String(time).padEnd(100) }, 1_000);
    expect(execution.sizeAtMost).toBeLessThanOrEqual(1_000);
    expect(execution.unsaved?.text.length).toBeLessThan(150);
    expect(() => withPatch(execution, { b: "x".repeat(1_000) }, 1_000)).toThrow(/too large/);
  });

  test("that bring what can't be frozen make the state one of which users see a copy, until it is gone", () => {
    const rich = withPatch(executionAt(), { at: new Date(0) }, Infinity);
    expect(rich.sizeAtMost).toBe(Infinity);
    expect(rich.unsaved?.isPlain).toBe(false);
    expect(shownState(rich)).not.toBe(rich.state);
    const plain = withPatch(rich, { at: "then" }, Infinity);
    expect(plain.sizeAtMost).toBeLessThan(Infinity);
    expect(plain.unsaved?.text).toBe('{"order":1,"at":"then"}');
    expect(shownState(plain)).toBe(plain.state);
  });
});

test("a commit makes the record of what it led to, with nothing left to store", () => {
  const execution = withPatch(executionAt({}, { uncommittedAttempts: 2, claims: 3 }), { a: 1 }, Infinity);
  const { transition } = decided(execution, { type: "stepOk" }, facts);
  expect(committedAs(execution, transition)).toMatchObject({
    revision: 1,
    claims: 1,
    uncommittedAttempts: 0,
    unsaved: null,
    state: { order: 1, a: 1 },
    position: { stepIndex: 1 },
  });
});

describe("attempts", () => {
  test("are numbered with those that count for nothing", () => {
    expect(attemptOf(executionAt())).toBe(1);
    expect(attemptOf(executionAt({ attempts: 2, uncounted: 1 }, { claims: 2, uncommittedAttempts: 1 }))).toBe(6);
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
