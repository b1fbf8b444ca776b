/**
 * Every call of the store in turn is where something happens to the process that makes it: it dies, stands still, is buried while it lives, is
 * refused, or does not hear the answer. Others go on, and all comes to a good end. And two such faults, others in each run. All pairs, and
 * one of them again: `npm run simulate:sweep`, see test/simulation/sweep.ts.
 */
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { locally, type LocalStore } from "../simulation/sweep-play.js";
import { faults } from "../simulation/sweep-process.js";
import { changes, drawPair, playSingles, Tally, told, undisturbed } from "../simulation/sweep-run.js";
import { scenariosOn } from "../simulation/sweep-scenarios.js";

/** How long pairs of a store are drawn, in milliseconds. */
const milliseconds = 1_500;

const seed = Math.floor(systemClock.random() * 2 ** 30);

/** What must have been met by each fault. */
const used: Readonly<Record<LocalStore, readonly string[]>> = {
  memory: [
    ...["register", "beat", "removeLaunchers", "definitions.keep", "definitions.of", "claim", "write", "load", "mail"],
    ...["history", "lists.due", "lists.find", "lists.news", "lists.lines", "lists.launches", "lists.advance"],
    ...["limits.read", "limits.admit", "schedules.find", "schedules.due", "schedules.change"],
  ],
  sqlite: [
    ...["register", "beat", "removeLaunchers", "definitions.keep", "claim", "write", "transactions.run"],
    ...["lists.advance", "limits.admit", "schedules.change"],
  ],
};

/** Nobody is registered before it, and could be buried. */
const isPossible = (met: string): boolean => met !== "register is buried";

describe.each<LocalStore>(["memory", "sqlite"])("on the %s store", (store) => {
  const opens = locally(store);
  const scenarios = scenariosOn(store !== "memory");

  test("executions are whole or without trace, whatever happens at any one call of the store", async () => {
    const tally = new Tally();
    for (const scenario of scenarios) {
      // What leaves nothing behind is the same on each store.
      await playSingles(scenario, opens, tally, store === "memory" ? undefined : changes);
      expect(tally.found.slice(0, 3).map((it) => told(scenario, store, it))).toEqual([]);
    }
    const wanted = used[store].flatMap((name) => faults.map((fault) => `${name} ${fault}`)).filter(isPossible);
    expect(wanted.filter((it) => tally.met[it] === undefined)).toEqual([]);
  }, 300_000);

  test("they are whatever happens at any two calls", async () => {
    const clock = new VirtualClock({ seed });
    const calls = await Promise.all(scenarios.map((it) => undisturbed(it, opens)));
    const until = systemClock.monotonic() + milliseconds;
    for (let number = 0; systemClock.monotonic() < until; number++) {
      const scenario = scenarios[number % scenarios.length]!;
      const tally = new Tally();
      await drawPair(scenario, opens, calls[number % scenarios.length]!, () => clock.random(), tally);
      expect(tally.found.map((it) => told(scenario, store, it))).toEqual([]);
    }
  });
});
