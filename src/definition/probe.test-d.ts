/** What the compiler says of probes. Checked by `tsc`; nothing here runs. */
import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  again,
  complete,
  didNotHappen,
  fail,
  happened,
  pause,
  step,
  unknown,
  workflow,
  type StateOf,
} from "../index.js";
import { transaction } from "../stores/sqlite/index.js";

const order = workflow("order", { input: z.object({ sku: z.string(), cents: z.number() }) });

test("a probe answers what run could have given, and adds nothing of its own", () => {
  const made = order.step("pay", {
    run: async () => ({ paid: "t-1" }),
    probe: async ({ state, idempotencyKey, since, attempt, polls, reason, subscribe }) => {
      expectTypeOf(state.sku).toEqualTypeOf<string>();
      expectTypeOf(state.paid).toEqualTypeOf<string | undefined>();
      expectTypeOf(since).toEqualTypeOf<Date>();
      expectTypeOf(reason).toEqualTypeOf<string | undefined>();
      await subscribe(idempotencyKey);
      if (attempt > 1) return unknown();
      if (polls > 3) return didNotHappen();
      return state.cents > 5 ? happened({ paid: "t-1" }) : again({ after: "1m" });
    },
  });
  expectTypeOf<StateOf<typeof made>>().toEqualTypeOf<{ sku: string; cents: number; paid: string }>();
});

test("a probe has no client: it only asks", () => {
  order.step("pay", {
    run: async ({ client }) => ({ sent: (await client.send("e", "paid", {})).id }),
    // @ts-expect-error there is none
    probe: async ({ client }) => (client === undefined ? unknown() : didNotHappen()),
  });
});

test("a probe may pause, complete or fail where run may", () => {
  order.step("pay", {
    messages: { settled: z.object({ at: z.date() }) },
    run: ({ state }) => {
      if (state.cents < 0) return fail("negative");
      return state.cents > 5 ? complete({ free: true }) : pause({ paymentId: "p" }, { timeout: "1h" });
    },
    probe: ({ state }) => {
      if (state.cents < 0) return happened(fail("negative"));
      return state.cents > 5 ? happened(complete({ free: true })) : happened(pause({ paymentId: "p" }));
    },
    onMessage: ({ message }) => ({ settledAt: message.payload.at }),
  });
  order.step("pay", { run: async () => ({ a: 1 }), probe: () => happened({ a: 2 }), inDoubt: "rerun" });
  order.step("pay", async () => {}, { probe: () => happened() });
  step<{ sku: string }>()("pay", {
    run: ({ state }) => ({ of: state.sku }),
    probe: ({ state }) => happened({ of: state.sku }),
  });
});

test("a probe may be a function of its own, or take no context", () => {
  const asks = async (context: { readonly idempotencyKey: string }) =>
    context.idempotencyKey === "" ? unknown() : happened({ paid: "t-1" });
  const made = order
    .step("a", { run: ({ state }) => ({ paid: state.sku }), probe: asks })
    .step("b", { run: async ({ state }) => ({ again: state.paid }), probe: () => happened({ again: "t-2" }) });
  expectTypeOf<StateOf<typeof made>>().toEqualTypeOf<{ sku: string; cents: number; paid: string; again: string }>();
  // @ts-expect-error run gives a text
  order.step("a", { run: ({ state }) => ({ paid: state.cents }), probe: asks });
  // @ts-expect-error run gives a text
  order.step("a", { run: ({ state }) => ({ paid: state.sku }), probe: () => happened({ paid: 1 }) });
});

test("what run could not have given is refused", () => {
  // @ts-expect-error run gives a text
  order.step("pay", { run: async () => ({ paid: "t-1" }), probe: () => happened({ paid: 1 }) });
  // @ts-expect-error run gives it for certain
  order.step("pay", { run: async () => ({ paid: "t-1" }), probe: () => happened() });
  // @ts-expect-error run never pauses
  order.step("pay", { run: async () => ({ paid: "t-1" }), probe: () => happened(pause({ paid: "t-1" })) });
  // @ts-expect-error it changes nothing
  order.step("pay", { run: async () => ({ paid: "t-1" }), probe: () => again({ asked: true }, { after: "1m" }) });
  // @ts-expect-error no answer
  order.step("pay", { run: async () => ({ paid: "t-1" }), probe: () => ({ paid: "t-1" }) });
  // @ts-expect-error no such word
  order.step("pay", { run: async () => ({ paid: "t-1" }), inDoubt: "wait" });
  // @ts-expect-error the answer of a probe
  order.step("pay", { run: () => happened({ paid: "t-1" }) });
});

test("what has no run of its own takes no probe", () => {
  // @ts-expect-error nothing of a sleep is in doubt
  order.sleep("nap", "1h", { probe: () => unknown() });
  // @ts-expect-error nor of a wait
  order.waitFor("answer", { yes: z.null() }, { inDoubt: "park" });
  const child = workflow("child", { input: z.object({}) }).step("1", { run: () => undefined });
  // @ts-expect-error nor of children
  order.child("below", child, { input: () => ({}), probe: () => unknown() });
});

test("a probe is no transaction, and answers with none", () => {
  const writes = transaction(() => ({ paid: "t-1" }));
  // @ts-expect-error a probe is a function
  order.step("pay", { run: async () => ({ paid: "t-1" }), probe: writes });
  // @ts-expect-error it changes nothing, in the store's database either
  order.step("pay", { run: async () => ({ paid: "t-1" }), probe: () => writes });
  // @ts-expect-error what happened is no transaction that has still to be done
  order.step("pay", { run: async () => ({ paid: "t-1" }), probe: () => happened(writes) });
  // The code around a transaction may have had effects, so it can be asked about.
  order.step("pay", {
    run: async ({ state }) => transaction(() => ({ paid: state.sku })),
    probe: () => happened({ paid: "t-1" }),
  });
});
