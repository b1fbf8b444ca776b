import assert from "node:assert/strict";
import { contractCase, everyStatus, type StoreContractCase } from "./bench.js";

export const arriving: readonly StoreContractCase[] = [
  contractCase("an arrival is stored as it came, and counted in the execution's signals", async (bench) => {
    await bench.create("one");
    const before = await bench.load("one");
    await bench.clock.advance(7);
    const sent = { kind: "message", name: "paid", payload: '{"cents":5}', messageId: "m-1" } as const;
    assert.deepEqual(await bench.send("one", sent), { result: "stored", id: "arrival-1" });
    const [row, ...others] = await bench.mail("one");
    assert.deepEqual(others, []);
    assert.deepEqual(row, {
      ...sent,
      id: "arrival-1",
      execution: "one",
      workflow: "sell",
      sequence: row?.sequence,
      status: "pending",
      receivedAt: bench.now,
      step: null,
      carried: null,
      topic: null,
    });
    assert.deepEqual(await bench.load("one"), { ...before, signals: 1 });
  }),

  contractCase("a mailbox is in the order of acceptance, and each execution has its own", async (bench) => {
    await bench.create("one");
    await bench.create("two");
    for (const id of ["one", "two", "one", "one"]) await bench.send(id);
    const rows = await bench.mail("one");
    assert.deepEqual(
      rows.map(({ id }) => id),
      ["arrival-1", "arrival-3", "arrival-4"],
    );
    const sequences = rows.map(({ sequence }) => sequence);
    assert.deepEqual(
      sequences,
      sequences.toSorted((one, other) => one - other),
    );
    assert.equal(new Set(sequences).size, 3);
    assert.deepEqual(await bench.mailbox("none"), []);
  }),

  contractCase("an arrival for an execution that is not there is not stored", async (bench) => {
    assert.deepEqual(await bench.send("none"), { result: "not-found" });
    await bench.create("none");
    assert.deepEqual(await bench.mailbox("none"), []);
  }),

  contractCase("an arrival is refused as ended in a status that does not accept it", async (bench) => {
    await bench.create("one", { status: "completed" });
    assert.deepEqual(await bench.send("one"), { result: "ended" });
    assert.equal((await bench.load("one")).signals, 0);
    assert.deepEqual(await bench.mailbox("one"), []);
    assert.deepEqual(await bench.send("one", { acceptedIn: ["completed"] }), { result: "stored", id: "arrival-2" });
  }),

  contractCase("the same messageId twice for an execution is one arrival", async (bench) => {
    await bench.create("one");
    await bench.create("two");
    assert.deepEqual(await bench.send("one", { messageId: "m" }), { result: "stored", id: "arrival-1" });
    assert.deepEqual(await bench.send("one", { messageId: "m", payload: "2" }), {
      result: "duplicate",
      id: "arrival-1",
    });
    assert.deepEqual(await bench.send("two", { messageId: "m" }), { result: "stored", id: "arrival-3" });
    assert.equal((await bench.load("one")).signals, 1);
    const { arrivals } = await bench.write({
      arrivals: [bench.arrival("one", { messageId: "n" }), bench.arrival("one", { messageId: "n" })],
    });
    assert.deepEqual(arrivals, [
      { result: "stored", id: "arrival-4" },
      { result: "duplicate", id: "arrival-4" },
    ]);
  }),

  contractCase(
    "a duplicate is recognised before anything else, also when it was consumed and the execution ended",
    async (bench) => {
      await bench.create("one");
      await bench.send("one", { messageId: "m" });
      const settled = [{ arrival: "arrival-1", as: "consumed" }] as const;
      await bench.commit("one", { signals: 1, settled, ends: true, rests: true, status: "completed" });
      const again = await bench.send("one", { messageId: "m", only: { revision: 9, signals: 9 } });
      assert.deepEqual(again, { result: "duplicate", id: "arrival-1" });
    },
  ),

  contractCase("arrivals without a messageId are never duplicates", async (bench) => {
    await bench.create("one");
    await bench.send("one");
    await bench.send("one");
    assert.deepEqual(await bench.mailbox("one"), ["arrival-1 pending", "arrival-2 pending"]);
  }),

  contractCase(
    "an arrival with a condition is refused as moved once revision or signals have changed",
    async (bench) => {
      await bench.create("one");
      const only = { revision: 0, signals: 0 };
      assert.equal((await bench.send("one", { only })).result, "stored");
      assert.equal((await bench.send("one", { only })).result, "moved");
      assert.equal((await bench.send("one", { only: { revision: 0, signals: 1 } })).result, "stored");
      await bench.commit("one", { signals: 2 });
      assert.equal((await bench.send("one", { only: { revision: 0, signals: 2 } })).result, "moved");
      assert.equal((await bench.send("one", { only: { revision: 1, signals: 2 } })).result, "stored");
      assert.equal((await bench.mail("one")).length, 3);
    },
  ),

  contractCase("an arrival wakes an execution that rests in one of its statuses, and no other", async (bench) => {
    for (const status of everyStatus) {
      await bench.create(status);
      await bench.commit(status, { rests: true, dueInMs: 1000, status });
      await bench.send(status, { acceptedIn: everyStatus, wakes: ["waiting", "stuck"] });
    }
    assert.deepEqual(await bench.claimedIds(), ["waiting", "stuck"]);
    assert.equal((await bench.load("completed")).dueAt, bench.now + 1000);
  }),

  contractCase("one that is woken keeps its place if it was due before", async (bench) => {
    await bench.create("early", { owner: null, status: "waiting" });
    await bench.clock.advance(10);
    await bench.create("late", { owner: null, status: "waiting" });
    await bench.clock.advance(10);
    await bench.send("early");
    assert.equal((await bench.load("early")).dueAt, bench.now - 20);
    assert.deepEqual(await bench.claimedIds(), ["early", "late"]);
  }),

  contractCase("an arrival for an execution that is being worked on does not make it due", async (bench) => {
    await bench.create("one", { status: "waiting" });
    await bench.send("one");
    const { dueAt, owner, signals } = await bench.load("one");
    assert.deepEqual({ dueAt, owner, signals }, { dueAt: null, owner: bench.owner, signals: 1 });
  }),

  contractCase("a transition settles arrivals: consumed or dead, by its step", async (bench) => {
    await bench.create("one");
    for (let i = 0; i < 4; i++) await bench.send("one");
    await bench.commit("one", {
      signals: 4,
      settled: [
        { arrival: "arrival-2", as: "consumed" },
        { arrival: "arrival-3", as: "dead" },
      ],
    });
    assert.deepEqual(await bench.mailbox("one"), [
      "arrival-1 pending",
      "arrival-2 consumed first",
      "arrival-3 dead first",
      "arrival-4 pending",
    ]);
    const pending = await bench.mail("one", { status: "pending" });
    assert.deepEqual(
      pending.map(({ id }) => id),
      ["arrival-1", "arrival-4"],
    );
  }),

  contractCase(
    "what is settled stays as it was settled, and a transition settles only its own execution's",
    async (bench) => {
      await bench.create("one");
      await bench.create("two");
      await bench.send("one");
      await bench.send("two");
      await bench.commit("one", { signals: 1, settled: [{ arrival: "arrival-1", as: "consumed" }] });
      await bench.commit("one", {
        signals: 1,
        revision: 2,
        ends: true,
        settled: [
          { arrival: "arrival-1", as: "dead" },
          { arrival: "arrival-2", as: "consumed" },
          { arrival: "none", as: "dead" },
        ],
      });
      assert.deepEqual(await bench.mailbox("one"), ["arrival-1 consumed first"]);
      assert.deepEqual(await bench.mailbox("two"), ["arrival-2 pending"]);
    },
  ),

  contractCase("the end of an execution makes dead letters of what nobody has taken", async (bench) => {
    await bench.create("one");
    for (let i = 0; i < 3; i++) await bench.send("one");
    const settled = [{ arrival: "arrival-1", as: "consumed" }] as const;
    await bench.commit("one", { signals: 3, settled, ends: true, rests: true, status: "completed" });
    assert.deepEqual(await bench.mailbox("one"), ["arrival-1 consumed first", "arrival-2 dead", "arrival-3 dead"]);
    assert.deepEqual(await bench.mail("one", { status: "pending" }), []);
  }),
];
