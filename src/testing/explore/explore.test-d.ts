/** What the compiler says of an exploration. */
import { expectTypeOf } from "vitest";
import { z } from "zod";
import { pause, workflow } from "../../index.js";
import { explore } from "./explore.js";
import { Participant } from "./participant.js";

const order = (bank: Participant) =>
  workflow("order", { input: z.object({ sku: z.string() }) })
    .step("charge", {
      run: ({ idempotencyKey }) => {
        bank.do("charge", idempotencyKey);
        return { charge: 7 };
      },
      rollback: ({ runKey }) => bank.undo("charge", runKey),
    })
    .step("approve", {
      run: () => pause(),
      messages: { approved: z.object({ by: z.string() }) },
      onMessage: ({ message }) => ({ by: message.payload.by }),
    });

const world = (): Participant => new Participant();
const input = { sku: "book" };

void explore(order, {
  input,
  world,
  messages: { approved: { by: "ada" }, "of-a-child": 7 },
  unreached: ["approve"],
  invariant: ({ state, world: bank }) => {
    expectTypeOf(bank).toEqualTypeOf<Participant>();
    expectTypeOf(state.charge).toEqualTypeOf<number | undefined>();
  },
});
void explore(order, {
  input,
  world,
  messages: { approved: (bank: Participant) => ({ by: String(bank.standing.length) }) },
});
void explore(order(new Participant()), { input });

// @ts-expect-error The input is the workflow's.
void explore(order, { input: { sku: 7 }, world });
// @ts-expect-error The payload is the message's.
void explore(order, { input, world, messages: { approved: { by: 7 } } });
// @ts-expect-error There is no such step.
void explore(order, { input, world, unreached: ["aprove"] });
// @ts-expect-error The world is what the workflow is made of.
void explore(order, { input, world: () => 7 });
