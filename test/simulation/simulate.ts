/**
 * Plays many histories, on all processors: `npm run simulate -- --seeds 100000`.
 *
 * - `--from S` begins with that seed, and so plays the same again. Default: seeds that nobody has played before.
 * - `--store memory` or `sqlite`. Default: both, SQLite for a fourth of the seeds.
 * - `--json` says only the last line, as JSON.
 *
 * A long run says how far it is, and Ctrl-C ends it after what is being played, with the figures until then.
 *
 * Exits with 1 where an invariant was violated, a seed went differently when it was played again, or a long run has missed something
 * that it has to see.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { coverageOf, enough } from "./coverage.js";
import { playSeed, type StoreName } from "./history.js";
import { withPlayers, type Player } from "./players.js";
import { Seen } from "./seen.js";
import { mostFound, type Found, type Share } from "./share.js";

/** SQLite takes three times as long, and most of what is looked for is in the engine. */
const both: readonly StoreName[] = ["memory", "memory", "memory", "sqlite"];

/** So many are played before the process that plays them tells of it. */
const mostInShare = 1000;

function sharesOf(from: number, seeds: number, processes: number, stores: readonly StoreName[]): Share[] {
  const size = Math.min(mostInShare, Math.ceil(seeds / processes));
  return Array.from({ length: Math.ceil(seeds / size) }, (_, index) => {
    const begin = from + index * size;
    return { from: begin, until: Math.min(begin + size, from + seeds), stores };
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
  const stores = values.store === undefined ? both : [values.store as StoreName];
  const say = (what: string): void => void (values.json || console.log(what));
  if (values.trace) {
    const { trace } = await playSeed(from, stores[0]!, { traced: true });
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
  // It may come twice: from the keyboard, and from what has begun this process.
  process.on("SIGINT", () => (shares.length = 0));
  const work = async (player: Player): Promise<void> => {
    for (let share = shares.shift(); share !== undefined && found.length < mostFound; share = shares.shift()) {
      const report = await player.play(share);
      seen.add(report.counts);
      played += share.until - share.from;
      if (shares.length > 0) say(`${played} of ${seeds} after ${seconds()} s.`);
      for (const { seed, store, what } of report.found) {
        say(`\nSeed ${seed} on ${store}:\n  ${what.slice(0, 5).join("\n  ")}`);
        say(`Play it again: npm run simulate -- --seeds 1 --from ${seed} --store ${store} --trace`);
      }
      found.push(...report.found);
    }
    player.end();
  };
  await withPlayers((begin) => Promise.all(Array.from({ length: processes }, () => work(begin()))));
  const perSecond = Math.round(played / Math.max(1, seconds()));
  const { edges, pairs, missing } = coverageOf(seen);
  const demanded = played >= enough ? missing : [];
  for (const it of values.json ? [] : missing) say(`Not seen: ${it}`);
  console.log(
    JSON.stringify({ seeds: played, violations: found.length, edges, pairs, missing: demanded.length, perSecond }),
  );
  return found.length === 0 && demanded.length === 0 ? 0 : 1;
}

process.exitCode = await main();
