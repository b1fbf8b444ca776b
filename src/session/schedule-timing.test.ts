import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SchedulePlan, ScheduleTiming } from "../stores/records.js";
import { firing, grace, nextAfter } from "./schedule-timing.js";

const at = (iso: string): number => new Date(iso).getTime();

/** The times after that one. */
function timesOf(timing: ScheduleTiming, after: string, count: number): string[] {
  const times: string[] = [];
  for (let time = at(after); times.length < count; times.push(new Date(time).toISOString())) {
    time = nextAfter(timing, time)!;
  }
  return times.map((iso) => iso.replace(":00.000Z", "Z"));
}

const cron = (expression: string, timezone = "UTC"): ScheduleTiming => ({ cron: expression, timezone });

describe("when clocks are changed", () => {
  test("a time of day that is left out comes at the end of the gap", () => {
    expect(timesOf(cron("30 2 * * *", "Europe/Berlin"), "2026-03-28T12:00Z", 2)).toEqual([
      "2026-03-29T01:00Z",
      "2026-03-30T00:30Z",
    ]);
    expect(timesOf(cron("30 2 * * *", "America/New_York"), "2026-03-07T12:00Z", 2)).toEqual([
      "2026-03-08T07:00Z",
      "2026-03-09T06:30Z",
    ]);
  });

  test("a time of day that comes twice is taken once, the first time", () => {
    expect(timesOf(cron("30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00Z", 2)).toEqual([
      "2026-10-25T00:30Z",
      "2026-10-26T01:30Z",
    ]);
    expect(timesOf(cron("30 1 * * *", "America/New_York"), "2026-10-31T12:00Z", 2)).toEqual([
      "2026-11-01T05:30Z",
      "2026-11-02T06:30Z",
    ]);
  });

  test("of an expression with more than one time of day, what is left out is left out, and what comes twice is taken twice", () => {
    expect(timesOf(cron("0,30 2 * * *", "Europe/Berlin"), "2026-03-28T12:00Z", 1)).toEqual(["2026-03-30T00:00Z"]);
    expect(timesOf(cron("0 1-3 * * *", "Europe/Berlin"), "2026-03-28T12:00Z", 3)).toEqual([
      "2026-03-29T00:00Z",
      "2026-03-29T01:00Z",
      "2026-03-29T23:00Z",
    ]);
    expect(timesOf(cron("0,30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00Z", 5)).toEqual([
      "2026-10-25T00:00Z",
      "2026-10-25T00:30Z",
      "2026-10-25T01:00Z",
      "2026-10-25T01:30Z",
      "2026-10-26T01:00Z",
    ]);
    expect(timesOf(cron("0 */2 * * *", "Europe/Berlin"), "2026-10-24T23:30Z", 3)).toEqual([
      "2026-10-25T00:00Z",
      "2026-10-25T01:00Z",
      "2026-10-25T03:00Z",
    ]);
  });

  test("what comes each hour goes on each hour", () => {
    expect(timesOf(cron("30 * * * *", "Europe/Berlin"), "2026-03-29T00:00Z", 3)).toEqual([
      "2026-03-29T00:30Z",
      "2026-03-29T01:30Z",
      "2026-03-29T02:30Z",
    ]);
    expect(timesOf(cron("30 * * * *", "Europe/Berlin"), "2026-10-25T00:00Z", 3)).toEqual([
      "2026-10-25T00:30Z",
      "2026-10-25T01:30Z",
      "2026-10-25T02:30Z",
    ]);
  });
});

test("every so often counts from when it was set", () => {
  const timing = { every: 1_000, from: 500 };
  expect([0, 500, 1_499, 1_500, 1_501].map((time) => nextAfter(timing, time))).toEqual([
    1_500, 1_500, 1_500, 2_500, 2_500,
  ]);
});

describe("what is launched", () => {
  const now = at("2026-01-01T10:00:10Z");
  const hourly = { timing: cron("0 * * * *") };
  const plan = (more: Partial<SchedulePlan>): SchedulePlan => ({
    timing: cron("0 * * * *"),
    missed: "once",
    tags: [],
    paused: false,
    setAt: 0,
    lastAt: null,
    ...more,
  });
  const launched = (missed: SchedulePlan["missed"], due: string, time = now): string[] => {
    const { times, nextAt } = firing(plan({ ...hourly, missed }), at(due), time);
    return [...times, nextAt!].map((it) => new Date(it).toISOString().slice(11, 16));
  };

  test.each(["skip", "once", "all"] as const)("%s: what is due now", (missed) => {
    expect(launched(missed, "2026-01-01T10:00:00Z")).toEqual(["10:00", "11:00"]);
  });

  test("of what was missed, none, one or all", () => {
    const later = at("2026-01-01T10:30:00Z");
    expect(launched("skip", "2026-01-01T07:00:00Z", later)).toEqual(["11:00"]);
    expect(launched("once", "2026-01-01T07:00:00Z", later)).toEqual(["07:00", "11:00"]);
    expect(launched("all", "2026-01-01T07:00:00Z", later)).toEqual(["07:00", "08:00", "09:00", "10:00", "11:00"]);
  });

  test("what is due now stands for what was missed, too", () => {
    expect(launched("skip", "2026-01-01T07:00:00Z")).toEqual(["10:00", "11:00"]);
    expect(launched("once", "2026-01-01T07:00:00Z")).toEqual(["10:00", "11:00"]);
    expect(launched("all", "2026-01-01T07:00:00Z")).toEqual(["07:00", "08:00", "09:00", "10:00", "11:00"]);
  });

  test("much that was missed is caught up with in parts", () => {
    const { times, nextAt } = firing(plan({ timing: { every: 1_000, from: 0 }, missed: "all" }), 1_000, 1_000_000);
    expect([times.length, times.at(-1), nextAt]).toEqual([100, 100_000, 101_000]);
  });

  const anyPlan = fc.record({
    timing: fc.oneof(
      fc.record({ every: fc.integer({ min: 1_000, max: 10_000_000 }), from: fc.integer({ min: 0, max: 10_000_000 }) }),
      fc.constantFrom(cron("*/5 * * * *"), cron("30 2 * * *", "Europe/Berlin"), cron("0 0 1 * *", "America/New_York")),
    ),
    missed: fc.constantFrom("skip" as const, "once" as const, "all" as const),
  });

  test("nothing is launched twice, early, or never, whenever somebody looks", () => {
    fc.assert(
      fc.property(anyPlan, fc.array(fc.integer({ min: 0, max: 90_000_000 }), { maxLength: 8 }), (some, waits) => {
        const it = plan(some);
        let next = nextAfter(it.timing, 20_000_000)!;
        let now = 20_000_000;
        let last = -Infinity;
        for (const wait of waits) {
          now += wait;
          const began = next;
          const launches: number[] = [];
          while (next <= now) {
            const { times, nextAt } = firing(it, next, now);
            launches.push(...times);
            expect(nextAt).toBeGreaterThan(next);
            next = nextAt!;
          }
          for (const time of launches) {
            expect(time).toBeGreaterThan(last);
            expect(time).toBeLessThanOrEqual(now);
            last = time;
          }
          // All that is punctual, and of what was missed what the policy says.
          const expected: number[] = [];
          for (let time = began; time <= now; time = nextAfter(it.timing, time)!) expected.push(time);
          const punctual = expected.filter((time) => time >= now - grace);
          expect(launches.filter((time) => time >= now - grace)).toEqual(punctual);
          if (it.missed === "all") expect(launches).toEqual(expected);
          if (it.missed === "skip") expect(launches).toEqual(punctual);
          if (it.missed === "once" && expected.length > 0) expect(launches.length).toBe(Math.max(1, punctual.length));
        }
      }),
      { numRuns: 60 },
    );
  });
});
