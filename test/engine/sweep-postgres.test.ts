/**
 * The sweep on PostgreSQL, through connections that are held in the hand: queries that never arrive, answers that are lost, come late, or in
 * another order, beside all that happens to processes. Others in each run: `npm run simulate:sweep -- --store postgres` plays all.
 */
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/clock.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { linkFaults } from "../simulation/sweep-hand.js";
import { Playground } from "../simulation/sweep-postgres.js";
import { faults } from "../simulation/sweep-process.js";
import { Tally, told } from "../simulation/sweep-run.js";
import { scenarios } from "../simulation/sweep-scenarios.js";
import { freshSchema, postgresUrl } from "../support/postgres.js";

/** How long they are drawn, in milliseconds. */
const milliseconds = 20_000;

/** So many are played however slow the machine is. */
const fewest = 60;

const seed = Math.floor(systemClock.random() * 2 ** 30);

test("executions are whole or without trace, whatever happens to a process or to its connection at any one call", async () => {
  const ground = new Playground(postgresUrl(), freshSchema());
  onTestFinished(() => ground.close());
  const clock = new VirtualClock({ seed });
  const tally = new Tally();
  const wanted = [...faults, ...linkFaults];
  const singles = [];
  for (const scenario of scenarios) singles.push({ scenario, all: await ground.singlesOf(scenario) });
  const until = systemClock.monotonic() + milliseconds;
  for (let number = 0; number < fewest || systemClock.monotonic() < until; number++) {
    const { scenario, all } = singles[number % singles.length]!;
    // Each fault in turn, at any call.
    const fitting = all.filter(({ fault }) => fault === wanted[number % wanted.length]);
    await ground.note(scenario, fitting[Math.floor(clock.random() * fitting.length)]!, tally);
    expect(tally.found.map((it) => told(scenario, "postgres", it))).toEqual([]);
  }
  const met = (fault: string): boolean => Object.keys(tally.met).some((it) => it.endsWith(` ${fault}`));
  expect(wanted.filter((fault) => !met(fault))).toEqual([]);
  // What came late was late for those who had taken over.
  expect([...tally.takenOver].some((fault) => fault.endsWith(" late"))).toBe(true);
}, 300_000);
