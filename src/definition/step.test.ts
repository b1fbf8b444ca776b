import { expect, test } from "vitest";
import { z } from "zod";
import { step } from "./step.js";
import { definitionOf } from "./definition-of.js";
import { transaction } from "../stores/sqlite/index.js";
import { workflow } from "./workflow.js";

const input = z.object({ sku: z.string() });
const order = workflow("order", { input }).step("reserve", { run: () => ({ id: "r" }) });
const add = (...given: unknown[]): unknown => (order.step as (...given: unknown[]) => unknown)(...given);

/** Calls `.step("a", options)` and gives back the refusal. */
function refusal(options: object): unknown {
  try {
    add("a", options);
  } catch (error) {
    return error;
  }
  return "nothing was refused";
}

const refused = (code: string, message: string): object => ({ code, message: expect.stringContaining(message) });
const nothing = (): void => undefined;

test.each([
  ["run", null, "null"],
  ["onMessage", "text", `"text"`],
  ["onTimeout", null, "null"],
  ["rollback", false, "false"],
  ["onRollbackMessage", {}, "an object"],
])("refuses a %s that is no function: %j", (option, value, given) => {
  expect(refusal({ run: nothing, [option]: value })).toMatchObject(
    refused("STEPWELL_INVALID_DEFINITION", `"${option}" must be a function, not ${given}.`),
  );
});

test.each([
  ["null", null],
  [`"go"`, "go"],
  ["an array", ["go"]],
  ["a schema itself", input],
])("refuses %s as messages", (given, value) => {
  for (const option of ["messages", "rollbackMessages"]) {
    expect(refusal({ run: nothing, rollback: nothing, [option]: value })).toMatchObject(
      refused(
        "STEPWELL_INVALID_DEFINITION",
        `${option} must be an object of schemas by the messages' names, not ${given}.`,
      ),
    );
  }
});

test.each([
  ["onMessage", { rollback: nothing, messages: { go: input }, onMessage: nothing }, "run"],
  ["onTimeout", { rollback: nothing, onTimeout: nothing }, "run"],
  ["onRollbackMessage", { run: nothing, rollbackMessages: { go: input }, onRollbackMessage: nothing }, "rollback"],
])("refuses an %s that could never be called", (handler, options, beginning) => {
  expect(refusal(options)).toMatchObject(
    refused("STEPWELL_INVALID_DEFINITION", `"${handler}" goes on after a pause in "${beginning}", which is missing`),
  );
});

test.each([
  ["rollback", { rollback: nothing }],
  ["onRollbackMessage", { rollbackMessages: { go: input }, onRollbackMessage: nothing }],
])("refuses a %s of what is irreversible", (undo, options) => {
  expect(refusal({ run: nothing, irreversible: "sent", ...options })).toMatchObject(
    refused("STEPWELL_INVALID_DEFINITION", `has "${undo}" and says that it is "irreversible"`),
  );
});

test("refuses a schema whose validate is no function", () => {
  const messages = { go: { "~standard": { validate: true } } };
  expect(refusal({ run: nothing, messages, onMessage: nothing })).toMatchObject(
    refused("STEPWELL_INVALID_DEFINITION", '"go" is not a schema'),
  );
});

test("empty messages are as none", () => {
  expect(refusal({ run: nothing, messages: {}, rollbackMessages: {} })).toBe("nothing was refused");
});

test.each([
  ["an object that step<…>()(…) has not made", [{ name: "a", run: nothing }], "not an object."],
  ["a copy of such a step's definition", [{ name: "a", definition: { name: "a" } }], "not an object."],
  ["a step() that was called once only", [step()], "not a function."],
  ["nothing", [], "not undefined."],
  ["null", [null], "not null."],
  ["a number", [5, { run: nothing }], "not 5."],
  [
    "a step of a module with more options",
    [step()("ship", { run: nothing }), { retry: { attempts: 2 } }],
    `not step "ship" with options, which it has already.`,
  ],
])(".step(…) refuses %s", (_, given, part) => {
  const message = expect.stringMatching(/^Workflow "order": \.step\(…\) takes a name and options, or a step made with/);
  const error = expect.objectContaining({ code: "STEPWELL_INVALID_DEFINITION", workflow: "order", message });
  expect(() => add(...given)).toThrow(error as Error);
  expect(() => add(...given)).toThrow(part);
});

test.each([
  [false, "false"],
  [null, "null"],
  [3, "3"],
  ["often", `"often"`],
  [[1], "an array"],
])("refuses %j as a retry policy, and says how to have no retries", (policy, given) => {
  for (const option of ["retry", "rollbackRetry"]) {
    expect(refusal({ run: nothing, rollback: nothing, [option]: policy })).toMatchObject(
      refused("STEPWELL_INVALID_RETRY_POLICY", `Step "a", ${option} must be a policy`),
    );
    expect(refusal({ run: nothing, [option]: policy })).toMatchObject(
      refused("STEPWELL_INVALID_RETRY_POLICY", `not ${given}. For no retries give { attempts: 1 }.`),
    );
  }
});

test.each([
  [{ attempts: "3" }, `not "3"`],
  [{ attempts: null }, "not null"],
  [{ factor: "2" }, `not "2"`],
  [{ jitter: 1 }, "not 1"],
])("refuses %j in a retry policy", (retry, given) => {
  expect(refusal({ run: nothing, retry })).toMatchObject(refused("STEPWELL_INVALID_RETRY_POLICY", given));
});

test("a maximum delay below the default delay shortens it, since no wait is longer", () => {
  const quick = order.step("a", { run: nothing, retry: { attempts: 3, maxDelay: "50ms" } });
  expect(definitionOf(quick).steps[1]?.retry).toMatchObject({ delay: 50, maxDelay: 50 });
});

test.each([
  [{ otherwise: () => ({}) }, `"otherwise" is for a step that is passed over, and there is no "when"`],
  [{ recover: () => ({}), pivot: true }, `is a pivot and has "recover"`],
  [{ when: true }, `"when" must be a function`],
  [{ deadline: 0 }, `"deadline" must be longer than 0`],
])("refuses conditions that make no sense: %o", (options, problem) => {
  expect(() => add("a", { run: () => undefined, ...options })).toThrow(problem);
});

test("refuses a sleep without a time, a wait without messages, and an undo of either", () => {
  const { sleep, waitFor } = order as unknown as Record<"sleep" | "waitFor", (...given: unknown[]) => unknown>;
  expect(() => sleep("nap", "soon")).toThrow(/"soon"/);
  expect(() => sleep("nap", "1h", { rollback: () => undefined })).toThrow(/rollback/);
  expect(() => waitFor("ask", {})).toThrow(/with one at least/);
  expect(() => waitFor("ask", { go: input }, { rollback: () => undefined })).toThrow(/rollback/);
});

test("keeps what a sleep and a wait are for those who print them", () => {
  const waits = order
    .sleep("nap", "1h")
    .waitFor("ask", { go: input })
    .waitFor("soon", { go: input }, { timeout: "1h" });
  expect(definitionOf(waits).steps.map((it) => it.waits)).toEqual([
    undefined,
    "time",
    "messages",
    "messages, with a timeout",
  ]);
  expect(String(waits)).toContain("2. nap      sleep");
});

test("refuses a probe, and inDoubt, where there is no run of its own that may be in doubt", () => {
  for (const option of [{ probe: nothing }, { inDoubt: "park" }]) {
    expect(refusal({ ...option, rollback: nothing })).toMatchObject(
      refused("STEPWELL_INVALID_DEFINITION", `is about attempts of "run", which is missing`),
    );
    expect(refusal({ ...option, run: transaction(nothing) })).toMatchObject(
      refused("STEPWELL_INVALID_DEFINITION", "what was not committed did not happen"),
    );
  }
  expect(refusal({ run: nothing, inDoubt: "wait" })).toMatchObject(
    refused("STEPWELL_INVALID_DEFINITION", `"inDoubt" must be "rerun" or "park", not "wait".`),
  );
  expect(refusal({ run: nothing, probe: true })).toMatchObject(
    refused("STEPWELL_INVALID_DEFINITION", `"probe" must be a function, not true.`),
  );
});

test("is parked in doubt with a probe, and run again without one, unless it says otherwise", () => {
  const stepOf = (options: object) => definitionOf(add("a", options) as never).steps[1]!;
  expect(stepOf({ run: nothing }).inDoubt).toBe("rerun");
  expect(stepOf({ run: nothing, probe: nothing }).inDoubt).toBe("park");
  expect(stepOf({ run: nothing, probe: nothing, inDoubt: "rerun" }).inDoubt).toBe("rerun");
  expect(String(add("a", { run: nothing, probe: nothing, inDoubt: "rerun" }))).toContain("probe, in doubt: rerun");
});
