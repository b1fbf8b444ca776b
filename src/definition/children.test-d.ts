/** What steps of children take and give. Checked by `tsc`; nothing here runs. */
import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import { complete, fail, pause, workflow, type HalfDoneOf, type StateOf } from "../index.js";

const order = workflow("order", {
  input: z.object({
    id: z.string(),
    isGift: z.boolean(),
    lines: z.array(z.object({ sku: z.string(), count: z.number() })),
  }),
});
const item = workflow("item", {
  input: z.object({ sku: z.string(), tags: z.array(z.string()).optional(), size: z.enum(["s", "m"]).default("m") }),
}).step("pick", { run: () => ({ parcelId: 5 }), rollback: () => undefined });
const flight = workflow("flight", { input: z.object({ to: z.string() }) }).step("book", {
  run: () => ({ seat: "1A" }),
});
const hotel = workflow("hotel", { input: z.object({ city: z.string() }) }).step("book", { run: () => ({ room: 7 }) });

test("a child's input is what its workflow takes, and its state what its workflow gives", () => {
  const made = order.child("one", item, {
    input: ({ state }) => ({ sku: state.lines[0]?.sku ?? "none", size: "s" }),
    join: ({ state, children: [child] }) => {
      expectTypeOf(state.isGift).toEqualTypeOf<boolean>();
      expectTypeOf(child.status).toEqualTypeOf<"completed">();
      expectTypeOf(child.key).toEqualTypeOf<"0">();
      expectTypeOf(child.state.parcelId).toEqualTypeOf<number>();
      expectTypeOf(child.state.size).toEqualTypeOf<"s" | "m">();
      return { parcelId: child.state.parcelId };
    },
  });
  expectTypeOf<StateOf<typeof made>["parcelId"]>().toEqualTypeOf<number>();
  expectTypeOf<HalfDoneOf<typeof made>["parcelId"]>().toEqualTypeOf<number | undefined>();
  made.step("after", { run: ({ state }) => ({ double: state.parcelId * 2 }) });

  // @ts-expect-error `sku` is missing
  order.child("one", item, { input: () => ({ size: "s" }) });
  // @ts-expect-error `sku` is no number
  order.child("one", item, { input: () => ({ sku: 5 }) });
  // @ts-expect-error there is no size "xl"
  order.child("one", item, { input: () => ({ sku: "a", size: "xl" }) });
  // @ts-expect-error it needs an input
  order.child("one", item, {});
  // @ts-expect-error the state has no such field
  order.child("one", item, { input: ({ state }) => ({ sku: state.sku }) });
  // @ts-expect-error no workflow
  order.child("one", { name: "item" }, { input: () => ({ sku: "a" }) });
  // @ts-expect-error the name is taken
  made.child("one", item, { input: () => ({ sku: "a" }) });
});

test("what is written for an input keeps its literals", () => {
  order.parallel(
    "two",
    { a: item, b: flight },
    {
      input: ({ state }) => ({ a: { sku: state.id, size: "s", tags: ["x"] }, b: { to: "x" } }),
      join: ({ byKey }) => ({ parcelId: byKey.a.state.parcelId }),
    },
  );
  order.forEach("items", item, { items: ({ state }) => [{ sku: state.id, size: "s", tags: ["x"] }] });
  order.forEach("items", item, { items: ({ state }) => state.lines, input: ({ item }) => ({ ...item, size: "m" }) });
});

test("where the input may be undefined, there may be no child", () => {
  const made = order.child("one", item, {
    input: ({ state }) => (state.isGift ? { sku: "paper" } : undefined),
    join: ({ children: [child] }) => {
      expectTypeOf(child?.state.parcelId).toEqualTypeOf<number | undefined>();
      // @ts-expect-error there may be none
      void child.state;
      return child === undefined ? {} : { parcelId: child.state.parcelId };
    },
  });
  expectTypeOf<StateOf<typeof made>["parcelId"]>().toEqualTypeOf<number | undefined>();
});

test("with `settle` a child may have been rolled back, and its state be half done", () => {
  order.child("one", item, {
    onFailure: "settle",
    input: () => ({ sku: "a" }),
    join: ({ children: [child] }) => {
      expectTypeOf(child.status).toEqualTypeOf<"completed" | "rolledBack">();
      expectTypeOf(child.state.parcelId).toEqualTypeOf<number | undefined>();
      expectTypeOf(child.state.sku).toEqualTypeOf<string>();
      if (child.status === "rolledBack") return fail(child.reason);
      expectTypeOf(child.state.parcelId).toEqualTypeOf<number>();
      return { parcelId: child.state.parcelId };
    },
  });
  order.child("one", item, {
    input: () => ({ sku: "a" }),
    // Wherever it stands.
    join: ({ children: [child] }) => void (child.status === "rolledBack"),
    onFailure: "settle",
  });
  // @ts-expect-error "settle" goes with "join"
  order.child("one", item, { input: () => ({ sku: "a" }), onFailure: "settle" });
  // @ts-expect-error no such way
  order.child("one", item, { input: () => ({ sku: "a" }), onFailure: "stop" });
});

test("a parallel step has inputs and children by key", () => {
  const made = order.parallel(
    "book",
    { flight, hotel },
    {
      input: ({ state }) => ({ flight: { to: state.id }, hotel: state.isGift ? { city: "x" } : undefined }),
      join: ({ children, byKey }) => {
        expectTypeOf(byKey.flight.state.seat).toEqualTypeOf<string>();
        expectTypeOf(byKey.hotel?.state.room).toEqualTypeOf<number | undefined>();
        // @ts-expect-error there may be none
        void byKey.hotel.state;
        const rooms = children.map((child) => (child.key === "hotel" ? child.state.room : child.state.seat));
        expectTypeOf(rooms).toEqualTypeOf<(string | number)[]>();
        return { seat: byKey.flight.state.seat, rooms };
      },
    },
  );
  expectTypeOf<StateOf<typeof made>["seat"]>().toEqualTypeOf<string>();
  expectTypeOf<StateOf<typeof made>["rooms"]>().toEqualTypeOf<(string | number)[]>();

  // @ts-expect-error `hotel` is missing
  order.parallel("book", { flight, hotel }, { input: () => ({ flight: { to: "x" } }) });
  // @ts-expect-error another workflow's input
  order.parallel("book", { flight, hotel }, { input: () => ({ flight: { city: "x" }, hotel: undefined }) });
  // @ts-expect-error no such key
  order.parallel("book", { flight }, { input: () => ({ flight: { to: "x" }, car: { to: "x" } }) });
  // @ts-expect-error a workflow for many
  order.parallel("book", flight, { input: () => ({}) });
  order.parallel(
    "book",
    { flight, hotel },
    {
      input: ({ state }) =>
        state.isGift ? { flight: undefined, hotel: { city: "x" } } : { flight: { to: "x" }, hotel: undefined },
      join: ({ byKey: { flight, hotel } }) => ({ what: flight?.state.seat ?? hotel?.state.room }),
      undo: "one-by-one",
    },
  );
});

test("a list has an input for each item, or items that are inputs", () => {
  const made = order.forEach("items", item, {
    items: ({ state }) => state.lines,
    input: ({ state, item, index, key }) => {
      expectTypeOf(item.count).toEqualTypeOf<number>();
      expectTypeOf(index).toEqualTypeOf<number>();
      return { sku: item.sku, tags: [state.id, key] };
    },
    key: ({ item, index }) => `${item.sku}-${index}`,
    concurrency: 5,
    join: ({ children }) => ({ parcels: children.map(({ state }) => state.parcelId) }),
  });
  expectTypeOf<StateOf<typeof made>["parcels"]>().toEqualTypeOf<number[]>();
  const simple = order.forEach("items", item, { items: ({ state }) => state.lines });
  expectTypeOf<StateOf<typeof simple>>().toEqualTypeOf<StateOf<typeof order>>();
  order.forEach("items", item, {
    items: ({ state }) => state.lines.map(({ sku }) => sku),
    input: ({ item }) => ({ sku: item }),
  });

  // @ts-expect-error the items are texts
  order.forEach("items", item, { items: () => ["a"] });
  // @ts-expect-error no items
  order.forEach("items", item, { input: () => ({ sku: "a" }) });
  // @ts-expect-error a set of items
  order.forEach("items", item, { items: () => new Set([{ sku: "a" }]) });
  // @ts-expect-error a promise of items
  order.forEach("items", item, { items: async () => [{ sku: "a" }] });
  // @ts-expect-error every item has a child
  order.forEach("items", item, { items: () => [1], input: () => undefined });
  // @ts-expect-error a key is a text
  order.forEach("items", item, { items: () => [{ sku: "a" }], key: ({ index }) => index });
});

test("a step of children gives what `join` gives, as other steps do what `run` gives", () => {
  const input = () => ({ sku: "a" });
  const join = () => ({ parcelId: 5 });
  const passed = order.child("one", item, { when: ({ state }) => state.isGift, input, join });
  expectTypeOf<StateOf<typeof passed>["parcelId"]>().toEqualTypeOf<number | undefined>();
  const either = order.child("one", item, {
    when: ({ state }) => state.isGift,
    otherwise: () => ({ parcelId: 0 }),
    input,
    join,
    recover: ({ reason }) => (reason === "sold-out" ? { parcelId: -1 } : fail("other")),
  });
  expectTypeOf<StateOf<typeof either>["parcelId"]>().toEqualTypeOf<number>();
  const left = order.child("one", item, { input, join: () => fail("no", { patch: { note: "x" } }) });
  expectTypeOf<HalfDoneOf<typeof left>["note"]>().toEqualTypeOf<string | undefined>();

  // @ts-expect-error `join` answers at once
  order.child("one", item, { input, join: async () => ({ parcelId: 5 }) });
  // @ts-expect-error it can't wait
  order.child("one", item, { input, join: () => pause() });
  // @ts-expect-error it can't end the workflow
  order.child("one", item, { input, join: () => complete() });
  // @ts-expect-error no patch
  order.child("one", item, { input, join: () => 5 });
  // @ts-expect-error the field has another type
  order.child("one", item, { input, join: () => ({ id: 5 }) });
  // @ts-expect-error `otherwise` goes with `when`
  order.child("one", item, { input, otherwise: () => ({}) });
});

test("options that mean nothing are refused", () => {
  const input = () => ({ sku: "a" });
  order.child("one", item, { input, pivot: true, deadline: "1h" }).child("two", item, { input, irreversible: "Gone." });
  // @ts-expect-error no attempts of its own
  order.child("one", item, { input, retry: { attempts: 3 } });
  // @ts-expect-error no undo of its own
  order.child("one", item, { input, rollback: () => undefined });
  // @ts-expect-error one child is undone in one way
  order.child("one", item, { input, undo: "one-by-one" });
  // @ts-expect-error those of a parallel step begin together
  order.parallel("one", { flight }, { input: () => ({ flight: { to: "x" } }), concurrency: 2 });
  // @ts-expect-error left out, they are undone together
  order.forEach("one", item, { items: () => [{ sku: "a" }], undo: "together" });
});
