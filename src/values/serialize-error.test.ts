import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fail } from "../definition/outcome.js";
import { StepwellError } from "../errors.js";
import { reasonOf, serializeError } from "./serialize-error.js";

/** Throws whatever is done with it. */
const hostile: unknown = new Proxy(function () {}, {
  get: () => {
    throw new Error("no");
  },
  getPrototypeOf: () => {
    throw new Error("no");
  },
  ownKeys: () => {
    throw new Error("no");
  },
  has: () => {
    throw new Error("no");
  },
});

describe("serializeError", () => {
  test("keeps name, message, code, stack and cause", () => {
    const cause = new TypeError("socket closed");
    const error = Object.assign(new Error("charge failed", { cause }), { code: "ECONNRESET" });
    expect(serializeError(error)).toEqual({
      name: "Error",
      message: "charge failed",
      code: "ECONNRESET",
      stack: error.stack,
      cause: { name: "TypeError", message: "socket closed", stack: cause.stack },
    });
  });

  test("keeps the code of a StepwellError", () => {
    const error = new StepwellError("STEPWELL_TOO_LARGE", "too large");
    expect(serializeError(error)).toMatchObject({ name: "StepwellError", code: "STEPWELL_TOO_LARGE" });
  });

  test("keeps the reason and the details of fail(…)", () => {
    expect(serializeError(fail("card-declined", { details: { bank: "no", tries: [1, 2] } }))).toEqual({
      name: "Fail",
      message: "card-declined",
      details: { bank: "no", tries: [1, 2] },
    });
  });

  test("details are a copy", () => {
    const details = { tries: [1] };
    const data = serializeError(fail("x", { details }));
    details.tries.push(2);
    expect(data.details).toEqual({ tries: [1] });
  });

  test.each([
    ["a text", "no stock", "no stock"],
    ["null", null, "null"],
    ["undefined", undefined, "undefined"],
    ["a number", 17, "17"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["a bigint", 5n, "5n"],
    ["a plain object", { status: 503 }, "{ status: 503 }"],
    ["an empty text", "", ""],
  ])("takes %s that was thrown", (_title, thrown, message) => {
    expect(serializeError(thrown)).toEqual({ name: "Error", message });
  });

  test("cuts a chain of causes, also one that goes in a circle", () => {
    const error = new Error("round");
    error.cause = new Error("and", { cause: error });
    let chain: ReturnType<typeof serializeError> | undefined = serializeError(error);
    const messages: string[] = [];
    for (; chain !== undefined; chain = chain.cause) messages.push(chain.message);
    expect(messages).toEqual(["round", "and", "round", "and", "round"]);
  });

  test("of several errors in one, the first is its cause", () => {
    const several = new AggregateError([new Error("first"), new Error("second")], "both failed");
    expect(serializeError(several)).toMatchObject({
      name: "AggregateError",
      message: "both failed",
      cause: { message: "first" },
    });
    expect(serializeError(new AggregateError([]))).not.toHaveProperty("cause");
  });

  test("cuts long texts", () => {
    const error = Object.assign(new Error("m".repeat(10_000)), { name: "n".repeat(1000), code: "c".repeat(1000) });
    error.stack = "s".repeat(100_000);
    const data = serializeError(error);
    const lengths = [data.name, data.message, data.code, data.stack].map((text) => text?.length);
    expect(lengths).toEqual([200, 4096, 200, 8192]);
    expect(data.message.endsWith("m…")).toBe(true);
  });

  test("replaces NUL and lone surrogates, also one that the cut leaves", () => {
    expect(serializeError(new Error("a\0b\ud800c")).message).toBe("a\ufffdb\ufffdc");
    const cut = serializeError(new Error(`${"m".repeat(4094)}🚚🚚`)).message;
    expect(cut.isWellFormed()).toBe(true);
    expect(cut.length).toBeLessThanOrEqual(4096);
  });

  test("describes details that are too large or can't be stored", () => {
    const large = serializeError(fail("x", { details: { text: "t".repeat(70_000) } })).details;
    expect(large).toMatch(/^\{\s+text: 'ttt/);
    expect((large as string).length).toBeLessThanOrEqual(1024);
    expect(serializeError(fail("x", { details: { call: () => 1 } })).details).toBe("{ call: [Function: call] }");
    expect(serializeError(fail("x", { details: { cents: 5n } })).details).toBe("{ cents: 5n }");
    expect(serializeError(fail("x", { details: { why: "late", at: new Date(0) } })).details).toBe(
      "{ why: 'late', at: 1970-01-01T00:00:00.000Z }",
    );
    expect(typeof serializeError(fail("x", { details: hostile })).details).toBe("string");
  });

  test("leaves out a field whose getter throws", () => {
    const error = new Error("x");
    Object.defineProperty(error, "message", { get: () => inspect(hostile) && (hostile as { boom: string }).boom });
    Object.defineProperty(error, "cause", { get: () => (hostile as { boom: string }).boom });
    expect(serializeError(error)).toMatchObject({ name: "Error" });
  });

  test("takes a proxy that throws whatever is done with it", () => {
    expect(serializeError(hostile).name).toBe("Error");
    expect(serializeError(new Error("x", { cause: hostile })).cause?.name).toBe("Error");
    expect(serializeError(new AggregateError([hostile], "x")).cause?.name).toBe("Error");
  });

  test("never throws, and what it gives survives JSON unchanged", () => {
    const thrown = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
      fc.record({
        name: fc.anything(),
        message: fc.anything(),
        code: fc.anything(),
        details: fc.anything(),
        cause: fc.anything(),
      }),
      fc.string({ unit: "binary" }).map((text) => new Error(text)),
    );
    fc.assert(
      fc.property(thrown, (error) => {
        const data = serializeError(error);
        expect(JSON.parse(JSON.stringify(data))).toEqual(data);
        expect(data.message.isWellFormed() && !data.message.includes("\0")).toBe(true);
        expect(reasonOf(error)).not.toBe("");
      }),
      { numRuns: 1000 },
    );
  });
});

describe("reasonOf", () => {
  test.each([
    ["the reason of fail(…)", fail("card-declined"), "card-declined"],
    ["the reason before the code", Object.assign(new Error("x"), { reason: "late", code: "E1" }), "late"],
    ["the code before the name", Object.assign(new TypeError("x"), { code: "ECONNRESET" }), "ECONNRESET"],
    ["the name", new RangeError("x"), "RangeError"],
    ["the name of a plain error", new Error("x"), "Error"],
    ["the name where the code is a number", Object.assign(new RangeError("x"), { code: 20 }), "RangeError"],
    ["no empty text", { reason: " ", code: "", name: "Late" }, "Late"],
    ["never the words for success", { reason: "normal", code: "ok", name: "Odd" }, "Odd"],
    ["never the words for success, with blanks around them", { reason: " ok\n" }, "error"],
    ["one line", { reason: "a\nb\u001b[31mc\0" }, "a b [31mc"],
    ["a text that was thrown", "no stock", "error"],
    ["null", null, "error"],
    ["something that throws when it is read", hostile, "error"],
  ])("gives %s", (_title, error, reason) => {
    expect(reasonOf(error)).toBe(reason);
  });

  test("cuts at 200 characters", () => {
    expect(reasonOf({ reason: "r".repeat(500) })).toHaveLength(200);
  });
});
