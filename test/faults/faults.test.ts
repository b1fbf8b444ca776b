import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
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
