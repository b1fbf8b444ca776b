/**
 * A program of a user's, as wide as the types are: compiled against the packed package by several compilers, strict and not.
 * What it exports is inferred, so that the compiler must find a name for each type in a declaration.
 */
import {
  complete,
  fail,
  Launcher,
  memoryStore,
  observer,
  pause,
  step,
  workflow,
  type AnyWorkflow,
  type EventOf,
  type Execution,
  type HalfDoneOf,
  type InputOf,
  type Observer,
  type StateOf,
  type StepContext,
  type StepsOf,
  type Workflow,
} from "stepwell";
import { changes, jsonlFile } from "stepwell/observers/changes";
import { checkpointer } from "stepwell/observers/checkpointer";
import { logger } from "stepwell/observers/logger";
import { messenger } from "stepwell/observers/messenger";
import { postgresStore, transaction as inPostgres } from "stepwell/postgres";
import { sqliteStore, transaction } from "stepwell/sqlite";
import { VirtualClock } from "stepwell/testing";
import { z } from "zod";

/** Compiles only where the two types are the same. */
declare function same<A, B>(
  answer: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false,
): void;

export const start = workflow("fulfil-order", {
  input: z.object({
    sku: z.string(),
    cents: z.number(),
    lines: z.array(z.object({ name: z.string(), tags: z.set(z.string()) })),
    at: z.coerce.date(),
  }),
});

export const ship = step<{ reservationId: string; settledAt: Date }>()("ship", {
  run: async ({ state }) => ({ parcelId: state.reservationId + state.settledAt.toISOString() }),
  rollback: async ({ state }) => void state.parcelId,
});

/** Made by a function of the user's own. */
export function tag<Name extends string>(name: Name) {
  return step<{ sku: string }>()(name, {
    run: ({ state }) => ({ tag: state.sku }),
    rollback: ({ given }) => void given,
  });
}

export const order = start
  .step("reserve", {
    run: async ({ state, idempotencyKey }) => ({ reservationId: state.sku + idempotencyKey }),
    rollback: async ({ state, given, runKey }) => void (state.reservationId ?? given.reservationId ?? runKey),
  })
  .step("charge", {
    messages: { settled: z.object({ at: z.coerce.date() }), declined: z.object({ code: z.string() }) },
    rollbackMessages: { refunded: z.object({ fee: z.number() }) },
    run: async ({ state }) =>
      state.cents < 0 ? fail("bad", { patch: { refusedBy: "us" } }) : pause({ paymentId: "p" }),
    onMessage: ({ message }) =>
      message.name === "declined"
        ? fail("declined", { patch: { code: message.payload.code } })
        : { settledAt: message.payload.at },
    rollback: ({ state }) => pause({ asked: [state.paymentId, state.code, state.refusedBy].join() }),
    onRollbackMessage: ({ state, message }) => ({ fee: message.payload.fee, was: state.asked }),
  })
  .step(ship)
  .step(tag("tag"))
  .step("pack", async ({ state }) => ({ box: state.parcelId }), {
    retry: { attempts: 3, within: "5m" },
    rollback: ({ state }) => void state.box,
  })
  .step("book", {
    run: ({ state }) => transaction((connection) => ({ booked: connection.prepare(state.box) !== null })),
  })
  .step("end", ({ state }) => (state.cents === 0 ? complete({ free: true }) : { lines: [...state.lines] }), {})
  .observe(logger(), observer<{ sku: string }>({ name: "sku", init: ({ state }) => state.sku }))
  .observe({ name: "own", afterStep: ({ step, state }) => [step?.name === "charge", state.parcelId].length });

/** Steps that are made of other executions. */
export const shipment = workflow("shipment", { input: z.object({ id: z.string(), lines: z.array(z.string()) }) })
  .child("insure", start, {
    input: ({ state }) => ({ sku: state.id, cents: 5, lines: [], at: "2026-01-01" }),
    join: ({ children: [insured] }) => ({ insuredAt: insured.state.at }),
  })
  .parallel(
    "both",
    { one: order, other: start },
    {
      when: ({ state }) => state.lines.length > 0,
      input: ({ state: { id: sku } }) => ({
        one: { sku, cents: 1, lines: [{ name: sku, tags: new Set<string>() }], at: new Date() },
        other: sku === "" ? undefined : { sku, cents: 1, lines: [], at: null },
      }),
      join: ({ byKey: { one, other } }) => ({ parcelId: one.state.parcelId ?? other?.state.sku ?? "" }),
      onFailure: "settle",
    },
  )
  .forEach("each", order, {
    items: ({ state }) => state.lines,
    input: ({ item: sku, index }) => ({ sku, cents: index, lines: [], at: new Date(0) }),
    key: ({ item }) => item,
    join: ({ children }) => ({ parcels: children.map(({ state }) => state.parcelId) }),
    undo: "one-by-one",
  });
same<StateOf<typeof shipment>["insuredAt"], Date>(true);
// oxlint-disable-next-line typescript/unbound-method -- only its type is looked at
export const [child, parallel, forEach] = [start.child, start.parallel, start.forEach];

export type Order = StateOf<typeof order>;
export const state = (done: Order) => done.parcelId;
export type Names = StepsOf<typeof order>;
export const halfDone = (half: HalfDoneOf<typeof order>) => [half.fee, half.code, half.refusedBy, half.asked] as const;
same<Names, "reserve" | "charge" | "ship" | "tag" | "pack" | "book" | "end">(true);
same<InputOf<typeof order>["sku"], string>(true);

// oxlint-disable-next-line typescript/unbound-method -- only its type is looked at
export const add = start.step;
// oxlint-disable-next-line typescript/unbound-method -- only its type is looked at
export const observe = order.observe;
export const booking = { run: () => inPostgres(async (connection) => ({ rows: await connection.query("SELECT 1") })) };
export const watchers = [
  changes(jsonlFile("changes.jsonl")),
  checkpointer({ save: () => undefined, deleteAll: () => undefined }),
  messenger<{ sku: string }>((_message, { sku }) => sku),
];
export const typed: Observer<{ readonly sku: string }> = observer<{ sku: string }>({ name: "o", success: () => true });
export const onEvent = (event: EventOf<typeof order>) => event.state.sku;
export const launcher = new Launcher({
  store: memoryStore(),
  workflows: [order],
  clock: new VirtualClock(),
});
export const stores = { sqlite: () => sqliteStore("orders.db"), postgres: () => postgresStore("postgres://localhost") };

const input = { sku: "A-1", cents: 1, lines: [], at: new Date() };
export const launch = () => launcher.launch(order, input, { rollback: { from: "charge", reason: "x", state: {} } });
export const many = () => launcher.launchMany(order, [{ input }]);
export const handle = launcher.execution(order, "id");
export const untyped: Execution = handle;
export const rows = () => handle.history();
export const told = () => handle.send("declined", { code: "x" });
export const patch = () => handle.patchState({ paymentId: "p" }, "found by hand");
export async function ended() {
  const outcome = await handle.outcome();
  return outcome.status === "completed"
    ? outcome.state.parcelId
    : outcome.status === "stuck"
      ? outcome.step
      : outcome.state;
}
export async function launched<W extends AnyWorkflow>(made: W, given: InputOf<W>) {
  return (await launcher.launch(made, given)).outcome();
}
export const generic = <S extends z.ZodType<{ sku: string }>>(schema: S) => workflow("made", { input: schema });
export const context = ({ state: { sku } }: StepContext<{ sku: string }>) => ({ upper: sku });
start.step("named", { run: context });

/** Written out by hand. */
export type Written = Workflow<{
  input: { trip: string };
  state: { trip: string; number: string };
  halfDone: { trip: string; number?: string };
  early: never;
  steps: "number";
  messages: {};
}>;
export const onWritten = (made: Written) => made.step("more", { run: ({ state }) => ({ more: state.number }) });
same<StateOf<ReturnType<typeof onWritten>>, { trip: string; number: string; more: string }>(true);

const newer = workflow("fulfil-order", { input: z.object({ sku: z.string(), euros: z.number() }), version: "2" }).step(
  "pay",
  { run: () => ({ paid: true }) },
);
export const migrated = newer.migrate(order, {
  steps: { charge: "pay", ship: null },
  move: ({ state, step }) => ({ step: "pay", state: { sku: state.sku + step, euros: state.cents / 100 } }),
});
