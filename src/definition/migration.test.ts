import { expect, test } from "vitest";
import { z } from "zod";
import { StepwellError } from "../errors.js";
import { workflow } from "./workflow.js";

const input = z.object({});
const older = workflow("order", { input }).step("a", { run: () => undefined });
const newer = workflow("order", { input, version: "2" }).step("a", { run: () => undefined });

function refusalOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

test.each<[string, () => unknown, string, RegExp]>([
  [
    "another workflow",
    () => newer.migrate(workflow("pay", { input }).step("a", { run: () => 1 as never }), {}),
    "STEPWELL_INVALID_DEFINITION",
    /same workflow, not "pay"/,
  ],
  [
    "itself",
    () => newer.migrate("2", { move: () => ({ state: {} }) }),
    "STEPWELL_INVALID_DEFINITION",
    /another version/,
  ],
  [
    "the same version twice",
    () => newer.migrate(older, {}).migrate(older, {}),
    "STEPWELL_INVALID_DEFINITION",
    /twice for version "1"/,
  ],
  ["no name", () => newer.migrate("", { move: () => ({ state: {} }) }), "STEPWELL_INVALID_DEFINITION", /older version/],
  [
    "what is no workflow",
    () => newer.migrate({ name: "x", version: "1" } as never, {}),
    "STEPWELL_INVALID_ARGUMENT",
    /not a workflow/,
  ],
  [
    "an option that is none",
    () => newer.migrate(older, { mov: 1 } as never),
    "STEPWELL_UNKNOWN_OPTION",
    /"mov".*"move"/,
  ],
  ["no options", () => newer.migrate(older, undefined as never), "STEPWELL_INVALID_ARGUMENT", /object of options/],
  [
    "a move that is no function",
    () => newer.migrate(older, { move: {} as never }),
    "STEPWELL_INVALID_DEFINITION",
    /a function, not an object/,
  ],
  [
    "steps that are none",
    () => newer.migrate(older, { steps: ["a"] as never }),
    "STEPWELL_INVALID_DEFINITION",
    /"steps".*not an array/,
  ],
  [
    "a name that is none",
    () => newer.migrate(older, { steps: { a: 1 } as never }),
    "STEPWELL_INVALID_DEFINITION",
    /for "a" there is 1/,
  ],
  [
    "an older step that is none",
    () => newer.migrate(older, { steps: { b: "a" } as {} }),
    "STEPWELL_INVALID_DEFINITION",
    /"b", which is no step/,
  ],
  [
    "a newer step that is none",
    () => newer.migrate(older, { steps: { a: "b" as never } }),
    "STEPWELL_INVALID_DEFINITION",
    /"b", which is no step/,
  ],
  [
    "no steps before",
    () => workflow("order", { input, version: "2" }).migrate(older, {}),
    "STEPWELL_INVALID_DEFINITION",
    /after the steps/,
  ],
  [
    "a step after",
    () => newer.migrate(older, {}).step("b", { run: () => undefined }),
    "STEPWELL_INVALID_DEFINITION",
    /"b" comes after \.migrate/,
  ],
])("a migration is refused: %s", (_, act, code, message) => {
  const refused = refusalOf(act);
  expect(refused).toBeInstanceOf(StepwellError);
  expect(refused).toMatchObject({ code, message: expect.stringMatching(message) as string });
});

test("observers may be added after a migration, and the printed workflow says from where it migrates", () => {
  const both = newer
    .migrate(older, {})
    .migrate("0", { move: () => ({ state: {} }) })
    .observe();
  expect(String(both)).toContain("migrates from versions 1, 0");
});

const undo = { run: () => undefined, rollback: () => undefined };

test.each([
  [
    "is gone",
    workflow("order", { input, version: "2" }).step("b", undo),
    /"a" may have to be undone.*not there any more/,
  ],
  [
    "has no rollback any more",
    workflow("order", { input, version: "2" })
      .step("a", { run: () => undefined })
      .step("b", undo),
    /"a" may have to be undone, and has no rollback/,
  ],
])("a migration that would lose an undo is refused when it is built: the step %s", (_, to, problem) => {
  const from = workflow("order", { input }).step("a", undo).step("b", undo);
  expect(refusalOf(() => to.migrate(from, {}))).toMatchObject({
    code: "STEPWELL_INVALID_DEFINITION",
    message: expect.stringMatching(problem) as string,
  });
});

test("an undo that was given up by name, or that lies past the pivot, is no undo lost", () => {
  const from = workflow("order", { input })
    .step("a", undo)
    .step("b", { run: () => undefined, pivot: true })
    .step("c", undo);
  const to = workflow("order", { input, version: "2" }).step("b", { run: () => undefined, pivot: true });
  expect(refusalOf(() => to.migrate(from, { steps: { a: null } }))).toBeUndefined();
});
