import { describe, expect, test } from "vitest";
import { decode, encode } from "./encode.js";
import { isolate, merge } from "./isolate.js";

const roundTrip = (value: unknown): unknown => decode(encode(value, { what: "The state" }).text);

describe("isolate", () => {
  test("gives a copy that its giver can't change, frozen all the way down", () => {
    const given = { list: [{ n: 1 }], at: new Date(5), map: new Map([["k", { n: 1 }]]), bytes: new Uint8Array([1]) };
    const copy = isolate(given);
    given.list[0]!.n = 2;
    given.at.setTime(6);
    given.map.get("k")!.n = 2;
    given.map.set("l", { n: 3 });
    given.bytes[0] = 2;
    expect(copy).toEqual({
      list: [{ n: 1 }],
      at: new Date(5),
      map: new Map([["k", { n: 1 }]]),
      bytes: new Uint8Array([1]),
    });
    for (const part of [copy, copy.list, copy.list[0], copy.map.get("k")]) expect(Object.isFrozen(part)).toBe(true);
    expect(Object.isFrozen(given)).toBe(false);
  });

  test("takes primitives as they are", () => {
    for (const value of [1, "a", null, undefined, 5n, true]) expect(isolate(value)).toBe(value);
  });
});

describe("merge", () => {
  test("replaces fields of the state by those of the patch, in a new frozen object", () => {
    const state = isolate({ a: 1, b: { deep: 1, also: 2 } });
    const merged = merge(state, { b: { deep: 3 }, c: 4 });
    expect(merged).toEqual({ a: 1, b: { deep: 3 }, c: 4 });
    expect(Object.isFrozen(merged)).toBe(true);
    expect(state).toEqual({ a: 1, b: { deep: 1, also: 2 } });
  });

  test("a field given as undefined is there, as undefined", () => {
    const merged = merge({ a: 1 }, { a: undefined });
    expect(Object.entries(merged)).toEqual([["a", undefined]]);
    expect(Object.entries(roundTrip(merged) as object)).toEqual([["a", undefined]]);
  });

  test("keys named like parts of a prototype are ordinary fields", () => {
    const merged = merge({}, { constructor: 1, hasOwnProperty: 2, toString: 3 });
    expect(Object.entries(roundTrip(merged) as object)).toEqual(Object.entries(merged));
  });
});
