/**
 * Two processes: one works, this one only asks. Three sales are undone while the bank is closed, and get stuck. Once the bank is
 * open, a script of five lines, in a process of its own, lists them and has them tried again.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "stepwell";
import { sqliteStore } from "stepwell/sqlite";
import { sale } from "./refund.js";

const folder = mkdtempSync(join(tmpdir(), "stepwell-client-"));
const place = join(folder, "orders.db");
const script = (name: string): string[] => [
  ...["--import", import.meta.resolve("tsx"), fileURLToPath(new URL(`${name}.ts`, import.meta.url))],
  place,
];

const worker = spawn(process.execPath, script("launcher"), { stdio: ["ignore", "pipe", "inherit"] });
await once(worker.stdout, "data");

const client = new Client({ store: sqliteStore(place) });
try {
  const sales = [];
  for (const id of ["sale-1", "sale-2", "sale-3"]) sales.push(await client.launch(sale, { bank: folder }, { id }));
  for (const execution of sales) await execution.outcome();
  for (const execution of sales) await execution.rollback("recalled", { by: "bob" });
  for (const execution of sales) console.log(execution.id, (await execution.outcome()).status);

  writeFileSync(join(folder, "open"), "");
  process.stdout.write(execFileSync(process.execPath, script("mend")));
  for (const execution of sales) console.log(execution.id, (await execution.outcome()).status);
  const last = (await sales[0]!.history()).find(({ result }) => result === "retried");
  console.log(`retried by ${last?.by}: ${last?.why}`);
} finally {
  await client.stop();
  worker.kill();
  await once(worker, "exit");
  rmSync(folder, { recursive: true });
}
