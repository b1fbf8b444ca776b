import { expect, it } from "vitest";
import { StepwellError } from "./errors.js";

it("says in JSON what was wrong, where and under which code, and leaves out what may hold anything", () => {
  const cause = Object.assign(new Error("no route"), { password: "hunter2" });
  const error = new StepwellError("STEPWELL_EXECUTION_STUCK", 'Execution "o-1" is stuck.', {
    workflow: "order",
    step: "pay",
    execution: "o-1",
    cause,
  });
  expect(JSON.parse(JSON.stringify({ error }))).toEqual({
    error: {
      name: "StepwellError",
      code: "STEPWELL_EXECUTION_STUCK",
      message: 'Execution "o-1" is stuck.',
      workflow: "order",
      step: "pay",
      execution: "o-1",
      retryable: false,
    },
  });
});
