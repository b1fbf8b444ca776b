/** What the small steps and transactions give to the state. Checked by `tsc`; nothing here runs. */
import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import { again, fail, pause, workflow, type HalfDoneOf, type StateOf, type StepContext } from "../index.js";
import { transaction as inPostgres } from "../stores/postgres/index.js";
import { transaction } from "../stores/sqlite/index.js";

const order = workflow("order", { input: z.object({ sku: z.string(), cents: z.number() }) });

test("what a step gives that may be passed over is optional, unless `otherwise` gives it too", () => {
  const made = order
    .step("vat", { when: ({ state }) => state.cents > 5, run: () => ({ vatId: "x" }) })
    .step("rate", { when: ({ state }) => state.cents > 5, run: () => ({ rate: 19 }), otherwise: () => ({ rate: 0 }) });
  expectTypeOf<StateOf<typeof made>>().toEqualTypeOf<{ sku: string; cents: number; rate: number; vatId?: string }>();
  // @ts-expect-error `otherwise` goes with `when`
  order.step("a", { run: () => ({ x: 1 }), otherwise: () => ({ x: 2 }) });
});

test("what `recover` gives stands beside what `run` gives, and its rollback knows of both", () => {
  const made = order.step("score", {
    run: async () => ({ score: 5, by: "bureau" }),
    recover: ({ state, reason }) => {
      expectTypeOf(state.score).toEqualTypeOf<number | undefined>();
      return reason === "x" ? fail("no") : { score: null };
    },
    rollback: ({ state }) => {
      expectTypeOf(state.score).toEqualTypeOf<number | null | undefined>();
      expectTypeOf(state.by).toEqualTypeOf<string | undefined>();
    },
  });
  expectTypeOf<StateOf<typeof made>["score"]>().toEqualTypeOf<number | null>();
  expectTypeOf<StateOf<typeof made>["by"]>().toEqualTypeOf<string | undefined>();
});

test("what `again` has patched is optional after the step and in its undo", () => {
  const made = order.step("poll", {
    run: ({ attempt }) => (attempt < 3 ? again({ asked: attempt }, { after: "30s" }) : { ready: true }),
    rollback: ({ state, halfDone }) => {
      expectTypeOf(state.asked).toEqualTypeOf<number | undefined>();
      expectTypeOf(halfDone).toEqualTypeOf<boolean>();
    },
  });
  expectTypeOf<StateOf<typeof made>["ready"]>().toEqualTypeOf<boolean>();
  expectTypeOf<StateOf<typeof made>["asked"]>().toEqualTypeOf<number | undefined>();
});

test("a sleep adds nothing, and a wait what its handlers give", () => {
  const made = order
    .sleep("cool-off", ({ state }) => (state.cents > 5 ? "3d" : new Date()))
    .waitFor(
      "answer",
      { yes: z.object({ who: z.string() }), no: z.null() },
      {
        timeout: "1d",
        onMessage: ({ message }) => (message.name === "yes" ? { who: message.payload.who } : { refused: true }),
        onTimeout: ({ state }) => ({ refused: state.cents > 0 }),
      },
    );
  expectTypeOf<StateOf<typeof made>>().toEqualTypeOf<{ sku: string; cents: number; who?: string; refused?: boolean }>();
  // @ts-expect-error no duration
  order.sleep("cool-off", "3 deys");
  // @ts-expect-error the name is taken
  made.sleep("answer", "3d");
});

test("a sleep takes what says when it applies, and gives what `otherwise` and `recover` give", () => {
  const made = order
    .sleep("nap", "1d", {
      when: ({ state }) => state.cents > 5,
      otherwise: ({ state }) => ({ woken: state.sku, skipped: true }),
      recover: ({ state, reason }) => (state.cents === 1 ? fail("no") : { woken: reason }),
      deadline: "2d",
    })
    .sleep("night", ({ state }) => (state.woken === undefined ? "1h" : new Date()), { recover: () => ({ cut: 5 }) });
  expectTypeOf<StateOf<typeof made>>().toEqualTypeOf<{
    sku: string;
    cents: number;
    woken?: string;
    skipped?: boolean;
    cut?: number;
  }>();
  expectTypeOf<HalfDoneOf<typeof made>>().toEqualTypeOf<StateOf<typeof made>>();
  // @ts-expect-error `otherwise` goes with `when`
  order.sleep("a", "1d", { otherwise: () => ({ x: 1 }) });
  // @ts-expect-error this gives no patch
  order.sleep("a", "1d", { recover: () => 1 });
  // @ts-expect-error there is no such option
  order.sleep("a", "1d", { retry: { attempts: 5 } });
});

test("a wait takes them too", () => {
  const made = order.waitFor(
    "answer",
    { yes: z.object({ who: z.string() }) },
    {
      when: ({ state }) => state.cents > 5,
      otherwise: () => ({ who: "nobody" }),
      timeout: "1d",
      onMessage: ({ message }) => ({ who: message.payload.who }),
      recover: ({ reason }) => (reason === "timeout" ? { who: "nobody", late: true } : fail(reason)),
      deadline: "2d",
    },
  );
  expectTypeOf<StateOf<typeof made>>().toEqualTypeOf<{ sku: string; cents: number; who: string; late?: boolean }>();
  // @ts-expect-error `otherwise` goes with `when`
  order.waitFor("a", { yes: z.null() }, { otherwise: () => ({ x: 1 }) });
  // @ts-expect-error \"sku\" has another type
  order.waitFor("a", { yes: z.null() }, { recover: () => ({ sku: 5 }) });
});

test("a transaction as the function itself sees the state, and gives what its work gives", () => {
  const made = order.step("book", { run: transaction((_connection, { state }) => ({ booked: state.sku })) }).step(
    "write",
    inPostgres(async (_connection, { state }) => ({ row: state.booked })),
    { rollback: inPostgres(async (_connection, { state, given }) => void [state.row, given.row]) },
  );
  expectTypeOf<StateOf<typeof made>>().toEqualTypeOf<{ sku: string; cents: number; booked: string; row: string }>();
  expectTypeOf<HalfDoneOf<typeof made>["row"]>().toEqualTypeOf<string | undefined>();
});

test("an undo that is a transaction sees what its own `run` gives where that is an argument of its own, not in one literal", () => {
  order.step(
    "book",
    transaction((_connection, { state }) => ({ booked: state.sku })),
    {
      rollback: transaction((_connection, { state, given }) => {
        expectTypeOf(state.booked).toEqualTypeOf<string | undefined>();
        expectTypeOf(given.booked).toEqualTypeOf<string | undefined>();
        expectTypeOf(state.cents).toEqualTypeOf<number>();
      }),
    },
  );
  order.step("book", {
    run: transaction((_connection, { state }) => ({ booked: state.sku })),
    // @ts-expect-error neither call is read before the other
    rollback: transaction((_connection, { given }) => void given.booked),
  });
});

test("what a function itself has left is in its state, and is read by a type that says so", () => {
  const asked = order.step("ask", {
    run: ({ state }: StepContext<{ cents: number; tries?: number }>) =>
      state.tries === 5 ? { given: state.cents } : again({ tries: (state.tries ?? 0) + 1 }, { after: "1h" }),
  });
  expectTypeOf<StateOf<typeof asked>["tries"]>().toEqualTypeOf<number | undefined>();
  order.step("ask", {
    // @ts-expect-error it is not in the type by itself
    run: ({ state }) => again({ tries: (state.tries ?? 0) + 1 }, { after: "1h" }),
  });
});

test("what a pause, a failing handler and the undo's own handler gave may be there at any moment", () => {
  const made = order.step("charge", {
    messages: { m: z.boolean() },
    rollbackMessages: { refunded: z.number() },
    run: () => pause({ paymentId: "p" }),
    onMessage: ({ message }) => (message.payload ? { paid: true } : fail("no", { patch: { code: "x" } })),
    rollback: ({ state }) => {
      expectTypeOf(state.code).toEqualTypeOf<string | undefined>();
      return pause({ asked: true });
    },
    onRollbackMessage: ({ state, message }) => {
      expectTypeOf(state.asked).toEqualTypeOf<boolean | undefined>();
      return { fee: message.payload };
    },
  });
  expectTypeOf<HalfDoneOf<typeof made>>().toEqualTypeOf<{
    sku: string;
    cents: number;
    paymentId?: string;
    paid?: boolean;
    code?: string;
    asked?: boolean;
    fee?: number;
  }>();
});
