import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { query } from "./postgres.js";
import { startPostgres } from "./postgres-server.js";

const folders = (): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`stepwell-postgres-${process.pid}-`));

test("a server keeps what was committed over its own violent death, and leaves nothing behind", async () => {
  const before = folders();
  const server = await startPostgres({ fsync: true });
  onTestFinished(() => server.stop());
  await query(server.url, "CREATE TABLE kept (number INTEGER)");
  await query(server.url, "INSERT INTO kept VALUES (17)");
  await server.kill();
  await expect(query(server.url, "SELECT 1")).rejects.toThrow(/ECONNREFUSED/);
  await server.start();
  expect(await query(server.url, "SELECT number FROM kept")).toEqual([{ number: 17 }]);
  expect(folders()).toHaveLength(before.length + 1);
  await server.stop();
  expect(folders()).toEqual(before);
});

test("the folder of a test run that was killed is swept away", async () => {
  const gone = spawn(process.execPath, ["-e", ""]);
  await once(gone, "exit");
  const stale = join(tmpdir(), `stepwell-postgres-${gone.pid}-stale`);
  mkdirSync(join(stale, "data"), { recursive: true });
  const server = await startPostgres({ fsync: false });
  await server.stop();
  expect(existsSync(stale)).toBe(false);
});
