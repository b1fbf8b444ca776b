/**
 * `npm run chaos -- --minutes 5 [--on postgres|sqlite] [--seed 1] [--json]`: trials under faults, one after the other, each with
 * another seed. Ends with code 1 where an invariant was violated.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startPostgres } from "../support/postgres-server.js";
import { serverFaults } from "./server-faults.js";
import { trial, type Report } from "./trial.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    on: { type: "string", default: "postgres" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const until = Date.now() + Number(values.minutes) * 60_000;
const total = { executions: 0, completed: 0, rolledBack: 0, kills: 0, pauses: 0, refusedCommits: 0 };
const violations: string[] = [];

for (let seed = Number(values.seed); Date.now() < until; seed++) {
  const report = await oneTrial(seed);
  for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += report[key];
  violations.push(...report.violations);
  if (!values.json) {
    console.log(`seed ${seed}: ${report.executions} executions, ${report.kills} kills, ${report.pauses} pauses`);
    for (const violation of report.violations) console.log(`  ${violation}`);
  }
}
const summary = { ...total, violations: violations.length };
console.log(values.json ? JSON.stringify(summary) : summary);
process.exitCode = violations.length > 0 ? 1 : 0;

async function oneTrial(seed: number): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-chaos-"));
  const server = values.on === "postgres" ? await startPostgres({ fsync: true }) : undefined;
  try {
    return await trial({
      address: server?.url ?? join(folder, "stepwell.db"),
      effects: join(folder, "effects.db"),
      seed,
      launchers: 4,
      milliseconds: 20_000,
      rate: 40,
      faults: [
        { every: 2_000, make: (team) => team.kill() },
        { every: 4_000, make: (team) => team.pause(2_200) },
        ...(server === undefined ? [] : serverFaults(server)),
      ],
      patience: 120_000,
    });
  } finally {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
