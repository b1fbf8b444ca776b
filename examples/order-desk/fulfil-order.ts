/**
 * The workflow: reserve the goods, charge the card, book a parcel, ship each item. Or put everything back.
 *
 * A step may fail half-way: its request was heard, the answer was lost. Then the state holds no id,
 * and the rollback undoes "whatever was requested with the key of my run".
 */
import { fail, pause, workflow } from "stepwell";
import { z } from "zod";
import { bank, carrier, warehouse } from "./clients.js";

export const order = z.object({
  id: z.string(),
  customer: z.string(),
  card: z.string(),
  items: z.record(z.string(), z.number().int().positive()),
  cents: z.number().int().positive(),
  address: z.object({ name: z.string(), street: z.string(), postcode: z.string(), city: z.string() }),
});

/** Longer than any outage of a participant should last. An undo has more patience. */
const retry = { attempts: 8, delay: "100ms", factor: 2, maxDelay: "2s" } as const;
const rollbackRetry = { ...retry, attempts: 20 } as const;

/** One item of an order: a child of its own, with its own retries and its own undo. */
const shipItem = workflow("ship-item", {
  input: z.object({ reservation: z.number().int(), sku: z.string() }),
}).step("ship", {
  retry,
  rollbackRetry,
  timeout: "5s",
  run: async ({ state, idempotencyKey, signal }) => {
    const answer = await warehouse.ship(state.reservation, state.sku, { idempotencyKey, signal });
    return "refused" in answer ? fail(answer.refused) : { shipment: answer.id };
  },
  rollback: async ({ state, runKey, idempotencyKey, signal }) => {
    const which = state.shipment === undefined ? { requestedWith: runKey } : { id: state.shipment };
    await warehouse.undoShipment(which, { idempotencyKey, signal });
  },
});

export const fulfilOrder = workflow("fulfil-order", { input: order })
  .step("reserve-stock", {
    retry,
    rollbackRetry,
    timeout: "5s",
    run: async ({ state, idempotencyKey, signal }) => {
      const answer = await warehouse.reserve(state.id, state.items, { idempotencyKey, signal });
      return "refused" in answer ? fail(answer.refused) : { reservation: answer.id };
    },
    rollback: async ({ state, runKey, idempotencyKey, signal }) => {
      const which = state.reservation === undefined ? { requestedWith: runKey } : { id: state.reservation };
      await warehouse.release(which, { idempotencyKey, signal });
    },
  })
  .step("charge-card", {
    retry,
    rollbackRetry,
    timeout: "5s",
    messages: { settled: z.object({ at: z.coerce.date() }), declined: z.object({ code: z.string() }) },
    run: async ({ state, idempotencyKey, signal }) => {
      const answer = await bank.charge(state.id, state.card, state.cents, { idempotencyKey, signal });
      return "refused" in answer ? fail(answer.refused) : pause({ payment: answer.id }, { timeout: "30s" });
    },
    onMessage: ({ message }) =>
      message.name === "declined" ? fail(message.payload.code) : { settledAt: message.payload.at },
    rollback: async ({ state, runKey, idempotencyKey, signal }) => {
      const which = state.payment === undefined ? { requestedWith: runKey } : { id: state.payment };
      await bank.refund(which, { idempotencyKey, signal });
    },
  })
  .step("book-parcel", {
    retry,
    rollbackRetry,
    timeout: "1s",
    run: async ({ state, idempotencyKey, signal }) => {
      const answer = await carrier.book(state.id, state.address, { idempotencyKey, signal });
      return "refused" in answer ? fail(answer.refused) : { parcel: answer.id };
    },
    rollback: async ({ state, runKey, idempotencyKey, signal }) => {
      const which = state.parcel === undefined ? { requestedWith: runKey } : { id: state.parcel };
      await carrier.cancel(which, { idempotencyKey, signal });
    },
  })
  .forEach("ship-items", shipItem, {
    items: ({ state }) => Object.keys(state.items).map((sku) => ({ reservation: state.reservation, sku })),
    key: ({ item }) => item.sku,
  });
