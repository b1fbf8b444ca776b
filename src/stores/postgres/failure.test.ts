import { describe, expect, test } from "vitest";
import { StepwellError } from "../../errors.js";
import { connectionError, isInDoubt, kindOf, storeError } from "./failure.js";

const serverError = (code: string, severity = "ERROR"): Error =>
  Object.assign(new Error("it says why"), { code, severity });
const socketError = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });

describe("what PostgreSQL and its driver fail with", () => {
  test.each([
    // The connection.
    ["08006", "unreachable"],
    ["08P01", "unreachable"],
    ["57P01", "unreachable"],
    ["57P02", "unreachable"],
    ["57P03", "unreachable"],
    ["57P05", "unreachable"],
    ["25P03", "unreachable"],
    ["25006", "unreachable"],
    ["26000", "unreachable"],
    // The others.
    ["40001", "busy"],
    ["40P01", "busy"],
    ["55P03", "busy"],
    ["57014", "busy"],
    // The server.
    ["53100", "failing"],
    ["53200", "failing"],
    ["53300", "failing"],
    ["58030", "failing"],
    // The caller.
    ["22021", "broken"],
    ["22P02", "broken"],
    ["23505", "broken"],
    ["42501", "broken"],
    ["42P01", "broken"],
    ["28P01", "broken"],
    ["3D000", "broken"],
    ["57P04", "broken"],
    ["XX001", "broken"],
  ])("%s is %s", (code, kind) => {
    expect(kindOf(serverError(code))).toBe(kind);
  });

  test.each(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENOENT"])(
    "%s is unreachable",
    (code) => {
      expect(kindOf(socketError(code))).toBe("unreachable");
    },
  );

  test.each([
    "Connection terminated unexpectedly",
    "Connection terminated",
    "Connection terminated due to connection timeout",
    "timeout exceeded when trying to connect",
    "timeout expired",
    "Query read timeout",
    "Client has encountered a connection error and is not queryable",
  ])("%j, which pg says without a code, is unreachable", (message) => {
    expect(kindOf(new Error(message))).toBe("unreachable");
  });

  test("several addresses that were tried count as the first of them", () => {
    const tried = new AggregateError([socketError("ECONNREFUSED"), socketError("ECONNREFUSED")]);
    expect(kindOf(tried)).toBe("unreachable");
    expect(connectionError(tried, "here").message).toContain("connect ECONNREFUSED");
  });

  test("anything else is broken: a mistake is not asked for again and again", () => {
    for (const error of [new TypeError("no"), "text", null, undefined, {}, { code: 17 }]) {
      expect(kindOf(error)).toBe("broken");
    }
  });

  test.each([
    ["08006", "STEPWELL_STORE_UNREACHABLE", true],
    ["40P01", "STEPWELL_STORE_BUSY", true],
    ["53100", "STEPWELL_STORE_FAILED", true],
    ["23505", "STEPWELL_STORE_FAILED", false],
  ])("%s becomes %s, retryable: %s", (code, expected, retryable) => {
    const told = storeError(serverError(code), "the database");
    expect(told).toMatchObject({ code: expected, retryable });
    expect(told.message).toMatch(/the database.*: it says why\. Nothing was changed\.$/);
  });

  test("what the server refused is not in doubt; a connection that broke leaves it so", () => {
    expect(isInDoubt(storeError(serverError("40001"), "x"))).toBe(false);
    expect(isInDoubt(storeError(serverError("23505"), "x"))).toBe(false);
    expect(isInDoubt(storeError(serverError("57P01", "FATAL"), "x"))).toBe(true);
    expect(isInDoubt(storeError(socketError("ECONNRESET"), "x"))).toBe(true);
    expect(isInDoubt(storeError(new Error("Connection terminated unexpectedly"), "x"))).toBe(true);
  });

  test("where no connection could be made nothing is in doubt, and everything may pass", () => {
    const told = connectionError(serverError("28P01", "FATAL"), "x");
    expect(told).toMatchObject({ code: "STEPWELL_STORE_UNREACHABLE", retryable: true });
    expect(isInDoubt(told)).toBe(false);
  });

  test("an error of ours stays what it is", () => {
    const own = new StepwellError("STEPWELL_STORE_TOO_NEW", "m");
    expect(storeError(own, "x")).toBe(own);
    expect(connectionError(own, "x")).toBe(own);
  });
});
