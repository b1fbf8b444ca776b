import { expect, test } from "vitest";
import { arrival, executionAt } from "../../test/support/executions.js";
import { eventAt, operatorEvent } from "./events.js";

test("an event says where the execution stood, and which attempt that was", () => {
  const event = eventAt(executionAt({ attempts: 1, stepFunc: "runContinue" }), { type: "cutOff" }, "cut-off");
  expect(event).toMatchObject({ func: "runContinue", attempt: 2, result: "cut-off", called: false, error: null });
});

test("an operator's act becomes an event that names who asked, and why", () => {
  const asked = { cause: arrival("skip"), by: "ada", why: "refunded by hand" };
  expect(operatorEvent(executionAt(), "skip", asked)).toMatchObject({
    what: { type: "stepOk" },
    result: "skipped",
    by: "ada",
    error: { name: "Skipped", message: "refunded by hand" },
  });
  expect(operatorEvent(executionAt(), "retry", asked).what.type).toBe("resumed");
  expect(operatorEvent(executionAt(), "patch", asked).what.type).toBe("patched");
});
