import assert from "node:assert/strict";
import { contractCase, sell, type StoreContractCase } from "./bench.js";

export const claiming: readonly StoreContractCase[] = [
  contractCase("a claim takes what is due, longest due first, and makes it the caller's", async (bench) => {
    await bench.create("third", { owner: null, dueInMs: 30 });
    await bench.create("first", { owner: null, dueInMs: 10 });
    await bench.create("not yet", { owner: null, dueInMs: 31 });
    await bench.create("second", { owner: null, dueInMs: 20 });
    await bench.clock.advance(30);
    const claimed = await bench.claim();
    assert.deepEqual(
      claimed.records.map(({ id }) => id),
      ["first", "second", "third"],
    );
    assert.equal(claimed.at, bench.now);
    assert.equal(claimed.nextDueInMs, 1);
    for (const record of claimed.records) {
      assert.deepEqual(await bench.load(record.id), record);
      const { owner, claims, dueAt, revision } = record;
      assert.deepEqual({ owner, claims, dueAt, revision }, { owner: bench.owner, claims: 1, dueAt: null, revision: 0 });
    }
    assert.deepEqual(await bench.claimedIds(), []);
  }),

  contractCase("nothing is due before its time, and everything from that moment on", async (bench) => {
    await bench.create("one", { owner: null, dueInMs: 10 });
    await bench.clock.advance(9);
    assert.deepEqual(await bench.claimedIds(), []);
    await bench.clock.advance(1);
    assert.deepEqual(await bench.claimedIds(), ["one"]);
  }),

  contractCase("those due at the same time come in the order of their creation", async (bench) => {
    const ids = ["c", "a", "d", "b"];
    await bench.write({ creates: ids.map((id) => bench.newExecution(id, { owner: null })) });
    assert.deepEqual(await bench.claimedIds(), ids);
  }),

  contractCase("a claim takes no more than its limit, and says that there is more", async (bench) => {
    for (const id of ["a", "b", "c"]) await bench.create(id, { owner: null });
    const first = await bench.claim(bench.owner, 2);
    assert.deepEqual(
      first.records.map(({ id }) => id),
      ["a", "b"],
    );
    assert.equal(first.nextDueInMs, 0);
    assert.equal((await bench.claim(bench.owner, 0)).nextDueInMs, 0);
    assert.deepEqual(await bench.claimedIds(bench.owner, 2), ["c"]);
    assert.equal((await bench.claim()).nextDueInMs, null);
  }),

  contractCase("a claim with a limit of zero takes nothing but says what is next", async (bench) => {
    assert.deepEqual(await bench.claim(bench.owner, 0), {
      records: [],
      at: bench.now,
      nextDueInMs: null,
      signalled: [],
      dueSince: [],
      alive: true,
    });
    await bench.create("one", { owner: null, dueInMs: 12 });
    assert.equal((await bench.claim(bench.owner, 0)).nextDueInMs, 12);
  }),

  contractCase("only executions of the workflows and versions asked for are taken or waited for", async (bench) => {
    await bench.create("other", { owner: null, workflow: "buy" });
    await bench.create("old", { owner: null, version: "0" });
    await bench.clock.advance(1);
    await bench.create("one", { owner: null });
    await bench.create("later", { owner: null, dueInMs: 5 });
    const claimed = await bench.claim();
    assert.deepEqual(
      claimed.records.map(({ id }) => id),
      ["one"],
    );
    assert.equal(claimed.nextDueInMs, 5);
    assert.equal((await bench.claim(bench.owner, 10, [])).nextDueInMs, null);
    const both = await bench.claim(bench.owner, 10, [
      sell,
      { name: "sell", version: "0" },
      { name: "buy", version: "1" },
    ]);
    assert.deepEqual(
      both.records.map(({ id }) => id),
      ["old", "other"],
    );
  }),

  contractCase("several workflows share one limit, each in its turn, in the order asked for", async (bench) => {
    const buy = { name: "buy", version: "1" };
    const old = { name: "sell", version: "0" };
    for (let i = 1; i <= 4; i++) await bench.create(`b${i}`, { owner: null, workflow: "buy", dueInMs: i });
    await bench.create("s1", { owner: null, dueInMs: 7 });
    await bench.create("s2", { owner: null, dueInMs: 6 });
    await bench.create("later", { owner: null, dueInMs: 90 });
    await bench.create("o1", { owner: null, version: "0", dueInMs: 8 });
    await bench.clock.advance(10);
    const taken = async (limit: number, workflows: (typeof sell)[]): Promise<unknown> => {
      const { records, dueSince, nextDueInMs } = await bench.claim(bench.owner, limit, workflows);
      return [records.map(({ id }) => id).join(" "), dueSince.map((at) => at - bench.now + 10), nextDueInMs];
    };
    assert.deepEqual(await taken(2, [old, sell, buy]), ["o1 s2", [8, 6], 0]);
    assert.deepEqual(await taken(3, [buy, old, sell]), ["b1 s1 b2", [1, 7, 2], 0]);
    assert.deepEqual(await taken(9, [sell, buy, old]), ["b3 b4", [3, 4], 80]);
  }),

  contractCase("a long queue of one workflow keeps no other one waiting", async (bench) => {
    const long = Array.from({ length: 50 }, (_, i) => bench.newExecution(`b${i}`, { owner: null, workflow: "buy" }));
    await bench.write({ creates: long });
    await bench.clock.advance(1000);
    for (const id of ["s1", "s2", "s3"]) await bench.create(id, { owner: null });
    const { records } = await bench.claim(bench.owner, 8, [{ name: "buy", version: "1" }, sell]);
    assert.deepEqual(
      records.map(({ id }) => id),
      ["b0", "s1", "b1", "s2", "b2", "s3", "b3", "b4"],
    );
  }),

  contractCase("each execution is taken by one launcher only", async (bench) => {
    for (let i = 0; i < 20; i++) await bench.create(`e${i}`, { owner: null });
    const other = await bench.register();
    const claims = await Promise.all([
      bench.claim(bench.owner, 7),
      bench.claim(other, 7),
      bench.claim(bench.owner, 7),
      bench.claim(other, 7),
    ]);
    // What another one is just taking may be passed over; it is there for the next claim.
    claims.push(await bench.claim(other, 20));
    const ids = claims.flatMap(({ records }) => records.map(({ id }) => id));
    assert.equal(ids.length, 20);
    assert.equal(new Set(ids).size, 20);
  }),

  contractCase("claims are counted until a commit", async (bench) => {
    await bench.create("one");
    for (const expected of [2, 3]) {
      await bench.store.removeLaunchers([(await bench.load("one")).owner!]);
      const [record] = (await bench.claim(await bench.register())).records;
      assert.equal(record?.claims, expected);
    }
  }),

  contractCase(
    "a claim tells which executions of the caller have an arrival that no commit has seen",
    async (bench) => {
      await bench.create("one");
      await bench.create("quiet");
      await bench.create("foreign", { owner: await bench.register() });
      await bench.send("one");
      await bench.send("foreign");
      assert.deepEqual((await bench.claim()).signalled, ["one"]);
      assert.deepEqual((await bench.claim(bench.owner, 0)).signalled, ["one"]);
      await bench.commit("one", { signals: 1 });
      assert.deepEqual((await bench.claim()).signalled, []);
    },
  ),

  contractCase("an execution that rests is not told of, nor is one that was just taken", async (bench) => {
    await bench.create("one", { status: "waiting" });
    await bench.send("one");
    await bench.release("one", { signals: null, dueInMs: 0 });
    const claimed = await bench.claim();
    assert.equal(claimed.records[0]?.signals, 1);
    assert.deepEqual(claimed.signalled, []);
  }),

  contractCase(
    "what came while an execution was nobody's is told of by the claims after, until a commit saw it",
    async (bench) => {
      await bench.create("one", { owner: null });
      await bench.send("one");
      await bench.claim();
      assert.deepEqual((await bench.claim()).signalled, ["one"]);
      await bench.commit("one", { signals: 1 });
      assert.deepEqual((await bench.claim()).signalled, []);
    },
  ),

  contractCase("a launcher that was removed is told so, and takes nothing", async (bench) => {
    await bench.create("one", { owner: null });
    await bench.store.removeLaunchers([bench.owner]);
    const claimed = await bench.claim();
    assert.deepEqual([claimed.records, claimed.alive], [[], false]);
    assert.equal((await bench.load("one")).owner, null);
    assert.equal((await bench.claim(await bench.register())).alive, true);
  }),

  contractCase("it can be asked which workflows and versions have been due for a while", async (bench) => {
    assert.deepEqual(await bench.overdue(0), []);
    for (const [id, workflow, version, dueInMs] of [
      ["1", "a", "1", 0],
      ["2", "a", "1", 10],
      ["3", "a", "2", 500],
      ["4", "b", "1", 5],
    ] as const) {
      await bench.create(id, { workflow, version, dueInMs, owner: null });
    }
    await bench.create("owned", { workflow: "c" });
    await bench.clock.advance(100);
    assert.deepEqual(await bench.overdue(50), ["executions a 1", "executions b 1"]);
    assert.deepEqual(await bench.overdue(97), ["executions a 1"]);
    assert.deepEqual(await bench.overdue(100), []);
    await bench.clock.advance(1000);
    assert.deepEqual(await bench.overdue(0), ["executions a 1", "executions a 2", "executions b 1"]);
  }),
];
