import { describe, expect, test } from "vitest";
import { z } from "zod";
import { again, complete, fail, pause, workflow } from "../index.js";
import { definitionOf } from "../definition/definition-of.js";
import { StepwellError } from "../errors.js";
import { executionAt, now, time } from "../../test/support/executions.js";
import type { ActiveExecution } from "./execution.js";
import { resultOf, waitTimedOut, type Settled, type SettledCall, type CallFacts } from "./step-result.js";

const definition = definitionOf(
  workflow("flow", { input: z.object({}) }).step("a", {
    run: () => undefined,
    rollback: () => undefined,
    retry: { attempts: 2, delay: "1s", within: "1m", jitter: false },
  }),
);
const call: SettledCall = { step: definition.steps[0]!, called: true, attempt: 1, cause: undefined, elapsed: 5 };
const facts: CallFacts = { shape: { count: 1, pivot: -1 }, time, clock: { random: () => 0.5 }, limit: 1000 };
const late = new StepwellError("STEPWELL_ATTEMPT_TIMEOUT", "late");

function result(settled: Settled, execution: ActiveExecution = executionAt()) {
  return resultOf(execution, settled, call, facts);
}

const returned = (value: unknown, execution?: ActiveExecution) => result({ kind: "returned", value }, execution);

describe("what a function gives back", () => {
  test.each([
    ["nothing", undefined, "stepOk", "ok"],
    ["a patch", { a: 1 }, "stepOk", "ok"],
    ["a pause", pause({ a: 1 }, { timeout: "5s" }), "stepPaused", "continue"],
    ["again", again({ a: 1 }, { after: "5s" }), "again", "again"],
    ["complete", complete({ a: 1 }), "stepCompleted", "ok"],
    ["fail", fail("no stock", { patch: { a: 1 } }), "stepFailed", "no stock"],
    ["nonsense", 5, "stepFailed", "invalid-return-value"],
    ["a pause that nothing could end", pause(), "stepFailed", "invalid-return-value"],
  ])("%s", (name, value, type, word) => {
    const { event, execution } = returned(value);
    expect(event).toMatchObject({ what: { type }, result: word, durationMs: 5, gave: word !== "invalid-return-value" });
    const isKept = name !== "nothing" && word !== "invalid-return-value";
    expect(execution.state).toEqual(isKept ? { order: 1, a: 1 } : { order: 1 });
  });

  test("what can't be stored fails the step, and nothing of it is merged", () => {
    const { event, execution } = returned({ a: "x".repeat(2000) });
    expect(event).toMatchObject({ what: { type: "stepFailed" }, result: "STEPWELL_TOO_LARGE", gave: false });
    expect(execution.state).toEqual({ order: 1 });
  });

  test("complete and again have no meaning where they could do nothing", () => {
    const down = executionAt({ direction: "down", stepFunc: "rollback" });
    expect(returned(complete(), down).event.result).toBe("invalid-return-value");
    expect(returned(again({}, { after: "1s" }), executionAt({ stepFunc: "runContinue" })).event.result).toBe(
      "invalid-return-value",
    );
  });
});

describe("a call that ends otherwise", () => {
  test("what is thrown is tried again while the policy has an attempt left", () => {
    const thrown: Settled = { kind: "threw", error: new Error("away") };
    expect(result(thrown).event.what).toEqual({ type: "retry", reason: "Error", wait: 1000, afresh: false });
    expect(result(thrown, executionAt({ attempts: 1 })).event.what.type).toBe("stepFailed");
    expect(result(thrown, executionAt({ firstAttemptAt: now - 60_000 })).event.what.type).toBe("stepFailed");
  });

  test("a timeout is a failed attempt; the step's own deadline is final", () => {
    expect(result({ kind: "timedOut", error: late, isFinal: false }).event.what).toMatchObject({
      type: "retry",
      reason: "timeout",
    });
    expect(result({ kind: "timedOut", error: late, isFinal: true }).event.what.type).toBe("stepFailed");
  });

  test("a shutdown counts for nothing", () => {
    expect(result({ kind: "cutOff" }).event).toMatchObject({
      what: { type: "cutOff" },
      result: "cut-off",
      gave: false,
    });
  });

  test("a wait that nobody ended fails on the way up, and begins anew where nothing turns", () => {
    expect(waitTimedOut(executionAt(), late, call, facts).event.what.type).toBe("stepFailed");
    const down = executionAt({ direction: "down", stepFunc: "rollbackContinue" });
    expect(waitTimedOut(down, late, call, facts).event.what).toMatchObject({ type: "retry", afresh: true });
  });
});
