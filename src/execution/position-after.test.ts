import { expect, test } from "vitest";
import { z } from "zod";
import { pause, workflow } from "../index.js";
import { definitionOf } from "../definition/definition-of.js";
import { decided, executionAt, factsOf, now } from "../../test/support/executions.js";
import type { RoutedEvent } from "./router.js";

const functions = { run: () => undefined, rollback: () => undefined, deadline: "1m" } as const;
const definition = definitionOf(
  workflow("flow", { input: z.object({}) })
    .step("a", { run: () => undefined, irreversible: "the letter is sent" })
    .step("b", functions),
);
const facts = factsOf(definition);

const after = (position: Parameters<typeof executionAt>[0], what: RoutedEvent, details = {}, fields = {}) =>
  decided(executionAt({ lifecycle: "step", ...position }, fields), what, facts, details).transition.position;

const retry: RoutedEvent = { type: "retry", reason: "away", wait: 50, afresh: false };

test("a failed attempt is counted from its beginning on, and one that succeeds forgets them", () => {
  expect(after({}, retry, { durationMs: 20 })).toMatchObject({
    attempts: 1,
    firstAttemptAt: now - 20,
    resumeAt: now + 50,
  });
  expect(after({ attempts: 1, firstAttemptAt: 5 }, { type: "stepOk" })).toMatchObject({
    attempts: 0,
    firstAttemptAt: null,
  });
});

test("a shutdown counts for nothing, but its number is used up", () => {
  expect(after({}, { type: "cutOff" })).toMatchObject({ attempts: 0, uncounted: 1 });
  expect(after({ attempts: 2, uncounted: 1 }, { type: "resumed" })).toMatchObject({ attempts: 0, uncounted: 3 });
});

test("a pause sets the timeout; a handler's pause keeps it, restarts it, or clears it", () => {
  const paused = { type: "stepPaused" } as const;
  const handler = { stepFunc: "runContinue", waitUntil: now + 9 } as const;
  const cause = { kind: "message" };
  expect(after({}, paused, { pause: pause({}, { timeout: "1s" }) }).waitUntil).toBe(now + 1000);
  expect(after(handler, paused, { pause: pause(), cause }).waitUntil).toBe(now + 9);
  expect(after(handler, paused, { pause: pause({}, { timeout: null }), cause }).waitUntil).toBeNull();
});

test("a step's own deadline runs from its beginning, and anew after an operator's retry", () => {
  expect(after({ stepIndex: 1, step: "b" }, { type: "begins" })).toMatchObject({
    begins: true,
    stepDeadlineAt: now + 60_000,
  });
  expect(after({ stepIndex: 1, step: "b", stepDeadlineAt: 5 }, { type: "resumed" }).stepDeadlineAt).toBe(now + 60_000);
});

test("where it turns, what can't be undone is listed", () => {
  const position = after({ stepIndex: 1, step: "b" }, { type: "stepFailed", reason: "no" });
  expect(position.irreversible).toEqual([{ step: "a", reason: "the letter is sent" }]);
});

test("a step whose attempt was lost stays in doubt while it stands there, and is told so if the execution goes on", () => {
  expect(after({}, retry, { called: false }, { claims: 2 }).inDoubt).toBe(true);
  expect(after({}, { type: "stepOk" }, { called: false }, { claims: 2 }).doubtful).toEqual([0]);
  expect(after({}, { type: "stepOk" }, { called: true, gave: true }, { claims: 2 }).doubtful).toBeUndefined();
});

test("a function that asks to be called again has polled, and is not done", () => {
  expect(after({}, { type: "again", wait: 70 })).toMatchObject({
    polls: 1,
    attempts: 0,
    resumeAt: now + 70,
    partly: true,
  });
});

test("an undo that was lost with its launcher is numbered on where a rollback takes over from a rewind", () => {
  const asked: RoutedEvent = { type: "rollbackRequested", reason: "returned", begun: true };
  const down = {
    direction: "down",
    stepIndex: 1,
    step: "b",
    stepFunc: "rollback",
    lifecycle: "rollback",
    until: 1,
  } as const;
  const position = after({ ...down, attempts: 1, uncounted: 1 }, asked, {}, { claims: 3 });
  expect(position).toMatchObject({ reason: "returned", attempts: 1, uncounted: 3 });
  expect(position.until).toBeUndefined();
  expect(after({ ...down, attempts: 1, uncounted: 1 }, asked, {})).toMatchObject({ attempts: 1, uncounted: 1 });
});
