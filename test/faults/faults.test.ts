import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startPostgres } from "../support/postgres-server.js";
import { serverFaults } from "./server-faults.js";
import { trial } from "./trial.js";

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "stepwell-faults-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test("launchers that are killed and paused on one SQLite file leave every execution whole or without trace", async () => {
  const where = folder();
  const report = await trial({
    address: join(where, "stepwell.db"),
    effects: join(where, "effects.db"),
    seed: 1,
    launchers: 3,
    milliseconds: 6_000,
    rate: 25,
    faults: [
      { every: 1_200, make: (team) => team.kill() },
      { every: 2_000, make: (team) => team.pause(2_200) },
    ],
    patience: 30_000,
  });
  expect(report.violations).toEqual([]);
  expect(report.completed + report.rolledBack).toBe(report.executions);
  expect(report.executions).toBeGreaterThan(50);
  expect(report.kills).toBeGreaterThan(1);
  expect(report.pauses).toBeGreaterThan(0);
}, 90_000);

test("launchers on PostgreSQL that are killed and paused, while the server is killed and its connections are cut, do too", async () => {
  const where = folder();
  const server = await startPostgres({ fsync: true });
  onTestFinished(() => server.stop());
  const report = await trial({
    address: server.url,
    effects: join(where, "effects.db"),
    seed: 2,
    launchers: 4,
    milliseconds: 12_000,
    rate: 25,
    faults: [
      { every: 2_000, make: (team) => team.kill() },
      { every: 3_000, make: (team) => team.pause(2_200) },
      ...serverFaults(server),
    ],
    patience: 60_000,
  });
  expect(report.violations).toEqual([]);
  expect(report.completed + report.rolledBack).toBe(report.executions);
  expect(report.executions).toBeGreaterThan(100);
  expect(report.kills).toBeGreaterThan(1);
  expect(report.pauses).toBeGreaterThan(0);
}, 120_000);
