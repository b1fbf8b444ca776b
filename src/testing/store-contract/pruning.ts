import assert from "node:assert/strict";
import type { Pruned, PruneOptions } from "../../stores/contract.js";
import { contractCase, needing, position, promised, type Bench, type StoreContractCase } from "./bench.js";

const prune = (bench: Bench, more: Partial<PruneOptions> = {}): Promise<Pruned> =>
  promised(() => bench.store.prune({ olderThanMs: { completed: 100 }, limit: 100, after: null, dry: false, ...more }));

const there = async (bench: Bench, ...ids: string[]): Promise<string[]> => {
  const records = await bench.store.load(ids);
  return records.flatMap((record) => record?.id ?? []);
};

/** At rest in that status. */
async function rested(
  bench: Bench,
  id: string,
  status: "completed" | "rolledBack" | "stuck" | "waiting",
): Promise<void> {
  await bench.create(id);
  const ends = status === "completed" || status === "rolledBack";
  await bench.commit(id, { status, rests: true, ends });
}

const topicsCase = needing("topics");

export const pruning: readonly StoreContractCase[] = [
  contractCase("what has been at rest for long enough goes, each status by its own age", async (bench) => {
    await rested(bench, "old", "completed");
    await rested(bench, "back", "rolledBack");
    await rested(bench, "stuck", "stuck");
    await rested(bench, "waits", "waiting");
    await bench.create("running");
    await bench.clock.advance(50);
    await rested(bench, "younger", "completed");
    await bench.clock.advance(50);
    const all = ["old", "back", "stuck", "waits", "running", "younger"];
    assert.deepEqual(await prune(bench, { dry: true }), { counts: { completed: 1 }, cursor: null });
    assert.deepEqual(await there(bench, ...all), all);
    assert.deepEqual(await prune(bench, { olderThanMs: { completed: 101 } }), { counts: {}, cursor: null });
    assert.deepEqual(await prune(bench), { counts: { completed: 1 }, cursor: null });
    assert.deepEqual(await there(bench, ...all), all.slice(1));
    const { counts } = await prune(bench, { olderThanMs: { completed: 50, stuck: 100, rolledBack: 101 } });
    assert.deepEqual(counts, { completed: 1, stuck: 1 });
    assert.deepEqual(await there(bench, ...all), ["back", "waits", "running"]);
  }),

  contractCase("age counts from when it came to rest, not from when it was created", async (bench) => {
    await bench.create("slow");
    await bench.clock.advance(200);
    await bench.commit("slow", { status: "completed", rests: true, ends: true });
    assert.deepEqual((await prune(bench)).counts, {});
    await bench.clock.advance(100);
    assert.deepEqual((await prune(bench)).counts, { completed: 1 });
  }),

  contractCase("one that can still be undone is kept, however old it is", async (bench) => {
    const reason = '"sealedAt":9999999999999';
    for (const id of ["open", "sealed", "never"]) await bench.create(id);
    const [record] = await bench.store.load(["open"]);
    const at = record!.createdAt;
    for (const [id, sealedAt] of [
      ["open", at + 500],
      ["sealed", at + 50],
    ] as const)
      await bench.commit(id, { status: "completed", rests: true, ends: true, position: { ...position, sealedAt } });
    await bench.commit("never", { status: "completed", rests: true, ends: true, position: { ...position, reason } });
    await bench.clock.advance(100);
    assert.deepEqual((await prune(bench, { dry: true })).counts, { completed: 2 });
    assert.deepEqual((await prune(bench)).counts, { completed: 2 });
    assert.deepEqual(await there(bench, "open", "sealed", "never"), ["open"]);
    await bench.clock.advance(400);
    assert.deepEqual((await prune(bench)).counts, { completed: 1 });
  }),

  contractCase("history, mailbox and tags go with it, and its id is free again", async (bench) => {
    await bench.create("one", { tags: ["red", 'a"b'] });
    await bench.create("two", { tags: ["red"] });
    await bench.send("one", { messageId: "m" });
    await bench.commit("one", { signals: 1, status: "completed", rests: true, ends: true });
    await bench.clock.advance(100);
    await prune(bench);
    assert.deepEqual([await bench.history("one"), await bench.mail("one")], [[], []]);
    const tagged = await bench.store.list({ tags: ["red"], limit: 10 });
    assert.deepEqual(
      tagged.records.map(({ id }) => id),
      ["two"],
    );
    assert.deepEqual((await bench.store.list({ tags: ['a"b'], limit: 10 })).records, []);
    assert.deepEqual(await bench.create("one"), { created: true, owned: true });
    assert.deepEqual(
      [(await bench.load("one")).revision, await bench.history("one"), await bench.mail("one")],
      [0, [], []],
    );
    assert.deepEqual(await bench.send("one", { messageId: "m" }), { result: "stored", id: "arrival-2" });
  }),

  topicsCase("its subscriptions go with it", async (bench) => {
    await bench.create("one");
    await bench.create("two");
    await bench.subscribe("one", "t", { until: "end" });
    await bench.subscribe("two", "t", { until: "end" });
    await bench.commit("one", { status: "stuck", rests: true });
    await bench.clock.advance(100);
    assert.deepEqual((await prune(bench, { olderThanMs: { stuck: 100 } })).counts, { stuck: 1 });
    assert.deepEqual(await bench.publish("t"), { result: "stored", id: "publication-1", delivered: 1 });
    await bench.create("one");
    assert.deepEqual(await bench.mail("one"), []);
  }),

  topicsCase("a message that nobody has looked at keeps none, and goes with it", async (bench) => {
    await bench.create("sent");
    await bench.create("subscribed");
    await bench.subscribe("subscribed", "t", { until: "end" });
    for (const id of ["sent", "subscribed"]) await bench.commit(id, { status: "stuck", rests: true });
    await bench.send("sent", { messageId: "m" });
    assert.equal((await bench.publish("t")).delivered, 1);
    await bench.clock.advance(100);
    assert.deepEqual((await prune(bench, { olderThanMs: { stuck: 100 }, dry: true })).counts, { stuck: 2 });
    assert.deepEqual((await prune(bench, { olderThanMs: { stuck: 100 } })).counts, { stuck: 2 });
    await bench.create("sent");
    assert.deepEqual(await bench.mail("sent"), []);
  }),

  contractCase("what somebody owns, is due, or is asked to roll back is kept", async (bench) => {
    await rested(bench, "asked", "completed");
    await rested(bench, "gone", "completed");
    await bench.create("owned");
    await bench.commit("owned", { status: "completed", ends: true });
    await bench.clock.advance(100);
    await bench.send("asked", { kind: "rollback", acceptedIn: ["completed"], wakes: ["completed"] });
    assert.deepEqual((await prune(bench)).counts, { completed: 1 });
    assert.deepEqual(await there(bench, "asked", "gone", "owned"), ["asked", "owned"]);
    assert.deepEqual(await bench.send("gone", { kind: "rollback", acceptedIn: ["completed"], wakes: ["completed"] }), {
      result: "not-found",
    });
  }),

  contractCase("a request and a prune at the same time: one of them wins", async (bench) => {
    const ids = Array.from({ length: 20 }, (_, n) => `e-${n}`);
    for (const id of ids) await rested(bench, id, "completed");
    await bench.clock.advance(100);
    const ask = (id: string): Promise<string> =>
      bench
        .send(id, { kind: "rollback", acceptedIn: ["completed"], wakes: ["completed"] })
        .then(({ result }) => result);
    const [pruned, ...answers] = await Promise.all([prune(bench), ...ids.map(ask)]);
    const kept = await there(bench, ...ids);
    assert.deepEqual(
      kept,
      ids.filter((_, n) => answers[n] === "stored"),
    );
    assert.equal(pruned.counts.completed ?? 0, ids.length - kept.length);
  }),

  contractCase("a limit looks at so many, oldest first, and the cursor goes on behind them", async (bench) => {
    for (const n of [1, 2, 3, 4, 5]) {
      await rested(bench, `done-${n}`, "completed");
      await bench.create(`live-${n}`);
      if (n === 3) await bench.clock.advance(1);
    }
    await bench.clock.advance(100);
    const counts: number[] = [];
    let after: string | null = null;
    do {
      const pruned: Pruned = await prune(bench, { limit: 4, after });
      counts.push(pruned.counts.completed ?? 0);
      after = pruned.cursor;
    } while (after !== null);
    assert.deepEqual(counts, [2, 2, 1]);
    assert.deepEqual((await bench.store.list({ limit: 10 })).records.length, 5);
    assert.deepEqual(await prune(bench, { limit: 5 }), { counts: {}, cursor: null });
  }),

  contractCase("what is created after others were pruned has its own place in a list", async (bench) => {
    await bench.create("first");
    await rested(bench, "second", "completed");
    await bench.clock.advance(100);
    await prune(bench);
    await bench.create("third");
    await bench.create("fourth");
    const page = await bench.store.list({ limit: 2 });
    assert.deepEqual(
      page.records.map(({ id }) => id),
      ["fourth", "third"],
    );
    const rest = await bench.store.list({ limit: 2, after: page.cursor! });
    assert.deepEqual(
      rest.records.map(({ id }) => id),
      ["first"],
    );
  }),
];
