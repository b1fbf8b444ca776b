import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const example = fileURLToPath(new URL("payment-webhook.ts", import.meta.url));

it("reaches each payment once, whether its webhook comes before, after or twice", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", import.meta.resolve("tsx"), example]);
  expect(stdout.trimEnd().split("\n")).toEqual([
    "order 1, webhook before: completed (normal), by evt-p-1 of payment:p-1",
    "order 2, webhook after: completed (normal), by evt-p-2 of payment:p-2",
    "order 3, webhook twice: completed (normal), by evt-p-3 of payment:p-3",
    "order 4, webhook before: rolledBack (card-declined), by evt-p-4 of payment:p-4",
  ]);
}, 60_000);
