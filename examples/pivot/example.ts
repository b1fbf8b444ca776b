/**
 * A parcel that has left can't be called back: its step is the pivot. Before the pivot everything can be undone, but for
 * the mail that somebody has read. After it nothing turns: a step that fails is retried, then the order waits for an operator.
 */
import { fail, Launcher, memoryStore, workflow, type Execution } from "stepwell";
import { z } from "zod";

const mailServer = { isUp: true };

const order = z.object({ number: z.string(), cents: z.number().int().positive() });

const shipOrder = workflow("ship-order", { input: order })
  .step("confirm-by-mail", { run: () => undefined, irreversible: "A mail that was read stays read." })
  .step("charge-card", {
    run: ({ state }) => (state.cents > 100_000 ? fail("over-limit") : { paymentId: `pay-${state.number}` }),
    rollback: ({ state }) => (state.paymentId === undefined ? undefined : { refunded: true }),
  })
  .step("hand-to-carrier", { run: () => ({ parcelId: "P-1" }), irreversible: "The parcel has left.", pivot: true })
  .step("tell-customer", {
    run: () => {
      if (!mailServer.isUp) throw new Error("the mail server is down");
    },
    irreversible: "A mail that was read stays read.",
    retry: { attempts: 2, delay: "10ms" },
  });

async function show(what: string, execution: Execution): Promise<void> {
  const outcome = await execution.outcome();
  console.log(`${what}: ${outcome.status} (${outcome.reason})`);
  if (outcome.status === "stuck")
    console.log(`  at ${outcome.step}, going ${outcome.direction}: ${outcome.error.message}`);
  if (outcome.status !== "rolledBack") return;
  for (const { step, reason } of outcome.irreversible ?? []) console.log(`  not undone: ${step}. ${reason}`);
}

console.log(String(shipOrder));
await using launcher = new Launcher({ store: memoryStore(), workflows: [shipOrder], onError: () => undefined });
await launcher.start();

await show("too dear", await launcher.launch(shipOrder, { number: "1", cents: 200_000 }));

const shipped = await launcher.launch(shipOrder, { number: "2", cents: 1_000 }, { id: "order-2" });
await show("shipped", shipped);
const answer = await shipped.rollback("customer-changed-her-mind");
if (!answer.accepted) console.log(`  ${answer.error.code}: ${answer.error.message}`);

mailServer.isUp = false;
const untold = await launcher.launch(shipOrder, { number: "3", cents: 1_000 });
await show("shipped, but nobody was told", untold);
mailServer.isUp = true;
await untold.retry({ by: "ada", reason: "the mail server is back" });
await show("told in the end", untold);
