import { describe, expect, test } from "vitest";
import type { StepOutline } from "../definition/outline.js";
import { positionAt } from "../../test/support/executions.js";
import { previewOf, type Previewed } from "./preview.js";

const steps: readonly StepOutline[] = [
  { name: "a", rollback: true },
  { name: "b", irreversible: "It has left." },
  { name: "c", when: true, rollback: true },
  { name: "d", transactional: true, rollback: true },
];

function standing(position: Parameters<typeof positionAt>[0], more: Partial<Previewed> = {}): Previewed {
  const at = { status: "running", line: null, claims: 1, admission: null, owner: 1 } as const;
  return { ...at, position: positionAt(position), ...more };
}

const said = (record: Previewed, to?: string): string[] =>
  previewOf(record, steps, new Set(), 0, to === undefined ? "rollback" : { to }).steps.map(
    ({ step, what }) => `${step} ${what}`,
  );

describe("what becomes of the step where an execution stands", () => {
  test("one whose condition was not asked yet, and one that would only work in a transaction, have not begun", () => {
    expect(said(standing({ stepIndex: 2 }))[1]).toBe("c never-ran");
    expect(said(standing({ stepIndex: 2, begins: true }))[1]).toBe("c half-done");
    expect(said(standing({ stepIndex: 3 }))[0]).toBe("d never-ran");
    expect(said(standing({ stepIndex: 3, partly: true }))[0]).toBe("d half-done");
  });

  test("one that waits is undone, and is half done where a handler was lost", () => {
    const waiting = { stepIndex: 0, stepFunc: "runContinue" } as const;
    expect(said(standing(waiting)).at(-1)).toBe("a undo");
    expect(said(standing(waiting, { claims: 2 })).at(-1)).toBe("a half-done");
  });

  test("the first one has not begun where nobody has taken the execution up", () => {
    const fresh = { lifecycle: "init" } as const;
    expect(said(standing(fresh, { owner: null, claims: 0 })).at(-1)).toBe("a never-ran");
    expect(said(standing(fresh)).at(-1)).toBe("a half-done");
  });
});

test("a step in doubt that the execution went on after is half done, and one that was passed over never ran", () => {
  const later = standing({ stepIndex: 3, doubtful: [0], passed: [2] });
  expect(said(later)).toEqual(["d never-ran", "c never-ran", "b irreversible", "a half-done"]);
});

test("a step that has a probe is in doubt until that has answered, and never ran where it has said so", () => {
  const probed: readonly StepOutline[] = [{ name: "a", rollback: true, probe: true, inDoubt: "park" }];
  const whatOf = (position: object, more: Partial<Previewed> = {}) =>
    previewOf(standing(position, more), probed, new Set(), 0).steps[0]?.what;
  const doubt = { index: 0, since: 0 };
  expect(whatOf({ lifecycle: "step", begins: true })).toBe("in-doubt");
  expect(whatOf({ lifecycle: "step", attempts: 1, doubts: [doubt] })).toBe("in-doubt");
  expect(whatOf({ lifecycle: "step", attempts: 1, doubts: [{ ...doubt, answer: "unknown" }] })).toBe("half-done");
  expect(whatOf({ lifecycle: "step", attempts: 1, doubts: [{ ...doubt, answer: "did-not-happen" }] })).toBe(
    "never-ran",
  );
  const parked = { lifecycle: "step", attempts: 1, doubts: [{ ...doubt, answer: "unknown" }] };
  expect(whatOf(parked, { status: "stuck" })).toBe("in-doubt");
  expect(whatOf({ lifecycle: "success" }, { status: "completed" })).toBe("undo");
});

test("of a rewind it names the steps down to that one, or why there is none", () => {
  const at = standing({ stepIndex: 2, begins: true });
  expect(said(at, "c")).toEqual(["d never-ran", "c half-done"]);
  expect(previewOf(at, steps, new Set(), 0, { to: "b" }).refused).toBe("would-repeat");
  expect(previewOf(at, steps, new Set(), 0, { to: "d" })).toEqual({ refused: "step-not-begun", steps: [] });
});
