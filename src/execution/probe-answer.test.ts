import { expect, test } from "vitest";
import { z } from "zod";
import { executionAt, time } from "../../test/support/executions.js";
import { definitionOf } from "../definition/definition-of.js";
import { again, didNotHappen, happened, pause, unknown } from "../definition/outcome.js";
import { workflow } from "../definition/workflow.js";
import { StepwellError } from "../errors.js";
import { answerOf, resolved } from "./probe-answer.js";
import type { Settled } from "./step-result.js";

const step = definitionOf(
  workflow("pay", { input: z.object({}) }).step("pay", {
    run: () => pause({ paid: 1 }, { timeout: "5m" }),
    probe: () => unknown(),
    rollback: () => undefined,
  }),
).steps[0]!;

const facts = {
  shape: { count: 1, pivot: -1 },
  time,
  clock: { random: () => 0.5 },
  limit: Infinity,
  stillRuns: false,
  inDoubtError: () => new StepwellError("STEPWELL_EXECUTION_STUCK", "in doubt"),
};
const call = { step, called: true, attempt: 1, cause: undefined, elapsed: 3 };
const inDoubt = executionAt({ doubts: [{ index: 0, since: 0 }] });

function answer(value: unknown, more: Partial<typeof facts> = {}, execution = inDoubt) {
  return answerOf(execution, { kind: "returned", value }, call, { ...facts, ...more });
}

test("what happened is as if the function had given it, a pause too; on the way down only what it gave counts", () => {
  const paused = answer(happened(pause({ paid: 1 }, { timeout: "5m" })));
  expect(paused.event).toMatchObject({ what: { type: "stepPaused" }, func: "probe", result: "happened" });
  expect(paused.execution.state).toMatchObject({ paid: 1 });
  const down = executionAt({ direction: "down", stepFunc: "rollback", doubts: [{ index: 0, since: 0 }] });
  expect(answer(happened({ paid: 1 }), {}, down)).toMatchObject({
    ...{ event: { what: { type: "probeHappened" } }, execution: { state: { paid: 1 } } },
  });
});

test("that it did not happen is believed only where the attempt is over and nothing was committed before", () => {
  expect(answer(didNotHappen()).event.what.type).toBe("probeDidNotHappen");
  expect(answer(didNotHappen(), { stillRuns: true }).event).toMatchObject({ result: "unknown" });
  const partly = executionAt({ doubts: [{ index: 0, since: 0, partly: true }] });
  expect(answer(didNotHappen(), {}, partly).event).toMatchObject({ result: "unknown" });
});

test("what nobody knows parks, and what is not known yet is asked again", () => {
  expect(answer(unknown()).event.what).toMatchObject({ type: "probed", parks: true, wait: null });
  expect(answer(again({ after: "1m" })).event.what).toMatchObject({ type: "probed", parks: false, wait: 60_000 });
});

test("a probe that fails, or talks nonsense, has given no answer and is asked again", () => {
  const threw: Settled = { kind: "threw", error: new Error("away") };
  const failed = answerOf(inDoubt, threw, call, facts).event;
  expect(failed).toMatchObject({ answered: "failed", what: { type: "probed", reason: "Error", parks: false } });
  expect(answer(5).event).toMatchObject({ answered: "failed", what: { parks: true } });
});

test("an operator's word stands in for the probe", () => {
  expect(resolved(inDoubt, { resolved: "happened", patch: { paid: 1 } }, call, facts).execution.state).toMatchObject({
    paid: 1,
  });
  expect(resolved(inDoubt, { resolved: "did-not-happen" } as never, call, facts).event.what.type).toBe(
    "probeDidNotHappen",
  );
});
