import { expect, it } from "vitest";
import { z } from "zod";
import { findings, pause, workflow, type AnyWorkflow } from "../index.js";

const input = z.object({});
const messages = { paid: z.object({}) };
const rollbackMessages = { refunded: z.object({}) };
const undo = { rollback: () => undefined };
const patience = { timeout: "1h" } as const;

/** As written in JavaScript: the types of a step are not what is tested here. */
const pay = (options: object, more: object = {}): AnyWorkflow =>
  workflow("pay", { input, ...more }).step("charge", options);

const kinds = (given: AnyWorkflow): string[] => findings(given).map(({ kind, step }) => `${step}: ${kind}`);

it("finds nothing in a workflow that leaves nothing open", () => {
  const whole = workflow("whole", { input })
    .step("reserve", { run: () => ({}), ...undo })
    .step("notify", { run: () => ({}), irreversible: "A letter that was posted." })
    .step("check", undo);
  expect(findings(whole)).toEqual([]);
});

it("finds each step that has a run and neither a rollback nor the mark, also after the pivot", () => {
  const found = findings(
    workflow("order", { input, version: "7" })
      .step("reserve", { run: () => ({}) })
      .step("ship", { run: () => ({}), ...undo, pivot: true })
      .step("notify", { run: () => ({}) }),
  );
  expect(found).toEqual([
    {
      workflow: "order",
      version: "7",
      step: "reserve",
      kind: "no-undo",
      problem: expect.stringContaining("a rollback"),
    },
    { workflow: "order", version: "7", step: "notify", kind: "no-undo", problem: expect.stringContaining("the pivot") },
  ]);
});

it("takes a pivot for what it says: the step that nothing undoes", () => {
  const sealed = workflow("sealed", { input })
    .step("reserve", { run: () => ({}), ...undo })
    .step("hand-over", { run: () => ({}), pivot: true });
  expect(findings(sealed)).toEqual([]);
});

const onMessage = (): object => ({});
const elsewhere = (): unknown => pause({});

it.each<[string, object]>([
  ["no options", { run: () => pause({}), messages, onMessage }],
  ["a field of the patch that is called so", { run: () => pause({ timeout: 5, list: [1, 2] }), messages, onMessage }],
  [
    "one of two pauses without",
    { run: () => (Math.random() > 2 ? pause({}, { timeout: 5 }) : pause()), messages, onMessage },
  ],
  ["only a comment about it", { run: () => pause({} /* , { timeout: 5 } */), messages, onMessage }],
  ["a pause in a function elsewhere", { run: () => elsewhere(), messages, onMessage }],
  ["a bound function", { run: elsewhere.bind(null), messages, onMessage }],
  ["null", { run: () => pause({}, { timeout: null }), messages, onMessage }],
  [
    "null in onMessage",
    { run: () => pause({}, { timeout: 5 }), messages, onMessage: () => pause({}, { timeout: null }) },
  ],
  [
    "a pause in onTimeout",
    { run: () => pause({}, { timeout: 5 }), messages, onMessage, onTimeout: () => pause({ reminded: true }) },
  ],
])("finds a wait without a timeout: %s", (_what, options) => {
  expect(kinds(pay({ ...options, ...undo }))).toEqual(["charge: wait-without-timeout"]);
});

it.each<[string, object]>([
  ["a timeout", { run: () => pause({ a: [1, 2] }, { timeout: "1h" }), messages, onMessage }],
  // Its text has quotes, as some compilers write them.
  ["a quoted one", { run: () => pause({}, { ["timeout"]: "1h" }), messages, onMessage }],
  ["options from elsewhere", { run: () => pause({}, patience), messages, onMessage }],
  ["spread options", { run: () => pause({}, { ...patience }), messages, onMessage }],
  [
    "a pause in onMessage, which keeps it",
    { run: () => pause({}, { timeout: 5 }), messages, onMessage: () => pause({}) },
  ],
  ["a pause elsewhere, and onTimeout", { run: () => elsewhere(), messages, onMessage, onTimeout: () => ({}) }],
  ["no messages", { run: () => ({}) }],
])("finds nothing in a wait with %s", (_what, options) => {
  expect(kinds(pay({ ...options, ...undo }))).toEqual([]);
});

it("takes a deadline for the end of a wait, but not after the pivot", () => {
  const waiting = { run: () => pause({}), messages, onMessage, ...undo };
  expect(kinds(pay(waiting, { deadline: "1d" }))).toEqual([]);
  const late = workflow("late", { input, deadline: "1d" })
    .step("ship", { run: () => ({}), ...undo, pivot: true })
    .step("charge", waiting);
  expect(kinds(late)).toEqual(["charge: wait-without-timeout"]);
});

it("finds waits on the way down, where no deadline helps", () => {
  const down = (rollback: () => unknown, handler: () => unknown = () => ({})): string[] =>
    kinds(pay({ run: () => ({}), rollback, rollbackMessages, onRollbackMessage: handler }, { deadline: "1d" }));
  expect(down(() => pause({}))).toEqual(["charge: wait-without-timeout"]);
  expect(down(() => elsewhere())).toEqual(["charge: wait-without-timeout"]);
  expect(
    down(
      () => pause({}, { timeout: 5 }),
      () => pause({}, { timeout: null }),
    ),
  ).toEqual(["charge: wait-without-timeout"]);
  expect(down(() => pause({}, { timeout: 5 }))).toEqual([]);
});

it.each([
  [{ attempts: 1 }, ["charge: rollback-without-retries"]],
  [{ attempts: 9, delay: "2s", within: "900ms" }, ["charge: rollback-without-retries"]],
  [{ attempts: 2 }, []],
  [{ attempts: Infinity, within: "1h" }, []],
  [undefined, []],
])("finds rollbacks without retries: %j", (rollbackRetry, expected) => {
  expect(kinds(pay({ run: () => ({}), ...undo, ...(rollbackRetry && { rollbackRetry }) }))).toEqual(expected);
});

it("finds nothing to undo in a step of children itself, and the gaps of their workflows once", () => {
  const item = workflow("item", { input }).step("pack", { run: () => ({}) });
  const order = workflow("order", { input })
    .child("one", item, { input: () => ({}) })
    .forEach("items", item, { items: () => [{}] })
    .step("post", { run: () => ({}) });
  expect(findings(order).map(({ workflow, step }) => `${workflow} ${step}`)).toEqual(["order post", "item pack"]);
});

it("refuses what is no workflow", () => {
  expect(() => findings({} as AnyWorkflow)).toThrow(expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }));
  expect(() => findings(workflow("empty", { input }))).toThrow(
    expect.objectContaining({ code: "STEPWELL_INVALID_DEFINITION" }),
  );
});

it("finds nothing to undo in steps that only wait, and a wait that nothing ends", () => {
  const waits = workflow("waits", { input })
    .sleep("nap", "1h")
    .waitFor("ask", messages)
    .waitFor("soon", messages, { timeout: "1h" })
    .waitFor("limited", messages, { deadline: "1h" });
  expect(kinds(waits)).toEqual(["ask: wait-without-timeout"]);
});
