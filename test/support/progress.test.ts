import { afterEach, expect, test, vi } from "vitest";
import type { TestModule, TestSpecification } from "vitest/node";
import { Progress } from "./progress.js";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test("says first about how long all files take, and then every quarter of a minute how far they are, where no terminal does", () => {
  vi.useFakeTimers();
  const lines: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
  const progress = new Progress({ minutes: { main: 5, long: 10 } });
  const files = Array.from({ length: 60 }, () => ({ project: { name: "main" } }) as TestSpecification);
  const ended = (isOk: boolean): void => progress.onTestModuleEnd({ ok: () => isOk } as TestModule);
  progress.onTestRunStart(files);
  for (const isOk of [true, false, true]) {
    vi.advanceTimersByTime(10_000);
    ended(isOk);
  }
  vi.advanceTimersByTime(95_000);
  ended(true);
  expect(lines).toEqual([
    "60 test files: about 5 minutes on two cores.",
    "2 of 60 files, 1 failed, 0:20 min",
    "4 of 60 files, 1 failed, 2:05 min",
  ]);
});
