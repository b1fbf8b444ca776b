import { expect, test } from "vitest";
import { z } from "zod";
import { workflow } from "../index.js";
import { definitionOf } from "../definition/definition-of.js";
import { StepwellError } from "../errors.js";
import { arrival, executionAt, mailOf, momentOf, now } from "../../test/support/executions.js";
import type { ActiveExecution } from "./execution.js";
import type { Request } from "./mail.js";
import { nextTask, type Moment } from "./next.js";

const definition = definitionOf(
  workflow("flow", { input: z.object({}) }).step("a", {
    run: () => undefined,
    rollback: () => undefined,
    messages: { paid: z.object({}) },
    onMessage: () => undefined,
    deadline: "1m",
  }),
);
const paid = arrival("message", {}, "paid");
const cancel = arrival("rollback", { reason: "cancelled", ifCompleted: "undo" });
const request: Request = { type: "rollback", arrival: cancel, request: { reason: "cancelled", ifCompleted: "undo" } };
const error = new StepwellError("STEPWELL_NOT_DECODABLE", "it can't be read");

function next(execution: ActiveExecution, moment: Partial<Moment> = {}) {
  return nextTask(execution, momentOf(definition, moment));
}

const waiting = { lifecycle: "step", stepFunc: "runContinue", lastResult: "continue" } as const;

test.each([
  ["its first function is called", executionAt(), {}, { type: "call", action: "init" }],
  ["a request goes before all else", executionAt(), { request }, { type: "follow", request }],
  [
    "what can't be read goes before a request",
    executionAt(),
    { request, unreadable: error },
    { type: "turnAway", error },
  ],
  [
    "an end that nobody has heard of is told first",
    executionAt({ lifecycle: "success" }, { status: "completed" }),
    { isRestUntold: true, request },
    { type: "tellRest" },
  ],
  [
    "another list of steps is checked before a request",
    executionAt(),
    { isMismatched: true },
    { type: "checkDefinition" },
  ],
  [
    "at rest, only a request asks for that check",
    executionAt({ lifecycle: "success" }, { status: "completed" }),
    { isMismatched: true },
    { type: "release", dueInMs: null },
  ],
  ["a launcher that stops lets go", executionAt(), { stopping: true }, { type: "release", dueInMs: 0 }],
  [
    "but first it commits that an attempt was begun",
    executionAt({}, { uncommittedAttempts: 1 }),
    { stopping: true },
    { type: "cutOff" },
  ],
  ["who may have killed many is asked about", executionAt({}, { claims: 11 }), {}, { type: "countDeaths" }],
  ["unless that is known", executionAt({}, { claims: 11 }), { isCleared: true }, { type: "noteCall" }],
  ["a second taker notes its call first", executionAt({}, { claims: 2 }), {}, { type: "noteCall" }],
  ["once", executionAt({}, { claims: 2 }), { isNoted: true }, { type: "call", action: "init" }],
  [
    "the deadline goes before a limit",
    executionAt({}, { deadlineAt: now, admission: "queued" }),
    {},
    { type: "follow", request: "deadline" },
  ],
  [
    "who is queued waits for the limit",
    executionAt({}, { deadlineAt: now + 9, admission: "queued" }),
    {},
    { type: "release", dueInMs: 9 },
  ],
  ["a retry waits for its time", executionAt({ resumeAt: now + 7 }), {}, { type: "release", dueInMs: 7 }],
  [
    "a step's own deadline goes before its retry",
    executionAt({ lifecycle: "step", resumeAt: now + 7, stepDeadlineAt: now }),
    {},
    { type: "stepOverdue" },
  ],
  [
    "an undo knows what its step gave",
    executionAt({ direction: "down", stepFunc: "rollback", lifecycle: "rollback" }),
    { isRecalled: false },
    { type: "recall" },
  ],
  [
    "a message that is waited for is handled",
    executionAt(waiting),
    { mail: mailOf(paid) },
    { type: "handle", message: paid },
  ],
  ["a wait goes on", executionAt({ ...waiting, waitUntil: now + 3 }), {}, { type: "release", dueInMs: 3 }],
  ["a wait ends", executionAt({ ...waiting, waitUntil: now }), {}, { type: "waitTimedOut" }],
  [
    "a mailbox full of refused messages is taken up anew",
    executionAt(waiting),
    { mail: { signals: 64, pending: [paid], dead: Array.from({ length: 64 }, String) } },
    { type: "release", dueInMs: 0 },
  ],
  ["what is stuck waits for an operator", executionAt({}, { status: "stuck" }), {}, { type: "release", dueInMs: null }],
] as const)("%s", (_, execution, moment, task) => {
  expect(next(execution, moment)).toEqual(task);
});
