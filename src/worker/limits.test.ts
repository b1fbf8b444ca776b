import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Candidate } from "../stores/records.js";
import { admissible, limitsOf, queryOf, type Limits } from "./limits.js";

const none: Limits = { concurrency: null, perKey: null, rate: null };

const one = (id: string, more: Partial<Candidate> = {}): Candidate => ({
  id,
  key: null,
  rateKey: null,
  heldByKey: 0,
  startedByKey: 0,
  ...more,
});

const ids = (candidates: readonly Candidate[], held: number, limits: Partial<Limits>, room = Infinity): string =>
  admissible({ candidates, held }, { ...none, ...limits }, room)
    .map(({ id }) => id)
    .join("");

describe("who is admitted", () => {
  const three = ["a", "b", "c"].map((id) => one(id));

  it("is everyone where there is room, in their order", () => {
    expect(ids(three, 7, {})).toBe("abc");
    expect(ids([], 0, { concurrency: 1 })).toBe("");
  });

  it("are the first ones, up to the limit and to what the launcher has room for", () => {
    expect(ids(three, 2, { concurrency: 4 })).toBe("ab");
    expect(ids(three, 4, { concurrency: 4 })).toBe("");
    expect(ids(three, 9, { concurrency: 4 })).toBe("");
    expect(ids(three, 0, { concurrency: 4 }, 1)).toBe("a");
    expect(ids(three, 0, {}, 0)).toBe("");
  });

  it("is passed over by those behind where its key is full", () => {
    const keyed = ["a", "b", "c"].map((id) => one(id, { key: id === "c" ? "y" : "x" }));
    expect(ids(keyed, 0, { perKey: 1 })).toBe("ac");
    expect(ids(keyed, 0, { perKey: 2 })).toBe("abc");
    expect(ids([one("a", { key: "x", heldByKey: 1 }), one("b")], 1, { perKey: 1 })).toBe("b");
  });

  it("counts who was admitted in a while, for each key of the rate", () => {
    const rate = { limit: 2, perMs: 10 };
    expect(ids(three, 0, { rate })).toBe("ab");
    expect(
      ids(
        three.map((it) => ({ ...it, startedByKey: 1 })),
        0,
        { rate },
      ),
    ).toBe("a");
    const keyed = ["a", "b", "c", "d"].map((id) => one(id, { rateKey: id === "d" ? "y" : "x" }));
    expect(ids(keyed, 0, { rate })).toBe("abd");
  });

  it("never exceeds a limit, and leaves no room unused that a candidate could have", () => {
    const maybe = <T>(it: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(it, { nil: null });
    const small = fc.integer({ min: 1, max: 4 });
    const limits = fc.record({
      concurrency: maybe(small),
      perKey: maybe(small),
      rate: maybe(fc.record({ limit: small, perMs: fc.constant(10) })),
    });
    const counts = fc.dictionary(fc.constantFrom("x", "y"), fc.integer({ min: 0, max: 4 }));
    const people = fc.array(
      fc.record({ key: maybe(fc.constantFrom("x", "y")), rateKey: maybe(fc.constantFrom("x", "y")) }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(limits, people, counts, counts, fc.nat(6), fc.nat(6), (given, persons, held, started, all, room) => {
        const candidates = persons.map(({ key, rateKey }, index) =>
          one(`${index}`, {
            key,
            rateKey,
            heldByKey: key === null ? 0 : (held[key] ?? 0),
            startedByKey: started[rateKey ?? ""] ?? 0,
          }),
        );
        const chosen = admissible({ candidates, held: all }, given, room);
        const fits = (some: readonly Candidate[]): boolean =>
          some.length <= room &&
          (some.length === 0 || given.concurrency === null || all + some.length <= given.concurrency) &&
          some.every(
            ({ key, rateKey, heldByKey, startedByKey }) =>
              (key === null ||
                given.perKey === null ||
                heldByKey + some.filter((it) => it.key === key).length <= given.perKey) &&
              (given.rate === null ||
                startedByKey + some.filter((it) => it.rateKey === rateKey).length <= given.rate.limit),
          );
        expect(fits(chosen)).toBe(true);
        for (const left of candidates) if (!chosen.includes(left)) expect(fits([...chosen, left])).toBe(false);
      }),
    );
  });
});

describe("what is asked of a gate", () => {
  const limits = limitsOf({
    concurrency: 5,
    perKey: { limit: 2, key: () => "" },
    rate: { limit: 7, per: 100, key: null },
  });

  it("is what the limits say, and never more candidates than could be admitted", () => {
    expect(limits).toEqual({ concurrency: 5, perKey: 2, rate: { limit: 7, perMs: 100 } });
    expect(queryOf("sell", ["1"], limits, 3)).toEqual({
      gate: "sell",
      versions: ["1"],
      limit: 3,
      keyLimit: 2,
      rate: { limit: 7, perMs: 100 },
    });
    expect(queryOf("sell", ["1"], limits, 30).limit).toBe(5);
    expect(queryOf("sell", ["1"], none, Infinity).limit).toBe(256);
  });
});
