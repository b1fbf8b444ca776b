/** The work that is measured: three steps, each giving a small object; history is always on. */
import { randomBytes, randomInt } from "node:crypto";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { complete, fail, pause, workflow } from "stepwell";
import type { Measured } from "./load.js";

/** A schema that checks nothing: what is measured is the engine, not a validation library. */
export function unchecked<T>(): StandardSchemaV1<T, T> {
  return { "~standard": { version: 1, vendor: "bench", validate: (value) => ({ value: value as T }) } };
}

const input = unchecked<{ sku: string; quantity: number }>();
const nothing = unchecked<null>();

export const order = { sku: "A-1", quantity: 2 };

const threeSteps = (name: string, last: () => ReturnType<typeof fail> | { parcelId: string }) =>
  workflow(name, { input })
    .step("reserve", { run: () => ({ reservationId: "r-1" }), rollback: () => ({ released: true }) })
    .step("charge", { run: ({ state }) => ({ cents: state.quantity * 1999 }), rollback: () => ({ refunded: true }) })
    .step("ship", { run: last, rollback: () => ({ cancelled: true }) });

/** All steps succeed: a row is inserted and updated three times. */
export const up = threeSteps("up", () => ({ parcelId: "p-1" }));

/** The third step fails, and all three are undone: a row is inserted and updated six times. */
export const down = threeSteps("down", () => fail("no-carrier"));

/** Waits for a message that never comes. */
export const parked = workflow("parked", { input }).step("wait", {
  messages: { go: nothing },
  run: () => pause(),
  onMessage: () => undefined,
});

/** Waits for a message, and ends with it. */
export const echo = workflow("echo", { input }).step("wait", {
  messages: { go: nothing },
  run: () => pause(),
  onMessage: () => ({ heard: true }),
});

/** Waits for a message that never comes, while those lie there that a later step waits for. */
export const sorting = workflow("sorting", { input })
  .step("wait", { messages: { go: nothing }, run: () => pause(), onMessage: () => undefined })
  .step("sort", { messages: { later: nothing }, run: () => pause(), onMessage: () => undefined });

/** Ends before its second step, which is the one that takes the message `later`. */
export const deaf = workflow("deaf", { input })
  .step("wait", { messages: { go: nothing }, run: () => pause(), onMessage: () => complete() })
  .step("sort", { messages: { later: nothing }, run: () => pause(), onMessage: () => undefined });

/** Its first step can't be undone: it gets stuck. */
export const breaking = workflow("breaking", { input })
  .step("reserve", { run: () => ({ reservationId: "r-1" }), rollback: () => fail("gone") })
  .step("ship", { run: () => fail("no-carrier") });

/** As `up`, under a name that few executions have. */
export const rare = threeSteps("rare", () => ({ parcelId: "p-1" }));

/** So many steps, each of which gives another note of about 100 bytes in place of the one before. */
export function noting(steps: number): Measured {
  let chain = workflow(`noting-${steps}`, { input }).step("note-0", { run: () => ({ note: noteOf(0) }) });
  for (let place = 1; place < steps; place++) {
    chain = chain.step(`note-${place}`, { run: () => ({ note: noteOf(place) }) }) as unknown as typeof chain;
  }
  return chain;
}

/** No two that follow each other are of one length: a store that writes over what has kept its size would not show what it does else. */
const noteOf = (place: number): string => String.fromCharCode(97 + (place % 26)).repeat(85 + (place % 7));

/** A text of so many characters. */
export type TextOf = (length: number) => string;

/** Which nothing makes smaller. */
export const randomText: TextOf = (length) => randomBytes(length).toString("base64").slice(0, length);

/** Names, amounts and dates, as programs keep them: PostgreSQL makes about half of a long one. */
export const records: TextOf = (length) => {
  let text = "";
  while (text.length < length) {
    const [number, cents] = [randomInt(1e9), randomInt(1e6)];
    text += `order ${number} of customer ${randomInt(1e6)}, ${cents} cents, paid at 2024-0${1 + (number % 9)}-1${cents % 10}; `;
  }
  return text.slice(0, length);
};

/** So many steps, each of which gives a field of its own, of about 100 bytes. */
export function growing(steps: number, textOf: TextOf): Measured {
  const noted = (place: number) => () => ({ [`note-${place}`]: textOf(84) });
  let chain = workflow(`growing-${steps}`, { input }).step("note-0", { run: noted(0) });
  for (let place = 1; place < steps; place++) {
    chain = chain.step(`note-${place}`, { run: noted(place) }) as unknown as typeof chain;
  }
  return chain;
}
