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
