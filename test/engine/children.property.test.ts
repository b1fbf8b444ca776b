/** Whatever fails, is asked for or dies in a tree of executions: it ends whole or without trace, and nothing is undone twice. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Launcher, memoryStore } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { Family, type Plan } from "../support/family.js";

const generations = 3;

function planOf(left: number): fc.Arbitrary<Plan> {
  return fc.record(
    {
      fails: fc.constantFrom(undefined, undefined, undefined, undefined, "first" as const, "last" as const),
      undoThrows: fc.constantFrom(0, 0, 0, 1, 3),
      below: left === 0 ? fc.constant([]) : fc.array(planOf(left - 1), { maxLength: 3 }),
    },
    { requiredKeys: ["below"] },
  ) as fc.Arbitrary<Plan>;
}

const which = fc.nat(20);

const act = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("pass" as const), time: fc.constantFrom(0, 1, 50, 2_000) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("rollback" as const), which }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("retry" as const), which }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("bury" as const), which }) },
);

const rarely = { pollInterval: "1m", heartbeat: { interval: "1m", timeout: "5m" }, onError: () => undefined } as const;

test("a tree ends whole or without trace, whatever fails, is asked for or dies", async () => {
  const options = fc.constantFrom({}, { concurrency: 1 }, { concurrency: 2, undo: "one-by-one" });
  await fc.assert(
    fc.asyncProperty(planOf(generations - 1), options, fc.array(act, { maxLength: 12 }), async (plan, step, acts) => {
      const clock = new VirtualClock();
      const store = memoryStore({ clock });
      await store.open();
      const family = new Family(() => store, generations, step);
      const launchers = [1, 2].map(() => new Launcher({ store, workflows: [family.top], ...rarely }));
      for (const launcher of launchers) await launcher.start();
      const [one] = launchers as [Launcher, Launcher];
      await one.launch(family.top, { plan }, { id: "o" });
      const all = async () => (await store.list({ limit: 100 })).records;
      const later = async (call: Promise<unknown>): Promise<void> => {
        const settled = call.catch(() => undefined);
        await clock.advance("1m");
        await settled;
      };
      for (const it of acts) {
        const records = await all();
        const target = it.type === "pass" ? undefined : records[it.which % records.length]!;
        if (it.type === "pass") await clock.advance(it.time);
        else if (it.type === "rollback") await later(one.execution(target!.id).rollback("asked"));
        else if (it.type === "retry") await later(one.execution(target!.id).retry());
        else if (target!.owner !== null) await store.removeLaunchers([target!.owner]);
      }
      await clock.advance("30m");
      expect(await family.problems("o")).toEqual([]);
      const stopped = Promise.all(launchers.map((launcher) => launcher.stop()));
      await clock.advance("1m");
      await stopped;
    }),
    { numRuns: 100, interruptAfterTimeLimit: 60_000 },
  );
}, 90_000);
