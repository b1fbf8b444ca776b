import assert from "node:assert/strict";
import { contractCase, type StoreContractCase } from "./bench.js";

export const launchers: readonly StoreContractCase[] = [
  contractCase(
    "each launcher gets a number greater than any before, also after the last one was removed",
    async (bench) => {
      const second = await bench.register();
      assert.ok(second > bench.owner);
      await bench.store.removeLaunchers([second]);
      assert.ok((await bench.register()) > second);
    },
  ),

  contractCase("a heartbeat tells of all other launchers and for how long they have been silent", async (bench) => {
    const other = await bench.register();
    await bench.clock.advance(30);
    assert.deepEqual(await bench.store.beat(bench.owner), {
      alive: true,
      others: [{ owner: other, host: "elsewhere", pid: 4711, silentMs: 30 }],
    });
    await bench.clock.advance(5);
    assert.deepEqual(await bench.store.beat(other), {
      alive: true,
      others: [{ owner: bench.owner, host: "here", pid: 1, silentMs: 5 }],
    });
  }),

  contractCase("only a heartbeat that is asked what waits says so", async (bench) => {
    assert.equal((await bench.store.beat(bench.owner)).waiting, undefined);
    assert.deepEqual(await bench.waiting(0), { overdue: [], gates: [] });
  }),

  contractCase("a launcher that was removed is told so, and does not come back by beating", async (bench) => {
    const other = await bench.register();
    await bench.store.removeLaunchers([bench.owner]);
    assert.equal((await bench.store.beat(bench.owner)).alive, false);
    assert.deepEqual(await bench.store.beat(other), { alive: true, others: [] });
  }),

  contractCase("what a removed launcher owned is due at once, and nothing else", async (bench) => {
    const other = await bench.register();
    await bench.create("one");
    await bench.create("two", { status: "waiting" });
    await bench.create("alive", { owner: other });
    await bench.create("later", { owner: null, dueInMs: 1000 });
    await bench.clock.advance(10);
    assert.equal(await bench.store.removeLaunchers([bench.owner]), 2);
    const { owner, dueAt, claims } = await bench.load("two");
    assert.deepEqual({ owner, dueAt, claims }, { owner: null, dueAt: bench.now, claims: 1 });
    assert.deepEqual(await bench.claimedIds(other), ["one", "two"]);
    assert.equal((await bench.load("alive")).owner, other);
  }),

  contractCase(
    "a burial counts against what its launcher owned, the first always, further ones where it had begun",
    async (bench) => {
      const { store, clock } = bench;
      await bench.create("one");
      await bench.create("other", { owner: await bench.register() });
      await store.removeLaunchers([bench.owner], "died");
      await clock.advance(5);
      const second = await bench.register();
      await bench.claim(second);
      assert.equal(await store.begin("one", bench.owner), false);
      await store.removeLaunchers([second], "silent");
      assert.deepEqual(await store.deaths("one"), [{ fate: "died", sinceMs: 5 }]);
      const third = await bench.register();
      await bench.claim(third);
      assert.equal(await store.begin("one", third), true);
      await store.removeLaunchers([third], "silent");
      await clock.advance(7);
      assert.deepEqual(await store.deaths("one"), [
        { fate: "died", sinceMs: 12 },
        { fate: "silent", sinceMs: 7 },
      ]);
      assert.deepEqual(await store.deaths("other"), []);
      assert.deepEqual(await store.deaths("nobody"), []);
      assert.equal(await store.begin("nobody", third), false);
    },
  ),

  contractCase("a commit makes an end of what counted before", async (bench) => {
    const { store } = bench;
    await bench.create("one");
    await store.removeLaunchers([bench.owner], "died");
    const second = await bench.register();
    await bench.claim(second);
    await store.begin("one", second);
    assert.equal(await bench.commit("one", { owner: second }), "taken");
    assert.deepEqual(await store.deaths("one"), []);
    await store.removeLaunchers([second], "silent");
    assert.equal((await store.deaths("one")).length, 1);
  }),

  contractCase(
    "a launcher that leaves, or comes back after its removal, takes back what counted by it",
    async (bench) => {
      const { store } = bench;
      await bench.create("one");
      await store.removeLaunchers([bench.owner], "silent");
      const second = await bench.register();
      await bench.claim(second);
      await store.begin("one", second);
      await store.removeLaunchers([second], "died");
      const third = await bench.register();
      await bench.claim(third);
      await store.begin("one", third);
      await store.removeLaunchers([third], "left");
      assert.equal((await store.deaths("one")).length, 2);
      await store.register({ host: "here", pid: 1 }, bench.owner);
      assert.deepEqual(
        (await store.deaths("one")).map(({ fate }) => fate),
        ["died"],
      );
      // It had been removed, and leaves all the same.
      await store.removeLaunchers([second], "left");
      assert.deepEqual(await store.deaths("one"), []);
      // Who knew less, and was slower, changes nothing.
      await store.removeLaunchers([bench.owner, second], "silent");
      assert.deepEqual(await store.deaths("one"), []);
    },
  ),

  contractCase("burying several launchers, or one that is not there, is one call", async (bench) => {
    const second = await bench.register();
    const third = await bench.register();
    await bench.create("one");
    await bench.create("two", { owner: second });
    assert.equal(await bench.store.removeLaunchers([bench.owner, second, 99_999]), 2);
    assert.equal(await bench.store.removeLaunchers([bench.owner]), 0);
    assert.equal(await bench.store.removeLaunchers([]), 0);
    assert.deepEqual((await bench.store.beat(third)).others, []);
  }),

  contractCase(
    "what is in work and not finished when a launcher goes is told to nobody else as its arrivals",
    async (bench) => {
      await bench.create("one");
      await bench.send("one");
      await bench.store.removeLaunchers([bench.owner]);
      const second = await bench.register();
      assert.deepEqual((await bench.claim(second, 0)).signalled, []);
      assert.equal((await bench.claim(second)).records[0]?.signals, 1);
    },
  ),
];
