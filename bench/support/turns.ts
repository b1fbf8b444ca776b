/** What is compared is measured in turns: so both have the same machine, and none has the compiler for itself. */
import { median, type Figure } from "../figures.js";
import { described, type Writes } from "../raw/writes.js";
import { busy } from "./load.js";

/** How many executions a second it writes, from that one on. */
export type Limit = (first: number, count: number) => Promise<number>;

const turns = 3;

/** Those that go before warm the compiler: it goes on for about 80,000 executions of each load. */
const compiling = { warming: 4, measured: 5 };

/** The median of each load's turns. @param turns how many, of which those that warm are left out */
export async function ratesInTurns<Load>(
  loads: readonly Load[],
  rateOf: (load: Load) => Promise<number>,
  turns = compiling,
): Promise<number[]> {
  const rates = loads.map((): number[] => []);
  for (let turn = 0; turn < turns.warming + turns.measured; turn++)
    for (const [index, load] of loads.entries()) rates[index]!.push(await rateOf(load));
  return rates.map((all) => median(all.slice(turns.warming)));
}

/**
 * The engine and its raw limit, on tables that grow.
 *
 * @param engine how many executions a second it makes
 */
export async function besideLimit(
  name: string,
  {
    count,
    writes,
    engine,
    limit,
  }: {
    readonly count: number;
    readonly writes: Writes;
    readonly engine: (count: number) => Promise<number>;
    readonly limit: Limit;
  },
): Promise<Figure> {
  const each = Math.round(count / turns);
  const seconds = { engine: 0, limit: 0 };
  for (let turn = 0; turn <= turns; turn++) {
    const rates = { engine: await engine(each), limit: await limit(turn * each, each) };
    // The first turn warms the compiler and the caches.
    if (turn === 0) continue;
    seconds.engine += each / rates.engine;
    seconds.limit += each / rates.limit;
  }
  return {
    name,
    value: (each * turns) / seconds.engine,
    unit: "executions/s",
    ratio: seconds.limit / seconds.engine,
    to: "the raw limit",
    note: `${busy} in flight`,
    extra: { limit: (each * turns) / seconds.limit, writes: described(writes) },
  };
}
