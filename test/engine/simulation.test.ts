/**
 * Random workflows, launchers, faults and acts on virtual time, each from a seed; then everything is healed, and the
 * invariants are held against what was committed and what callers were told. Each time there are others: the seed is
 * printed, and gives the same again. To look further:
 *
 * - `SIMULATION_RUNS=5000` plays more plans.
 * - `SIMULATION_SEED` plays the same again, `SIMULATION_PATH` one of them: what fails says the command.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.js";
import { memoryStore, type Store } from "../../src/index.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import { plans } from "../simulation/plan.js";
import { play } from "../simulation/world.js";

const { SIMULATION_RUNS, SIMULATION_SEED, SIMULATION_PATH } = process.env;

const seed = Number(SIMULATION_SEED ?? Math.floor(systemClock.random() * 2 ** 31));

/** What plays it again. */
function command(name: string, path: string | null): string {
  const wanted = {
    SIMULATION_SEED: seed,
    SIMULATION_RUNS,
    ...(path !== null && { SIMULATION_PATH: path }),
  };
  const settings = Object.entries(wanted).flatMap(([key, value]) => (value === undefined ? [] : `${key}=${value}`));
  return `${settings.join(" ")} npx vitest run test/engine/simulation.test.ts -t "the ${name} store"`;
}

const stores: Record<string, { readonly runs: number; readonly open: (clock: VirtualClock) => Store }> = {
  memory: { runs: 300, open: (clock) => memoryStore({ clock }) },
  sqlite: { runs: 200, open: (clock) => sqliteStore(":memory:", { clock }) },
};

test.each(Object.keys(stores))(
  "whatever happens, executions on the %s store come to rest as they should, and callers were told the truth",
  async (name) => {
    const { runs, open } = stores[name]!;
    const kinds = { transactions: name === "sqlite" };
    const property = fc.asyncProperty(plans(kinds), async (plan) => {
      const { violations, trace } = await play(plan, open);
      expect(violations, `\n${trace.join("\n")}\n`).toEqual([]);
    });
    console.log(`The simulation plays ${command(name, null)}`);
    await fc.assert(property, {
      numRuns: Number(SIMULATION_RUNS ?? runs),
      seed,
      ...(SIMULATION_PATH !== undefined && { path: SIMULATION_PATH }),
      // To find a smaller plan that fails takes time, too.
      interruptAfterTimeLimit: 10 * 60_000,
      asyncReporter: async (details) => {
        if (!details.failed) return;
        const report = await fc.asyncDefaultReportMessage(details);
        const { errorInstance: cause } = details;
        throw new Error(`Play it again: ${command(name, details.counterexamplePath)}\n${String(cause)}\n${report}`, {
          cause,
        });
      },
    });
  },
  3_600_000,
);
