/** Orders that wait for their payment while the shop deploys another version: they are migrated, and can still be undone. */
import { Launcher, memoryStore, pause, workflow } from "stepwell";
import { z } from "zod";

const settled = { settled: z.object({}) };
const one = workflow("order", { input: z.object({ sku: z.string(), euros: z.number() }) })
  .step("reserve", {
    run: () => ({ reservation: "r-1" }),
    rollback: () => console.log("  never called: version 1 is gone"),
  })
  .step("take-payment", {
    messages: settled,
    run: ({ state }) => pause({ payment: `p-${state.sku}` }, { timeout: "1h" }),
    onMessage: () => undefined,
    rollback: () => undefined,
  })
  .step("print-label", { run: () => ({ label: "l-1" }), rollback: () => undefined });

// Amounts are in cents now, the payment is called a charge, and nothing is printed any more.
const two = workflow("order", { version: "2", input: z.object({ sku: z.string(), cents: z.number() }) })
  .step("reserve", {
    run: () => ({ reservation: "r-2" }),
    rollback: ({ state }) => console.log(`  ${state.sku}: release ${state.reservation}`),
  })
  .step("charge", {
    messages: settled,
    run: ({ state }) => pause({ payment: `p-${state.sku}` }, { timeout: "1h" }),
    onMessage: ({ state }) => console.log(`  ${state.sku}: ${state.cents} cents are there`),
    rollback: ({ state, given }) => console.log(`  ${state.sku}: refund ${state.cents} cents of ${given.payment}`),
  })
  .migrate(one, {
    steps: { "take-payment": "charge", "print-label": null },
    move: ({ state: { euros, ...rest } }) => ({ state: { ...rest, cents: Math.round(100 * euros) } }),
  });

const store = memoryStore();
await store.open();
const before = new Launcher({ store, workflows: [one] });
await before.start();
await before.launch(one, { sku: "A-1", euros: 19.99 }, { id: "order-1" });
await before.launch(one, { sku: "B-2", euros: 5 }, { id: "order-2" });
await before.stop();

await using after = new Launcher({ store, workflows: [two] });
for (const { version, step, count, forward, to } of await after.compatibility())
  console.log(`${count} of version ${version} at ${step}: ${forward} to ${to?.step} of version ${to?.version}`);

await after.start();
await after.send("order-1", "settled", {});
console.log("order-1:", (await after.execution("order-1").outcome()).status);
await after.rollback("order-2", "out of stock");
console.log("order-2:", (await after.execution("order-2").outcome()).status);
for (const { func, step, result } of await after.execution("order-2").history())
  console.log(`  ${func} ${step}: ${result}`);
