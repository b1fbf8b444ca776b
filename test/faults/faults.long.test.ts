import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { startPostgres } from "../support/postgres-server.js";
import { Effects } from "./effects.js";
import { randomFrom, type Plan } from "./plan.js";
import { serverFaults } from "./server-faults.js";
import { storeAt } from "./store.js";
import { Team } from "./team.js";
import { trial } from "./trial.js";
import { tripName } from "./trips.js";

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

test("a launcher that is paused in a step past its heartbeat comes back, and its late commit is refused", async () => {
  const server = await startPostgres({ fsync: true });
  onTestFinished(() => server.stop());
  const effects = new Effects(join(folder(), "effects.db"));
  onTestFinished(() => effects.close());
  const team = new Team(server.url, effects.path, randomFrom(1));
  onTestFinished(() => team.close());
  await team.start(1);
  const plan: Plan = {
    legs: [
      { kind: "long", undo: "plain" },
      { kind: "plain", undo: "plain" },
    ],
    failsAt: null,
    recalledAfterMs: null,
  };
  await team.order({ what: "launch", id: "e", workflow: tripName(2), input: { plan } });
  await vi.waitUntil(() => effects.all().length > 0, { timeout: 10_000 });
  const paused = team.pause(5_000);
  await team.start(1);
  const store = storeAt(server.url);
  await store.open();
  onTestFinished(() => store.close());
  await vi.waitUntil(async () => (await store.load(["e"]))[0]?.status === "completed", { timeout: 15_000 });
  expect(team.errors.get("STEPWELL_OWNERSHIP_LOST")).toBeUndefined();
  await paused;
  await vi.waitUntil(() => team.errors.has("STEPWELL_OWNERSHIP_LOST"), { timeout: 10_000 });
  // By the second launcher alone, at its second attempt, and nothing after it.
  const rows = (await store.history("e")).map(({ step, attempt, result }) => `${step} #${attempt} ${result}`);
  expect(rows).toEqual(["leg-0 #2 ok", "leg-1 #1 ok"]);
  expect(effects.all().map(({ key }) => key)).toEqual(["e/leg-0/run", "e/leg-1/run"]);
}, 60_000);
