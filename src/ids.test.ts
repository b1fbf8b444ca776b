import fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { StepFunc } from "./definition/flow.js";
import { checkExecutionId, idempotencyKey, newId } from "./ids.js";

test("new ids are UUIDs of version 7, all different, and sort in the order in which they were made", () => {
  const ids = Array.from({ length: 2000 }, newId);
  expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.toSorted()).toEqual(ids);
  expect(() => checkExecutionId(ids[0])).not.toThrow();
});

/** The 31 bits that count within a millisecond. */
function countOf(id: string): number {
  const [b6, b7, b8, b9, b10] = Buffer.from(id.replaceAll("-", ""), "hex").subarray(6) as unknown as number[];
  return ((b6! & 7) << 28) | (b7! << 20) | ((b8! & 0x3f) << 14) | (b9! << 6) | (b10! >> 2);
}

test("in each millisecond ids are counted from another random number, or two processes would make the same one", () => {
  let now = Date.now() + 1_000;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => now);
  const counts = Array.from({ length: 100 }, () => {
    now++;
    const [first, second] = [countOf(newId()), countOf(newId())];
    expect(second).toBe(first + 1);
    return first;
  });
  clock.mockRestore();
  for (let bit = 0; bit < 31; bit++) expect(new Set(counts.map((count) => (count >>> bit) & 1)).size).toBe(2);
});

test.each(["a", "order 17/β:#%", "🚚", "x".repeat(255)])("%j can be the id of an execution", (id) => {
  expect(() => checkExecutionId(id)).not.toThrow();
});

test.each(["", "x".repeat(256), "a\nb", "\0", "\u009b", "\ud800", 17, null, undefined, {}])(
  "%j can't be the id of an execution",
  (id) => {
    expect(() => checkExecutionId(id)).toThrow(expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }));
  },
);

test("an idempotency key is readable: execution, step, function, and what a handler answers", () => {
  expect(idempotencyKey("order-17", "charge-card", "run")).toBe("order-17/charge-card/run");
  expect(idempotencyKey("order-17", "charge-card", "runContinue", { message: "m1" })).toBe(
    "order-17/charge-card/runContinue/m1",
  );
  expect(idempotencyKey("order 17/a", "Größe", "rollback")).toBe("order%2017%2Fa/Gr%C3%B6%C3%9Fe/rollback");
});

const func = fc.constantFrom<StepFunc>("run", "runContinue", "rollback", "rollbackContinue");
const part = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.string({ unit: fc.constantFrom("/", "#", "%", "2", "F", "@", "\ud800", '"', "\\", "run") }),
);
const cause = fc.oneof(
  fc.constant(undefined),
  part.map((message) => ({ message })),
  fc.nat().map((timeout) => ({ timeout })),
);
const parts = fc.tuple(part, part, func, cause);

test("different parts never give the same key, whatever separators and broken characters they hold", () => {
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(other));
      expect(idempotencyKey(...one)).not.toBe(idempotencyKey(...other));
    }),
    { numRuns: 2000 },
  );
});

test("text moved from one part to the next gives another key", () => {
  const keys = [
    idempotencyKey("a/b", "c", "run"),
    idempotencyKey("a", "b/c", "run"),
    idempotencyKey("a%2Fb", "c", "run"),
    idempotencyKey("a", "b", "run", { message: "c" }),
    idempotencyKey("a", "b", "run", { message: "" }),
    idempotencyKey("a", "b", "run"),
    idempotencyKey("a", "b", "rollback"),
    idempotencyKey("a", "b", "runContinue", { message: "c" }),
    idempotencyKey("a", "b", "runContinue", { message: "timeout/5" }),
    idempotencyKey("a", "b", "runContinue", { timeout: 5 }),
    idempotencyKey("a", "b", "rollbackContinue", { message: "c" }),
    idempotencyKey("\ud800", "b", "run"),
    idempotencyKey('"\\ud800"', "b", "run"),
    idempotencyKey('@"\\ud800"', "b", "run"),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

test("every key is stable, at most 255 characters, and of ASCII that fits into a header", () => {
  fc.assert(
    fc.property(parts, (given) => {
      const key = idempotencyKey(...given);
      expect(key).toMatch(/^[!-~]{1,255}$/);
      expect(idempotencyKey(...given)).toBe(key);
    }),
  );
});

test("keys of long parts differ even where only the last character does", () => {
  const long = "x".repeat(255);
  const key = idempotencyKey(long, "step", "runContinue", { message: `${long}1` });
  expect(key).toHaveLength(255);
  expect(key.startsWith("xxxx")).toBe(true);
  expect(idempotencyKey(long, "step", "runContinue", { message: `${long}2` })).not.toBe(key);
});
