import { inspect, isDeepStrictEqual } from "node:util";
import { createContext, runInContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, defaultSizeLimit, encode as encoded, Encoded, type EncodeOptions } from "./encode.js";
import { isolate, merge } from "./isolate.js";
import { StepwellError } from "../errors.js";

const about = { what: "The state" };

const encode = (value: unknown, options: EncodeOptions): string => encoded(value, options).text;

function roundTrip(value: unknown): unknown {
  return decode(encode(value, about));
}

/** The error that it throws; fails where it throws none, or another kind. */
function refusalOf(act: () => unknown): StepwellError {
  try {
    act();
  } catch (error) {
    if (error instanceof StepwellError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** `isDeepStrictEqual` of Node 20 takes two of them for different: they have a test of their own. */
function hasInvalidDate(value: unknown): boolean {
  return inspect(value, { depth: null, maxArrayLength: null }).includes("Invalid Date");
}

const typedArray = fc.oneof(
  fc.uint8Array(),
  fc.int16Array(),
  fc.uint32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.uint8ClampedArray(),
);

const leaf = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constantFrom(null, undefined, NaN, Infinity, -Infinity, -0, "~", "\0", "\ud800", '~["x"]'),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
  typedArray,
);

const key = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("constructor", "toJSON", "length", "0", "\ud800"));

/** Everything that is promised to come back. */
const storable = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(
      key.filter((name) => name !== "__proto__"),
      tie("value"),
      { maxKeys: 5, noNullPrototype: true },
    ),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie("value"), { maxLength: 4 }).map((values) => new Set(values)),
  ),
})).value;

describe("what is stored comes back", () => {
  test("decode(encode(x)) is deep-equal to x for every kind that is promised", () => {
    fc.assert(
      fc.property(storable, (value) => {
        const back = roundTrip(value);
        expect(isDeepStrictEqual(back, value)).toBe(true);
        expect(encode(back, about)).toBe(encode(value, about));
      }),
      { numRuns: 1000 },
    );
  });

  test("an isolated copy encodes to the same text as its original", () => {
    fc.assert(
      fc.property(storable, (value) => {
        const copy = isolate(value);
        expect(isDeepStrictEqual(copy, value)).toBe(true);
        expect(encode(copy, about)).toBe(encode(value, about));
      }),
    );
  });

  test("anything at all either comes back deep-equal or is refused with a code", () => {
    const anything = fc
      .anything({
        withBigInt: true,
        withBoxedValues: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withSparseArray: true,
        withTypedArray: true,
        withUnicodeString: true,
        withObjectString: true,
      })
      .filter((value) => !hasInvalidDate(value));
    fc.assert(
      fc.property(anything, (value) => {
        try {
          expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
        } catch (error) {
          if (!(error instanceof StepwellError)) throw error;
          expect(error.code).toBe("STEPWELL_NOT_ENCODABLE");
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("plain values are stored as plain JSON, before and after they are isolated", () => {
    const state = { sku: "A", cents: 12.5, tags: ["x", null], nested: { ok: true } };
    expect(encode(state, about)).toBe(JSON.stringify(state));
    expect(encode(isolate(state), about)).toBe(JSON.stringify(state));
    expect(encode("text", about)).toBe('"text"');
  });

  test("a text that looks like the rich form stays a text", () => {
    expect(roundTrip("~[1]")).toBe("~[1]");
    expect(roundTrip(["~"])).toEqual(["~"]);
  });

  test("-0, NaN and undefined keep apart from 0, null and an absent field", () => {
    const back = roundTrip({ zero: -0, none: undefined, nan: NaN }) as Record<string, unknown>;
    expect(Object.is(back["zero"], -0)).toBe(true);
    expect(Object.hasOwn(back, "none")).toBe(true);
    expect(back["nan"]).toBeNaN();
  });

  test.each([-0, NaN, Infinity, -Infinity, undefined])("%d comes back alone, in a list and in a field", (value) => {
    for (const given of [value, [value], { value }, { deep: [{ value }] }])
      expect(isDeepStrictEqual(roundTrip(given), given)).toBe(true);
  });

  test("a date that is invalid stays a date that is invalid", () => {
    const isInvalid = (value: unknown): boolean => value instanceof Date && Number.isNaN(value.getTime());
    const never = new Date(Number.NaN);
    expect(isInvalid(roundTrip(never))).toBe(true);
    expect(isInvalid(isolate({ at: never }).at)).toBe(true);
    const back = roundTrip({ at: never, list: [never], map: new Map([["k", never]]), set: new Set([never]) });
    const { at, list, map, set } = back as { at: Date; list: Date[]; map: Map<string, Date>; set: Set<Date> };
    expect([at, list[0], map.get("k"), [...set][0]].map(isInvalid)).toEqual([true, true, true, true]);
  });

  test("an object without a prototype comes back as an ordinary one", () => {
    const bare = Object.assign(Object.create(null) as object, { a: { b: 1 } });
    expect(isDeepStrictEqual(roundTrip(bare), { a: { b: 1 } })).toBe(true);
  });

  test("a view of a large buffer is stored without what lies around it", () => {
    const secret = new TextEncoder().encode("secret-secret-secret-id");
    const text = encode({ id: secret.subarray(21) }, about);
    expect(text.length).toBeLessThan(60);
    expect(roundTrip({ id: secret.subarray(21) })).toEqual({ id: new Uint8Array([105, 100]) });
  });

  test("what another realm made is taken like one's own", () => {
    const made: unknown = runInContext(
      `({ at: new Date(5), list: [1, { a: undefined }], map: new Map([["k", new Set([1n])]]), bytes: new Uint8Array([1]) })`,
      createContext(),
    );
    const own = { at: new Date(5), list: [1, { a: undefined }], map: new Map([["k", new Set([1n])]]) };
    expect(isDeepStrictEqual(roundTrip(made), { ...own, bytes: new Uint8Array([1]) })).toBe(true);
  });

  test("the same object in two places is allowed", () => {
    const address = { city: "Utrecht" };
    expect(roundTrip({ from: address, to: address })).toEqual({ from: address, to: address });
  });

  test("references shared over and over cost time and space as if they were one", () => {
    let shared: unknown = { end: true };
    for (let level = 0; level < 200; level += 1) shared = [shared, shared];
    const text = encode(shared, about);
    expect(text.length).toBeLessThan(100_000);
    let inner = decode(text);
    for (let level = 0; level < 200; level += 1) inner = (inner as unknown[])[level % 2];
    expect(inner).toEqual({ end: true });
  });

  test("a polluted Object.prototype adds nothing to what is stored", () => {
    const prototype = Object.prototype as Record<string, unknown>;
    prototype["polluted"] = "yes";
    try {
      expect(Object.keys(roundTrip(isolate({ a: 1 })) as object)).toEqual(["a"]);
    } finally {
      delete prototype["polluted"];
    }
  });
});

class Owner {
  name = "Ann";
}
class Day extends Date {}

const throwing = new Proxy(
  {},
  {
    getPrototypeOf: () => {
      throw new Error("no entry");
    },
    ownKeys: () => {
      throw new Error("no entry");
    },
  },
);

const refusals: readonly [title: string, value: unknown, problem: string][] = [
  ["a function", () => 1, "is a function"],
  ["a symbol", Symbol("s"), "is a symbol"],
  ["a class instance", new Owner(), "is an instance of Owner"],
  ["an instance of a subclass", new Day(), "is an instance of Day"],
  ["an error", new RangeError("x"), "is an instance of RangeError"],
  ["a regular expression", /x/, "is an instance of RegExp"],
  ["a URL", new URL("http://a.example"), "is an instance of URL"],
  ["a promise", Promise.resolve(), "is an instance of Promise"],
  ["a boxed number", Object(1), "is a boxed primitive"],
  ["a Buffer", Buffer.from("x"), "is a Buffer (use new Uint8Array(buffer))"],
  ["a DataView", new DataView(new ArrayBuffer(1)), "is an instance of DataView"],
  ["an object that inherits from another", Object.create({ a: 1 }), "is an instance of Object"],
  ["a symbol as a key", { [Symbol("s")]: 1 }, "has a symbol as a key (Symbol(s))"],
  ["a match of a regular expression", /a/.exec("a"), "is an array with extra fields"],
  ["a date with a field", Object.assign(new Date(0), { zone: "CET" }), "is an instance of Date with extra fields"],
  ["an error that lost its prototype", Object.setPrototypeOf(new Error("x"), null), "is an instance of a class"],
  ["a proxy of a class instance", new Proxy(new Owner(), {}), "is an instance of Owner"],
];

describe("what would not come back is refused", () => {
  test.each(refusals)("%s, by encode and by isolate", (_title, value, problem) => {
    const place = (): unknown => ({ items: [1, 2, { owner: value }] });
    const refusal = refusalOf(() => encode(place(), about));
    expect(refusal.code).toBe("STEPWELL_NOT_ENCODABLE");
    expect(refusal.message).toContain(`The state can't be stored: state.items[2].owner ${problem}.`);
    expect(refusalOf(() => isolate(place())).message).toContain(`value.items[2].owner ${problem}.`);
    expect(refusalOf(() => isolate(value)).message).toContain(`value ${problem}.`);
  });

  test("in a frozen value too, which is trusted to be isolated but scanned for what JSON would lose", () => {
    for (const value of [() => 1, Symbol("s"), new Owner(), new Day(), /x/, Object(1), new Proxy(new Owner(), {})]) {
      const frozen = Object.freeze({ items: Object.freeze([value]) });
      expect(refusalOf(() => encode(frozen, about)).message).toContain("state.items[0] is ");
    }
  });

  test("a hole in an array, with its index", () => {
    // eslint-disable-next-line no-sparse-arrays -- the hole is the point
    const refusal = refusalOf(() => encode({ list: [1, , 3] }, about));
    expect(refusal.message).toContain("state.list[1] is a hole in an array");
  });

  test("a getter that throws; what any other one gives is stored", () => {
    const throwing = {
      get total(): number {
        throw new Error("no total");
      },
    };
    expect(refusalOf(() => encode(throwing, about)).message).toContain("no total");
    const shifted = {
      nested: {
        get total() {
          return new Date(5);
        },
      },
    };
    expect(isolate(shifted)).toEqual({ nested: { total: new Date(5) } });
  });

  test("an own key __proto__, at any depth", () => {
    const hostile = JSON.parse('{ "a": { "__proto__": { "admin": true } } }') as object;
    expect(refusalOf(() => encode(hostile, about)).message).toContain("state.a.__proto__ has a key that is reserved");
    expect(refusalOf(() => encode(Object.freeze(hostile), about)).code).toBe("STEPWELL_NOT_ENCODABLE");
  });

  test("a cycle, at the place where it closes", () => {
    const cyclic: Record<string, unknown> = { name: "a" };
    cyclic["child"] = { parent: cyclic, also: cyclic };
    expect(refusalOf(() => encode(cyclic, about)).message).toContain("state.child.parent contains itself (a cycle)");
    expect(refusalOf(() => encode(Object.freeze(cyclic), about)).message).toContain("contains itself");
    const map = new Map<string, unknown>();
    map.set("me", map);
    expect(refusalOf(() => isolate(map)).message).toContain('value.get("me") contains itself');
  });

  test("100,000 levels of nesting, without a stack overflow", () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) deep = Object.freeze([deep]);
    for (const act of [
      () => encode(deep, about),
      () => isolate(deep),
      () => encode({ deep: new Set([deep]) }, about),
    ]) {
      const refusal = refusalOf(act);
      expect(refusal.code).toBe("STEPWELL_NOT_ENCODABLE");
      expect(refusal.message).toContain("is nested more than 1000 levels deep");
      expect(refusal.message.length).toBeLessThan(1000);
    }
  });

  test("a proxy that throws, and a revoked one", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const value of [throwing, proxy]) {
      for (const act of [() => encode(value, about), () => isolate(value), () => encode({ value }, about)]) {
        expect(refusalOf(act).code).toBe("STEPWELL_NOT_ENCODABLE");
      }
    }
  });

  test("paths are JavaScript: odd names in brackets, maps and sets by their methods", () => {
    const path = (value: unknown): string =>
      /stored: (.*) is a function\./.exec(refusalOf(() => isolate(value)).message)![1]!;
    const fn = (): void => undefined;
    expect(path({ "first name": { ünïcode: fn } })).toBe('value["first name"].ünïcode');
    expect(path({ map: new Map([["k", [fn]]]) })).toBe('value.map.get("k")[0]');
    expect(path(new Map([[fn, 1]]))).toBe("value.keys()");
    expect(path([new Set([fn])])).toBe("value[0].values()");
  });
});

describe("the limit of size", () => {
  test("counts bytes of UTF-8, not characters", () => {
    expect(encode("é", { ...about, limit: 4 })).toBe('"é"');
    const refusal = refusalOf(() => encode("é", { what: "The input", limit: 3 }));
    expect(refusal.code).toBe("STEPWELL_TOO_LARGE");
    expect(refusal.message).toContain("The input is too large: 4 bytes when encoded, and the limit is 3.");
  });

  test("is 1 MiB by default, and there may be none", () => {
    const fits = "x".repeat(defaultSizeLimit - 2);
    expect(encode(fits, about)).toHaveLength(1024 * 1024);
    expect(refusalOf(() => encode(`${fits}x`, about)).code).toBe("STEPWELL_TOO_LARGE");
    expect(encode(`${fits}x`, { ...about, limit: Infinity })).toHaveLength(1024 * 1024 + 1);
  });

  test("holds for the rich form too", () => {
    expect(refusalOf(() => encode(new Uint8Array(4000), { ...about, limit: 4000 })).code).toBe("STEPWELL_TOO_LARGE");
  });
});

describe("decode", () => {
  const unreadable = [
    "",
    "{",
    "~",
    "~{}",
    "~[",
    '~[["Nonsense",1]]',
    "undefined",
    '~[["Date"',
    '~[{"__proto__":1},{}]',
    "\0",
  ];

  test.each(unreadable)("refuses %j with a code and a cause", (text) => {
    const refusal = refusalOf(() => decode(text));
    expect(refusal.code).toBe("STEPWELL_NOT_DECODABLE");
    expect(refusal.cause).toBeDefined();
  });

  test("either reads a foreign text or refuses it with a code, and never touches a prototype", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((text) => `~${text}`),
        ),
        (text) => {
          try {
            decode(text);
          } catch (error) {
            expect(error).toMatchObject({ code: "STEPWELL_NOT_DECODABLE" });
          }
          expect(Object.keys(Object.prototype)).toEqual([]);
        },
      ),
    );
  });

  test("a foreign __proto__ stays a field, and goes no further than the codec", () => {
    const foreign = decode('{"__proto__":{"admin":true},"a":1}') as object;
    expect(Object.getPrototypeOf(foreign)).toBe(Object.prototype);
    const merged = merge({ b: 2 }, foreign);
    expect(merged).toEqual({ a: 1, b: 2 });
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    expect((merged as { admin?: boolean }).admin).toBeUndefined();
  });

  test("refuses a rich text nested too deeply for the stack", () => {
    const levels = Array.from({ length: 200_000 }, (_, index) => `[${index + 1}]`);
    expect(refusalOf(() => decode(`~[${levels.join(",")},1]`)).code).toBe("STEPWELL_NOT_DECODABLE");
  });
});

test("an object in two parts is put together when it is asked for", () => {
  const part = (value: object): Encoded => Encoded.ofText(encode(value, about));
  const plain = Encoded.ofParts({ whole: part({ a: 1, b: { c: 1 } }), changes: part({ b: 2, d: 3 }) });
  expect(plain.value).toEqual({ a: 1, b: 2, d: 3 });
  expect(plain.isPlain).toBe(true);
  expect(decode(plain.text)).toEqual({ a: 1, b: 2, d: 3 });
  const rich = Encoded.ofParts({ whole: part({ a: 1 }), changes: part({ at: new Date(5) }) });
  expect(rich.isPlain).toBe(false);
  expect(decode(rich.text)).toEqual({ a: 1, at: new Date(5) });
  expect(rich.equals(Encoded.ofText(encode({ at: new Date(5), a: 1 }, about)))).toBe(true);
});

test("a damaged text that reads as a value which holds itself can't be read back, and says so", () => {
  expect(refusalOf(() => Encoded.ofText('~[{"a":0}]').value)).toMatchObject({ code: "STEPWELL_NOT_DECODABLE" });
});
