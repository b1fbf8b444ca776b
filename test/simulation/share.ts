/** Some of the seeds of a run, which one process plays. */
import { difference, playSeed, type StoreName } from "./history.js";
import { Seen } from "./seen.js";

/** Played on the stores in turns. */
export interface Share {
  readonly from: number;
  readonly until: number;
  readonly stores: readonly StoreName[];
}

export interface Found {
  readonly seed: number;
  readonly store: StoreName;
  readonly what: readonly string[];
}

export interface Report {
  readonly found: readonly Found[];
  readonly counts: Seen["counts"];
}

/** Which seed is played twice, on each of the stores. */
const compared = 1000;

/** More than that are not looked at. */
export const mostFound = 20;

export async function playShare({ from, until, stores }: Share): Promise<Report> {
  const found: Found[] = [];
  const seen = new Seen();
  for (let seed = from; seed < until && found.length < mostFound; seed++) {
    const store = stores[seed % stores.length]!;
    const { violations } = await playSeed(seed, store, { seen });
    if (violations.length > 0) found.push({ seed, store, what: violations });
    if (seed % compared === 0) found.push(...(await differences(seed, stores)));
  }
  return { found, counts: seen.counts };
}

async function differences(seed: number, stores: readonly StoreName[]): Promise<Found[]> {
  const found: Found[] = [];
  for (const store of new Set(stores)) {
    const differs = await difference(seed, store);
    if (differs !== undefined) found.push({ seed, store, what: [`is different when it is played again: ${differs}`] });
  }
  return found;
}
