import { expect, test } from "vitest";
import { duration, milliseconds, type Duration } from "./duration.js";

test.each([
  [0, 0],
  [1.2, 2],
  ["0s", 0],
  ["200ms", 200],
  ["1.5s", 1500],
  ["5m", 300_000],
  ["2 h", 7_200_000],
  ["1d", 86_400_000],
  ["1w", 604_800_000],
] as const)("%j is a duration of %i ms", (duration, length) => {
  expect(milliseconds(duration, "timeout")).toBe(length);
});

test.each([
  [`""`, ""],
  [`" "`, " "],
  [`"5"`, "5"],
  [`"1e3"`, "1e3"],
  [`"0x10"`, "0x10"],
  [`"1e3ms"`, "1e3ms"],
  [`"-5m"`, "-5m"],
  [`".5s"`, ".5s"],
  [`"5  m"`, "5  m"],
  [`"5m\\n"`, "5m\n"],
  [`"5 minutes"`, "5 minutes"],
  [`"37000d"`, "37000d"],
  [`"1${"0".repeat(98)}…"`, `1${"0".repeat(200)}ms`],
  ["-1", -1],
  ["NaN", Number.NaN],
  ["Infinity", Infinity],
  ["5n", 5n],
  ["true", true],
  ["null", null],
  ["undefined", undefined],
  ["an array", ["5m"]],
  ["an object", Object.create(null)],
  ["Symbol(5m)", Symbol("5m")],
])("%s is not a duration, and the error says where it was given", (shown, duration) => {
  const refused = expect.objectContaining({
    code: "STEPWELL_INVALID_DURATION",
    message: expect.stringContaining(`timeout: ${shown} is not a duration.`),
  });
  expect(() => milliseconds(duration as Duration, "timeout")).toThrow(refused as Error);
});

test("a duration from a configuration is plain text: it is checked, and what is none is refused by a code", () => {
  const settings: Record<string, string> = { timeout: "10s", period: "1 h", empty: "" };
  expect(duration(settings["timeout"]!)).toBe(10_000);
  expect(duration(settings["period"]!)).toBe(3_600_000);
  for (const text of [settings["empty"]!, settings["missing"]!, "5 minutes"]) {
    expect(() => duration(text)).toThrow(expect.objectContaining({ code: "STEPWELL_INVALID_DURATION" }));
  }
});
