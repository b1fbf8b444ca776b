/** Completed orders are pruned after a month; rolled back ones are kept for longer. */
import { fail, Launcher, memoryStore, workflow } from "stepwell";
import { VirtualClock } from "stepwell/testing";
import { z } from "zod";

const order = workflow("order", { input: z.object({ cents: z.number() }) }).step("charge", {
  run: ({ state }) => (state.cents > 1_000 ? fail("card-limit") : undefined),
  rollback: () => undefined,
});

const clock = new VirtualClock();
await using launcher = new Launcher({
  store: memoryStore({ clock }),
  workflows: [order],
  // Each launcher prunes by itself, once an hour.
  retention: { completed: "365d" },
});
await launcher.start();

for (const cents of [500, 700, 1_500]) await (await launcher.launch(order, { cents })).outcome();
clock.skip("45d");
await (await launcher.launch(order, { cents: 900 })).outcome();

const policy = { completed: "30d", rolledBack: "90d" } as const;
console.log("would go:", await launcher.prune(policy, { dryRun: true }));
await launcher.prune(policy);
const { executions } = await launcher.list();
console.log("left:", executions.map(({ status }) => status).join(", "));
