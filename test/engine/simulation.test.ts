/**
 * Random workflows, launchers, faults and acts on virtual time, each from a seed; then everything is healed, and the
 * invariants are held against what was committed and what callers were told. Each run plays seeds that nobody has played before.
 * To look further, or at one seed again: `npm run simulate`, see test/simulation/simulate.ts.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.js";
import { difference, playPlan, playSeed, smaller, type StoreName } from "../simulation/history.js";

/** How long the histories of a store are played, and how long a smaller one is looked for that fails as well. */
const milliseconds = 3_000;

/** So many are played however slow the machine is. */
const fewest = 40;

const first = Math.floor(systemClock.random() * 2 ** 30);

test.each<StoreName>(["memory", "sqlite"])(
  "whatever happens, executions on the %s store come to rest as they should, and callers were told the truth",
  async (store) => {
    const until = systemClock.monotonic() + milliseconds;
    for (let seed = first; seed < first + fewest || systemClock.monotonic() < until; seed++) {
      const { violations } = await playSeed(seed, store);
      expect(violations, violations.length > 0 ? await told(seed, store, violations) : "").toEqual([]);
    }
  },
  5 * 60_000,
);

async function told(seed: number, store: StoreName, violations: readonly string[]): Promise<string> {
  const plan = await smaller(seed, store, milliseconds);
  const { trace } = plan === undefined ? { trace: [] } : await playPlan(plan, store, { traced: true });
  return [
    `Seed ${seed}: ${violations.join("\n")}`,
    `Play it again: npm run simulate -- --seeds 1 --from ${seed} --store ${store} --trace`,
    ...(plan === undefined ? [] : ["A smaller plan that fails, too:", fc.stringify(plan), ...trace]),
  ].join("\n");
}

test.each<StoreName>(["memory", "sqlite"])("a seed gives the same history again on the %s store", async (store) => {
  for (let seed = first; seed < first + 5; seed++) expect(await difference(seed, store)).toBeUndefined();
});
