import fc from "fast-check";
import { applyPatch, type Operation } from "rfc6902";
import { describe, expect, test } from "vitest";
import { stateDifference, type ChangeOperation } from "./state-changes.js";

const plain = stateDifference(undefined, "test");
const difference = (before: object, after: object, redact?: readonly string[]): ChangeOperation[] =>
  stateDifference(redact, "test")(before, after);

/** As somebody who has only the text would do it. */
function applied(view: object, operations: readonly ChangeOperation[]): object {
  const copy = structuredClone(view);
  const read = JSON.parse(JSON.stringify(operations)) as Operation[];
  expect(applyPatch(copy, read).filter((problem) => problem !== null)).toEqual([]);
  return copy;
}

const viewOf = (state: object, redact?: readonly string[]): object => applied({}, difference({}, state, redact));

const leaf = fc.oneof(
  fc.integer({ min: 0, max: 2 }),
  fc.string({ maxLength: 2, unit: "binary" }),
  fc.constantFrom(null, true, Number.NaN, -0, Infinity, undefined, "~/", "-"),
  fc.bigInt({ min: 0n, max: 2n }),
  // Node 20 takes two invalid dates for different, so one is told as replaced by itself.
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 2 }),
);
const key = fc.oneof(fc.constantFrom("a", "b", "", "a/b", "a~b", "0", "valueOf", "restore", "length"), fc.string());
const { state } = fc.letrec<{ value: unknown; state: object }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    tie("state"),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 2 }).map((pairs) => new Map(pairs)),
    fc.array(tie("value"), { maxLength: 3 }).map((items) => new Set(items)),
  ),
  state: fc.dictionary(
    // The library that reads patches in this test skips these.
    key.filter((it) => !["__proto__", "constructor", "prototype"].includes(it)),
    tie("value"),
    { maxKeys: 4, noNullPrototype: true },
  ),
}));

describe("the difference", () => {
  test("applied to the view of the first state, gives that of the second", () => {
    fc.assert(
      fc.property(state, state, (before, after) => {
        expect(applied(viewOf(before), plain(before, after))).toEqual(viewOf(after));
        expect(plain(after, structuredClone(after))).toEqual([]);
      }),
    );
  });

  test("does so with something redacted, too, whatever is at the path", () => {
    const paths = ["a", "b.a", "*.b", "b[*]", "b[*].a", "*[*].b", "a.b.0", '["a/b"].a', "a.a", "valueOf.length"];
    fc.assert(
      fc.property(state, state, fc.subarray(paths, { minLength: 1 }), (before, after, redact) => {
        const operations = difference(before, after, redact);
        expect(applied(viewOf(before, redact), operations)).toEqual(viewOf(after, redact));
      }),
    );
  });

  test("shows what JSON can't hold in a way of its own", () => {
    const after = {
      at: new Date(0),
      never: new Date(Number.NaN),
      big: 12345678901234567890n,
      numbers: [Number.NaN, Infinity, -Infinity, -0, 0],
      map: new Map<unknown, unknown>([
        ["a", { n: 1n }],
        [new Date(0), undefined],
      ]),
      set: new Set([1n, undefined]),
      bytes: new Uint8Array([1, 2, 3]).subarray(1),
      buffer: new Uint8Array([1, 2, 3]).buffer,
      nothing: undefined,
      inside: { nothing: undefined, list: [undefined] },
    };
    expect(viewOf(after)).toEqual({
      at: "1970-01-01T00:00:00.000Z",
      never: "Invalid Date",
      big: "12345678901234567890",
      numbers: ["NaN", "Infinity", "-Infinity", "-0", 0],
      map: [
        ["a", { n: "1" }],
        ["1970-01-01T00:00:00.000Z", null],
      ],
      set: ["1", null],
      bytes: "AgM=",
      buffer: "AQID",
      inside: { list: [null] },
    });
  });

  test("is the same whatever the order of the fields, and leaves alone what an array keeps", () => {
    const before = { a: 1, list: [1, 2, 3, 4], gone: 1 };
    expect(plain(before, { z: 1, list: [1, 3, 4], a: 2 })).toEqual(
      plain({ ...before }, { a: 2, list: [1, 3, 4], z: 1 }),
    );
    expect(plain(before, { ...before, list: [1, 3, 4] })).toEqual([{ op: "remove", path: "/list/1" }]);
    expect(plain(before, { ...before, list: [0, 1, 2, 3, 4] })).toEqual([{ op: "add", path: "/list/0", value: 0 }]);
    expect(plain(before, { ...before, list: [1, 2, { a: 1 }, 4] })).toEqual([
      { op: "replace", path: "/list/2", value: { a: 1 } },
    ]);
    expect(plain({ list: [{ a: 1 }] }, { list: [{ a: 2 }] })).toEqual([{ op: "replace", path: "/list/0/a", value: 2 }]);
  });

  test("takes no notice of what an object inherits", () => {
    expect(plain({}, { toString: 1, constructor: { name: 1 } })).toEqual([
      { op: "add", path: "/constructor", value: { name: 1 } },
      { op: "add", path: "/toString", value: 1 },
    ]);
    expect(plain({ valueOf: 1 }, {})).toEqual([{ op: "remove", path: "/valueOf" }]);
  });

  test("stays quick for long arrays, and says no more than that where there is too much to say", () => {
    const long = Array.from({ length: 20_000 }, (_, index) => ({ index }));
    const shuffled = long.map(({ index }) => ({ index: index + 1 }));
    expect(plain({ long }, { long: shuffled })).toHaveLength(20_000);
    expect(plain({ long }, { long: [...shuffled, 1] })).toHaveLength(20_001);
    let shared: unknown = 1;
    for (let depth = 0; depth < 40; depth++) shared = [shared, shared];
    expect(plain({ a: 1 }, { a: 1, shared })).toEqual([{ op: "add", path: "/shared", value: "[TOO LARGE]" }]);
    expect(plain({ shared: [shared] }, { shared })).toEqual([{ op: "replace", path: "/shared", value: "[TOO LARGE]" }]);
  });

  test("survives what is deep or wide", () => {
    let [one, other]: [object, object] = [{ end: 1 }, { end: 2 }];
    for (let depth = 0; depth < 490; depth++) [one, other] = [{ a: [one] }, { a: [other] }];
    expect(plain(one, other)).toMatchObject([{ op: "replace", value: 2 }]);
    expect(difference(one, other, ["b", "*[*].b"])).toMatchObject([{ op: "replace", value: 2 }]);
    const wide = (value: number): object =>
      Object.fromEntries(Array.from({ length: 130_000 }, (_, index) => [`k${index}`, value]));
    expect(plain(wide(1), wide(2))).toHaveLength(130_000);
  });
});

describe("redacting", () => {
  const secret = "s3cret";

  test("never shows what a path leads to, and says that it was added, changed or removed", () => {
    const given = fc.oneof(fc.constant(secret), fc.constant({ deep: [secret] }), fc.constant([secret, 1]));
    fc.assert(
      fc.property(given, fc.oneof(given, fc.constantFrom(`${secret}!`, [{ a: secret }])), (before, after) => {
        const paths = ["card", "inside.card", "list[*].card", "map[*][1].card", "*.all", 'odd["a.b"]', "set"];
        const stateOf = (it: unknown): object => ({
          card: it,
          inside: { card: it, kept: 1 },
          list: [{ card: it }],
          map: new Map([["key", { card: it }]]),
          one: { all: it },
          odd: { "a.b": it },
          set: new Set([it]),
        });
        for (const [from, to] of [
          [{}, stateOf(after)],
          [stateOf(before), stateOf(after)],
          [stateOf(before), {}],
        ]) {
          expect(JSON.stringify(difference(from!, to!, paths))).not.toContain(secret);
        }
        const hasChanged = JSON.stringify(before) !== JSON.stringify(after);
        const changed = [...["card", "inside/card", "list/0/card", "map/0/1/card"], ...["odd/a.b", "one/all", "set"]];
        expect(difference(stateOf(before), stateOf(after), paths)).toEqual(
          hasChanged ? changed.map((path) => ({ op: "replace", path: `/${path}`, value: "[REDACTED]" })) : [],
        );
      }),
    );
  });

  test("covers what is inside of something redacted only once, and items that move with their secrets", () => {
    const before = { a: { b: secret, c: 1 }, list: [{ key: secret, n: 1 }] };
    expect(difference(before, { ...before, a: { b: secret, c: 1 } }, ["a.b", "a"])).toEqual([]);
    expect(difference(before, { ...before, a: { b: "2", c: 1 } }, ["a.b", "a"])).toEqual([
      { op: "replace", path: "/a", value: "[REDACTED]" },
    ]);
    expect(difference(before, { ...before, list: [{ key: "new", n: 0 }, ...before.list] }, ["list[*].key"])).toEqual([
      { op: "add", path: "/list/0", value: { key: "[REDACTED]", n: 0 } },
    ]);
  });

  test("tells equal from different, whatever a state says that it is", () => {
    for (const [before, after] of [
      ["[REDACTED]", "other"],
      ["@1", "@2"],
      [1, "1"],
      [{ a: 1 }, [1]],
      [{ a: 1, b: 2 }, { a: 12 }],
      [
        [1, [2]],
        [1, 2],
      ],
      [null, "null"],
    ] as const) {
      expect(difference({ a: before }, { a: after }, ["a"])).toEqual([
        { op: "replace", path: "/a", value: "[REDACTED]" },
      ]);
    }
    expect(difference({ a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } }, ["a"])).toEqual([]);
  });

  test("leaves the states alone", () => {
    const before = Object.freeze({ a: Object.freeze({ b: 1 }), list: Object.freeze([1]) });
    const after = { a: { b: 2 }, list: [2] };
    difference(before, after, ["a.b", "list[*]", "*"]);
    expect([before, after]).toEqual([
      { a: { b: 1 }, list: [1] },
      { a: { b: 2 }, list: [2] },
    ]);
  });

  test.each([[["a", 5]], [["a."]], [[".a"]], [[""]], [["/card/number"]], [["a["]], [["a..b"]], [["a,b"]]])(
    "refuses %j, which would redact nothing",
    (paths) => {
      expect(() => stateDifference(paths, "changes(…)")).toThrow(
        expect.objectContaining({
          code: "STEPWELL_INVALID_ARGUMENT",
          message: expect.stringContaining("which is no path into a state") as string,
        }),
      );
    },
  );

  test("refuses what is no list of paths, and paths that lead to a prototype", () => {
    for (const paths of ["card", null, {}, ["a.__proto__.b"]]) {
      expect(() => stateDifference(paths, "changes(…)")).toThrow(
        expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }),
      );
    }
  });
});
