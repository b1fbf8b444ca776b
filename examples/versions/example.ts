/** A list of steps changes while an order is under way: what a check before the deployment says, and what happens without a check. */
import { Launcher, memoryStore, pause, workflow } from "stepwell";
import { z } from "zod";

const input = z.object({ sku: z.string() });
const settled = { settled: z.object({}) };
const shipping = workflow("order", { input })
  .step("reserve", { run: () => ({ reserved: true }), rollback: ({ state }) => console.log("release", state.sku) })
  .step("charge", { messages: settled, run: () => pause(), onMessage: () => undefined, rollback: () => undefined })
  .step("ship", { run: () => console.log("shipped") });

// Harmless: a change of steps that are still ahead. Not harmless: the step in which the order waits has another name.
const wrapped = workflow("order", { input })
  .step("reserve", { run: () => ({ reserved: true }), rollback: ({ state }) => console.log("release", state.sku) })
  .step("charge", { messages: settled, run: () => pause(), onMessage: () => undefined, rollback: () => undefined })
  .step("wrap", { run: () => console.log("wrapped") })
  .step("ship", { run: () => console.log("shipped") });
const renamed = workflow("order", { input })
  .step("reserve", { run: () => ({ reserved: true }), rollback: ({ state }) => console.log("release", state.sku) })
  .step("bill", { messages: settled, run: () => pause(), onMessage: () => undefined, rollback: () => undefined });

const store = memoryStore();
await store.open();
const onError = ({ code }: { readonly code: string }): void => console.log("reported", code);

const first = new Launcher({ store, workflows: [shipping], onError });
await first.start();
const { id } = await first.launch(shipping, { sku: "A-1" }, { id: "order-1" });
await first.stop();

for (const [name, definition] of Object.entries({ wrapped, renamed })) {
  const [group] = await new Launcher({ store, workflows: [definition], onError }).compatibility();
  console.log(`${name}: ${group?.forward}, ${group?.back}`, group?.why ?? "");
}

const second = new Launcher({ store, workflows: [renamed], onError });
await second.start();
await second.send(id, "settled", {});
console.log((await second.execution(id).outcome()).status);
await second.stop();

await using third = new Launcher({ store, workflows: [wrapped], onError });
await third.start();
await third.execution(id).retry({ by: "ada", reason: "the old list is back" });
console.log((await third.execution(id).outcome()).status);
