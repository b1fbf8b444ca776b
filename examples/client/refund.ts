/** A workflow whose undo needs a bank. The bank is open while a file called `open` lies in its folder. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { workflow } from "stepwell";
import { z } from "zod";

export const sale = workflow("sale", { input: z.object({ bank: z.string() }) }).step("charge", {
  run: () => ({ paymentId: "pay-1" }),
  rollback: ({ state }) => {
    if (!existsSync(join(state.bank, "open"))) throw new Error("the bank is closed");
  },
  rollbackRetry: { attempts: 1 },
});
