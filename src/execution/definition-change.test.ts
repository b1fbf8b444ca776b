import fc from "fast-check";
import { expect, test } from "vitest";
import type { StepOutline } from "../definition/outline.js";
import { changeInTheWay, shapeOf, type Standing } from "./definition-change.js";
import { initialFlow } from "./position.js";
import { isPastPivot } from "./router.js";

const names = ["a", "b", "c", "d", "e"];

const marks = fc.record(
  {
    rollback: fc.constant(true as const),
    onTimeout: fc.constant(true as const),
    messages: fc.subarray(["paid", "sent"], { minLength: 1 }),
    rollbackMessages: fc.subarray(["refunded", "returned"], { minLength: 1 }),
  },
  { requiredKeys: [] },
);

/** A few steps in some order, at most one of them a pivot. */
const list: fc.Arbitrary<readonly StepOutline[]> = fc
  .tuple(fc.shuffledSubarray(names, { minLength: 1 }), fc.array(marks, { minLength: 5, maxLength: 5 }), fc.nat(9))
  .map(([chosen, all, pivot]) =>
    chosen.map((name, index) => ({ name, ...all[index], ...(index === pivot && { pivot: true as const }) })),
  );

/** Somewhere in the list, as a router would stand there. */
function standingsIn(steps: readonly StepOutline[]): Standing[] {
  return steps.flatMap((_, stepIndex) => {
    const at = { ...initialFlow, stepIndex, waitUntil: null };
    const down = { ...at, direction: "down", lifecycle: "rollback", stepFunc: "rollback" } as const;
    return [
      { ...at, lifecycle: "step" },
      { ...at, lifecycle: "step", stepFunc: "runContinue" },
      { ...at, lifecycle: "step", stepFunc: "runContinue", waitUntil: 5 },
      { ...at, lifecycle: "success" },
      down,
      { ...down, stepFunc: "rollbackContinue" },
    ] satisfies Standing[];
  });
}

/** Mostly the same list with something changed: two lists that have nothing in common say little. */
const change = fc
  .tuple(list, list, fc.nat(5), fc.array(marks, { minLength: 5, maxLength: 5 }), fc.boolean())
  .map(([before, other, kept, all, remarked]): readonly [readonly StepOutline[], readonly StepOutline[]] => {
    const head = before.slice(0, kept);
    const rest = other.filter(({ name }) => !head.some((step) => step.name === name));
    const after = [...head.map((step, index) => (remarked ? { ...step, ...all[index] } : step)), ...rest];
    const pivot = after.findIndex(({ pivot }) => pivot === true);
    const only = after.map((step, index) => {
      const { pivot: wasPivot, ...rest } = step;
      return wasPivot === undefined || index === pivot ? step : rest;
    });
    return [before, only];
  });

test("an unchanged list is in nobody's way", () => {
  fc.assert(
    fc.property(list, (steps) => {
      for (const standing of standingsIn(steps)) expect(changeInTheWay(steps, [...steps], standing)).toBeUndefined();
    }),
  );
});

test("who goes on finds every step that was done under its number, with an undo where it had one, and its point of no return", () => {
  fc.assert(
    fc.property(change, ([before, after]) => {
      for (const standing of standingsIn(before)) {
        if (changeInTheWay(before, after, standing) !== undefined) continue;
        const { stepIndex, stepFunc } = standing;
        const past = isPastPivot(standing, shapeOf(before));
        expect(isPastPivot(standing, shapeOf(after))).toBe(past);
        for (let index = 0; index <= stepIndex; index++) {
          expect(after[index]?.name).toBe(before[index]!.name);
          if (before[index]!.rollback && !past) expect(after[index]!.rollback).toBe(true);
        }
        const field =
          stepFunc === "runContinue" ? "messages" : stepFunc === "rollbackContinue" ? "rollbackMessages" : undefined;
        if (field !== undefined) {
          expect(after[stepIndex]![field] ?? []).toEqual(
            expect.arrayContaining([...(before[stepIndex]![field] ?? [])]),
          );
        }
      }
    }),
  );
});

test("what comes after the step where it stands is in nobody's way", () => {
  fc.assert(
    fc.property(list, list, (before, other) => {
      for (const standing of standingsIn(before)) {
        const head = before.slice(0, standing.stepIndex + 1);
        const tail = other.filter(({ name }) => !head.some((step) => step.name === name));
        const hasPivot = head.some(({ pivot }) => pivot === true);
        const after = [...head, ...tail.map(({ pivot, ...step }) => (pivot && !hasPivot ? { ...step, pivot } : step))];
        expect(changeInTheWay(before, after, standing)).toBeUndefined();
      }
    }),
  );
});

test("what is in the way further up is in the way of an undo too: who goes on upwards can also turn there", () => {
  fc.assert(
    fc.property(change, ([before, after]) => {
      for (const standing of standingsIn(before)) {
        if (standing.direction === "down" || changeInTheWay(before, after, standing) !== undefined) continue;
        if (isPastPivot(standing, shapeOf(before))) continue;
        const turned = { ...standing, direction: "down", stepFunc: "rollback", lifecycle: "step" } as const;
        expect(changeInTheWay(before, after, turned)).toBeUndefined();
      }
    }),
  );
});

const at = (stepIndex: number, more: Partial<Standing> = {}): Standing => ({
  ...initialFlow,
  stepIndex,
  lifecycle: "step",
  waitUntil: null,
  ...more,
});

test.each<[string, readonly StepOutline[], readonly StepOutline[], Standing, RegExp]>([
  ["a renamed step", [{ name: "a" }], [{ name: "b" }], at(0), /step 1 was "a" and is "b" now/],
  ["a step put before", [{ name: "a" }], [{ name: "z" }, { name: "a" }], at(0), /step 1 was "a" and is "z" now/],
  [
    "a removed step",
    [{ name: "a" }, { name: "b" }],
    [{ name: "a" }],
    at(1),
    /step 2 was "b" and is not there any more/,
  ],
  [
    "a lost pivot",
    [{ name: "a", pivot: true }, { name: "b" }],
    [{ name: "a" }, { name: "b" }],
    at(1),
    /"a".*was a pivot/,
  ],
  ["a new pivot", [{ name: "a" }, { name: "b" }], [{ name: "a", pivot: true }, { name: "b" }], at(1), /"a".*no pivot/],
  ["a lost undo", [{ name: "a", rollback: true }], [{ name: "a" }], at(0), /"a" has no rollback any more/],
  [
    "a lost handler of a timeout",
    [{ name: "a", messages: ["m"], onTimeout: true }],
    [{ name: "a", messages: ["m"] }],
    at(0, { stepFunc: "runContinue", waitUntil: 1 }),
    /"a" waits until a timeout, and has no onTimeout any more/,
  ],
])("%s is told in words", (_, before, after, standing, words) => {
  expect(changeInTheWay(before, after, standing)).toMatch(words);
});

test("an undo that is gone is in nobody's way where its step was passed over", () => {
  const before = [{ name: "a", rollback: true as const }, { name: "b" }];
  const after = [{ name: "a" }, { name: "b" }];
  const standing = { ...initialFlow, stepIndex: 1, waitUntil: null };
  expect(changeInTheWay(before, after, standing)).toContain("no rollback any more");
  expect(changeInTheWay(before, after, { ...standing, passed: [0] })).toBeUndefined();
});

const forEach = (workflow: string) => ({ kind: "forEach", workflows: { "": workflow } }) as const;
const both = { kind: "parallel", workflows: { a: "x", b: "y" } } as const;

test.each<[string, StepOutline["children"], StepOutline["children"], string | undefined]>([
  ["the same", forEach("item"), forEach("item"), undefined],
  ["another child more", both, { kind: "parallel", workflows: { ...both.workflows, c: "z" } }, undefined],
  ["another kind", forEach("item"), { ...forEach("item"), kind: "child" }, "was a .forEach and is a .child now"],
  ["another workflow", forEach("item"), forEach("line"), 'was made of workflow "item", and "line" is in its place now'],
  ["a child less", both, { kind: "parallel", workflows: { a: "x" } }, 'had a child "b" of workflow "y"'],
  ["no children any more", forEach("item"), undefined, "was made of children and is a step of its own now"],
  ["children by now", undefined, forEach("item"), "was a step of its own and is made of children now"],
])("where a step of children has %s, that is in the way of who stands in it or after it", (_what, was, is, problem) => {
  const list = (children: StepOutline["children"]): StepOutline[] => [
    { name: "a" },
    { name: "b", ...(children !== undefined && { children }) },
    { name: "c" },
  ];
  const at = { ...initialFlow, lifecycle: "step", waitUntil: null } as const;
  const answers = [0, 1, 2].map((stepIndex) => changeInTheWay(list(was), list(is), { ...at, stepIndex }));
  const expected = problem === undefined ? undefined : expect.stringContaining(problem);
  expect(answers).toEqual([undefined, expected, expected]);
  const passed = { ...at, stepIndex: 2, passed: [1] };
  expect(changeInTheWay(list(was), list(is), passed)).toBeUndefined();
});

test("past the pivot only the children for which an execution waits are in its way", () => {
  const list = (workflow: string): StepOutline[] => [
    { name: "a", children: forEach(workflow), pivot: true },
    { name: "b", children: forEach(workflow) },
  ];
  const at = { ...initialFlow, lifecycle: "step", stepFunc: "runContinue", waitUntil: null } as const;
  expect(changeInTheWay(list("x"), list("y"), { ...at, stepIndex: 1 })).toContain('step "b"');
  const [first] = list("y");
  expect(changeInTheWay(list("x"), [first!, list("x")[1]!], { ...at, stepIndex: 1 })).toBeUndefined();
});
