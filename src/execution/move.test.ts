import fc from "fast-check";
import { expect, test } from "vitest";
import type { StepOutline } from "../definition/outline.js";
import { initialFlow, keyNameOf, type Position } from "./position.js";
import { placeIn, type Lists } from "./move.js";

const names = ["a", "b", "c", "d", "constructor"];

/** A few steps in some order, at most one of them a pivot. */
const list: fc.Arbitrary<readonly StepOutline[]> = fc
  .tuple(
    fc.shuffledSubarray(names, { minLength: 1 }),
    fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    fc.nat(9),
  )
  .map(([chosen, undone, pivot]) =>
    chosen.map((name, index) => ({
      name,
      ...(undone[index] === true && { rollback: true as const }),
      ...(index === pivot && { pivot: true as const }),
    })),
  );

const lists: fc.Arbitrary<Lists> = fc
  .tuple(list, list, fc.dictionary(fc.constantFrom(...names), fc.option(fc.constantFrom(...names)), { maxKeys: 3 }))
  .map(([before, after, steps]) => ({ before, after, steps }));

function standing(
  before: readonly StepOutline[],
  at: number,
  way: "up" | "down" | "done",
): Position & { begun: boolean } {
  const stepIndex = at % before.length;
  return {
    ...initialFlow,
    direction: way === "down" ? "down" : "up",
    stepFunc: way === "down" ? "rollback" : "run",
    lifecycle: way === "up" ? "step" : way === "down" ? "rollback" : "success",
    stepIndex,
    step: before[stepIndex]!.name,
    attempts: 0,
    firstAttemptAt: null,
    uncounted: 0,
    waitUntil: null,
    resumeAt: null,
    error: null,
    stuckBy: null,
    begun: true,
  };
}

test("wherever an execution is placed, what it may have done is undone once on the way back, and never done again", () => {
  let placed = 0;
  const property = fc.property(
    lists,
    fc.nat(4),
    fc.constantFrom("up", "down", "done"),
    fc.option(fc.constantFrom(...names), { nil: undefined }),
    (lists, at, way, to) => {
      const { before, after, steps } = lists;
      const stands = standing(before, at, way);
      const place = placeIn(lists, stands, to);
      if ("problem" in place) return;
      placed++;
      const now = (name: string): string | null | undefined => (Object.hasOwn(steps, name) ? steps[name] : name);
      const pivot = before.findIndex((step) => step.pivot === true);
      const isPast =
        pivot >= 0 && way !== "down" && (way === "done" ? stands.stepIndex >= pivot : stands.stepIndex > pivot);
      const behind = after.slice(0, place.stepIndex + 1);
      const mayBeDone = before.slice(0, stands.stepIndex + 1);
      const missing = mayBeDone.filter(({ name, rollback }) => {
        const isUndone = behind.some((step) => step.name === now(name) && step.rollback === true);
        return rollback === true && now(name) !== null && !isUndone;
      });
      expect(isPast ? [] : missing).toEqual([]);
      const undone = way === "down" ? before.slice(stands.stepIndex + 1).filter(({ rollback }) => rollback) : [];
      const toUndo = behind.filter(({ rollback }) => rollback).map(({ name }) => name);
      expect(toUndo.filter((name) => undone.some((step) => now(step.name) === name))).toEqual([]);
      const ahead = way === "up" ? after.slice(place.stepIndex).map(({ name }) => name) : [];
      const done = before.slice(0, stands.stepIndex).map(({ name }) => now(name));
      expect(ahead.filter((name) => done.includes(name))).toEqual([]);
      expect(after[place.stepIndex]!.name).toBe(to ?? now(stands.step));
      // No two steps, of whichever list, are known by one key.
      const keys = after.map(({ name }) => keyNameOf(name, place.keys));
      expect(new Set(keys).size).toBe(keys.length);
      for (const { name } of before) {
        const newer = now(name);
        for (const step of after) {
          if (step.name !== newer) expect(keyNameOf(step.name, place.keys)).not.toBe(name);
        }
      }
    },
  );
  fc.assert(property, { numRuns: 5_000 });
  expect(placed).toBeGreaterThan(100);
});

test("between lists that are the same an execution stands where it stood", () => {
  fc.assert(
    fc.property(list, fc.nat(4), fc.constantFrom("up", "down", "done"), (same, at, way) => {
      const stands = standing(same, at, way);
      const place = placeIn({ before: same, after: same, steps: {} }, stands, undefined);
      const stood = { stepIndex: stands.stepIndex, stays: true, keys: {}, gone: [], until: undefined };
      expect(place).toStrictEqual({ ...stood, passed: [], doubtful: [], doubts: [], rounds: [] });
    }),
  );
});

const undo = { rollback: true } as const;
const three: readonly StepOutline[] = [{ name: "a", ...undo }, { name: "b", ...undo }, { name: "c" }];

test.each<[string, Lists["after"], Lists["steps"], string | undefined, string | RegExp]>([
  [
    "a step that is gone",
    [{ name: "b", ...undo }],
    {},
    undefined,
    /"a" may have to be undone and is not there any more/,
  ],
  ["a step that is gone, as was said", [{ name: "b", ...undo }], { a: null }, undefined, "b"],
  ["a step without its undo", [{ name: "a" }, { name: "b", ...undo }], {}, undefined, /"a".*has no rollback/],
  [
    "steps in another order",
    [
      { name: "b", ...undo },
      { name: "a", ...undo },
    ],
    {},
    undefined,
    /"a".*would come after/,
  ],
  [
    "the step where it stands gone",
    [{ name: "a", ...undo }],
    {},
    undefined,
    /"b", where it stands, is not there any more/,
  ],
  [
    "a step that is none",
    [{ name: "a", ...undo }],
    { b: "x" },
    undefined,
    /"b" became "x", which is no step of this version/,
  ],
  ["a step that was none", three, { x: "a" }, undefined, /"x", which is no step of the older version/],
  ["two steps as one", three, { a: "b" }, undefined, /"a" and "b" would both become "b"/],
  ["a name again", [{ name: "z", ...undo }, ...three], { a: "z" }, undefined, /"a" was the name of another step/],
  [
    "names exchanged",
    [
      { name: "b", ...undo },
      { name: "a", ...undo },
    ],
    { a: "b", b: "a", c: null },
    undefined,
    "a",
  ],
  ["a place that is none", three, {}, "x", /"x", which is no step/],
  ["a place at what is done", three, {}, "a", /"a" is done, and would be done again/],
  ["a place further up", three, {}, "c", "c"],
])("of an execution that stands at b: %s", (_, after, steps, to, expected) => {
  const place = placeIn({ before: three, after, steps }, standing(three, 1, "up"), to);
  if (typeof expected === "string") expect("stepIndex" in place && after[place.stepIndex]!.name).toBe(expected);
  else expect("problem" in place && place.problem).toMatch(expected);
});

test("a name that a step had two versions ago is not given again", () => {
  const stands = { ...standing([{ name: "b" }], 0, "up"), keys: { b: "a" } };
  const place = placeIn(
    { before: [{ name: "b" }], after: [{ name: "b" }, { name: "a" }], steps: {} },
    stands,
    undefined,
  );
  expect(place).toEqual({ problem: expect.stringMatching(/"a" was the name of another step/) as string });
});

test("a wait that nothing could end any more is in the way, unless its step begins again", () => {
  const before: readonly StepOutline[] = [{ name: "a", messages: ["paid"] }];
  const after: readonly StepOutline[] = [{ name: "a", messages: ["settled"] }];
  const stands = { ...standing(before, 0, "up"), stepFunc: "runContinue" as const };
  expect(placeIn({ before, after, steps: {} }, stands, undefined)).toMatchObject({
    problem: expect.stringMatching(/waits for message "paid"/) as string,
  });
  expect(placeIn({ before, after, steps: {} }, stands, "a")).toMatchObject({ stepIndex: 0, stays: false });
});

test("over several versions no two steps that may have been begun are known by one key", () => {
  const renaming = fc.dictionary(fc.constantFrom(...names), fc.option(fc.constantFrom(...names)), { maxKeys: 2 });
  const plain = fc
    .shuffledSubarray(names, { minLength: 1 })
    .map((chosen): readonly StepOutline[] => chosen.map((name) => ({ name })));
  const hop = fc.record({ after: plain, steps: renaming, further: fc.nat(2) });
  let placed = 0;
  const property = fc.property(plain, fc.nat(2), fc.array(hop, { minLength: 2, maxLength: 4 }), (first, at, hops) => {
    let before = first;
    let stands = standing(first, at, "up");
    let steps = first.map(({ name }) => ({ begunAs: name }));
    const begun = new Set(steps.slice(0, stands.stepIndex + 1));
    for (const [index, { after, further, ...hop }] of hops.entries()) {
      // What is not spoken of and not there any more is nobody's mistake here.
      const known = Object.fromEntries(
        Object.entries(hop.steps).filter(([name]) => before.some((it) => it.name === name)),
      );
      const place = placeIn({ before, after, steps: known }, stands, undefined);
      if ("problem" in place) return;
      if (index > 0) placed++;
      const olderNames = before.map(({ name }) => (Object.hasOwn(known, name) ? known[name] : name));
      steps = after.map(({ name }) => steps[olderNames.indexOf(name)] ?? { begunAs: name });
      const stepIndex = Math.min(after.length - 1, place.stepIndex + further);
      stands = { ...stands, stepIndex, step: after[stepIndex]!.name, keys: place.keys, gone: place.gone };
      for (const [index, step] of steps.slice(0, stepIndex + 1).entries()) {
        // What was counted as done without being begun has no key yet.
        if (index >= place.stepIndex) begun.add(step);
      }
      for (const [index, step] of steps.entries()) {
        const key = keyNameOf(after[index]!.name, place.keys);
        if (begun.has(step)) expect(key).toBe(step.begunAs);
        for (const other of begun) if (other !== step) expect(key).not.toBe(other.begunAs);
      }
      before = after;
    }
  });
  fc.assert(property, { numRuns: 5_000 });
  expect(placed).toBeGreaterThan(100);
});

test("what was passed over stays so where it is now, and is none of it where it comes again", () => {
  const before = [{ name: "a" }, { name: "b", rollback: true as const }, { name: "c" }];
  const after = [{ name: "x" }, { name: "a" }, { name: "b2" }, { name: "c" }];
  const at = { ...standing(before, 2, "up"), passed: [1] };
  const steps = { b: "b2" };
  expect(placeIn({ before, after, steps }, at, undefined)).toMatchObject({ stepIndex: 3, passed: [2] });
  // From "a" on everything is asked anew.
  const again = placeIn({ before: before.map(({ name }) => ({ name })), after, steps }, at, "c");
  expect(again).toMatchObject({ stepIndex: 3, passed: [2] });
});

test("what has completed begins no step again: a step that was passed over stays so, also where it goes on there", () => {
  const before = [{ name: "a", rollback: true as const }, { name: "b" }];
  const done = { ...standing(before, 1, "done"), passed: [0] };
  const lists = { before, after: before.slice(0, 1), steps: { b: null } };
  expect(placeIn(lists, done, "a")).toMatchObject({ stepIndex: 0, passed: [0] });
});

test("a pivot that was passed over is none in the newer list either", () => {
  const before = [{ name: "a" }, { name: "b", pivot: true as const }, { name: "c" }];
  const at = { ...standing(before, 2, "up"), passed: [1] };
  expect(placeIn({ before, after: before, steps: {} }, at, undefined)).toMatchObject({ stepIndex: 2, passed: [1] });
  const moved = [{ name: "a", pivot: true as const }, { name: "b" }, { name: "c" }];
  expect(placeIn({ before, after: moved, steps: {} }, at, undefined)).toMatchObject({
    problem: expect.stringContaining("pivot") as string,
  });
});

const item = { kind: "forEach", workflows: { "": "item" } } as const;
const withItems = [{ name: "a" }, { name: "b", children: item }, { name: "c" }] satisfies StepOutline[];
const at = (stepIndex: number, more: Partial<Position> = {}) => ({ ...standing(withItems, stepIndex, "up"), ...more });

test("children that may have to be undone find their step again, whatever its name is now", () => {
  const renamed = [{ name: "a" }, { name: "items", children: item }, { name: "c" }];
  const place = placeIn({ before: withItems, after: renamed, steps: { b: "items" } }, at(2), undefined);
  expect(place).toMatchObject({ stepIndex: 2, keys: { items: "b" } });
  const other = [{ name: "a" }, { name: "b", children: { ...item, workflows: { "": "line" } } }, { name: "c" }];
  expect(placeIn({ before: withItems, after: other, steps: {} }, at(2), undefined)).toMatchObject({
    problem: expect.stringContaining('was made of workflow "item"'),
  });
  const gone = [{ name: "a" }, { name: "c" }];
  expect(placeIn({ before: withItems, after: gone, steps: {} }, at(2), undefined)).toMatchObject({
    problem: expect.stringContaining('step "b" may have to be undone and is not there any more'),
  });
});

test("a step of children may be dropped where it is done, and not left while it may wait for them", () => {
  const after = [{ name: "a" }, { name: "c" }];
  const lists = { before: withItems, after, steps: { b: null } };
  expect(placeIn(lists, at(2), undefined)).toMatchObject({ stepIndex: 1 });
  for (const stepFunc of ["runContinue", "rollbackContinue", "rollback"] as const) {
    expect(placeIn(lists, at(1, { stepFunc }), "c")).toMatchObject({
      problem: expect.stringContaining('step "b" waits for its children'),
    });
  }
  expect(placeIn(lists, at(1), "c")).toMatchObject({ stepIndex: 1 });
  const same = { before: withItems, after: withItems, steps: {} };
  expect(placeIn(same, at(1, { stepFunc: "runContinue" }), "c")).toMatchObject({ problem: expect.any(String) });
  expect(placeIn(same, at(1, { stepFunc: "runContinue" }), undefined)).toMatchObject({ stepIndex: 1, stays: true });
});

test("a rewind that is under way goes on to its step under another name, and its rounds count from there", () => {
  const stands = { ...standing(three, 2, "down"), until: 1, round: 1, rounds: [{ round: 1, from: 1 }] };
  const after = [{ name: "new" }, { name: "a", ...undo }, { name: "bee", ...undo }, { name: "c" }];
  expect(placeIn({ before: three, after, steps: { b: "bee" } }, stands, undefined)).toMatchObject({
    ...{ stepIndex: 3, until: 2, rounds: [{ round: 1, from: 2 }] },
  });
});

test("a rewind whose step is gone can't go on", () => {
  const stands = { ...standing(three, 2, "down"), until: 1 };
  const after = [{ name: "a", ...undo }, { name: "c" }];
  expect(placeIn({ before: three, after, steps: { b: null } }, stands, undefined)).toEqual({
    problem: 'it is being rewound to step "b", which is not there any more',
  });
});
