import assert from "node:assert/strict";
import { contractCase, toTexts, position, type StoreContractCase } from "./bench.js";

export const creating: readonly StoreContractCase[] = [
  contractCase("an execution that is created with an owner is claimed already and not due", async (bench) => {
    const details = { tags: ["a", "b"], state: '{"n":1}', input: '{"n":0}', deadlineInMs: 500, dueInMs: 70 };
    assert.deepEqual(await bench.create("one", details), { created: true, owned: true });
    assert.deepEqual(await bench.load("one"), {
      id: "one",
      workflow: "sell",
      version: "1",
      fingerprint: null,
      tags: ["a", "b"],
      status: "running",
      position,
      state: '{"n":1}',
      input: '{"n":0}',
      carried: null,
      admission: null,
      line: null,
      root: null,
      subscribed: 0,
      revision: 0,
      signals: 0,
      owner: bench.owner,
      claims: 1,
      dueAt: null,
      deadlineAt: bench.now + 500,
      createdAt: bench.now,
      updatedAt: bench.now,
    });
    assert.deepEqual(await bench.claimedIds(), []);
  }),

  contractCase("one that is created without an owner is due after its delay", async (bench) => {
    await bench.create("later", { owner: null, dueInMs: 70, status: "scheduled" });
    const record = await bench.load("later");
    assert.equal(record.owner, null);
    assert.equal(record.claims, 0);
    assert.equal(record.dueAt, bench.now + 70);
    assert.equal(record.deadlineAt, null);
    assert.equal(record.status, "scheduled");
  }),

  contractCase("an id that exists creates nothing and answers with what is there", async (bench) => {
    await bench.create("one");
    await bench.commit("one", { state: '{"n":2}' });
    const existing = await bench.load("one");
    await bench.clock.advance(10);
    const again = await bench.create("one", { workflow: "other", input: '"other"', tags: ["new"], owner: null });
    assert.ok(!again.created);
    assert.deepEqual(toTexts(again.existing), existing);
    assert.deepEqual(await bench.load("one"), existing);
    assert.deepEqual(await bench.store.list({ tags: ["new"], limit: 10 }), { records: [], cursor: null });
  }),

  contractCase("the same id twice in a batch is one execution, the first one", async (bench) => {
    const { creates, at } = await bench.write({
      creates: [
        bench.newExecution("one", { input: "1" }),
        bench.newExecution("one", { input: "2" }),
        bench.newExecution("two"),
      ],
    });
    assert.deepEqual(
      creates.map(({ created }) => created),
      [true, false, true],
    );
    assert.equal(at, bench.now);
    assert.equal((await bench.load("one")).input, "1");
  }),

  contractCase("what a launcher creates after it was removed is due for another one", async (bench) => {
    await bench.store.removeLaunchers([bench.owner]);
    assert.deepEqual(await bench.create("orphan", { dueInMs: 70 }), { created: true, owned: false });
    const record = await bench.load("orphan");
    assert.equal(record.owner, null);
    assert.equal(record.claims, 0);
    assert.equal(record.dueAt, bench.now);
    assert.deepEqual(await bench.claimedIds(await bench.register()), ["orphan"]);
  }),

  contractCase("ids are told apart by every character and by case", async (bench) => {
    for (const id of ["order-1", "Order-1", "order-1 ", "ördér-1", "o\u0308rde\u0301r-1"]) {
      assert.deepEqual(await bench.create(id), { created: true, owned: true }, id);
      assert.equal((await bench.load(id)).id, id);
    }
  }),

  contractCase("loading answers in the order of the ids, undefined where there is none", async (bench) => {
    await bench.create("one");
    await bench.create("two");
    const found = await bench.store.load(["two", "none", "one", "two"]);
    assert.deepEqual(
      found.map((record) => record?.id),
      ["two", undefined, "one", "two"],
    );
    assert.deepEqual(await bench.store.load([]), []);
  }),
];
