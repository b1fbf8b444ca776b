/** The files that `stepwell init` writes. */

export const workflowText = `/** An order: the goods are reserved, then the card is charged. If the charge fails, the goods are released again. */
import { fail, workflow } from "stepwell";
import { z } from "zod";

export const fulfilOrder = workflow("fulfil-order", {
  input: z.object({ sku: z.string(), cents: z.number().int().positive() }),
})
  .step("reserve", {
    // The key is the same at each attempt: give it to the warehouse, so that a repeated call reserves once.
    run: ({ idempotencyKey }) => ({ reservationId: idempotencyKey }),
    rollback: ({ state, runKey }) => console.log(\`release \${state.reservationId ?? runKey}\`),
  })
  .step("charge", {
    run: ({ state }) => (state.cents > 100_000 ? fail("over the limit") : { paymentId: \`pay-\${state.sku}\` }),
    // The step that has failed is undone too: it may have charged before it failed.
    rollback: ({ state }) => console.log(\`refund \${state.paymentId ?? "nothing"}\`),
  });
`;

export const launcherText = (
  extension: string,
): string => `/** Drives orders, and launches two. Kill it at any point: the next start goes on where it was. */
import { Launcher } from "stepwell";
import { sqliteStore } from "stepwell/sqlite";
import { fulfilOrder } from "./fulfil-order.${extension.replace("ts", "js")}";

const launcher = new Launcher({ store: sqliteStore("orders.db"), workflows: [fulfilOrder] });
await launcher.start();
// The id makes a launch idempotent: run this again, and nothing is done twice.
const good = await launcher.launch(fulfilOrder, { sku: "tea", cents: 1999 }, { id: "order-1" });
const dear = await launcher.launch(fulfilOrder, { sku: "piano", cents: 900_000 }, { id: "order-2" });
for (const order of [good, dear]) {
  const { status, reason } = await order.outcome();
  console.log(order.id, status, reason);
}
await launcher.stop();
`;

export const testText = (extension: string): string => `import assert from "node:assert/strict";
import { test } from "node:test";
import { Launcher, memoryStore } from "stepwell";
import { explore, VirtualClock } from "stepwell/testing";
import { fulfilOrder } from "./fulfil-order.${extension.replace("ts", "js")}";

/** On a virtual clock, retries and waits take no time. */
async function started(): Promise<{ launcher: Launcher; clock: VirtualClock }> {
  const clock = new VirtualClock();
  const launcher = new Launcher({ store: memoryStore({ clock }), workflows: [fulfilOrder] });
  await launcher.start();
  return { launcher, clock };
}

test("an order is fulfilled", async () => {
  const { launcher, clock } = await started();
  const order = await launcher.launch(fulfilOrder, { sku: "tea", cents: 1999 });
  await clock.advance("1m");
  const outcome = await order.outcome();
  assert.equal(outcome.status, "completed");
  assert.equal(outcome.state.paymentId, "pay-tea");
  await launcher.stop();
});

test("an order that can't be paid goes back: what was reserved is released", async () => {
  const { launcher, clock } = await started();
  const order = await launcher.launch(fulfilOrder, { sku: "piano", cents: 900_000 });
  await clock.advance("1m");
  const { status, reason } = await order.outcome();
  assert.deepEqual({ status, reason }, { status: "rolledBack", reason: "over the limit" });
  const undone = (await order.history()).filter(({ direction }) => direction === "down").map(({ step }) => step);
  assert.deepEqual(undone, ["charge", "reserve"]);
  await launcher.stop();
});

test("whatever fails, and wherever the process dies, an order comes to rest", async () => {
  const { histories, of } = await explore(fulfilOrder, { input: { sku: "tea", cents: 1999 } });
  assert.equal(histories, of);
});
`;
