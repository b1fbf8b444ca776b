/**
 * Plays many histories, on all processors: `npm run simulate -- --seeds 100000`.
 *
 * - `--from S` begins with that seed, and so plays the same again. Default: seeds that nobody has played before.
 * - `--store memory` or `sqlite`. Default: both, each for half of the seeds.
 * - `--json` says only the last line, as JSON.
 *
 * A long run says how far it is, and Ctrl-C ends it after what is being played, with the figures until then.
 *
 * Exits with 1 where an invariant was violated, a seed went differently when it was played again, or a long run has missed something
 * that it has to see.
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { coverageOf, enough } from "./coverage.js";
import { difference, playSeed, type StoreName } from "./history.js";
import { Seen } from "./seen.js";

/** What a process is to play, on the stores in turns. */
interface Share {
  readonly from: number;
  readonly until: number;
  readonly stores: readonly StoreName[];
}

interface Found {
  readonly seed: number;
  readonly store: StoreName;
  readonly what: readonly string[];
}

interface Report {
  readonly found: readonly Found[];
  readonly counts: Seen["counts"];
}

/** Which seed is played twice. */
const compared = 1000;

/** More than that are not looked at. */
const mostFound = 20;

/** A process plays so many and ends, with all that worlds have left behind in it. */
const mostInProcess = 5000;

async function playShare({ from, until, stores }: Share): Promise<Report> {
  const found: Found[] = [];
  const seen = new Seen();
  for (let seed = from; seed < until && found.length < mostFound; seed++) {
    const store = stores[seed % stores.length]!;
    const { violations } = await playSeed(seed, store, { seen });
    if (violations.length > 0) found.push({ seed, store, what: violations });
    const differs = seed % compared === 0 ? await difference(seed, store) : undefined;
    if (differs !== undefined) found.push({ seed, store, what: [`is different when it is played again: ${differs}`] });
  }
  return { found, counts: seen.counts };
}

function sharesOf(from: number, seeds: number, processes: number, stores: readonly StoreName[]): Share[] {
  const size = Math.min(mostInProcess, Math.ceil(seeds / processes));
  return Array.from({ length: Math.ceil(seeds / size) }, (_, index) => {
    const begin = from + index * size;
    return { from: begin, until: Math.min(begin + size, from + seeds), stores };
  });
}

function playInProcess(share: Share): Promise<Report> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [JSON.stringify(share)], { execArgv: process.execArgv });
    child.once("message", (report) => resolve(report as Report));
    child.once("error", reject);
    child.once("exit", (code) => code !== 0 && reject(new Error(`A process of the simulation ended with ${code}.`)));
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: String(Math.floor(Math.random() * 2 ** 30)) },
      store: { type: "string" },
      json: { type: "boolean", default: false },
      trace: { type: "boolean", default: false },
    },
  });
  const from = Number(values.from);
  const seeds = Number(values.seeds);
  const stores = values.store === undefined ? (["memory", "sqlite"] as const) : [values.store as StoreName];
  const say = (what: string): void => void (values.json || console.log(what));
  if (values.trace) {
    const { trace } = await playSeed(from, stores[0], { traced: true });
    for (const line of trace) say(line);
  }
  say(`Plays ${seeds} seeds from ${from} on.`);
  const began = performance.now();
  const seconds = (): number => Math.round((performance.now() - began) / 1000);
  const processes = Math.min(availableParallelism(), Math.max(1, Math.floor(seeds / 50)));
  const shares = sharesOf(from, seeds, processes, stores);
  const seen = new Seen();
  const found: Found[] = [];
  let played = 0;
  process.once("SIGINT", () => (shares.length = 0));
  const work = async (): Promise<void> => {
    for (let share = shares.shift(); share !== undefined && found.length < mostFound; share = shares.shift()) {
      const report = await playInProcess(share);
      seen.add(report.counts);
      played += share.until - share.from;
      if (shares.length > 0) say(`${played} of ${seeds} after ${seconds()} s.`);
      for (const { seed, store, what } of report.found) {
        say(`\nSeed ${seed} on ${store}:\n  ${what.slice(0, 5).join("\n  ")}`);
        say(`Play it again: npm run simulate -- --seeds 1 --from ${seed} --store ${store} --trace`);
      }
      found.push(...report.found);
    }
  };
  await Promise.all(Array.from({ length: processes }, work));
  const perSecond = Math.round(played / Math.max(1, seconds()));
  const { edges, pairs, missing } = coverageOf(seen);
  const demanded = played >= enough ? missing : [];
  for (const it of values.json ? [] : missing) say(`Not seen: ${it}`);
  console.log(
    JSON.stringify({ seeds: played, violations: found.length, edges, pairs, missing: demanded.length, perSecond }),
  );
  return found.length === 0 && demanded.length === 0 ? 0 : 1;
}

if (process.send === undefined) process.exitCode = await main();
else {
  // The keyboard's signal reaches all processes: what is being played is played to its end.
  process.on("SIGINT", () => undefined);
  const report = await playShare(JSON.parse(process.argv[2]!) as Share);
  process.send(report, () => process.disconnect());
}
