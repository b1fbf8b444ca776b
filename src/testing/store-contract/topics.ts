import assert from "node:assert/strict";
import type { Hint } from "../../stores/contract.js";
import { needing, type Bench, type StoreContractCase } from "./bench.js";

/** `id name` of each row of the mailbox, with what else is asked for. */
async function letters(bench: Bench, id: string): Promise<string[]> {
  const rows = await bench.mail(id);
  return rows.map((row) => `${row.id} ${row.messageId} ${row.topic} ${row.status}`);
}

async function hintsOf(bench: Bench, act: () => Promise<unknown>): Promise<Hint[]> {
  const heard: Hint[] = [];
  const unwatch = bench.store.watch((hint) => heard.push(hint));
  await act();
  await bench.clock.settle();
  unwatch();
  return heard;
}

const topicsCase = needing("topics");

export const topics: readonly StoreContractCase[] = [
  topicsCase("a publication is put into the mailbox of each subscriber, and signals it", async (bench) => {
    for (const id of ["one", "two", "three"]) await bench.create(id);
    assert.equal(await bench.subscribe("one", "t"), "taken");
    assert.equal(await bench.subscribe("two", "t"), "taken");
    assert.equal(await bench.subscribe("three", "other"), "taken");
    await bench.clock.advance(7);
    const published = await bench.publish("t", { payload: '{"cents":5}', messageId: "m", carried: "{}" });
    assert.deepEqual(published, { result: "stored", id: "publication-1", delivered: 2 });
    for (const id of ["one", "two"]) {
      const [row, ...others] = await bench.mail(id);
      assert.deepEqual(others, []);
      assert.deepEqual(row, {
        id: "publication-1",
        execution: id,
        workflow: "sell",
        sequence: row?.sequence,
        kind: "message",
        name: "paid",
        payload: '{"cents":5}',
        messageId: "m",
        status: "pending",
        receivedAt: bench.now,
        step: null,
        carried: "{}",
        topic: "t",
      });
      assert.equal((await bench.load(id)).signals, 1);
    }
    assert.deepEqual(await bench.mailbox("three"), []);
    assert.equal((await bench.load("three")).signals, 0);
  }),

  topicsCase("who subscribes later gets what is kept, in the order of publication, and is signalled", async (bench) => {
    await bench.create("one");
    for (const messageId of ["z", null, "a"]) await bench.publish("t", { messageId });
    assert.deepEqual(await bench.publish("none"), { result: "stored", id: "publication-4", delivered: 0 });
    assert.equal(await bench.subscribe("one", "t"), "taken");
    assert.deepEqual(await letters(bench, "one"), [
      "publication-1 z t pending",
      "publication-2 publication-2 t pending",
      "publication-3 a t pending",
    ]);
    const { signals, subscribed } = await bench.load("one");
    assert.deepEqual([signals, subscribed], [3, 1]);
    assert.deepEqual((await bench.claim()).signalled, ["one"]);
  }),

  topicsCase("what was kept for long enough is given to nobody any more, and can be pruned", async (bench) => {
    await bench.create("one");
    await bench.publish("t", { keepForMs: 10 });
    await bench.publish("t", { keepForMs: 11 });
    await bench.publish("u", { keepForMs: 0 });
    await bench.clock.advance(10);
    assert.equal(await bench.the("topics").prune(1000, 10), 0);
    await bench.subscribe("one", "t");
    await bench.subscribe("one", "u");
    assert.deepEqual(await letters(bench, "one"), ["publication-2 publication-2 t pending"]);
    assert.equal(await bench.the("topics").prune(0, 1), 1);
    assert.equal(await bench.the("topics").prune(0, 10), 1);
    assert.equal(await bench.the("topics").prune(0, 10), 0);
    await bench.clock.advance(1);
    assert.equal(await bench.the("topics").prune(0, 10), 1);
    assert.equal((await bench.mail("one")).length, 1);
  }),

  topicsCase("the same messageId twice for a topic is one publication while the first is kept", async (bench) => {
    await bench.create("one");
    await bench.create("two");
    await bench.subscribe("one", "t");
    await bench.publish("t", { messageId: "m", keepForMs: 10 });
    await bench.subscribe("two", "t");
    const again = { messageId: "m", payload: "2", keepForMs: 50 };
    assert.deepEqual(await bench.publish("t", again), { result: "duplicate", id: "publication-1", delivered: 1 });
    for (const id of ["one", "two"]) assert.deepEqual(await letters(bench, id), ["publication-1 m t pending"]);
    assert.deepEqual(await bench.publish("u", again), { result: "stored", id: "publication-3", delivered: 0 });
    await bench.clock.advance(10);
    // It is over: this is another one, which none of those gets that had the first.
    await bench.create("three");
    await bench.subscribe("three", "t");
    assert.deepEqual(await bench.publish("t", again), { result: "stored", id: "publication-4", delivered: 3 });
    for (const id of ["one", "two"]) assert.deepEqual(await letters(bench, id), ["publication-1 m t pending"]);
    assert.deepEqual(await letters(bench, "three"), ["publication-4 m t pending"]);
    assert.equal((await bench.load("one")).signals, 1);
  }),

  topicsCase(
    "publications of one batch are kept in their order, though one comes again when it was over",
    async (bench) => {
      await bench.create("late");
      const again = { messageId: "m", keepForMs: 0 };
      const publications = [
        bench.publication("t", again),
        bench.publication("t", { ...again, keepForMs: 10 }),
        bench.publication("t"),
      ];
      await bench.write({ publications });
      await bench.subscribe("late", "t");
      assert.deepEqual(
        (await bench.mail("late")).map(({ id }) => id),
        ["publication-2", "publication-3"],
      );
    },
  ),

  topicsCase("a mailbox holds a messageId once, whatever way it came", async (bench) => {
    await bench.create("one");
    await bench.send("one", { messageId: "m" });
    await bench.publish("t", { messageId: "m" });
    await bench.publish("u", { messageId: "n" });
    await bench.publish("v", { messageId: "n" });
    const subscriptions = ["t", "u", "v"].map((topic) => bench.subscription("one", topic));
    assert.deepEqual((await bench.write({ subscriptions })).subscriptions, ["taken", "taken", "taken"]);
    assert.deepEqual(await letters(bench, "one"), ["arrival-1 m null pending", "publication-2 n u pending"]);
    assert.equal((await bench.load("one")).signals, 2);
    const publications = ["u", "v", "u"].map((topic, index) =>
      bench.publication(topic, { messageId: index === 2 ? null : "o" }),
    );
    const results = (await bench.write({ publications })).publications.map(({ result }) => result);
    assert.deepEqual(results, ["stored", "stored", "stored"]);
    assert.deepEqual((await letters(bench, "one")).slice(2), [
      "publication-4 o u pending",
      "publication-6 publication-6 u pending",
    ]);
    assert.deepEqual(await bench.send("one", { messageId: "o" }), { result: "duplicate", id: "publication-4" });
    assert.equal((await bench.load("one")).signals, 4);
  }),

  topicsCase(
    "to subscribe again changes nothing, save that the end of the execution outlasts the step",
    async (bench) => {
      await bench.create("one");
      await bench.publish("t");
      for (const until of ["step", "step", "end", "step"] as const) await bench.subscribe("one", "t", { until });
      const { signals, subscribed } = await bench.load("one");
      assert.deepEqual([signals, subscribed], [1, 3]);
      assert.equal((await bench.mail("one")).length, 1);
      await bench.commit("one", { signals: 1, unsubscribes: "step" });
      assert.equal((await bench.load("one")).subscribed, 2);
      assert.deepEqual((await bench.publish("t")).delivered, 1);
    },
  ),

  topicsCase(
    "a subscription is refused to who does not own the execution, or knows an older revision",
    async (bench) => {
      await bench.create("one");
      await bench.create("free", { owner: null });
      await bench.publish("t");
      assert.equal(await bench.subscribe("none", "t"), "lost");
      assert.equal(await bench.subscribe("free", "t"), "lost");
      assert.equal(await bench.subscribe("one", "t", { owner: bench.owner + 1 }), "lost");
      assert.equal(await bench.subscribe("one", "t", { revision: 1 }), "lost");
      await bench.commit("one");
      assert.equal(await bench.subscribe("one", "t", { revision: 0 }), "lost");
      assert.deepEqual(await bench.mailbox("one"), []);
      assert.deepEqual((await bench.publish("t")).delivered, 0);
      const { signals, subscribed } = await bench.load("one");
      assert.deepEqual([signals, subscribed], [0, 0]);
      assert.equal(await bench.subscribe("one", "t", { revision: 1 }), "taken");
    },
  ),

  topicsCase(
    "a transition forgets what steps had subscribed to, whatever the end of it, and buries messages by their names",
    async (bench) => {
      await bench.create("one");
      await bench.create("two");
      await bench.subscribe("one", "a", { until: "end", step: "first" });
      await bench.subscribe("one", "a", { until: "end", step: "second" });
      await bench.subscribe("one", "b", { step: "first" });
      await bench.subscribe("one", "b", { until: "end", step: "second" });
      await bench.subscribe("one", "c", { until: "end", step: "third" });
      for (const name of ["paid", "seen", "paid"]) await bench.send("one", { name });
      await bench.send("two", { name: "paid" });
      const forgets = { subscriptionsOf: ["second", "third"], messages: ["paid", "none"] };
      assert.equal(await bench.commit("one", { forgets }), "signalled");
      assert.equal(await bench.commit("one", { revision: 7, signals: 3, forgets }), "lost");
      assert.equal((await bench.mail("one")).filter(({ status }) => status === "pending").length, 3);
      assert.equal(await bench.commit("one", { signals: 3, forgets }), "taken");
      const rows = await bench.mail("one");
      assert.deepEqual(
        rows.map(({ name, status }) => `${name} ${status}`),
        ["paid dead", "seen pending", "paid dead"],
      );
      assert.equal((await bench.mail("two"))[0]?.status, "pending");
      const reached = [];
      for (const topic of ["a", "b", "c"]) reached.push((await bench.publish(topic)).delivered);
      assert.deepEqual(reached, [1, 0, 0]);
    },
  ),

  topicsCase("a transition ends the subscriptions of its step, or all, and leaves those of others", async (bench) => {
    await bench.create("one");
    await bench.create("two");
    for (const id of ["one", "two"]) {
      await bench.subscribe(id, "step");
      await bench.subscribe(id, "end", { until: "end" });
    }
    assert.equal((await bench.load("one")).subscribed, 3);
    assert.equal(await bench.commit("one", { revision: 7, unsubscribes: "all" }), "lost");
    assert.deepEqual((await bench.publish("step")).delivered, 2);
    assert.equal(await bench.commit("one", { unsubscribes: "step" }), "signalled");
    assert.equal(await bench.commit("one", { signals: 1, unsubscribes: "step" }), "taken");
    assert.equal((await bench.load("one")).subscribed, 2);
    assert.deepEqual((await bench.publish("step")).delivered, 1);
    assert.deepEqual((await bench.publish("end")).delivered, 2);
    assert.equal(await bench.commit("one", { revision: 2, signals: 2, unsubscribes: "all" }), "taken");
    assert.equal((await bench.load("one")).subscribed, 0);
    assert.deepEqual((await bench.publish("end")).delivered, 1);
    assert.equal((await bench.mail("one")).length, 2);
    assert.equal((await bench.load("two")).subscribed, 3);
  }),

  topicsCase("a publication wakes a subscriber that rests in one of its statuses, and no other", async (bench) => {
    for (const status of ["waiting", "stuck"] as const) {
      await bench.create(status);
      await bench.subscribe(status, "t");
      await bench.commit(status, { rests: true, dueInMs: 1000, status });
    }
    const hints = await hintsOf(bench, () => bench.publish("t", { wakes: ["waiting"] }));
    assert.deepEqual(hints, [{ type: "due", inMs: 0 }]);
    assert.equal((await bench.load("stuck")).dueAt, bench.now + 1000);
    assert.equal((await bench.load("stuck")).signals, 1);
    assert.deepEqual(await bench.claimedIds(), ["waiting"]);
  }),

  topicsCase("one that is woken by a publication keeps its place if it was due before", async (bench) => {
    await bench.create("one");
    await bench.subscribe("one", "t");
    await bench.commit("one", { rests: true, dueInMs: 0, status: "waiting" });
    const { dueAt } = await bench.load("one");
    await bench.clock.advance(10);
    await bench.publish("t");
    assert.equal((await bench.load("one")).dueAt, dueAt);
  }),

  topicsCase("who watches hears of a publication, and of what was kept, for an execution in work", async (bench) => {
    await bench.create("one");
    const signalled = [{ type: "signalled", execution: "one" }];
    assert.deepEqual(await hintsOf(bench, () => bench.subscribe("one", "t")), []);
    assert.deepEqual(await hintsOf(bench, () => bench.publish("t")), signalled);
    assert.deepEqual(await hintsOf(bench, () => bench.publish("u")), []);
    assert.deepEqual(await hintsOf(bench, () => bench.subscribe("one", "u")), signalled);
    assert.deepEqual(await hintsOf(bench, () => bench.subscribe("one", "u")), []);
  }),

  topicsCase(
    "a batch may hold subscriptions, publications and more, applied in the order of its fields",
    async (bench) => {
      await bench.create("one");
      const { creates, transitions, arrivals, subscriptions, publications } = await bench.write({
        creates: [bench.newExecution("two")],
        transitions: [bench.transition("one")],
        arrivals: [bench.arrival("one")],
        subscriptions: [bench.subscription("one", "t", { revision: 1 }), bench.subscription("two", "t")],
        publications: [bench.publication("t"), bench.publication("t")],
      });
      assert.deepEqual(creates, [{ created: true, owned: true }]);
      assert.deepEqual(transitions, ["taken"]);
      assert.deepEqual(arrivals, [{ result: "stored", id: "arrival-1" }]);
      assert.deepEqual(subscriptions, ["taken", "taken"]);
      assert.deepEqual(
        publications.map(({ delivered }) => delivered),
        [2, 2],
      );
      assert.deepEqual(await bench.mailbox("one"), [
        "arrival-1 pending",
        "publication-1 pending",
        "publication-2 pending",
      ]);
      assert.equal((await bench.load("two")).signals, 2);
    },
  ),

  topicsCase("topics are told apart by every character, and may hold any text", async (bench) => {
    await bench.create("one");
    const names = ["a", "A", "ä", "a ", "a%", "a'\"\\", "🧾", "x".repeat(255)];
    for (const topic of names) await bench.publish(topic, { messageId: `of ${topic}` });
    for (const topic of names) await bench.subscribe("one", topic);
    assert.deepEqual(
      (await bench.mail("one")).map(({ topic }) => topic),
      names,
    );
  }),
];
