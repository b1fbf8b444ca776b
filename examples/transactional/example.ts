/**
 * Stock and coupons are tables in the store's own database. Steps that are nothing but a transaction there happen exactly once,
 * and a step whose transaction was not committed is not undone: an order for more than there is leaves the stock as it was.
 */
import { fail, Launcher, workflow, type Execution } from "stepwell";
import { sqliteStore, transaction } from "stepwell/sqlite";
import { z } from "zod";

const card = { isUp: true };

const fill = workflow("fill", { input: z.object({ sku: z.string(), left: z.number().int() }) }).step("stock", {
  run: transaction((tx, { state }) => {
    tx.exec("CREATE TABLE stock (sku TEXT PRIMARY KEY, left INTEGER NOT NULL)");
    tx.prepare("INSERT INTO stock VALUES (?, ?)").run(state.sku, state.left);
  }),
});

const look = workflow("look", { input: z.object({ sku: z.string() }) }).step("stock", {
  run: transaction((tx, { state }) => {
    const { left } = tx.prepare("SELECT left FROM stock WHERE sku = ?").get(state.sku) as { readonly left: number };
    return { left };
  }),
});

const order = workflow("order", { input: z.object({ sku: z.string(), quantity: z.number().int().positive() }) })
  .step("reserve", {
    run: transaction((tx, { state: { sku, quantity } }) => {
      const took = tx
        .prepare("UPDATE stock SET left = left - ? WHERE sku = ? AND left >= ?")
        .run(quantity, sku, quantity);
      return took.changes > 0 ? { reserved: quantity } : fail("out-of-stock");
    }),
    // Called only where the reservation was committed.
    rollback: transaction((tx, { state: { sku, quantity } }) => {
      tx.prepare("UPDATE stock SET left = left + ? WHERE sku = ?").run(quantity, sku);
    }),
  })
  .step("charge-card", {
    run: () => {
      if (!card.isUp) throw new Error("no answer");
      return { paymentId: "pay-1" };
    },
    // Without an answer it is not known whether the card was charged: then the key of the call names what is to be undone.
    rollback: ({ state, halfDone }) =>
      console.log(halfDone ? "  asks the bank by the key of the call" : `  refunds ${state.paymentId}`),
  });

await using launcher = new Launcher({ store: sqliteStore(":memory:"), workflows: [fill, order, look] });
await launcher.start();

async function show(what: string, execution: Execution): Promise<void> {
  const { status, reason } = await execution.outcome();
  console.log(`${what}: ${status} (${reason})`);
  for (const { step, func, result, leftNothing } of await execution.history())
    console.log(`  ${func} ${step}: ${result}${leftNothing === true ? ", and nothing is left of it" : ""}`);
  const { state } = await (await launcher.launch(look, { sku: "A-1" })).outcome();
  console.log(`  in stock: ${state.left}`);
}

await (await launcher.launch(fill, { sku: "A-1", left: 5 })).outcome();
await show("2 of 5", await launcher.launch(order, { sku: "A-1", quantity: 2 }));
await show("100 of 3", await launcher.launch(order, { sku: "A-1", quantity: 100 }));
card.isUp = false;
await show("1 of 3, and the bank does not answer", await launcher.launch(order, { sku: "A-1", quantity: 1 }));
