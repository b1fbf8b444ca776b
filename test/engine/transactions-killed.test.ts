import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { drivers } from "../../src/stores/sqlite/driver.js";

const desk = fileURLToPath(new URL("../support/booking-desk.ts", import.meta.url));
const count = 400;

/** How its process ended: the signal, or null. `after` milliseconds of work it is killed. */
async function worked(path: string, after: number | undefined): Promise<string | null> {
  const child = spawn(process.execPath, ["--import", "tsx", desk, path, String(count)], {
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

test("what a step wrote in the store's transaction is there exactly once, wherever its process was killed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "bookings.db");
  const kills: (string | null)[] = [];
  for (const after of [15, 40, 90]) kills.push(await worked(path, after));
  expect(kills).toContain("SIGKILL");
  expect(await worked(path, undefined)).toBe(null);
  const [driver] = [...drivers()];
  const connection = driver!.connect(path);
  const rows = connection.prepare("SELECT number, what FROM bookings ORDER BY number, rowid").all() as {
    number: number;
    what: string;
  }[];
  connection.close();
  const expected = Array.from({ length: count }, (_, number) =>
    number % 3 === 0 ? [`${number} reserved`, `${number} released`] : [`${number} reserved`, `${number} confirmed`],
  );
  expect(rows.map(({ number, what }) => `${number} ${what}`)).toEqual(expected.flat());
});
