import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const demo = fileURLToPath(new URL("demo.ts", import.meta.url));
const run = (...options: string[]) =>
  promisify(execFile)(process.execPath, ["--import", import.meta.resolve("tsx"), demo, ...options]);

it("balances the books of sixty orders whose desk is killed once, and says so in one line of JSON", async () => {
  const { stdout } = await run("--orders", "60", "--kills", "1", "--json");
  const numbers: Record<string, unknown> = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  expect(numbers).toEqual({
    orders: 60,
    completed: expect.any(Number),
    rolledBack: expect.any(Number),
    stuck: 0,
    kills: 1,
    booksBalanced: true,
    seconds: expect.any(Number),
  });
  const { completed, rolledBack } = numbers as { completed: number; rolledBack: number };
  expect(completed + rolledBack).toBe(60);
  expect(Math.min(completed, rolledBack)).toBeGreaterThan(0);
}, 120_000);

it("refuses a number of orders that it does not have", async () => {
  await expect(run("--orders", "1000000")).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--orders is 1000000, but must be a whole number from 24 to 640"),
  });
});
