import { expect, test } from "vitest";
import { initialFlow, type Position } from "./position.js";
import type { HistoryEntry } from "./records.js";
import { brokenInvariant } from "./invariants.js";
import type { RoutedEvent } from "./router.js";

function at(direction: "up" | "down", stepIndex: number, lifecycle: Position["lifecycle"] = "step"): Position {
  const rest = { attempts: 0, firstAttemptAt: null, uncounted: 0, waitUntil: null, resumeAt: null };
  return {
    ...initialFlow,
    direction,
    stepIndex,
    lifecycle,
    step: String(stepIndex),
    error: null,
    stuckBy: null,
    ...rest,
  };
}

const ok: RoutedEvent = { type: "stepOk" };
const failed: RoutedEvent = { type: "stepFailed", reason: "no" };
const vetoed = (begun: boolean): RoutedEvent => ({ type: "beforeStepVetoed", reason: "no", begun });
const asked = (begun: boolean): RoutedEvent => ({ type: "rollbackRequested", reason: "no", begun });
const again: RoutedEvent = { type: "retry", reason: "no", wait: 0, afresh: false };
const parked: RoutedEvent = { type: "parked", reason: "no", untouched: true };

function broken(
  before: Position,
  event: RoutedEvent,
  after: Position,
  next = 8,
  leftNothing = false,
): string | undefined {
  const history = (leftNothing ? { leftNothing } : {}) as HistoryEntry;
  return brokenInvariant({ position: before, revision: 7 }, event, { position: after, revision: next, history });
}

test.each([
  ["from one step that is done to the next", at("up", 1), ok, at("up", 2)],
  ["on where it is", at("up", 1), again, at("up", 1)],
  ["into the undo of its own step", at("up", 1), failed, at("down", 1)],
  ["into the undo of the step before, where its own never ran", at("up", 1), vetoed(false), at("down", 0)],
  ["from one undo that is done to the one before", at("down", 1), ok, at("down", 0)],
  ["to its end, completed, with a step that is done", at("up", 1), ok, at("up", 1, "success")],
  ["to its end, completed early", at("up", 1), { type: "stepCompleted" }, at("up", 1, "success")],
  ["to its end with its first step undone", at("down", 0), ok, at("down", 0, "failure")],
  ["to its end before it has begun", at("up", 0, "init"), asked(false), at("down", 0, "failure")],
  ["back once it has completed", at("up", 1, "success"), asked(true), at("down", 1)],
  ["nowhere, parked where it has ended", at("up", 1, "success"), parked, at("up", 1, "success")],
] as const)("an execution may go %s", (_, before, event, after) => {
  expect(broken(before, event, after)).toBeUndefined();
});

test.each([
  ["up again once it has turned", at("down", 1), ok, at("up", 1)],
  ["over a step", at("up", 0), ok, at("up", 2)],
  ["to the next step with its own not done", at("up", 0), again, at("up", 1)],
  ["to the next step from a pause", at("up", 0), { type: "stepPaused" }, at("up", 1)],
  ["back without turning", at("up", 2), ok, at("up", 1)],
  ["over an undo", at("down", 2), ok, at("down", 0)],
  ["to the undo before with its own not done", at("down", 2), failed, at("down", 1)],
  ["past the undo of a step that failed", at("up", 1), failed, at("down", 0)],
  ["past the undo of a step that may have begun", at("up", 1), vetoed(true), at("down", 0)],
  ["past the undo of a step, after a rollback request", at("up", 1), asked(true), at("down", 0)],
  ["into an undo of what was never reached", at("up", 1), failed, at("down", 2)],
  ["from an undo to the one after", at("down", 0), ok, at("down", 1)],
  ["to its end with a step that is not done", at("up", 1), failed, at("up", 1, "success")],
  ["to its end with an undo that failed", at("down", 0), failed, at("down", 0, "failure")],
  ["to its end with an undo before it", at("down", 1), ok, at("down", 1, "failure")],
  ["to its end though its first step may have begun", at("up", 0), asked(true), at("down", 0, "failure")],
  ["to its end with the step before done", at("up", 1), asked(false), at("down", 1, "failure")],
  ["on after it has been rolled back", at("down", 0, "failure"), asked(true), at("down", 0)],
  ["on after it has completed", at("up", 1, "success"), ok, at("up", 1, "success")],
] as const)("no commit is made that would take it %s", (_, before, event, after) => {
  expect(broken(before, event, after)).toMatch(/^it would go /);
});

test.each([7, 9])("no commit is made that is not the next one: revision %i after 7", (next) => {
  expect(broken(at("up", 1), ok, at("up", 2), next)).toMatch(/^it would go from revision 7/);
});

test.each([
  ["the step before", at("up", 1), at("down", 0)],
  ["its end", at("up", 0), at("down", 0, "failure")],
])("an execution whose step left nothing may turn to %s, and no other may", (_, before, after) => {
  expect(broken(before, failed, after, 8, true)).toBeUndefined();
  expect(broken(before, failed, after)).toMatch(/^it would go /);
});
