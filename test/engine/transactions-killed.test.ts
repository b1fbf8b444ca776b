import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { drivers } from "../../src/stores/sqlite/driver.js";
import { query } from "../support/postgres.js";
import { startPostgres } from "../support/postgres-server.js";

const desk = fileURLToPath(new URL("../support/booking-desk.ts", import.meta.url));
const count = 150;

interface Booking {
  readonly number: number;
  readonly what: string;
}

const table = "CREATE TABLE bookings (number INTEGER NOT NULL, what TEXT NOT NULL)";

/** How its process ended: the signal, or null. `after` milliseconds of work it is killed. */
async function worked(address: string, after: number | undefined): Promise<string | null> {
  const child = spawn(process.execPath, ["--import", "tsx", desk, address, String(count)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  await once(child.stdout, "data");
  if (after !== undefined) {
    await setTimeout(after);
    child.kill("SIGKILL");
  }
  return ((await ended) as [number, string | null])[1];
}

async function killedAgainAndAgain(address: string): Promise<void> {
  const kills: (string | null)[] = [];
  for (const after of [15, 40, 90]) kills.push(await worked(address, after));
  expect(kills).toContain("SIGKILL");
  expect(await worked(address, undefined)).toBe(null);
}

/** Reserved and confirmed; every third one reserved and released. */
const exactlyOnce = Array.from({ length: count }, (_, number) => [
  `${number} reserved`,
  number % 3 === 0 ? `${number} released` : `${number} confirmed`,
])
  .flat()
  .toSorted();

function told(rows: readonly Booking[]): string[] {
  return rows.map(({ number, what }) => `${number} ${what}`).toSorted();
}

test("what a step wrote in the transaction of an SQLite file is there exactly once, wherever its process was killed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "bookings.db");
  const connection = [...drivers()][0]!.connect(path);
  onTestFinished(() => connection.close());
  connection.exec(table);
  await killedAgainAndAgain(path);
  expect(told(connection.prepare("SELECT number, what FROM bookings").all() as Booking[])).toEqual(exactlyOnce);
}, 120_000);

test("what a step wrote in the transaction of a PostgreSQL database is there exactly once, wherever its process was killed", async () => {
  const server = await startPostgres({ fsync: true });
  onTestFinished(() => server.stop());
  await query(server.url, table);
  await killedAgainAndAgain(server.url);
  const rows = await query<Booking & Record<string, unknown>>(server.url, "SELECT number, what FROM bookings");
  expect(told(rows)).toEqual(exactlyOnce);
}, 120_000);
