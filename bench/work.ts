/** The work that is measured: three steps, each giving a small object; history is always on. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { fail, pause, workflow } from "stepwell";

/** A schema that checks nothing: what is measured is the engine, not a validation library. */
function unchecked<T>(): StandardSchemaV1<T, T> {
  return { "~standard": { version: 1, vendor: "bench", validate: (value) => ({ value: value as T }) } };
}

const input = unchecked<{ sku: string; quantity: number }>();

export const order = { sku: "A-1", quantity: 2 };

const threeSteps = (name: string, last: () => ReturnType<typeof fail> | { parcelId: string }) =>
  workflow(name, { input })
    .step("reserve", { run: () => ({ reservationId: "r-1" }), rollback: () => ({ released: true }) })
    .step("charge", { run: ({ state }) => ({ cents: state.quantity * 1999 }), rollback: () => ({ refunded: true }) })
    .step("ship", { run: last, rollback: () => ({ cancelled: true }) });

/** All steps succeed: four row writes. */
export const up = threeSteps("up", () => ({ parcelId: "p-1" }));

/** The third step fails, and all three are undone: seven row writes. */
export const down = threeSteps("down", () => fail("no-carrier"));

/** Waits for a message that never comes. */
export const parked = workflow("parked", { input }).step("wait", {
  messages: { go: unchecked<null>() },
  run: () => pause(),
  onMessage: () => undefined,
});

/** Waits for a message, and ends with it. */
export const echo = workflow("echo", { input }).step("wait", {
  messages: { go: unchecked<null>() },
  run: () => pause(),
  onMessage: () => ({ heard: true }),
});

/** Waits for a message that never comes, while those lie there that a later step waits for. */
export const sorting = workflow("sorting", { input })
  .step("wait", { messages: { go: unchecked<null>() }, run: () => pause(), onMessage: () => undefined })
  .step("sort", { messages: { later: unchecked<null>() }, run: () => pause(), onMessage: () => undefined });
