import assert from "node:assert/strict";
import { Encoded } from "../../values/encode.js";
import type { ScheduleRecord } from "../../stores/records.js";
import type { ScheduleChange } from "../../stores/contract.js";
import { needing, promised, sell, type Bench, type StoreContractCase } from "./bench.js";

function record(bench: Bench, name: string, more: Partial<ScheduleRecord> = {}): ScheduleRecord {
  return {
    name,
    workflow: sell.name,
    version: sell.version,
    input: Encoded.ofText('{"n":1}'),
    plan: {
      timing: { cron: "0 2 * * *", timezone: "UTC" },
      missed: "once",
      tags: ["a"],
      paused: false,
      setAt: bench.now,
      lastAt: null,
    },
    nextAt: bench.now + 100,
    revision: "r1",
    ...more,
  };
}

const change = (bench: Bench, it: Partial<ScheduleChange> & { readonly name: string }): Promise<boolean> =>
  promised(() => bench.the("schedules").change({ expected: null, schedule: null, creates: [], ...it }));

const add = (bench: Bench, schedule: ScheduleRecord): Promise<boolean> =>
  change(bench, { name: schedule.name, schedule });

const due = async (bench: Bench, limit = 10, workflows = [sell]): Promise<(string | number | null)[]> => {
  const { records, nextDueInMs } = await bench.the("schedules").due({ workflows, limit });
  return [...records.map(({ name }) => name), nextDueInMs];
};

const schedulesCase = needing("schedules");

export const schedules: readonly StoreContractCase[] = [
  schedulesCase("a schedule is read back as it was written, by its name or among all", async (bench) => {
    const one = record(bench, "one");
    const two = record(bench, "two", { nextAt: null, revision: "x" });
    assert.equal(await add(bench, two), true);
    assert.equal(await add(bench, one), true);
    const plain = (rows: readonly ScheduleRecord[]): object[] =>
      rows.map(({ input, ...row }) => ({ ...row, input: input.text }));
    assert.deepEqual(plain(await bench.the("schedules").find()), plain([one, two]));
    assert.deepEqual(plain(await bench.the("schedules").find("two")), plain([two]));
    assert.deepEqual(await bench.the("schedules").find("three"), []);
  }),

  schedulesCase("a change is taken only on the revision that it expects", async (bench) => {
    const one = record(bench, "one");
    await add(bench, one);
    const next = { ...one, nextAt: bench.now + 7, revision: "r2" };
    assert.equal(await add(bench, { ...next, revision: "r9" }), false);
    assert.equal(await change(bench, { name: "one", expected: "r0", schedule: next }), false);
    assert.equal(await change(bench, { name: "two", expected: "r1", schedule: { ...next, name: "two" } }), false);
    assert.equal((await bench.the("schedules").find())[0]?.nextAt, one.nextAt);
    assert.equal(await change(bench, { name: "one", expected: "r1", schedule: next }), true);
    assert.equal((await bench.the("schedules").find())[0]?.nextAt, next.nextAt);
    assert.equal(await change(bench, { name: "one", expected: "r1" }), false);
    assert.equal(await change(bench, { name: "one", expected: "r2" }), true);
    assert.deepEqual(await bench.the("schedules").find(), []);
  }),

  schedulesCase("what a change launches is there with it, and not where it is refused", async (bench) => {
    const one = record(bench, "one");
    await add(bench, one);
    const launches = (id: string): Partial<ScheduleChange> => ({
      expected: "r1",
      schedule: { ...one, revision: "r2" },
      creates: [bench.newExecution(id, { owner: null, tags: ["schedule:one"] })],
    });
    assert.equal(await change(bench, { name: "one", ...launches("first") }), true);
    assert.equal(await change(bench, { name: "one", ...launches("second"), expected: "r0" }), true);
    assert.equal(
      await change(bench, { name: "one", ...launches("third"), schedule: { ...one, revision: "r3" } }),
      false,
    );
    assert.deepEqual(await bench.store.load(["second", "third"]), [undefined, undefined]);
    const { owner, dueAt, tags } = await bench.load("first");
    assert.deepEqual({ owner, dueAt, tags }, { owner: null, dueAt: bench.now, tags: ["schedule:one"] });
    assert.deepEqual(await bench.claimedIds(), ["first"]);
  }),

  schedulesCase("the same change again, since its answer was lost, is one change", async (bench) => {
    const one = record(bench, "one");
    await add(bench, one);
    assert.equal(await add(bench, one), true);
    const fire = { name: "one", expected: "r1", schedule: { ...one, revision: "r2" } };
    assert.equal(await change(bench, fire), true);
    assert.equal(await change(bench, fire), true);
  }),

  schedulesCase("an execution that is there already is left as it is, and the change is made", async (bench) => {
    const one = record(bench, "one");
    await add(bench, one);
    await bench.create("first", { state: '{"kept":true}' });
    const creates = [bench.newExecution("first", { owner: null }), bench.newExecution("more", { owner: null })];
    assert.equal(
      await change(bench, { name: "one", expected: "r1", schedule: { ...one, revision: "r2" }, creates }),
      true,
    );
    assert.equal((await bench.load("first")).state, '{"kept":true}');
    assert.equal((await bench.load("more")).owner, null);
  }),

  schedulesCase("of several changes at once, one is taken", async (bench) => {
    const one = record(bench, "one");
    await add(bench, one);
    const taken = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        change(bench, {
          name: "one",
          expected: "r1",
          schedule: { ...one, revision: `by-${n}` },
          creates: [bench.newExecution(`at-2-by-${n}`, { owner: null })],
        }),
      ),
    );
    assert.equal(taken.filter(Boolean).length, 1);
    assert.equal((await bench.claimedIds()).length, 1);
  }),

  schedulesCase(
    "it can be asked of which workflows and versions schedules have been due for a while",
    async (bench) => {
      await add(bench, record(bench, "one", { nextAt: bench.now + 5 }));
      await add(bench, record(bench, "two", { nextAt: bench.now + 10 }));
      await add(bench, record(bench, "newer", { nextAt: bench.now + 50, version: "2" }));
      await add(bench, record(bench, "theirs", { nextAt: bench.now + 90, workflow: "buy" }));
      await add(bench, record(bench, "paused", { nextAt: null, workflow: "try" }));
      await bench.clock.advance(100);
      assert.deepEqual(await bench.overdue(100), []);
      assert.deepEqual(await bench.overdue(94), ["schedules sell 1"]);
      assert.deepEqual(await bench.overdue(40), ["schedules sell 1", "schedules sell 2"]);
      assert.deepEqual(await bench.overdue(0), ["schedules buy 1", "schedules sell 1", "schedules sell 2"]);
    },
  ),

  schedulesCase("what is due is told longest due first, and when the next one is", async (bench) => {
    assert.deepEqual(await due(bench), [null]);
    await add(bench, record(bench, "late", { nextAt: bench.now + 20 }));
    await add(bench, record(bench, "soon", { nextAt: bench.now + 10 }));
    await add(bench, record(bench, "later", { nextAt: bench.now + 50 }));
    await add(bench, record(bench, "never", { nextAt: null }));
    await add(bench, record(bench, "theirs", { nextAt: bench.now, workflow: "buy" }));
    await add(bench, record(bench, "newer", { nextAt: bench.now, version: "2" }));
    assert.deepEqual(await due(bench), [10]);
    await bench.clock.advance(20);
    assert.deepEqual(await due(bench), ["soon", "late", 30]);
    assert.deepEqual(await due(bench, 2), ["soon", "late", 30]);
    assert.deepEqual(await due(bench, 1), ["soon", 0]);
    assert.deepEqual(await due(bench, 0), [0]);
    assert.deepEqual(await due(bench, 10, [sell, { name: "buy", version: "1" }]), ["theirs", "soon", "late", 30]);
    assert.deepEqual(await due(bench, 10, []), [null]);
    assert.equal((await bench.the("schedules").due({ workflows: [sell], limit: 1 })).at, bench.now);
  }),
];
