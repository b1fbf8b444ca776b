import { describe, expect, test } from "vitest";
import { z } from "zod";
import { StepwellError } from "../errors.js";
import type { AnyWorkflow } from "./bag.js";
import { definitionOf } from "./definition-of.js";
import { workflow } from "./workflow.js";

const input = z.object({ account: z.string() });
const key = ({ account }: { account: string }): string => account;

/** As somebody who writes JavaScript would. */
const limited = (concurrency: unknown, rate?: unknown): AnyWorkflow =>
  workflow("sell", { input, concurrency: concurrency as never, rate: rate as never }).step("one", {
    run: () => undefined,
  });

describe("the limits of a workflow", () => {
  test("are none where none is given", () => {
    expect(definitionOf(limited(undefined)).limits).toBeUndefined();
  });

  test.each([
    ["a number", 3, undefined, { concurrency: 3, perKey: null, rate: null }],
    ["an object", { limit: 3 }, undefined, { concurrency: 3, perKey: null, rate: null }],
    ["one with a key", { limit: 3, key }, undefined, { concurrency: null, perKey: { limit: 3, key }, rate: null }],
    ["both", [{ limit: 1, key }, { limit: 9 }], undefined, { concurrency: 9, perKey: { limit: 1, key }, rate: null }],
    [
      "a rate",
      undefined,
      { limit: 5, per: "1m" },
      { concurrency: null, perKey: null, rate: { limit: 5, per: 60_000, key: null } },
    ],
    [
      "a rate with a key",
      undefined,
      { limit: 5, per: 10, key },
      { concurrency: null, perKey: null, rate: { limit: 5, per: 10, key } },
    ],
  ])("may be %s", (_, concurrency, rate, expected) => {
    expect(definitionOf(limited(concurrency, rate)).limits).toEqual(expected);
  });

  test.each([
    ["zero", 0, undefined, "STEPWELL_INVALID_DEFINITION", "whole number from 1"],
    ["a fraction", 1.5, undefined, "STEPWELL_INVALID_DEFINITION", "1.5"],
    ["Infinity", Infinity, undefined, "STEPWELL_INVALID_DEFINITION", "no limit"],
    ["a text", "3", undefined, "STEPWELL_INVALID_DEFINITION", '"3"'],
    ["null", null, undefined, "STEPWELL_INVALID_DEFINITION", "null"],
    ["an empty array", [], undefined, "STEPWELL_INVALID_DEFINITION", "empty"],
    ["an object without a limit", { key }, undefined, "STEPWELL_INVALID_DEFINITION", "undefined"],
    ["a key that is no function", { limit: 1, key: "account" }, undefined, "STEPWELL_INVALID_DEFINITION", '"key"'],
    ["two limits without a key", [{ limit: 1 }, { limit: 2 }], undefined, "STEPWELL_INVALID_DEFINITION", "several"],
    [
      "two limits with a key",
      [
        { limit: 1, key },
        { limit: 2, key },
      ],
      undefined,
      "STEPWELL_INVALID_DEFINITION",
      "several",
    ],
    ["an unknown option", { limit: 1, keys: key }, undefined, "STEPWELL_UNKNOWN_OPTION", 'mean "key"'],
    ["a rate that is a number", undefined, 5, "STEPWELL_INVALID_DEFINITION", "per"],
    ["a rate without a limit", undefined, { per: "1m" }, "STEPWELL_INVALID_DEFINITION", "limit"],
    ["a rate without a period", undefined, { limit: 1 }, "STEPWELL_INVALID_DURATION", "per"],
    [
      "a rate whose period has no length",
      undefined,
      { limit: 1, per: 0 },
      "STEPWELL_INVALID_DEFINITION",
      "longer than 0",
    ],
    ["an unknown option of a rate", undefined, { limit: 1, pre: "1m" }, "STEPWELL_UNKNOWN_OPTION", 'mean "per"'],
  ] as const)("are refused where one is %s", (_, concurrency, rate, code, words) => {
    const call = (): unknown => limited(concurrency, rate);
    expect(call).toThrow(StepwellError);
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(words) as string }));
  });
});
