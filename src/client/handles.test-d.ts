/** What the types of a workflow say of its executions, launches, schedules and observers. Checked by `tsc`; nothing here runs. */
import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  duration,
  fail,
  Launcher,
  memoryStore,
  observer,
  pause,
  workflow,
  type AnyWorkflow,
  type ChangedHistoryRow,
  type Duration,
  type EventOf,
  type Execution,
  type ExecutionSummary,
  type HistoryRow,
  type Observer,
  type ScheduleOptions,
  type StepsOf,
  type WatcherOptions,
} from "../index.js";

const order = workflow("order", { input: z.object({ sku: z.string(), lines: z.array(z.string()) }) })
  .step("reserve", { run: () => ({ reservationId: "r" }) })
  .step("charge", {
    messages: { paid: z.object({ at: z.coerce.date() }), failed: z.null() },
    rollbackMessages: { refunded: z.object({ fee: z.number() }) },
    run: () => pause({ paymentId: "p" }),
    onMessage: ({ message }) => (message.name === "paid" ? { paidAt: message.payload.at } : undefined),
    rollback: () => pause({ asked: true }),
    onRollbackMessage: ({ message }) => ({ fee: message.payload.fee }),
  });
const launcher = new Launcher({ store: memoryStore(), workflows: [order] });
const execution = launcher.execution(order, "id");

test("a handle and a client are followed by what they give", () => {
  expectTypeOf(execution.follow({ from: 1, signal: new AbortController().signal })).toExtend<
    AsyncIterable<HistoryRow>
  >();
  expectTypeOf(launcher.follow({ workflow: "order", tags: ["a"] })).toExtend<AsyncIterable<ExecutionSummary>>();
  expectTypeOf(execution.history({ from: 1 })).resolves.toEqualTypeOf<HistoryRow[]>();
  expectTypeOf(execution.history({ from: 1, changes: true })).resolves.toEqualTypeOf<ChangedHistoryRow[]>();
  // @ts-expect-error statuses are looked at by who follows
  void launcher.follow({ status: "stuck" });
});

test("a handle sends what the workflow's steps declare, in both directions, as their schemas take it", () => {
  void execution.send("paid", { at: "2026-01-01" });
  void execution.send("failed", null);
  void execution.send("refunded", { fee: 1 });
  // @ts-expect-error no such message
  void execution.send("piad", { at: "2026-01-01" });
  // @ts-expect-error not its payload
  void execution.send("refunded", { fee: "1" });
  void launcher.execution("id").send("anything", 5);
});

test("a message that two steps take has a payload that one of them takes", () => {
  const twice = workflow("twice", { input: z.object({}) })
    .step("1", { messages: { m: z.string() }, run: () => pause(), onMessage: () => undefined })
    .step("2", { messages: { m: z.number() }, run: () => pause(), onMessage: () => undefined });
  void launcher.execution(twice, "id").send("m", "text");
  void launcher.execution(twice, "id").send("m", 5);
  // @ts-expect-error neither of them takes it
  void launcher.execution(twice, "id").send("m", true);
});

test("an outcome has the state that it can have, and the names of the steps", async () => {
  const outcome = await execution.outcome();
  if (outcome.status === "stuck") expectTypeOf(outcome.step).toEqualTypeOf<"reserve" | "charge">();
  else if (outcome.status === "completed") expectTypeOf(outcome.state.paymentId).toEqualTypeOf<string>();
  else expectTypeOf(outcome.state.fee).toEqualTypeOf<number | undefined>();
});

test("a launch in rollback names a step and a state of the workflow", () => {
  const input = { sku: "A-1", lines: [] };
  void launcher.launch(order, input, { rollback: { from: "charge", reason: "x", state: { paymentId: "p" } } });
  // @ts-expect-error no such step
  void launcher.launch(order, input, { rollback: { from: "charg", reason: "x" } });
  // @ts-expect-error a field of another type
  void launcher.launch(order, input, { rollback: { from: "charge", reason: "x", state: { paymentId: 5 } } });
  // @ts-expect-error no such step
  void launcher.launchMany(order, [{ input, rollback: { from: "charg", reason: "x" } }]);
});

test("a launch takes what another execution's state holds", () => {
  order.step("again", {
    run: async ({ state }) => void (await launcher.launch(order, { sku: state.sku, lines: state.lines })),
  });
});

test("an operator's patch has the fields of the state, with their types", () => {
  void execution.patchState({ paymentId: "p" }, "found by hand");
  void execution.retry({ patch: { asked: true } });
  // @ts-expect-error a field of another type
  void execution.skip("by hand", { patch: { paymentId: 5 } });

  test("a rewind names steps of the workflow, says who asks, and patches fields that the state has", () => {
    void execution.rewind({ to: "charge", reason: "wrong-price", by: "ada", repeat: ["charge"] });
    // @ts-expect-error it has no such step
    void execution.rewind({ to: "chargee", reason: "wrong-price", by: "ada" });
    // @ts-expect-error who asks must be said
    void execution.rewind({ to: "charge", reason: "wrong-price" });
    // @ts-expect-error the state has the field with another type
    void execution.rewind({ to: "charge", reason: "wrong-price", by: "ada", patch: { paymentId: 5 } });
    // @ts-expect-error nor can it be repeated
    void execution.rewind({ to: "charge", reason: "wrong-price", by: "ada", repeat: ["chargee"] });
  });
  // @ts-expect-error no such field
  void execution.patchState({ paymentID: "p" }, "found by hand");
  void launcher.execution("id").patchState({ whatever: 5 }, "found by hand");
});

test("a typed handle is a handle", () => {
  expectTypeOf(execution).toExtend<Execution>();
  expectTypeOf<StepsOf<AnyWorkflow>>().toEqualTypeOf<string>();
});

test("an observer that is written at the workflow knows its state and steps", () => {
  order.observe({
    name: "own",
    afterStep: ({ step, state }) => {
      expectTypeOf(step?.name).toEqualTypeOf<"reserve" | "charge" | undefined>();
      expectTypeOf(state.paymentId).toEqualTypeOf<string | undefined>();
    },
  });
  const typed: WatcherOptions<EventOf<typeof order>["state"], StepsOf<typeof order>> = {
    name: "typed",
    success: ({ state }) => state.sku,
  };
  order.observe(typed);
  // @ts-expect-error observers are synchronous
  order.observe({ name: "async", init: async () => undefined });
});

test("what a guard gives keeps the types of the state, and it may add fields", () => {
  order.observe({
    name: "own",
    guard: true,
    init: ({ state }) => ({ sku: state.sku.toUpperCase(), seen: true }),
    beforeStep: ({ state }) => (state.paymentId === undefined ? { paymentId: "p" } : fail("no")),
    success: () => ({ seen: true }),
  });
  order.observe(observer<{ sku: string }>({ name: "apart", guard: true, init: () => ({ sku: "a", seen: true }) }));
  expectTypeOf(observer({ name: "any", guard: true, init: () => ({ seen: true }) })).toEqualTypeOf<Observer>();
  // @ts-expect-error another type than in the input
  order.observe({ name: "own", guard: true, init: () => ({ sku: 5 }) });
  // @ts-expect-error another type than a step gives it
  order.observe({ name: "own", guard: true, beforeStep: () => ({ paymentId: 5, seen: true }) });
  // @ts-expect-error another type than it says that it reads
  observer<{ sku: string }>({ name: "apart", guard: true, success: () => ({ sku: 5 }) });
});

test("an observer that reads what the state lacks, or may lack, is refused", () => {
  order.observe(observer({ name: "any", init: ({ state }) => void state["sku"] }));
  order.observe(observer<{ sku: string; paymentId?: string }>({ name: "some", init: ({ state }) => state.sku }));
  // @ts-expect-error it may be missing
  order.observe(observer<{ paymentId: string }>({ name: "sure", init: ({ state }) => state.paymentId }));
  // @ts-expect-error there is none
  order.observe(observer<{ cents: number }>({ name: "other", init: ({ state }) => state.cents }));
});

test("a schedule has one time", () => {
  const input = { sku: "A-1", lines: [] };
  const schedules = launcher.schedules;
  const configured: ScheduleOptions = { cron: "0 2 * * *", timezone: "Europe/Berlin", missed: "skip" };
  void schedules.set("nightly", order, input, configured);
  void schedules.set("often", order, input, { every: "5m" });
  void schedules.set("once", order, input, { at: new Date(), tags: ["x"] });
  // @ts-expect-error none
  void schedules.set("never", order, input, { missed: "skip" });
  // @ts-expect-error two
  void schedules.set("both", order, input, { cron: "0 2 * * *", every: "5m" });
  // @ts-expect-error a time zone belongs to a cron expression
  void schedules.set("zoned", order, input, { every: "5m", timezone: "Europe/Berlin" });
});

test("a duration from a configuration is a duration once it is checked, also as that of a limit", () => {
  const settings: Record<string, string> = { timeout: "10s", per: "1m" };
  expectTypeOf(duration(settings["timeout"]!)).toExtend<Duration>();
  workflow("limited", { input: z.object({}), rate: { limit: 5, per: duration(settings["per"]!) } });
  // @ts-expect-error not checked
  workflow("limited", { input: z.object({}), deadline: settings["timeout"]! });
});
