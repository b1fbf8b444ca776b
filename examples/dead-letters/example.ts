/** A bank reports a payment under the wrong order. No step takes the message; it is found, and sent again to the right order. */
import { Launcher, memoryStore, pause, StepwellError, workflow } from "stepwell";
import { z } from "zod";

const order = workflow("order", { input: z.object({}) })
  .step("await-payment", {
    messages: { paid: z.object({ cents: z.number() }) },
    run: () => pause({}),
    onMessage: ({ message }) => ({ cents: message.payload.cents }),
  })
  .step("await-parcel", { messages: { left: z.null() }, run: () => pause({}), onMessage: () => undefined });

await using launcher = new Launcher({ store: memoryStore(), workflows: [order] });
await launcher.start();

const first = await launcher.launch(order, {}, { id: "order-1" });
const second = await launcher.launch(order, {}, { id: "order-2" });
await first.send("paid", { cents: 500 }, { messageId: "evt-1" });
// Meant for the second order.
await first.send("paid", { cents: 700 }, { messageId: "evt-2" });
await first.send("left", null);
await first.outcome();

const { letters } = await launcher.deadLetters({ workflow: "order" });
for (const { execution, id, name, payload } of letters) console.log("dead:", execution, id, name, payload);
console.log("by workflow:", await launcher.countDeadLettersByWorkflow());

const letter = { execution: "order-1", id: "evt-2" };
try {
  await launcher.resend(letter);
} catch (error) {
  if (error instanceof StepwellError) console.log("refused:", error.code);
}
console.log("still dead:", (await launcher.countDeadLetters()).count);

for (const time of ["once", "again"]) {
  const { duplicate } = await launcher.resend(letter, { to: "order-2", by: "ada" });
  console.log(`${time}:`, duplicate ? "a duplicate" : "sent");
}
await second.send("left", null);
console.log("order-2:", (await second.outcome()).state);
const [, resent] = await first.mailbox();
console.log("sent again to", resent?.resent?.to, "by", resent?.resent?.by);
console.log("in the mailbox of order-1:", (await first.mailbox()).map(({ status }) => status).join(", "));
console.log("still dead:", (await launcher.countDeadLetters()).count);
