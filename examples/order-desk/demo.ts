/**
 * The main job: hundreds of orders go through the desk, its process is killed while it works, and at
 * the end the books are checked against the participants' own ledgers.
 *
 *   npm run demo -- [--orders 640] [--kills 2] [--json] [--keep <folder>] [--desk]
 *
 * With `--desk` a web page shows the orders while they run, and stays until Ctrl+C.
 * Ends with exit code 1 if any order is neither whole nor without trace.
 */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { audit, type Order } from "./books.js";
import { rushSize } from "./customers.js";
import { openPage } from "./page.js";
import { crashed, killAll, storeFile } from "./processes.js";
import { booksTable, count, openScreen, outcomeTable } from "./screen.js";
import { tradingDay } from "./trading-day.js";

function readOptions() {
  const { values } = parseArgs({
    options: {
      orders: { type: "string" },
      kills: { type: "string", default: "2" },
      json: { type: "boolean", default: false },
      keep: { type: "string" },
      desk: { type: "boolean", default: false },
    },
  });
  const lines = readFileSync(new URL("orders.jsonl", import.meta.url), "utf8")
    .trimEnd()
    .split("\n");
  const kills = wholeNumber("--kills", values.kills, 0, 10);
  const wanted = wholeNumber("--orders", values.orders ?? String(lines.length), (kills + 1) * rushSize, lines.length);
  const orders = lines.slice(0, wanted).map((line): Order => JSON.parse(line));
  return { orders, kills, json: values.json, keep: values.keep, desk: values.desk };
}

function wholeNumber(option: string, text: string, from: number, to: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && from <= number && number <= to) return number;
  throw new Error(`${option} is ${text}, but must be a whole number from ${from} to ${to}`);
}

/** A folder for ledgers and logs. Unless it is to be kept, it goes when the demo ends, however that comes about. */
function workFolder(keep: string | undefined): string {
  const folder = keep === undefined ? mkdtempSync(join(tmpdir(), "order-desk-")) : resolve(keep);
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0) throw new Error(`--keep needs a folder without files: ${folder}`);
  process.once("exit", () => {
    killAll();
    if (keep === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  for (const [signal, code] of Object.entries(codes)) process.once(signal, () => process.exit(code));
  return folder;
}

async function demo(): Promise<number> {
  const started = performance.now();
  const { orders, kills, json, keep, desk } = readOptions();
  const folder = workFolder(keep);
  const page = desk ? await openPage(storeFile(folder)) : undefined;
  if (page !== undefined) console.log(`The desk's page on the orders of the day: ${page.address}`);
  const screen = openScreen(orders.length);
  const day = await Promise.race([tradingDay(folder, orders, kills, screen), crashed]).finally(() => screen.close());
  if (page === undefined) await day.end();

  const books = audit(folder, orders, day.standings);
  const { waiting, repeated, answers } = day.webhooks;
  const heard = Object.entries(answers).map(([answer, times]) => `${times} ${answer}`);
  console.log(outcomeTable(day.standings));
  console.log(booksTable(books));
  console.log(`The bank's webhooks: ${heard.join(", ")}; ${repeated} were sent again; ${waiting} were never taken.`);
  for (const difference of books.differences) console.log(difference);
  const balanced = books.differences.length === 0 && waiting === 0;
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  console.log(
    balanced
      ? `The books balance: every order is whole or without trace, after ${day.kills} kills and ${seconds} seconds.`
      : "The books do not balance.",
  );
  if (page === undefined) {
    console.log(
      keep === undefined
        ? "To see each order, and to act on them: npm run demo -- --desk"
        : `To see each order: npx stepwell desk --store ${storeFile(folder)}`,
    );
  }
  if (json) {
    const { completed, rolledBack, stuck } = count(day.standings);
    const numbers = { orders: orders.length, completed, rolledBack, stuck, kills: day.kills };
    console.log(JSON.stringify({ ...numbers, booksBalanced: balanced, seconds }));
  }
  if (page !== undefined) {
    console.log(`The page stays until you press Ctrl+C: ${page.address}`);
    await Promise.race([new Promise<never>(() => undefined), crashed]);
  }
  return balanced ? 0 : 1;
}

demo().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
