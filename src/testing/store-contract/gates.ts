import assert from "node:assert/strict";
import type { Queueing } from "../../stores/batch.js";
import type { Candidate, GateQuery, GateState } from "../../stores/records.js";
import { needing, everyStatus, type Bench, type StoreContractCase } from "./bench.js";

const anyone: Queueing = { gate: "sell", key: null, rateKey: null, leadMs: 0 };

function queue(bench: Bench, id: string, more: Partial<Queueing> = {}, dueInMs = 0): Promise<unknown> {
  return bench.create(id, { owner: null, status: "scheduled", dueInMs, queue: { ...anyone, ...more } });
}

async function read(bench: Bench, more: Partial<GateQuery> = {}): Promise<GateState> {
  return bench.the("limits").read({ gate: "sell", versions: ["1"], limit: 100, keyLimit: null, rate: null, ...more });
}

async function waiting(bench: Bench, more: Partial<GateQuery> = {}): Promise<string[]> {
  return (await read(bench, more)).candidates.map(({ id }) => id);
}

async function admit(bench: Bench, ids: readonly string[], perMs: number | null = null): Promise<number | null> {
  const { revision } = await read(bench);
  return bench.the("limits").admit({ gate: "sell", revision, ids, perMs });
}

const limitsCase = needing("limits");

export const gates: readonly StoreContractCase[] = [
  limitsCase("one that is created into a queue is nobody's and not due, and waits for its admission", async (bench) => {
    await queue(bench, "one");
    await bench.create("free", { owner: null });
    const { owner, dueAt, admission, status } = await bench.load("one");
    assert.deepEqual(
      { owner, dueAt, admission, status },
      { owner: null, dueAt: null, admission: "queued", status: "scheduled" },
    );
    assert.equal((await bench.load("free")).admission, null);
    assert.deepEqual(await bench.claimedIds(), ["free"]);
    assert.deepEqual(await read(bench), {
      revision: 0,
      held: 0,
      candidates: [{ id: "one", key: null, rateKey: null, heldByKey: 0, startedByKey: 0 }],
      readyInMs: null,
      rateInMs: null,
    });
  }),

  limitsCase("who is admitted has a place, waits no more and is due at once", async (bench) => {
    for (const id of ["c", "a", "b"]) await queue(bench, id);
    assert.equal(await admit(bench, ["c", "a"]), 2);
    assert.deepEqual(await waiting(bench), ["b"]);
    assert.equal((await read(bench)).held, 2);
    assert.equal((await bench.load("a")).admission, "admitted");
    assert.deepEqual((await bench.claimedIds()).toSorted(), ["a", "c"]);
    assert.equal((await bench.load("a")).admission, "admitted");
    assert.equal((await read(bench, { gate: "other" })).held, 0);
  }),

  limitsCase("it can be asked at which gates somebody waits", async (bench) => {
    assert.deepEqual((await bench.waiting(0)).gates, []);
    await queue(bench, "a");
    await queue(bench, "b");
    await queue(bench, "other", { gate: "buy" });
    await queue(bench, "later", { gate: "try" }, 1000);
    assert.deepEqual((await bench.waiting(0)).gates.toSorted(), ["buy", "sell", "try"]);
    await admit(bench, ["a", "b"]);
    assert.deepEqual((await bench.waiting(0)).gates.toSorted(), ["buy", "try"]);
  }),

  limitsCase("an admission is refused whole if the gate has let others through since it was read", async (bench) => {
    for (const id of ["a", "b", "c"]) await queue(bench, id);
    const { revision } = await read(bench);
    assert.equal(await bench.the("limits").admit({ gate: "sell", revision, ids: ["a"], perMs: null }), 1);
    assert.equal(await bench.the("limits").admit({ gate: "sell", revision, ids: ["b", "c"], perMs: null }), null);
    assert.deepEqual(await waiting(bench), ["b", "c"]);
    assert.equal(await admit(bench, ["b"]), 1);
    const answers = await Promise.all(
      ["b", "c"].map(async (id) => bench.the("limits").admit({ gate: "sell", revision, ids: [id], perMs: null })),
    );
    assert.deepEqual(answers, [null, null]);
  }),

  limitsCase("of admissions that read the same revision only one is taken", async (bench) => {
    const ids = Array.from({ length: 8 }, (_, index) => `e${index}`);
    for (const id of ids) await queue(bench, id);
    const answers = await Promise.all(
      ids.map(async (id) => bench.the("limits").admit({ gate: "sell", revision: 0, ids: [id], perMs: null })),
    );
    assert.deepEqual(
      answers.filter((answer) => answer !== null),
      [1],
    );
    assert.equal((await read(bench)).held, 1);
  }),

  limitsCase("who waits comes in the order of launch, earlier by what its lead is worth", async (bench) => {
    await queue(bench, "first");
    await queue(bench, "second");
    await bench.clock.advance(100);
    await queue(bench, "same", { leadMs: 100 });
    await queue(bench, "ahead", { leadMs: 101 });
    await queue(bench, "last", { leadMs: 99 });
    assert.deepEqual(await waiting(bench), ["ahead", "first", "second", "same", "last"]);
    assert.deepEqual(await waiting(bench, { limit: 2 }), ["ahead", "first"]);
  }),

  limitsCase("one with a delay waits from its time on, and a gate says when that is", async (bench) => {
    await queue(bench, "later", { leadMs: 1000 }, 50);
    await queue(bench, "latest", {}, 80);
    await queue(bench, "now");
    assert.deepEqual(await waiting(bench), ["now"]);
    assert.equal((await read(bench)).readyInMs, 50);
    await bench.clock.advance(49);
    assert.deepEqual(await waiting(bench), ["now"]);
    await bench.clock.advance(1);
    assert.deepEqual(await waiting(bench), ["later", "now"]);
    assert.equal((await read(bench)).readyInMs, 30);
    await bench.clock.advance(30);
    assert.equal((await read(bench)).readyInMs, null);
    assert.deepEqual(await waiting(bench), ["later", "now", "latest"]);
  }),

  limitsCase("who waits is due with its deadline", async (bench) => {
    await bench.create("one", { owner: null, status: "scheduled", dueInMs: 5, deadlineInMs: 40, queue: anyone });
    assert.equal((await bench.load("one")).dueAt, bench.now + 40);
    await bench.clock.advance(40);
    assert.deepEqual(await bench.claimedIds(), ["one"]);
  }),

  limitsCase("one that somebody has taken up is no candidate, nor is it admitted", async (bench) => {
    await queue(bench, "one");
    await queue(bench, "two");
    const { revision } = await read(bench);
    await bench.send("one", { kind: "rollback", acceptedIn: everyStatus, wakes: ["scheduled"] });
    assert.deepEqual(await bench.claimedIds(), ["one"]);
    assert.deepEqual(await waiting(bench), ["two"]);
    assert.equal(await bench.the("limits").admit({ gate: "sell", revision, ids: ["one", "two"], perMs: null }), 1);
    const { owner, dueAt, admission } = await bench.load("one");
    assert.deepEqual({ owner, dueAt, admission }, { owner: bench.owner, dueAt: null, admission: "queued" });
    await bench.release("one", { signals: null });
    assert.deepEqual(await waiting(bench), ["one"]);
  }),

  limitsCase(
    "a place is kept over rests, burials and claims, until a transition says that it is left",
    async (bench) => {
      await queue(bench, "one");
      await admit(bench, ["one"]);
      await bench.claim();
      await bench.commit("one", { status: "waiting", rests: true, dueInMs: 0 });
      await bench.claim();
      await bench.store.removeLaunchers([bench.owner]);
      const owner = await bench.register();
      await bench.claim(owner);
      assert.equal((await read(bench)).held, 1);
      assert.equal(await bench.commit("one", { owner, revision: 2, leaves: false }), "taken");
      assert.equal((await read(bench)).held, 1);
      const end = { owner, status: "completed", rests: true, ends: true, leaves: true } as const;
      assert.equal(await bench.commit("one", { ...end, revision: 4 }), "lost");
      assert.equal((await read(bench)).held, 1);
      assert.equal(await bench.commit("one", { ...end, revision: 3 }), "taken");
      assert.equal((await read(bench)).held, 0);
      assert.equal((await bench.load("one")).admission, null);
    },
  ),

  limitsCase("one that leaves its queue is no candidate any more", async (bench) => {
    await queue(bench, "one");
    await queue(bench, "two");
    const { revision } = await read(bench);
    await bench.send("one", { kind: "rollback", acceptedIn: everyStatus, wakes: ["scheduled"] });
    await bench.claim();
    await bench.commit("one", { signals: 1, status: "rolledBack", rests: true, ends: true, leaves: true });
    assert.deepEqual(await waiting(bench), ["two"]);
    assert.equal(await bench.the("limits").admit({ gate: "sell", revision, ids: ["one", "two"], perMs: null }), 1);
    assert.equal((await bench.load("one")).dueAt, null);
    assert.equal((await read(bench)).held, 1);
  }),

  limitsCase("keys that have as many places as they may are passed over", async (bench) => {
    for (const id of ["a1", "a2", "a3", "b1", "b2"]) await queue(bench, id, { key: id[0]! });
    await queue(bench, "none");
    await admit(bench, ["a1", "b1", "b2"]);
    const { candidates, held } = await read(bench, { keyLimit: 2 });
    assert.equal(held, 3);
    assert.deepEqual(
      candidates.map(({ id, key, heldByKey }: Candidate) => [id, key, heldByKey]),
      [
        ["a2", "a", 1],
        ["a3", "a", 1],
        ["none", null, 0],
      ],
    );
    assert.deepEqual(await waiting(bench, { keyLimit: 1 }), ["none"]);
    await bench.claim();
    await bench.commit("a1", { status: "stuck", rests: true, leaves: true });
    assert.deepEqual(await waiting(bench, { keyLimit: 1 }), ["a2", "a3", "none"]);
  }),

  limitsCase("admissions count for a rate for as long as they were said to", async (bench) => {
    for (const id of ["a", "b", "c", "d"]) await queue(bench, id);
    const rate = { limit: 2, perMs: 100 };
    assert.equal((await read(bench, { rate })).candidates[0]!.startedByKey, 0);
    await admit(bench, ["a"], 100);
    await bench.clock.advance(30);
    assert.deepEqual(
      (await read(bench, { rate })).candidates.map(({ id, startedByKey }) => [id, startedByKey]),
      [
        ["b", 1],
        ["c", 1],
        ["d", 1],
      ],
    );
    await admit(bench, ["b"], 100);
    const full = await read(bench, { rate });
    assert.deepEqual([full.candidates, full.rateInMs], [[], 70]);
    await bench.clock.advance(69);
    assert.deepEqual(await waiting(bench, { rate }), []);
    await bench.clock.advance(1);
    const next = await read(bench, { rate });
    assert.deepEqual([next.candidates.map(({ id }) => id), next.rateInMs], [["c", "d"], null]);
    await admit(bench, ["c"], 100);
    assert.equal((await read(bench, { rate })).rateInMs, 30);
  }),

  limitsCase("a rate is counted for each of its keys", async (bench) => {
    for (const id of ["a1", "a2", "b1", "b2"]) await queue(bench, id, { rateKey: id[0]! });
    await admit(bench, ["a1"], 100);
    const rate = { limit: 1, perMs: 100 };
    assert.deepEqual(await waiting(bench, { rate }), ["b1", "b2"]);
    await bench.clock.advance(10);
    await admit(bench, ["b1"], 100);
    const { candidates, rateInMs } = await read(bench, { rate });
    assert.deepEqual([candidates, rateInMs], [[], 90]);
  }),

  limitsCase(
    "an admission counts for a rate when its execution is gone, also where one of the same id comes again",
    async (bench) => {
      const rate = { limit: 2, perMs: 100 };
      await queue(bench, "one");
      await admit(bench, ["one"], 100);
      await bench.claim();
      await bench.commit("one", { status: "completed", rests: true, ends: true, leaves: true });
      await bench.clock.advance(10);
      await bench.store.prune({ olderThanMs: { completed: 5 }, limit: 10, after: null, dry: false });
      await queue(bench, "one");
      assert.equal((await read(bench, { rate })).candidates[0]!.startedByKey, 1);
      assert.equal(await admit(bench, ["one"], 100), 1);
      assert.equal((await read(bench, { rate })).rateInMs, 90);
      await queue(bench, "two");
      assert.deepEqual(await waiting(bench, { rate }), []);
    },
  ),

  limitsCase("only versions that are asked for are candidates, and their places count together", async (bench) => {
    await queue(bench, "new");
    await bench.create("old", { owner: null, version: "0", queue: anyone });
    assert.deepEqual(await waiting(bench), ["new"]);
    assert.deepEqual(await waiting(bench, { versions: ["1", "0"] }), ["new", "old"]);
    await admit(bench, ["new", "old"]);
    assert.equal((await read(bench)).held, 2);
  }),

  limitsCase("a launch that is there already waits but once", async (bench) => {
    await queue(bench, "one");
    await queue(bench, "one", { leadMs: 50 });
    assert.deepEqual(await waiting(bench), ["one"]);
    await admit(bench, ["one"]);
    await queue(bench, "one");
    assert.deepEqual(await waiting(bench), []);
  }),

  limitsCase("a place that is left, and one who begins to wait, are told as hints", async (bench) => {
    const told: unknown[] = [];
    const stop = bench.store.watch((hint) => told.push(hint));
    await queue(bench, "one", {}, 7);
    await admit(bench, ["one"]);
    assert.equal(await bench.the("limits").admit({ gate: "sell", revision: 0, ids: [], perMs: null }), null);
    await bench.claim();
    await bench.commit("one", { status: "stuck", rests: true, leaves: true });
    stop();
    assert.deepEqual(told, [
      { type: "due", inMs: 7 },
      { type: "due", inMs: 0 },
      { type: "due", inMs: 0 },
    ]);
  }),
];
