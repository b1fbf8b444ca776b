import assert from "node:assert/strict";
import { contractCase, entry, position, type StoreContractCase } from "./bench.js";

export const committing: readonly StoreContractCase[] = [
  contractCase("a transition is written: status, position, state, revision, time and history", async (bench) => {
    await bench.create("one", { state: '{"n":1}', deadlineInMs: 900 });
    const before = await bench.load("one");
    await bench.clock.advance(25);
    const next = { ...position, stepIndex: 1, step: "second" };
    assert.equal(await bench.commit("one", { position: next, state: '{"n":2}', status: "running" }), "taken");
    assert.deepEqual(await bench.load("one"), {
      ...before,
      position: next,
      state: '{"n":2}',
      revision: 1,
      updatedAt: bench.now,
    });
    assert.deepEqual(await bench.history("one"), [{ ...entry, revision: 1, at: bench.now }]);
  }),

  contractCase("a transition without a new state leaves the state as it is", async (bench) => {
    await bench.create("one", { state: '{"n":1}' });
    await bench.commit("one", { state: null });
    assert.equal((await bench.load("one")).state, '{"n":1}');
  }),

  contractCase("changes of a state that was given whole before are the same to who reads it", async (bench) => {
    const long = "x".repeat(5_000);
    const state = async (): Promise<unknown> => JSON.parse((await bench.load("one")).state);
    await bench.create("one", { state: `{"n":1,"long":"${long}"}`, input: `"${long}"` });
    await bench.commit("one", { state: `{"n":2,"long":"${long}"}`, changes: '{"n":2}' });
    assert.deepEqual(await state(), { n: 2, long });
    await bench.commit("one", { revision: 2 });
    assert.deepEqual(await state(), { n: 2, long });
    await bench.commit("one", { revision: 3, state: `{"n":2,"long":"${long}","m":3}`, changes: '{"n":2,"m":3}' });
    assert.deepEqual(await state(), { n: 2, long, m: 3 });
    await bench.store.removeLaunchers([bench.owner]);
    const owner = await bench.register();
    const { records } = await bench.claim(owner);
    assert.deepEqual(JSON.parse(records[0]!.state), { n: 2, long, m: 3 });
    await bench.commit("one", { owner, revision: 4, state: '{"n":1}' });
    assert.deepEqual(await state(), { n: 1 });
    await bench.commit("one", { owner, revision: 5, state: `{"n":1,"long":"${long}"}`, rests: true });
    assert.deepEqual(await state(), { n: 1, long });
    assert.equal((await bench.load("one")).input, `"${long}"`);
  }),

  contractCase("an error that a position holds comes back, whether it stands in the history or not", async (bench) => {
    const error = { name: "Error", message: "no carrier", stack: "Error: no carrier" };
    const other = { name: "Error", message: "away" };
    const turned = { ...position, direction: "down", reason: "no-carrier", stepFunc: "rollback", error } as const;
    await bench.create("one");
    await bench.commit("one", { position: turned, history: { ...entry, result: "no-carrier", error } });
    assert.deepEqual((await bench.load("one")).position, turned);
    const parked = { ...turned, stuckBy: other };
    await bench.commit("one", { revision: 2, position: parked, status: "stuck", rests: true, dueInMs: 0 });
    const { records } = await bench.claim();
    assert.deepEqual(records[0]!.position, parked);
    await bench.commit("one", { revision: 3, position: { ...records[0]!.position, attempts: 1 }, status: "stuck" });
    assert.deepEqual((await bench.load("one")).position, { ...parked, attempts: 1 });
    const listed = await bench.store.list({ status: ["stuck"], limit: 1 });
    assert.deepEqual(listed.records[0]!.position.error, error);
    assert.deepEqual((await bench.history("one"))[0]!.error, error);
  }),

  contractCase("one that rests lets go of the execution, and makes it due if it says when", async (bench) => {
    for (const dueInMs of [null, 0, 40]) {
      const id = `rests-${dueInMs}`;
      await bench.create(id);
      assert.equal(await bench.commit(id, { rests: true, dueInMs, status: "waiting" }), "taken");
      const { owner, claims, dueAt, status } = await bench.load(id);
      const due = dueInMs === null ? null : bench.now + dueInMs;
      assert.deepEqual({ owner, claims, dueAt, status }, { owner: null, claims: 0, dueAt: due, status: "waiting" });
    }
    assert.deepEqual(await bench.claimedIds(), ["rests-0"]);
  }),

  contractCase("a commit says that there was progress: claims begin at one again", async (bench) => {
    await bench.create("one");
    await bench.store.removeLaunchers([bench.owner]);
    const second = await bench.register();
    await bench.claim(second);
    assert.equal((await bench.load("one")).claims, 2);
    await bench.commit("one", { owner: second });
    assert.equal((await bench.load("one")).claims, 1);
  }),

  contractCase("a commit by a launcher that does not own the execution is lost, and writes nothing", async (bench) => {
    await bench.create("one");
    await bench.send("one");
    const before = await bench.load("one");
    const other = await bench.register();
    const settled = [{ arrival: "arrival-1", as: "consumed" }] as const;
    const attempt = { state: '"stolen"', signals: 1, settled, ends: true, rests: true, dueInMs: 0 };
    assert.equal(await bench.commit("one", { ...attempt, owner: other }), "lost");
    assert.deepEqual(await bench.load("one"), before);
    assert.deepEqual(await bench.history("one"), []);
    assert.deepEqual(await bench.mailbox("one"), ["arrival-1 pending"]);
  }),

  contractCase("a commit with another revision than the next one is lost", async (bench) => {
    await bench.create("one");
    assert.equal(await bench.commit("one", { revision: 2 }), "lost");
    assert.equal(await bench.commit("one", { revision: 0 }), "lost");
    assert.equal(await bench.commit("one", { revision: 1 }), "taken");
    assert.equal(await bench.commit("one", { revision: 1 }), "lost");
    assert.equal((await bench.history("one")).length, 1);
  }),

  contractCase("a commit for an execution that rests, or that is not there, is lost", async (bench) => {
    await bench.create("one", { owner: null });
    assert.equal(await bench.commit("one"), "lost");
    assert.equal(await bench.commit("none"), "lost");
  }),

  contractCase("a launcher that was removed can commit nothing, even before another one took over", async (bench) => {
    await bench.create("one");
    await bench.store.removeLaunchers([bench.owner]);
    assert.equal(await bench.commit("one"), "lost");
    const second = await bench.register();
    await bench.claim(second);
    assert.equal(await bench.commit("one"), "lost");
    assert.equal(await bench.commit("one", { owner: second }), "taken");
  }),

  contractCase(
    "a commit that does not know of the last arrival is refused as signalled, and writes nothing",
    async (bench) => {
      await bench.create("one");
      await bench.send("one");
      const before = await bench.load("one");
      assert.equal(before.signals, 1);
      assert.equal(await bench.commit("one", { state: '"blind"' }), "signalled");
      assert.deepEqual(await bench.load("one"), before);
      assert.deepEqual(await bench.history("one"), []);
      assert.equal(await bench.commit("one", { signals: 1 }), "taken");
    },
  ),

  contractCase("where both apply, lost goes before signalled", async (bench) => {
    await bench.create("one");
    await bench.send("one");
    assert.equal(await bench.commit("one", { revision: 5 }), "lost");
    assert.equal(await bench.commit("one", { owner: await bench.register() }), "lost");
  }),

  contractCase("the answer tells the store's time, also where nothing was taken", async (bench) => {
    assert.equal((await bench.write({ creates: [bench.newExecution("one")] })).at, bench.now);
    await bench.clock.advance(5000);
    assert.equal((await bench.write({ creates: [bench.newExecution("one")] })).at, bench.now);
    assert.equal((await bench.write({ transitions: [bench.transition("one", { revision: 5 })] })).at, bench.now);
    assert.equal((await bench.write({ transitions: [bench.transition("one")] })).at, bench.now);
    await bench.clock.advance(5000);
    const given = [bench.transition("one", { revision: 5 }), bench.transition("none")];
    assert.equal((await bench.write({ transitions: given })).at, bench.now);
  }),

  contractCase("each part of a batch is answered by itself, in order", async (bench) => {
    await bench.create("one");
    await bench.create("two");
    await bench.create("three");
    await bench.send("two");
    const { transitions } = await bench.write({
      transitions: [
        bench.transition("one"),
        bench.transition("two"),
        bench.transition("none"),
        bench.transition("three"),
        bench.transition("one", { revision: 2 }),
      ],
    });
    assert.deepEqual(transitions, ["taken", "signalled", "lost", "taken", "taken"]);
    assert.equal((await bench.load("one")).revision, 2);
  }),

  contractCase("a batch is applied in the order creates, transitions, releases, arrivals", async (bench) => {
    await bench.create("two");
    const result = await bench.write({
      arrivals: [bench.arrival("one"), bench.arrival("two")],
      releases: [{ id: "two", owner: bench.owner, signals: 0, dueInMs: null, dead: [] }],
      transitions: [bench.transition("one")],
      creates: [bench.newExecution("one")],
    });
    assert.deepEqual(result, {
      at: bench.now,
      creates: [{ created: true, owned: true }],
      transitions: ["taken"],
      releases: ["taken"],
      arrivals: [
        { result: "stored", id: "arrival-1" },
        { result: "stored", id: "arrival-2" },
      ],
      subscriptions: [],
      publications: [],
    });
    assert.equal((await bench.load("one")).signals, 1);
  }),

  contractCase("an empty batch answers with the store's time", async (bench) => {
    assert.deepEqual(await bench.write({}), {
      at: bench.now,
      creates: [],
      transitions: [],
      releases: [],
      arrivals: [],
      subscriptions: [],
      publications: [],
    });
  }),
];
