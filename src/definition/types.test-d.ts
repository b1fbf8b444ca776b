/** What the compiler promises. Checked by `tsc`; nothing here runs. */
import { type } from "arktype";
import * as v from "valibot";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import { observer } from "./observer.js";
import { complete, fail, pause } from "./outcome.js";
import { step } from "./step.js";
import type { HalfDoneOf, InputOf, StateOf } from "./bag.js";
import { workflow } from "./workflow.js";

const order = workflow("order", { input: z.object({ sku: z.string(), cents: z.number() }) });

test("a step sees the input and what the steps before it gave, nothing of it optional", () => {
  const grown = order.step("reserve", { run: async ({ state }) => ({ reservationId: state.sku }) }).step("charge", {
    run: ({ state }) => {
      expectTypeOf(state).toEqualTypeOf<Readonly<{ sku: string; cents: number; reservationId: string }>>();
      return { paid: state.cents };
    },
  });
  expectTypeOf<StateOf<typeof grown>>().toEqualTypeOf<{
    sku: string;
    cents: number;
    reservationId: string;
    paid: number;
  }>();
});

test("a step that gives nothing adds nothing", () => {
  const same = order.step("ping", { run: () => undefined }).step("pong", { run: async () => {} });
  expectTypeOf<StateOf<typeof same>>().toEqualTypeOf<{ sku: string; cents: number }>();
});

test("what a step itself gives is optional in its own rollback, and what came before is not", () => {
  order.step("reserve", { run: () => ({ a: 1 }) }).step("charge", {
    run: () => ({ paymentId: "p" }),
    rollback: ({ state, given, runKey, reason }) => {
      expectTypeOf(state.a).toEqualTypeOf<number>();
      expectTypeOf(state.paymentId).toEqualTypeOf<string | undefined>();
      expectTypeOf(given).toEqualTypeOf<Readonly<{ paymentId?: string }>>();
      expectTypeOf(runKey).toEqualTypeOf<string>();
      expectTypeOf(reason).toEqualTypeOf<string>();
      // @ts-expect-error it may be missing
      state.paymentId.length;
    },
  });
});

test("an undo sees who asked and why, if anybody did, and checks by itself what came with that", () => {
  order.step("charge", {
    run: () => undefined,
    rollback: ({ request }) => {
      expectTypeOf(request).toEqualTypeOf<
        { readonly reason: string; readonly details?: unknown; readonly by?: string; readonly to?: string } | undefined
      >();
      // @ts-expect-error nobody may have asked
      request.reason.length;
    },
    rollbackMessages: { done: z.null() },
    onRollbackMessage: ({ request }) => void expectTypeOf(request?.details).toEqualTypeOf<unknown>(),
  });
  // @ts-expect-error nothing is asked for on the way up
  order.step("charge", { run: ({ request }) => void request });
});

test("the patches of pause, fail, complete and handlers are all optional in the rollback", () => {
  order.step("charge", {
    messages: { settled: z.object({ at: z.date() }) },
    run: ({ state }) => {
      if (state.cents < 0) return fail("negative", { patch: { refusedAt: 1 } });
      if (state.cents === 0) return complete({ free: true });
      return pause({ paymentId: "p" });
    },
    onMessage: ({ message }) => ({ settledAt: message.payload.at }),
    rollback: ({ state }) => {
      expectTypeOf(state.refusedAt).toEqualTypeOf<number | undefined>();
      expectTypeOf(state.free).toEqualTypeOf<boolean | undefined>();
      expectTypeOf(state.paymentId).toEqualTypeOf<string | undefined>();
      expectTypeOf(state.settledAt).toEqualTypeOf<Date | undefined>();
    },
  });
});

test("a handler gets the union of the declared messages by name, and the pause's patch in its state", () => {
  order.step("charge", {
    messages: { settled: z.object({ at: z.coerce.date() }), declined: z.object({ code: z.string() }) },
    run: () => pause({ paymentId: "p" }),
    onMessage: ({ state, message }) => {
      expectTypeOf(state.paymentId).toEqualTypeOf<string>();
      expectTypeOf(message.name).toEqualTypeOf<"settled" | "declined">();
      if (message.name === "declined") return fail(message.payload.code);
      expectTypeOf(message.payload).toEqualTypeOf<{ at: Date }>();
      // @ts-expect-error only `declined` has a code
      void message.payload.code;
      return { settledAt: message.payload.at };
    },
  });
});

test("messages may come from zod, valibot and arktype alike", () => {
  order.step("mixed", {
    messages: { a: z.object({ n: z.number() }), b: v.object({ s: v.string() }), c: type({ d: "boolean" }) },
    run: () => pause(),
    onMessage: ({ message }) => {
      if (message.name === "a") expectTypeOf(message.payload).toEqualTypeOf<{ n: number }>();
      else if (message.name === "b") expectTypeOf(message.payload).toEqualTypeOf<{ s: string }>();
      else expectTypeOf(message.payload).toEqualTypeOf<{ d: boolean }>();
    },
  });
});

test("after a step that pauses, the pause's patch and the handler's are there", () => {
  const settled = order.step("charge", {
    messages: { settled: z.object({ at: z.date() }) },
    run: async () => pause({ paymentId: "p" }, { timeout: "30m" }),
    onMessage: async ({ message }) => ({ settledAt: message.payload.at }),
  });
  expectTypeOf<StateOf<typeof settled>>().toEqualTypeOf<{
    sku: string;
    cents: number;
    paymentId: string;
    settledAt: Date;
  }>();
});

test("after a run that gives a patch or a pause, what only one of the ways gives is optional", () => {
  const either = order.step("charge", {
    messages: { settled: z.object({ at: z.date() }) },
    run: ({ state }) => (state.cents === 0 ? { kind: "free" } : pause({ kind: "paid", paymentId: "p" })),
    onMessage: ({ message }) => ({ settledAt: message.payload.at }),
  });
  type State = StateOf<typeof either>;
  expectTypeOf<State["kind"]>().toEqualTypeOf<string>();
  expectTypeOf<State["paymentId"]>().toEqualTypeOf<string | undefined>();
  expectTypeOf<State["settledAt"]>().toEqualTypeOf<Date | undefined>();
});

test("the patch of a pause is not inferred as literals", () => {
  order.step("count", {
    messages: { more: z.number() },
    run: () => pause({ sum: 0 }),
    onMessage: ({ state, message }) => {
      expectTypeOf(state.sum).toEqualTypeOf<number>();
      return state.sum > 10 ? { done: true } : pause({ sum: state.sum + message.payload });
    },
  });
});

test("a field that a handler adds and reads later is declared where the wait begins", () => {
  const gathered = order.step("gather", {
    messages: { part: z.string() },
    run: () => pause<{ id: string; parts?: string[] }>({ id: "x" }),
    onMessage: ({ state, message }) => {
      const parts = [...(state.parts ?? []), message.payload];
      return parts.length < 3 ? pause({ parts }) : { parts };
    },
  });
  expectTypeOf<StateOf<typeof gathered>["parts"]>().toEqualTypeOf<string[]>();
});

test("a step in a module says what it needs; where the state lacks it, `.step` is a compile error", () => {
  const ship = step<{ reservationId: string; settledAt: Date }>()("ship", {
    run: async ({ state }) => ({ parcelId: state.reservationId + state.settledAt.toISOString() }),
    rollback: ({ state }) => {
      expectTypeOf(state.parcelId).toEqualTypeOf<string | undefined>();
    },
  });
  const shipped = order.step("before", { run: () => ({ reservationId: "r", settledAt: new Date() }) }).step(ship);
  expectTypeOf<StateOf<typeof shipped>["parcelId"]>().toEqualTypeOf<string>();
  expectTypeOf<HalfDoneOf<typeof shipped>["parcelId"]>().toEqualTypeOf<string | undefined>();
  // @ts-expect-error the state lacks `reservationId` and `settledAt`
  order.step(ship);
  // @ts-expect-error `settledAt` has another type
  order.step("wrong", { run: () => ({ reservationId: "r", settledAt: 1 }) }).step(ship);
  const maybe = order.step("maybe", {
    run: () => ({ reservationId: "r" }) as { reservationId: string; settledAt?: Date },
  });
  // @ts-expect-error `settledAt` may be missing
  maybe.step(ship);
});

test("a workflow that may complete early has the later steps' fields optional at its end", () => {
  const early = order
    .step("look", { run: ({ state }) => (state.cents > 1 ? { checked: 1 } : complete({ known: true })) })
    .step("work", {
      run: ({ state }) => {
        expectTypeOf(state.checked).toEqualTypeOf<number>();
        return { worked: "yes" };
      },
    });
  type State = StateOf<typeof early>;
  expectTypeOf<State["sku"]>().toEqualTypeOf<string>();
  expectTypeOf<State["worked"]>().toEqualTypeOf<string | undefined>();
  expectTypeOf<State["known"]>().toEqualTypeOf<boolean | undefined>();
});

test("an undo may wait for messages of its own", () => {
  order.step("book", {
    rollbackMessages: { cancelled: z.object({ fee: z.number() }) },
    run: () => ({ parcelId: "x" }),
    rollback: ({ state }) => (state.parcelId === undefined ? undefined : pause({ cancelling: state.parcelId })),
    onRollbackMessage: ({ state, given, message, reason }) => {
      expectTypeOf(state.cancelling).toEqualTypeOf<string | undefined>();
      expectTypeOf(given.parcelId).toEqualTypeOf<string | undefined>();
      expectTypeOf(message.payload.fee).toEqualTypeOf<number>();
      expectTypeOf(reason).toEqualTypeOf<string>();
      return { fee: message.payload.fee };
    },
  });
});

test("a timeout handler sees the pause's patch and adds to what follows", () => {
  const timed = order.step("wait", {
    messages: { ok: z.null() },
    run: () => pause({ asked: true }, { timeout: "1m" }),
    onMessage: () => ({ answer: "yes" }),
    onTimeout: ({ state }) => {
      expectTypeOf(state.asked).toEqualTypeOf<boolean>();
      return { answer: "late" };
    },
  });
  expectTypeOf<StateOf<typeof timed>>().toEqualTypeOf<{ sku: string; cents: number; asked: boolean; answer: string }>();
});

test("the input is what the schema takes, the first state what it makes of it", () => {
  const dated = workflow("dated", { input: z.object({ at: z.coerce.date(), note: z.string().default("") }) }).step(
    "a",
    {
      run: ({ state }) => {
        expectTypeOf(state.at).toEqualTypeOf<Date>();
        expectTypeOf(state.note).toEqualTypeOf<string>();
      },
    },
  );
  expectTypeOf<InputOf<typeof dated>["note"]>().toEqualTypeOf<string | undefined>();
});

test("the client of a step takes what the schema of the launched workflow takes", () => {
  const invoice = workflow("invoice", { input: z.object({ cents: z.number(), note: z.string().default("") }) }).step(
    "1",
    {
      run: () => ({ printed: true }),
    },
  );
  order.step("tell", {
    run: async ({ client, state }) => {
      // @ts-expect-error a text is no number of cents
      await client.launch(invoice, { cents: "5" });
      // @ts-expect-error no such option
      await client.send("e", "paid", {}, { ifRevision: 3 });
      const sent = await client.send("e", "paid", {}, { messageId: "m" });
      const launched = await client.launch(
        invoice,
        { cents: state.cents },
        { rollback: { from: "1", reason: "late" } },
      );
      const { delivered } = await client.publish("t", "paid", null, { keepFor: "1h" });
      expectTypeOf(sent.duplicate).toEqualTypeOf<boolean>();
      return { invoice: launched.id, delivered };
    },
    rollback: async ({ client, given }) => {
      expectTypeOf(given).toEqualTypeOf<Readonly<{ invoice?: string; delivered?: number }>>();
      await client.send("e", "cancelled", given);
    },
  });
});

test("the state is read-only", () => {
  order.step("a", {
    run: ({ state }) => {
      // @ts-expect-error it is changed by what a step gives back
      state.sku = "other";
    },
  });
});

test("an option that does not exist is a compile error", () => {
  order.step("a", {
    run: () => undefined,
    // @ts-expect-error no such option
    retries: 5,
  });
  order.step("a", {
    run: () => undefined,
    // @ts-expect-error no such option
    retry: { attempt: 5 },
  });
});

test("what is neither a patch nor an outcome is a compile error", () => {
  // @ts-expect-error a number
  order.step("a", { run: () => 1 });
  // @ts-expect-error an array
  order.step("a", { run: async () => [1] });
  // @ts-expect-error a boolean in an undo: it would leave the execution stuck
  order.step("a", { run: () => undefined, rollback: async () => true });
  // @ts-expect-error complete has a meaning on the way up only
  order.step("a", { run: () => undefined, rollback: () => complete() });
});

test("a duration with an unknown unit is a compile error", () => {
  // @ts-expect-error no such unit
  order.step("a", { run: () => undefined, timeout: "5 minuets" });
  order.step("a", { run: () => undefined, timeout: "5m" });
});

test("an observer that gives back a promise is a compile error, any other answer of a watcher is not", () => {
  // @ts-expect-error observers are synchronous
  observer({ name: "async", init: async () => undefined });
  // @ts-expect-error observers are synchronous
  observer({ name: "async guard", guard: true, beforeStep: async () => undefined });
  observer({ name: "counting", init: () => [1].push(2) });
  observer<{ cents: number }>({
    name: "limit",
    guard: true,
    beforeStep: ({ state }) => (state.cents > 5 ? fail("too-much") : { checked: true }),
  });
  // @ts-expect-error a guard gives back a patch or a veto
  observer({ name: "wrong", guard: true, beforeStep: () => 5 });
});

test("a migration sees the older state, where every step's part may be missing, and gives one of this version", () => {
  const older = order.step("reserve", { run: () => ({ reservationId: "r" }) });
  const newer = workflow("order", { version: "2", input: z.object({ sku: z.string(), euros: z.number() }) }).step(
    "reserve",
    {
      run: () => ({ reservationId: "r" }),
    },
  );
  newer.migrate(older, {
    move: ({ state: { cents, ...rest } }) => {
      expectTypeOf(cents).toEqualTypeOf<number>();
      expectTypeOf(rest.reservationId).toEqualTypeOf<string | undefined>();
      return { state: { ...rest, euros: cents / 100 } };
    },
  });
  // @ts-expect-error "euros" is missing
  newer.migrate(older, { move: ({ state }) => ({ state }) });
  // @ts-expect-error the older state does not do as it is
  newer.migrate(older, { move: () => ({ step: "reserve" }) });
  // @ts-expect-error the older state does not do as it is
  newer.migrate(older, {});
  // @ts-expect-error a promise
  newer.migrate(older, { move: async () => ({ state: { sku: "", euros: 1 } }) });
  // @ts-expect-error nothing is known of the older state
  newer.migrate("1", {});
  newer.migrate("1", { move: ({ state }) => ({ state: { sku: String(state["sku"]), euros: 0 } }) });
});

test("a migration between states that are alike needs no function", () => {
  const older = order.step("reserve", { run: () => ({ reservationId: "r" }) });
  const newer = workflow("order", { version: "2", input: z.object({ sku: z.string(), cents: z.number() }) }).step(
    "book",
    {
      run: () => ({ reservationId: "r" }),
    },
  );
  const moving = newer
    .migrate(older, { steps: { reserve: "book" } })
    .migrate(older, { move: ({ status }) => (status === "stuck" ? { step: "book" } : undefined) })
    .migrate(older, { move: () => undefined });
  expectTypeOf<StateOf<typeof moving>>().toEqualTypeOf<StateOf<typeof newer>>();
});

test("a migration names steps that are there", () => {
  const older = order.step("reserve", { run: () => undefined }).step("print", { run: () => undefined });
  const newer = workflow("order", { version: "2", input: z.object({ sku: z.string(), cents: z.number() }) }).step(
    "book",
    { run: () => undefined },
  );
  newer.migrate(older, { steps: { reserve: "book", print: null } });
  // @ts-expect-error the older version has no such step
  newer.migrate(older, { steps: { reserv: "book" } });
  // @ts-expect-error this version has no such step
  newer.migrate(older, { steps: { reserve: "bok" } });
  // @ts-expect-error nor here
  newer.migrate(older, { move: () => ({ step: "reserve" }) });
  // @ts-expect-error where it stands is a step of the older version
  newer.migrate(older, { move: ({ step }) => (step === "book" ? { step: "book" } : undefined) });
  // @ts-expect-error also where nothing is known of the older version
  newer.migrate("1", { steps: { reserve: "bok" }, move: () => ({ state: { sku: "", cents: 1 } }) });
});

test("a step of a module keeps the types of the fields, by whatever way it gives them", () => {
  const books = step<{ cents: number }>()("book", {
    run: ({ state }) => (state.cents > 5 ? fail("too-much", { patch: { sku: "refused" } }) : complete({ free: true })),
    rollback: () => ({ sku: "undone", undoneAt: 5 }),
  });
  expectTypeOf<StateOf<ReturnType<typeof booked>>["sku"]>().toEqualTypeOf<string>();
  const booked = () => order.step(books);
  // @ts-expect-error the undo gives another type
  order.step(step()("a", { run: () => undefined, rollback: () => ({ cents: "5" }) }));
  // @ts-expect-error the failure gives another type
  order.step(step()("a", { run: () => fail("x", { patch: { cents: "5" } }) }));
});
