import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RetryDefinition } from "../definition/definition.js";
import { nextDelay } from "./retry.js";

const plain: RetryDefinition = {
  attempts: 5,
  delay: 100,
  factor: 2,
  maxDelay: 1_000,
  jitter: false,
  within: Infinity,
};

interface Row {
  readonly title: string;
  readonly policy?: Partial<RetryDefinition>;
  readonly failures: number;
  readonly elapsed?: number;
  readonly random?: number;
  readonly wait: number | undefined;
}

const rows: Row[] = [
  { title: "waits the initial delay after the first failure", failures: 1, wait: 100 },
  { title: "waits the delay times the factor after the second", failures: 2, wait: 200 },
  { title: "multiplies again after the third", failures: 3, wait: 400 },
  { title: "tries once more while one attempt is left", failures: 4, wait: 800 },
  { title: "is used up when all attempts have failed", failures: 5, wait: undefined },
  { title: "is used up when more have failed than there are", failures: 6, wait: undefined },
  { title: "never retries with one attempt", policy: { attempts: 1 }, failures: 1, wait: undefined },
  { title: "is capped by the maximum delay", policy: { maxDelay: 150 }, failures: 2, wait: 150 },
  { title: "is capped from the first failure on", policy: { maxDelay: 30 }, failures: 1, wait: 30 },
  { title: "stays the same with factor 1", policy: { factor: 1 }, failures: 4, wait: 100 },
  { title: "retries at once with delay 0", policy: { delay: 0 }, failures: 3, wait: 0 },
  {
    title: "retries at once with delay 0, however often it failed",
    policy: { delay: 0, attempts: Infinity },
    failures: 1e9,
    wait: 0,
  },
  {
    title: "ends never with infinitely many attempts, at the maximum delay",
    policy: { attempts: Infinity },
    failures: 1e9,
    wait: 1_000,
  },
  { title: "waits half the delay at least with jitter", policy: { jitter: true }, failures: 1, random: 0, wait: 50 },
  { title: "lies in between with jitter", policy: { jitter: true }, failures: 2, random: 0.5, wait: 150 },
  { title: "waits all of it at most with jitter", policy: { jitter: true }, failures: 1, random: 0.999, wait: 100 },
  {
    title: "takes the jitter from the capped delay",
    policy: { jitter: true, maxDelay: 60 },
    failures: 4,
    random: 0,
    wait: 30,
  },
  { title: "is left to no chance without jitter", failures: 1, random: 0.9, wait: 100 },
  { title: "rounds to whole milliseconds", policy: { delay: 10, factor: 1.25 }, failures: 2, wait: 13 },
  {
    title: "may begin an attempt at the very end of its limit over all attempts",
    policy: { within: 1_000 },
    failures: 1,
    elapsed: 900,
    wait: 100,
  },
  {
    title: "is used up when the next attempt would begin after that limit",
    policy: { within: 1_000 },
    failures: 1,
    elapsed: 901,
    wait: undefined,
  },
  {
    title: "is used up by that limit even with infinitely many attempts",
    policy: { within: 1_000, attempts: Infinity },
    failures: 3,
    elapsed: 1_000,
    wait: undefined,
  },
];

describe("a retry policy", () => {
  it.each(rows)("$title", ({ policy, failures, elapsed = 0, random = 0, wait }) => {
    expect(nextDelay({ ...plain, ...policy }, failures, elapsed, random)).toBe(wait);
  });
});

/** Whole milliseconds up to a day. */
const duration = fc.integer({ min: 0, max: 86_400_000 });

/** Every policy that a definition may hold; the maximum delay is finite. */
const policies = fc.record({
  attempts: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.constant(Infinity)),
  delay: duration,
  factor: fc.oneof(fc.constant(1), fc.double({ min: 1, max: 1e6, noNaN: true })),
  maxDelay: duration,
  jitter: fc.boolean(),
  within: fc.oneof(duration, fc.constant(Infinity)),
});
const failureCounts = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** A policy without limits to its attempts, so that there is always a wait to look at. */
const endless = policies.map((policy): RetryDefinition => ({ ...policy, attempts: Infinity, within: Infinity }));

describe("any retry policy", () => {
  it("waits a whole number of milliseconds from 0 to the maximum delay, or is used up", () => {
    fc.assert(
      fc.property(policies, failureCounts, duration, chances, (policy, failures, elapsed, random) => {
        const wait = nextDelay(policy, failures, elapsed, random);
        if (wait === undefined) return;
        expect(Number.isSafeInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(policy.maxDelay);
      }),
    );
  });

  it("is used up exactly when no attempt is left, or the next would begin after its limit", () => {
    fc.assert(
      fc.property(policies, failureCounts, duration, chances, (policy, failures, elapsed, random) => {
        const unlimited = nextDelay({ ...policy, attempts: Infinity, within: Infinity }, failures, elapsed, random);
        const expected = failures < policy.attempts && elapsed + unlimited! <= policy.within ? unlimited : undefined;
        expect(nextDelay(policy, failures, elapsed, random)).toBe(expected);
      }),
    );
  });

  it("never ends with infinitely many attempts and no limit, after huge numbers of failures either", () => {
    fc.assert(
      fc.property(endless, failureCounts, duration, chances, (policy, failures, elapsed, random) => {
        expect(nextDelay(policy, failures, elapsed, random)).toEqual(expect.any(Number));
      }),
    );
  });

  it("waits between half and all of what it would wait without jitter", () => {
    fc.assert(
      fc.property(endless, failureCounts, chances, (policy, failures, random) => {
        const full = nextDelay({ ...policy, jitter: false }, failures, 0, random)!;
        const wait = nextDelay({ ...policy, jitter: true }, failures, 0, random)!;
        // Both are rounded, so the bound may be half a millisecond off.
        expect(wait).toBeGreaterThanOrEqual(full / 2 - 0.5);
        expect(wait).toBeLessThanOrEqual(full);
      }),
    );
  });

  it("never waits less after one more failure, without jitter", () => {
    fc.assert(
      fc.property(endless, fc.integer({ min: 1, max: 2_000 }), (policy, failures) => {
        const steady = { ...policy, jitter: false };
        const before = nextDelay(steady, failures, 0, 0)!;
        expect(nextDelay(steady, failures + 1, 0, 0)).toBeGreaterThanOrEqual(before);
      }),
    );
  });

  it("waits the same each time with factor 1 and no jitter", () => {
    fc.assert(
      fc.property(endless, failureCounts, (policy, failures) => {
        const steady = { ...policy, factor: 1, jitter: false };
        expect(nextDelay(steady, failures, 0, 0)).toBe(Math.min(policy.delay, policy.maxDelay));
      }),
    );
  });

  it("retries at once with delay 0, whatever its factor", () => {
    fc.assert(
      fc.property(endless, failureCounts, chances, (policy, failures, random) => {
        expect(nextDelay({ ...policy, delay: 0 }, failures, 0, random)).toBe(0);
      }),
    );
  });
});
