import { expect, test } from "vitest";
import { initialFlow, type Position } from "../flow/flow.js";
import { brokenInvariant } from "./transition.js";

function at(direction: "up" | "down", stepIndex: number): Position {
  const rest = { attempts: 0, firstAttemptAt: null, uncounted: 0, waitUntil: null, resumeAt: null };
  return { ...initialFlow, direction, stepIndex, step: String(stepIndex), error: null, stuckBy: null, ...rest };
}

test.each([
  ["from one step to the next", at("up", 1), at("up", 2)],
  ["where it is", at("up", 1), at("up", 1)],
  ["into the undo of its own step", at("up", 1), at("down", 1)],
  ["into the undo of the step before, where its own never ran", at("up", 1), at("down", 0)],
  ["from one undo to the one before", at("down", 1), at("down", 0)],
])("an execution may go %s", (_, before, after) => {
  expect(brokenInvariant(before, after)).toBeUndefined();
});

test.each([
  ["up again once it has turned", at("down", 1), at("up", 1)],
  ["over a step", at("up", 0), at("up", 2)],
  ["back without turning", at("up", 2), at("up", 1)],
  ["over an undo", at("down", 2), at("down", 0)],
  ["into an undo of what was never reached", at("up", 1), at("down", 2)],
  ["from an undo to the one after", at("down", 0), at("down", 1)],
])("no commit is made that would take it %s", (_, before, after) => {
  expect(brokenInvariant(before, after)).toMatch(/^it would go /);
});
