import assert from "node:assert/strict";
import { Encoded } from "../../values/encode.js";
import type { Arrival } from "../../stores/batch.js";
import type { DeadMailConditions } from "../../stores/contract.js";
import { contractCase, type Bench, type StoreContractCase } from "./bench.js";

/** An execution that has ended with these messages untaken. */
async function ended(bench: Bench, id: string, names: readonly string[], workflow = "sell"): Promise<void> {
  await bench.create(id, { workflow });
  for (const name of names) await bench.send(id, { name });
  await bench.commit(id, { signals: names.length, ends: true, rests: true, status: "completed" });
}

async function ids(bench: Bench, conditions: Omit<DeadMailConditions, "status"> = {}): Promise<string[]> {
  const { records, next } = await bench.store.deadMail({ status: "dead", ...conditions, limit: 100, lookAt: 100 });
  const { counts, more } = await bench.store.countDeadMail({ status: "dead", ...conditions }, 100);
  assert.deepEqual({ next, more }, { next: null, more: false });
  assert.equal(
    counts.reduce((sum, { count }) => sum + count, 0),
    records.length,
  );
  return records.map(({ id }) => id);
}

/** The note's id is made of the letter's. */
function resending(execution: string, arrival: string): NonNullable<Arrival["resends"]> {
  return { execution, arrival, note: { id: `note on ${arrival}`, payload: Encoded.ofText('{"by":"ada"}') } };
}

export const deadLetters: readonly StoreContractCase[] = [
  contractCase("dead letters are messages that are dead, the last received first", async (bench) => {
    await bench.create("one");
    for (let i = 0; i < 3; i++) await bench.send("one");
    await bench.send("one", { kind: "rollback" });
    assert.deepEqual(await ids(bench), []);
    const settled = [
      { arrival: "arrival-1", as: "dead" },
      { arrival: "arrival-2", as: "consumed" },
      { arrival: "arrival-4", as: "dead" },
    ] as const;
    await bench.commit("one", { signals: 4, settled });
    assert.deepEqual(await ids(bench), ["arrival-1"]);
    await bench.clock.advance(5);
    await ended(bench, "two", ["paid"], "buy");
    const { records } = await bench.store.deadMail({ status: "dead", limit: 10, lookAt: 10 });
    const [row] = await bench.store.mail({ executions: ["two"] });
    assert.deepEqual(records[0], row);
    assert.equal(row?.workflow, "buy");
    assert.deepEqual(
      records.map(({ id, execution, step }) => [id, execution, step]),
      [
        ["arrival-5", "two", null],
        ["arrival-1", "one", "first"],
      ],
    );
  }),

  contractCase("a release makes dead letters too", async (bench) => {
    await bench.create("one");
    await bench.send("one");
    await bench.release("one", { signals: 1, dead: ["arrival-1"] });
    assert.deepEqual(await ids(bench), ["arrival-1"]);
  }),

  contractCase("dead letters are found by workflow, execution and name", async (bench) => {
    await ended(bench, "one", ["paid", "sent"]);
    await ended(bench, "two", ["paid"]);
    await ended(bench, "three", ["paid"], "buy");
    assert.deepEqual(await ids(bench, { workflow: "sell" }), ["arrival-3", "arrival-2", "arrival-1"]);
    assert.deepEqual(await ids(bench, { execution: "one" }), ["arrival-2", "arrival-1"]);
    assert.deepEqual(await ids(bench, { name: "paid" }), ["arrival-4", "arrival-3", "arrival-1"]);
    assert.deepEqual(await ids(bench, { name: "paid", workflow: "sell", execution: "two" }), ["arrival-3"]);
    assert.deepEqual(await ids(bench, { execution: "none" }), []);
  }),

  contractCase("dead letters are counted by workflow, where there are any", async (bench) => {
    const counted = async (): Promise<string[]> => {
      const { counts } = await bench.store.countDeadMail({ status: "dead" }, 100);
      return counts.map(({ workflow, count }) => `${workflow} ${count}`).toSorted();
    };
    await bench.create("none");
    await bench.send("none");
    assert.deepEqual(await counted(), []);
    await ended(bench, "one", ["paid", "sent"]);
    await ended(bench, "two", ["paid"]);
    await ended(bench, "three", ["paid"], "buy");
    assert.deepEqual(await counted(), ["buy 1", "sell 3"]);
    await bench.send("none", { resends: resending("three", "arrival-5") });
    assert.deepEqual(await counted(), ["sell 3"]);
  }),

  contractCase("dead letters come in pages", async (bench) => {
    await ended(bench, "one", ["a", "b"]);
    await ended(bench, "two", ["c", "d", "e"]);
    for (const lookAt of [3, 100]) {
      const first = await bench.store.deadMail({ status: "dead", limit: 2, lookAt });
      const second = await bench.store.deadMail({ status: "dead", limit: 2, lookAt, before: first.next! });
      const third = await bench.store.deadMail({ status: "dead", limit: 2, lookAt, before: second.next! });
      assert.deepEqual(
        [first, second, third].map(({ records }) => records.map(({ name }) => name).join()),
        ["e,d", "c,b", "a"],
      );
      assert.equal(third.next, null);
    }
    const all = await bench.store.deadMail({ status: "dead", limit: 5, lookAt: 6 });
    assert.deepEqual([all.records.length, all.next], [5, null]);
  }),

  contractCase("a page of dead letters that leaves out much ends where it has looked at enough", async (bench) => {
    await ended(bench, "old", ["rare", "common"], "buy");
    await ended(bench, "new", ["common", "common", "rare", "common", "common", "common"]);
    const page = async (limit: number, before?: number) => {
      const { records, next } = await bench.store.deadMail({ status: "dead", name: "rare", limit, lookAt: 3, before });
      return { names: records.map(({ execution, name }) => `${execution} ${name}`), next };
    };
    const first = await page(5);
    assert.deepEqual(first.names, []);
    const second = await page(5, first.next!);
    assert.deepEqual(second.names, ["new rare"]);
    const third = await page(5, second.next!);
    assert.deepEqual(third, { names: ["old rare"], next: null });
    // The last one that is looked at fits, and is given once.
    const last = await bench.store.deadMail({ status: "dead", workflow: "buy", limit: 5, lookAt: 7 });
    assert.deepEqual([last.records.map(({ name }) => name), last.next !== null], [["common"], true]);
    const rest = await bench.store.deadMail({
      status: "dead",
      workflow: "buy",
      limit: 5,
      lookAt: 7,
      before: last.next!,
    });
    assert.deepEqual([rest.records.map(({ name }) => name), rest.next], [["rare"], null]);
    // Of one execution its own are looked at, whatever others have.
    const own = await bench.store.deadMail({ status: "dead", execution: "old", name: "rare", limit: 5, lookAt: 2 });
    assert.equal(own.records.length, 1);
  }),

  contractCase("dead letters are counted among so many, and it is said where there are more", async (bench) => {
    await ended(bench, "one", ["paid", "paid", "sent"], "buy");
    await ended(bench, "two", ["paid"]);
    const counted = async (conditions: Omit<DeadMailConditions, "status">, lookAt: number) => {
      const { counts, more } = await bench.store.countDeadMail({ status: "dead", ...conditions }, lookAt);
      return [...counts.map(({ workflow, count }) => `${workflow} ${count}`).toSorted(), more];
    };
    assert.deepEqual(await counted({}, 4), ["buy 3", "sell 1", false]);
    assert.deepEqual(await counted({}, 3), ["buy 2", "sell 1", true]);
    assert.deepEqual(await counted({ name: "paid" }, 3), ["buy 1", "sell 1", true]);
    assert.deepEqual(await counted({ workflow: "buy" }, 1), [true]);
    assert.deepEqual(await counted({ workflow: "buy", name: "sent" }, 4), ["buy 1", false]);
    assert.deepEqual(await counted({ execution: "one" }, 3), ["buy 3", false]);
    assert.deepEqual(await counted({ execution: "none" }, 3), [false]);
  }),

  contractCase("a dead letter that is sent again becomes resent, once", async (bench) => {
    await ended(bench, "one", ["paid"]);
    await bench.create("two");
    await bench.create("three");
    const resends = resending("one", "arrival-1");
    const again = bench.arrival("two", { messageId: "again", resends });
    const { arrivals } = await bench.write({
      arrivals: [bench.arrival("three"), again, bench.arrival("three", { resends }), bench.arrival("two")],
    });
    assert.deepEqual(
      arrivals.map(({ result }) => result),
      ["stored", "stored", "not-dead", "stored"],
    );
    assert.deepEqual(await bench.mailbox("one"), ["arrival-1 resent", "note on arrival-1 consumed"]);
    assert.deepEqual(await bench.mailbox("two"), ["arrival-2 pending", "arrival-5 pending"]);
    assert.deepEqual(await bench.mailbox("three"), ["arrival-3 pending"]);
    assert.equal((await bench.load("three")).signals, 1);
    assert.deepEqual(await ids(bench), []);
    const [, note] = await bench.mail("one");
    assert.deepEqual(note, {
      id: "note on arrival-1",
      execution: "one",
      workflow: "sell",
      sequence: note!.sequence,
      kind: "resend",
      name: "resend",
      payload: '{"by":"ada"}',
      messageId: null,
      status: "consumed",
      receivedAt: bench.now,
      step: null,
      carried: null,
      topic: null,
    });
    assert.equal((await bench.load("one")).signals, 1);
    const repeated = await bench.send("two", { messageId: "again", resends });
    assert.deepEqual(repeated, { result: "duplicate", id: "arrival-2" });
    assert.equal((await bench.mailbox("one")).length, 2);
  }),

  contractCase("a dead letter may be sent again to its own execution", async (bench) => {
    await bench.create("one");
    await bench.send("one");
    await bench.commit("one", { signals: 1, settled: [{ arrival: "arrival-1", as: "dead" }] });
    const resends = resending("one", "arrival-1");
    assert.equal((await bench.send("one", { resends })).result, "stored");
    // Which of the last two comes first is up to the store.
    const [letter, ...rest] = await bench.mailbox("one");
    assert.equal(letter, "arrival-1 resent first");
    assert.deepEqual(rest.toSorted(), ["arrival-2 pending", "note on arrival-1 consumed"]);
    assert.equal((await bench.load("one")).signals, 2);
  }),

  contractCase("what is no dead message, or is refused where it goes, changes nothing", async (bench) => {
    await ended(bench, "one", ["paid"]);
    await bench.create("two");
    await bench.send("two");
    await bench.send("two", { kind: "rollback" });
    await bench.commit("two", { signals: 2, settled: [{ arrival: "arrival-3", as: "dead" }] });
    const refused = async (execution: string, arrival: string, to = "two"): Promise<string> =>
      (await bench.send(to, { resends: resending(execution, arrival) })).result;
    assert.equal(await refused("two", "arrival-2"), "not-dead");
    assert.equal(await refused("two", "arrival-3"), "not-dead");
    assert.equal(await refused("two", "arrival-1"), "not-dead");
    assert.equal(await refused("none", "arrival-1"), "not-dead");
    assert.equal(await refused("one", "arrival-1", "one"), "ended");
    assert.equal(await refused("one", "arrival-1", "none"), "not-found");
    assert.deepEqual(await bench.mailbox("one"), ["arrival-1 dead"]);
    assert.deepEqual(await bench.mailbox("two"), ["arrival-2 pending", "arrival-3 dead first"]);
    assert.equal((await bench.load("two")).signals, 2);
    assert.deepEqual(await ids(bench), ["arrival-1"]);
  }),
];
