/** Whatever is launched, rolled back or killed, and by however many launchers: no limit is exceeded, and all come to an end. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, Launcher, memoryStore, workflow } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";

const input = z.object({ account: z.string(), work: z.number(), fails: z.boolean() });

interface Floor {
  readonly holders: Map<string, string>;
  readonly starts: { readonly id: string; readonly at: number }[];
  most: number;
  mostOfKey: number;
}

interface Limits {
  readonly all: number;
  readonly perKey: number;
  readonly rate: number;
}

const per = 3000;

function jobs(floor: Floor, clock: VirtualClock, { all, perKey, rate }: Limits) {
  return workflow("jobs", {
    input,
    concurrency: [{ limit: all }, { limit: perKey, key: ({ account }) => account }],
    rate: { limit: rate, per },
  }).step("work", {
    run: async ({ state, execution }) => {
      // The same one again, after a death, holds no second place.
      if (!floor.holders.has(execution.id)) floor.starts.push({ id: execution.id, at: clock.now() });
      floor.holders.set(execution.id, state.account);
      const accounts = [...floor.holders.values()];
      floor.most = Math.max(floor.most, accounts.length);
      floor.mostOfKey = Math.max(floor.mostOfKey, accounts.filter((it) => it === state.account).length);
      await new Promise<void>((resolve) => clock.after(state.work, resolve));
      if (state.fails) return fail("no");
      floor.holders.delete(execution.id);
      return undefined;
    },
    rollback: ({ execution }) => void floor.holders.delete(execution.id),
  });
}

const small = fc.integer({ min: 1, max: 3 });

const act = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("launch" as const),
      account: fc.constantFrom("a", "b", "c"),
      work: fc.integer({ min: 0, max: 2500 }),
      fails: fc.boolean(),
      priority: fc.nat(3),
      delay: fc.constantFrom(0, 0, 700),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("rollback" as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("bury" as const), which: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("pass" as const), time: fc.integer({ min: 1, max: 1500 }) }) },
);

const query = { gate: "jobs", versions: ["1"], limit: 9, keyLimit: null, rate: null };

test("no limit is exceeded, and everything comes to an end", async () => {
  const scenario = [
    fc.record({ all: small, perKey: small, rate: small }),
    fc.array(act, { minLength: 3, maxLength: 30 }),
  ] as const;
  await fc.assert(
    fc.asyncProperty(...scenario, async (limits, acts) => {
      const clock = new VirtualClock();
      const store = memoryStore({ clock });
      await store.open();
      const floor: Floor = { holders: new Map(), starts: [], most: 0, mostOfKey: 0 };
      const workflows = [jobs(floor, clock, limits)] as const;
      const launchers = [0, 1].map(() => new Launcher({ store, workflows, concurrency: 4, onError: () => undefined }));
      for (const launcher of launchers) await launcher.start();
      let launched = 0;
      const answers: Promise<unknown>[] = [];
      for (const it of acts) {
        const launcher = launchers[launched % 2]!;
        const id = "which" in it ? `j${it.which % Math.max(1, launched)}` : "";
        if (it.type === "pass") await clock.advance(it.time);
        else if (it.type === "launch") {
          const { account, work, fails, priority, delay } = it;
          await launcher.launch(workflows[0], { account, work, fails }, { id: `j${launched++}`, priority, delay });
        } else if (it.type === "rollback") {
          answers.push(launcher.rollback(id, "enough"));
          await clock.advance(10);
        } else {
          const [record] = await store.load([id]);
          if (record?.owner !== null && record !== undefined) await store.removeLaunchers([record.owner]);
        }
        expect((await store.limits!.read(query)).held).toBeLessThanOrEqual(limits.all);
      }
      const isOver = ({ status }: { status: string }): boolean => status === "completed" || status === "rolledBack";
      let { executions } = await launchers[0]!.list({ limit: 100 });
      for (let i = 0; i < 4 * launched + 10 && !executions.every(isOver); i++) {
        await clock.advance(1000);
        ({ executions } = await launchers[0]!.list({ limit: 100 }));
      }
      await clock.advance(2000);
      await Promise.all(answers);
      expect(executions.filter((it) => !isOver(it))).toEqual([]);
      expect(executions).toHaveLength(launched);
      expect(floor.most).toBeLessThanOrEqual(limits.all);
      expect(floor.mostOfKey).toBeLessThanOrEqual(limits.perKey);
      for (const { at } of floor.starts) {
        const within = floor.starts.filter((other) => other.at >= at && other.at < at + per);
        expect(new Set(within.map(({ id }) => id)).size).toBeLessThanOrEqual(limits.rate);
      }
      expect(await store.limits!.read(query)).toMatchObject({ held: 0, candidates: [] });
      const stopped = launchers.map((launcher) => launcher.stop());
      await clock.advance("1m");
      await Promise.all(stopped);
    }),
    { numRuns: 60 },
  );
});
