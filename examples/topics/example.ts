/**
 * A bank tells by webhook how a payment went. Its webhook knows the payment's id, and nothing of executions:
 * so the step subscribes to a topic that is named after the payment, and the webhook publishes to that topic. The webhook may
 * come before the bank has even answered the step, after that, or twice.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fail, Launcher, pause, workflow } from "stepwell";
import { sqliteStore } from "stepwell/sqlite";
import { z } from "zod";

/** When the bank's webhook comes, as seen from the bank's answer. */
const timing = z.enum(["before", "after", "twice"]);

const payment = workflow("payment", {
  input: z.object({ cents: z.number().int(), webhook: timing }),
}).step("charge-card", {
  messages: { settled: z.object({ cents: z.number() }), declined: z.object({ code: z.string() }) },
  run: async ({ state, idempotencyKey, subscribe }) => {
    const paymentId = await bank.charge(state.cents, state.webhook, idempotencyKey);
    await subscribe(`payment:${paymentId}`);
    return pause({ paymentId }, { timeout: "30m" });
  },
  onMessage: ({ message }) =>
    message.name === "declined"
      ? fail("card-declined", { details: message.payload })
      : { charged: message.payload.cents },
});

const folder = await mkdtemp(join(tmpdir(), "payments-"));
const launcher = new Launcher({ store: sqliteStore(join(folder, "payments.db")), workflows: [payment] });
await launcher.start();

const event = z.object({ id: z.string(), payment: z.string(), name: z.string(), data: z.unknown() });

/** The shop's side of the webhook. It answers once the message is stored: until then the bank repeats the webhook. */
const shop = createServer((request, response) => {
  void (async () => {
    const body = Buffer.concat(await request.toArray()).toString();
    const { id, payment, name, data } = event.parse(JSON.parse(body));
    const { duplicate } = await launcher.publish(`payment:${payment}`, name, data, { messageId: id });
    response.end(duplicate ? "I know" : "thank you");
  })().catch(() => response.writeHead(500).end());
});
shop.listen(0, "127.0.0.1");
await once(shop, "listening");
const { port } = shop.address() as AddressInfo;

const toldLater: Promise<unknown>[] = [];

/** Stands for a bank: it declines payments of more than 50 euros. */
const bank = {
  async charge(cents: number, webhook: z.infer<typeof timing>, key: string): Promise<string> {
    const id = `p-${key.split("/")[0]}`;
    const told = cents > 5000 ? { name: "declined", data: { code: "limit" } } : { name: "settled", data: { cents } };
    const tell = async (): Promise<unknown> =>
      fetch(`http://127.0.0.1:${port}/`, {
        method: "POST",
        body: JSON.stringify({ id: `evt-${id}`, payment: id, ...told }),
      });
    if (webhook !== "after") await tell();
    if (webhook !== "before") toldLater.push(sleep(50).then(tell));
    return id;
  },
};

const orders = [
  { id: "1", cents: 1999, webhook: "before" },
  { id: "2", cents: 2999, webhook: "after" },
  { id: "3", cents: 3999, webhook: "twice" },
  { id: "4", cents: 9999, webhook: "before" },
] as const;

for (const { id, ...input } of orders) {
  const execution = await launcher.launch(payment, input, { id });
  const { status, reason } = await execution.outcome();
  const messages = (await execution.mailbox()).map(({ id, topic }) => `${id} of ${topic}`);
  console.log(`order ${id}, webhook ${input.webhook}: ${status} (${reason}), by ${messages.join(" and ")}`);
}

await Promise.all(toldLater);
await launcher.stop();
shop.close();
await rm(folder, { recursive: true });
