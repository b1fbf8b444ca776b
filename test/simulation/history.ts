/** One history: a plan from a seed, played on a store. The same seed gives the same again. */
import fc from "fast-check";
import { memoryStore, type Store } from "../../src/index.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import { sqliteInMemory } from "./kept-tables.js";
import { plans, type Plan } from "./plan.js";
import { Seen } from "./seen.js";
import { play, type Played } from "./world.js";

export type StoreName = "memory" | "sqlite";

const stores: Readonly<Record<StoreName, (clock: VirtualClock) => Store>> = {
  memory: (clock) => memoryStore({ clock }),
  sqlite: sqliteInMemory,
};

const planned: Readonly<Record<StoreName, fc.Arbitrary<Plan>>> = {
  memory: plans({ transactions: false }),
  sqlite: plans({ transactions: true }),
};

export interface PlayOptions {
  /** Where to note what was seen. */
  readonly seen?: Seen;
  /** Write down all that happens. */
  readonly traced?: boolean;
}

/** Each third plan has many small and extreme values in it. */
function drawn(seed: number): { readonly seed: number; readonly numRuns: 1; readonly unbiased: boolean } {
  return { seed, numRuns: 1, unbiased: seed % 3 !== 0 };
}

function planOf(seed: number, store: StoreName): Plan {
  return fc.sample(planned[store], drawn(seed))[0]!;
}

export function playSeed(seed: number, store: StoreName, options: PlayOptions = {}): Promise<Played> {
  return playPlan(planOf(seed, store), store, options);
}

export function playPlan(
  plan: Plan,
  store: StoreName,
  { seen = new Seen(), traced = false }: PlayOptions = {},
): Promise<Played> {
  return play(plan, stores[store], { seen, traced });
}

/** What differs between two runs of a seed. Undefined: nothing. Ids are drawn from a real clock: only which is which counts. */
export async function difference(seed: number, store: StoreName): Promise<string | undefined> {
  const runs: string[][] = [];
  for (let run = 0; run < 2; run++) {
    const { trace } = await playSeed(seed, store, { traced: true });
    const ids = new Map<string, string>();
    runs.push(
      trace.map((line) =>
        line.replaceAll(uuid, (id) => ids.get(id) ?? (ids.set(id, `#${ids.size}`), `#${ids.size - 1}`)),
      ),
    );
  }
  const [first, second] = runs as [string[], string[]];
  const at = first.findIndex((line, index) => line !== second[index]);
  if (at < 0 && first.length === second.length) return undefined;
  return `${first[at] ?? "nothing more"}, and then ${second[at] ?? second[first.length] ?? "nothing more"}`;
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** A smaller plan that shows a violation, too. */
export async function smaller(seed: number, store: StoreName, milliseconds: number): Promise<Plan | undefined> {
  const holds = fc.asyncProperty(planned[store], async (plan) => {
    const { violations } = await playPlan(plan, store);
    return violations.length === 0;
  });
  const { counterexample } = await fc.check(holds, { ...drawn(seed), interruptAfterTimeLimit: milliseconds });
  return counterexample?.[0];
}
