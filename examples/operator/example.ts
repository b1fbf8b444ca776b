/**
 * A bank is closed while refunds are due, and one customer has mistyped an account. Operators look at what is stuck,
 * mend a state, skip what was done by hand, retry the rest, and undo every sale of a recalled article.
 */
import { Launcher, memoryStore, StepwellError, workflow } from "stepwell";
import { z } from "zod";

const bank = { isOpen: true };

const sell = workflow("sell", {
  input: z.object({ article: z.string(), iban: z.string().startsWith("DE").default("DE00") }),
}).step("charge", {
  run: () => ({ paymentId: "pay-1" }),
  rollback: ({ state }) => {
    if (!bank.isOpen) throw new Error("the bank is closed");
    if (state.iban === "DE99") throw new Error("there is no such account");
    return { refunded: true };
  },
  rollbackRetry: { attempts: 2, delay: "5ms" },
});

await using launcher = new Launcher({ store: memoryStore(), workflows: [sell], onError: () => undefined });
await launcher.start();

const executions = [
  await launcher.launch(sell, { article: "kettle" }, { id: "sale-1", tags: ["kettle"] }),
  await launcher.launch(sell, { article: "kettle", iban: "DE99" }, { id: "sale-2", tags: ["kettle"] }),
  await launcher.launch(sell, { article: "kettle" }, { id: "sale-3", tags: ["kettle"] }),
  await launcher.launch(sell, { article: "toaster" }, { id: "sale-4", tags: ["toaster"] }),
];
const atRest = async (): Promise<unknown> => Promise.all(executions.map((execution) => execution.outcome()));
await atRest();

// A filter without a condition is refused: nobody undoes everything by mistake.
try {
  launcher.select({});
} catch (error) {
  if (error instanceof StepwellError) console.log(error.code);
}

const kettles = launcher.select({ workflow: "sell", tags: ["kettle"] });
console.log("kettles:", (await kettles.count()).count);
bank.isOpen = false;
const { matched, accepted, refused } = await kettles.rollback("recalled", { by: "ada" });
console.log("undone:", { matched, accepted, refused: refused.length });
await atRest();

const stuck = launcher.select({ status: "stuck" });
console.log("stuck:", (await stuck.count()).count);
for (const { id, flow, error } of (await launcher.list({ status: "stuck" })).executions.toReversed()) {
  console.log(`  ${id} at ${flow.step}, going ${flow.direction}: ${error?.message}`);
}

await launcher.skip("sale-1", "refunded in cash, receipt 12", { by: "bob" });
try {
  await launcher.patchState("sale-2", { iban: "FR76" }, "she told us by phone", { by: "bob" });
} catch (error) {
  if (error instanceof StepwellError) console.log(error.code);
}
await launcher.patchState("sale-2", { iban: "DE02" }, "she told us by phone", { by: "bob" });
await executions[0]?.outcome();

bank.isOpen = true;
console.log("would be retried:", (await stuck.retry({ dryRun: true })).accepted);
await stuck.retry({ by: "ada", reason: "the bank is open again" });
await atRest();

for (const execution of executions) {
  console.log(`${execution.id} ${(await execution.summary()).status}`);
  for (const { result, by, why } of await execution.history()) {
    if (by !== undefined) console.log(`  ${result}, by ${by}: ${why}`);
  }
}
