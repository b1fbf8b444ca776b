/**
 * The order desk: the process that runs the workflow. It may die at any moment.
 *
 *   POST /orders        takes an order; the same one twice is one order
 *   POST /bank-events   the bank's webhook
 *   GET  /executions    how every order stands
 */
import { Launcher, StepwellError, type ExecutionPage } from "stepwell";
import { sqliteStore } from "stepwell/sqlite";
import { z } from "zod";
import type { Standing } from "./books.js";
import { fulfilOrder, order } from "./fulfil-order.js";
import { announce, guardedApp, listen } from "./participant.js";
import { setting } from "./setting.js";

const launcher = new Launcher({ store: sqliteStore(setting("DESK_STORE")), workflows: [fulfilOrder] });
await launcher.start(); // goes on with what a desk before this one left unfinished

const app = guardedApp();

app.post("/orders", async (context) => {
  const taken = order.parse(await context.req.json());
  await launcher.launch(fulfilOrder, taken, { id: taken.id });
  return context.json({ taken: taken.id }, 202);
});

const bankEvent = z.object({ id: z.string(), order: z.string(), name: z.string(), payload: z.unknown() });

app.post("/bank-events", async (context) => {
  const event = bankEvent.parse(await context.req.json());
  try {
    const { duplicate } = await launcher.send(event.order, event.name, event.payload, { messageId: event.id });
    return context.text(duplicate ? "duplicate" : "stored");
  } catch (error) {
    // The order was given up before the bank had decided. There is nothing to wait for, so the bank may forget it.
    if (error instanceof StepwellError && error.code === "STEPWELL_EXECUTION_ENDED") return context.text("too late");
    throw error;
  }
});

app.get("/executions", async (context) => {
  const standings: Standing[] = [];
  let page: ExecutionPage | undefined;
  do {
    page = await launcher.list({ limit: 1_000, ...(page?.cursor && { after: page.cursor }) });
    standings.push(...page.executions.map(({ id, status, flow }) => ({ id, status, reason: flow.reason })));
  } while (page.cursor !== null);
  return context.json(standings);
});

const url = await listen(app);
await fetch(`${setting("BANK_URL")}/webhook`, {
  method: "PUT",
  headers: { Authorization: `Bearer ${setting("ORDER_DESK_TOKEN")}` },
  body: JSON.stringify({ url: `${url}/bank-events` }),
});
announce(url);

process.once("SIGTERM", () => void launcher.stop().then(() => process.exit()));
