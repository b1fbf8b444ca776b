/**
 * `npm run failover -- --kills 200 [--loss machine|server|frozen] [--asynchronous] [--rate 10] [--seed 1] [--json]`: the primary of three
 * PostgreSQL servers is lost under load, again and again; then every promise is checked. Needs Patroni, etcd and PostgreSQL.
 * Ends with code 1 where something was lost, happened twice or is otherwise wrong.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pick, randomFrom } from "../faults/plan.js";
import { trial } from "../faults/trial.js";
import { Cluster, losses, type Loss } from "./cluster.js";
import { firstStepAfter } from "./first-step.js";
import { figureOf, kindsOf, type Measured } from "./figures.js";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "10" },
    loss: { type: "string" },
    asynchronous: { type: "boolean", default: false },
    rate: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const kills = Number(values.kills);
const only = values.loss as Loss | undefined;
if (only !== undefined && !losses.includes(only)) throw new Error(`--loss must be one of ${losses.join(", ")}`);
const say = (text: string): void => (values.json ? undefined : console.log(text));

/** The longest time under load before everything is checked, in milliseconds. */
const longestRound = 600_000;

const measured: Measured[] = [];
const violations: string[] = [];
const total = { executions: 0, completed: 0, rolledBack: 0 };
const errors: Record<string, number> = {};

for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(1));
const cluster = await Cluster.start(!values.asynchronous);
try {
  for (let seed = Number(values.seed); measured.length < kills; seed++) await round(seed);
} finally {
  await cluster.stop();
}
const kinds = kindsOf(violations);
if (!values.json) console.table(figureTable());
const summary = { kills: measured.length, ...kinds, ...total, errors, ...figureTable() };
console.log(values.json ? JSON.stringify(summary) : summary);
process.exit(violations.length > 0 ? 1 : 0);

async function round(seed: number): Promise<void> {
  const random = randomFrom(seed);
  const failovers: Measured[] = [];
  const effects = join(cluster.folder, `effects-${seed}.db`);
  const report = await trial({
    address: cluster.url,
    effects,
    seed,
    launchers: 2,
    clients: 1,
    settings: {},
    milliseconds: longestRound,
    rate: Number(values.rate),
    mostUnderWay: 40,
    faults: [{ every: 1_000, make: async () => void failovers.push(await one(random)) }],
    enough: () => measured.length + failovers.length >= kills,
    patience: 120_000,
  });
  for (const suffix of ["", "-wal", "-shm"]) rmSync(effects + suffix, { force: true });
  measured.push(...failovers);
  violations.push(...report.violations);
  for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += report[key];
  for (const [code, count] of Object.entries(report.errors)) errors[code] = (errors[code] ?? 0) + count;
  say(`${measured.length} kills, ${report.executions} executions, ${report.violations.length} violations`);
  for (const violation of report.violations) say(`  ${violation}`);
}

/**
 * Every third one has heard nothing from its standbys for a moment: what was written meanwhile is only there. With asynchronous replication,
 * where it is acknowledged all the same, each of them has.
 */
async function one(random: () => number): Promise<Measured> {
  const loss = only ?? pick(random, [...losses, "server"]);
  const failover = await cluster.failOver(loss, values.asynchronous || random() < 0.35 ? 50 + random() * 250 : 0);
  const firstStepAt = await firstStepAfter(failover.promotedAt, cluster.urlOf(failover.to));
  const [led, went] = [failover.promotedAt - failover.lostAt, firstStepAt - failover.promotedAt].map(Math.round);
  say(`  ${loss}: ${failover.from}; ${failover.to} led after ${led} ms, and the first step came ${went} ms later`);
  await setTimeout(500 * random());
  const begun = Date.now();
  await cluster.comeBack(failover);
  say(`    ready again ${Date.now() - begun} ms later`);
  return { ...failover, firstStepAt };
}

function figureTable(): Record<string, object> {
  const rows = [
    ["all", measured] as const,
    ...losses.map((loss) => [loss, measured.filter((it) => it.loss === loss)] as const),
  ];
  return Object.fromEntries(rows.filter(([, some]) => some.length > 0).map(([name, some]) => [name, figureOf(some)]));
}
