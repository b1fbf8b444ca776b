/**
 * Plays scenarios with a fault at each call of the store in turn, on all processors: `npm run simulate:sweep`.
 *
 * - `--pairs`: two faults as well. `--within N`: the second one at most so many calls after the first. Default: 40.
 * - `--draw N`: only pairs, so many, which are drawn. `--seed S` draws the same again.
 * - `--scenario ID`, `--store memory`, `sqlite` or `postgres`: only that one. Default: all scenarios, in memory and on SQLite. On PostgreSQL
 *   each query is one of the calls, and there are no pairs; the server is the one of STEPWELL_TEST_POSTGRES_URL, or one of its own.
 * - `--faults "12:dies after,30:is buried"`: only these, with what came of them.
 * - `--json`: only the last line, as JSON.
 *
 * Exits with 1 where something was violated.
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { systemClock } from "../../src/clock.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { startPostgres } from "../support/postgres-server.js";
import { locally, play, type LocalStore } from "./sweep-play.js";
import { Playground, type Either } from "./sweep-postgres.js";
import type { Planned } from "./sweep-process.js";
import { drawPair, playPairs, singlesOf, Tally, told, undisturbed } from "./sweep-run.js";
import { scenarios, scenariosOn, type Scenario } from "./sweep-scenarios.js";

type StoreName = LocalStore | "postgres";

/** What a process is to play. */
interface Share {
  readonly scenario: string;
  readonly store: StoreName;
  /** Where PostgreSQL is, if it takes part. */
  readonly url: string;
  readonly singles: readonly Either[];
  /** Null: no pairs. */
  readonly within: number | null;
  readonly drawn: number;
  readonly seed: number;
}

interface Report {
  readonly singles: number;
  readonly pairs: number;
  readonly violations: readonly string[];
}

/** So many faults are one share, alone; and as the first ones of pairs. */
const shareSizes = { alone: 1000, far: 150, first: 20 } as const;

/** More than that are not looked at. */
const mostFound = 20;

const scenarioOf = (id: string): Scenario => {
  const found = scenarios.find((it) => it.id === id);
  if (found === undefined)
    throw new Error(`There is no scenario ${id}, but ${scenarios.map((it) => it.id).join(", ")}.`);
  return found;
};

function playShare(share: Share): Promise<Report> {
  const { store } = share;
  return store === "postgres" ? playOnPostgres(share) : playLocally(share, store);
}

async function playOnPostgres({ scenario: id, url, singles }: Share): Promise<Report> {
  const scenario = scenarioOf(id);
  const tally = new Tally();
  await onPostgres(url, async (ground) => {
    for (const one of singles) if (tally.found.length < mostFound) await ground.note(scenario, one, tally);
  });
  return { singles: tally.plays, pairs: 0, violations: tally.found.map((it) => told(scenario, "postgres", it)) };
}

async function onPostgres<Result>(url: string, work: (ground: Playground) => Promise<Result>): Promise<Result> {
  const ground = new Playground(url, `sweep_${process.pid}`);
  try {
    return await work(ground);
  } finally {
    await ground.close();
  }
}

async function playLocally({ scenario: id, singles, within, drawn, seed }: Share, store: LocalStore): Promise<Report> {
  const scenario = scenarioOf(id);
  const opens = locally(store);
  const alone = new Tally();
  const pairs = new Tally();
  for (const one of singles as readonly Planned[]) {
    if (alone.found.length + pairs.found.length >= mostFound) break;
    alone.note([one], await play(scenario, opens, [one]));
    if (within !== null) await playPairs(scenario, opens, one, within, pairs);
  }
  if (drawn > 0) {
    const clock = new VirtualClock({ seed });
    const made = await undisturbed(scenario, opens);
    for (let number = 0; number < drawn; number++) await drawPair(scenario, opens, made, () => clock.random(), pairs);
  }
  const violations = [...alone.found, ...pairs.found].map((it) => told(scenario, store, it));
  return { singles: alone.plays, pairs: pairs.plays, violations };
}

interface Wanted extends Pick<Share, "within" | "drawn" | "seed" | "url"> {
  readonly scenarios: readonly Scenario[];
  readonly stores: readonly StoreName[];
}

async function allOf(scenario: Scenario, store: StoreName, url: string): Promise<readonly Either[]> {
  if (store === "postgres") return onPostgres(url, (ground) => ground.singlesOf(scenario));
  return singlesOf(await undisturbed(scenario, locally(store)));
}

async function sharesOf({ scenarios: wanted, stores, within, drawn, seed, url }: Wanted): Promise<Share[]> {
  const shares: Share[] = [];
  for (const store of stores) {
    const known = scenariosOn(store !== "memory").filter((it) => wanted.includes(it));
    for (const { id } of known) {
      const all = await allOf(scenarioOf(id), store, url);
      const of = { scenario: id, store, url, within, seed: seed + shares.length };
      if (drawn > 0) {
        if (store !== "postgres") shares.push({ ...of, drawn, singles: [] });
        continue;
      }
      const size = within === null ? shareSizes[store === "postgres" ? "far" : "alone"] : shareSizes.first;
      for (let from = 0; from < all.length; from += size)
        shares.push({ ...of, drawn: 0, singles: all.slice(from, from + size) });
    }
  }
  return shares;
}

function playInProcess(share: Share): Promise<Report> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [JSON.stringify(share)], { execArgv: process.execArgv });
    child.once("message", (report) => resolve(report as Report));
    child.once("error", reject);
    child.once("exit", (code) => code !== 0 && reject(new Error(`A process of the sweep ended with ${code}.`)));
  });
}

/** What comes of these faults, for whoever looks at them. */
async function playOne(scenario: Scenario, store: StoreName, url: string, given: string): Promise<number> {
  const planned = given.split(",").map((it) => {
    const [at, fault] = it.split(":");
    return { at: Number(at), fault } as Either;
  });
  const { violations, made, sprung } =
    store === "postgres"
      ? await onPostgres(url, (ground) => ground.play(scenario, planned))
      : await play(scenario, locally(store), planned as Planned[]);
  for (const [at, { name }] of made.entries()) console.log(`${at} ${name}`);
  console.log(JSON.stringify({ sprung, violations }, undefined, 1));
  return violations.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const values = valuesOf();
  const stores = values.store === undefined ? (["memory", "sqlite"] as const) : [values.store as StoreName];
  const given = process.env["STEPWELL_TEST_POSTGRES_URL"] ?? "";
  const server = given === "" && values.store === "postgres" ? await startPostgres({ fsync: false }) : undefined;
  try {
    return await sweep(values, stores, server?.url ?? given);
  } finally {
    await server?.stop();
  }
}

function valuesOf() {
  const { values } = parseArgs({
    options: {
      pairs: { type: "boolean", default: false },
      within: { type: "string", default: "40" },
      draw: { type: "string", default: "0" },
      seed: { type: "string", default: String(Math.floor(systemClock.random() * 2 ** 30)) },
      scenario: { type: "string" },
      store: { type: "string" },
      faults: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  return values;
}

async function sweep(values: ReturnType<typeof valuesOf>, stores: readonly StoreName[], url: string): Promise<number> {
  const chosen = values.scenario === undefined ? scenarios : [scenarioOf(values.scenario)];
  if (values.faults !== undefined) return playOne(chosen[0]!, stores[0]!, url, values.faults);
  const say = (what: string): void => void (values.json || console.log(what));
  const draw = Number(values.draw);
  if (draw > 0) say(`Draws from seed ${values.seed}.`);
  const began = systemClock.monotonic();
  const shares = await sharesOf({
    ...{ scenarios: chosen, stores, url, seed: Number(values.seed) },
    within: values.pairs && draw === 0 ? Number(values.within) : null,
    drawn: values.pairs || draw > 0 ? Math.ceil(draw / chosen.length / stores.length) : 0,
  });
  const total = { singles: 0, pairs: 0, violations: 0 };
  const work = async (): Promise<void> => {
    for (let share = shares.shift(); share !== undefined && total.violations < mostFound; share = shares.shift()) {
      const { singles, pairs, violations } = await playInProcess(share);
      for (const what of violations) say(what);
      total.singles += singles;
      total.pairs += pairs;
      total.violations += violations.length;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const seconds = Math.round((systemClock.monotonic() - began) / 1000);
  console.log(JSON.stringify({ scenarios: chosen.length, ...total, seconds }));
  return total.violations === 0 ? 0 : 1;
}

if (process.send === undefined) process.exitCode = await main();
else {
  const report = await playShare(JSON.parse(process.argv[2]!) as Share);
  process.send(report, () => process.disconnect());
}
