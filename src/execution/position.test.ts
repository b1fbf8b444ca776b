import { expect, test } from "vitest";
import { initialFlow, isPolling, isStruggling, keyNameOf, positionAt, positionOf, strugglingFrom } from "./position.js";

test("an execution that failed often and is tried again is struggling, until it is parked", () => {
  expect(isStruggling("scheduled", { stepIndex: 0, attempts: strugglingFrom })).toBe(true);
  expect(isStruggling("scheduled", { stepIndex: 0, attempts: strugglingFrom - 1 })).toBe(false);
  expect(isStruggling("stuck", { stepIndex: 0, attempts: strugglingFrom })).toBe(false);
});

test("a function is polling after it gave `again`, until it fails", () => {
  expect(isPolling({ polls: 2, attempts: 0 })).toBe(true);
  expect(isPolling({ polls: 2, attempts: 1 })).toBe(false);
  expect(isPolling({ attempts: 0 })).toBe(false);
});

test("others know what a step did under the name that it had then", () => {
  expect(keyNameOf("charge", { charge: "pay" })).toBe("pay");
  expect(keyNameOf("toString", {})).toBe("toString");
});

test("whatever a position holds is in it, whether it may be left out or not", () => {
  const plain = positionAt(initialFlow, "charge");
  expect(Object.keys(positionOf(plain))).toEqual(Object.keys(plain));
  const whole = positionOf({ ...plain, polls: 1 });
  const leftOut = Object.keys(whole).filter((field) => !Object.hasOwn(plain, field));
  expect(leftOut.length).toBeGreaterThan(10);
  for (const field of leftOut) expect(positionOf({ ...plain, [field]: field })).toEqual({ ...plain, [field]: field });
});
