import assert from "node:assert/strict";
import type { ListedExecution } from "../../stores/contract.js";
import { contractCase, position, type Bench, type StoreContractCase } from "./bench.js";

/** Thirty messages of two names with a request among them; the first ten are consumed. Gives back the ids of the rest. */
async function large(bench: Bench, id: string): Promise<{ readonly paid: string[]; readonly sent: string[] }> {
  await bench.create(id);
  const ids: Record<"paid" | "sent", string[]> = { paid: [], sent: [] };
  for (let index = 0; index < 30; index++) {
    const name = index % 3 === 0 ? "sent" : "paid";
    const arrival = bench.arrival(id, { name });
    await bench.write({ arrivals: [arrival] });
    ids[name].push(arrival.id);
    if (index === 15) await bench.send(id, { id: `${id}-request`, kind: "rollback", name: "rollback" });
  }
  const first = [...ids.sent.splice(0, 4), ...ids.paid.splice(0, 6)];
  const settled = first.map((arrival) => ({ arrival, as: "consumed" }) as const);
  assert.equal(await bench.commit(id, { signals: 31, settled }), "taken");
  return ids;
}

const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);

export const mailboxes: readonly StoreContractCase[] = [
  contractCase(
    "of what is pending a few messages can be read, and all requests: of each name the oldest",
    async (bench) => {
      const { paid, sent } = await large(bench, "one");
      const rows = await bench.mail("one", { status: "pending", limit: 5 });
      assert.equal(rows.length, 6);
      assert.deepEqual(idsOf(rows.filter(({ kind }) => kind === "rollback")), ["one-request"]);
      const [paidRead, sentRead] = ["paid", "sent"].map((name) => idsOf(rows.filter((row) => row.name === name)));
      assert.deepEqual(paidRead, paid.slice(0, paidRead!.length));
      assert.deepEqual(sentRead, sent.slice(0, sentRead!.length));
      const sequences = rows.map(({ sequence }) => sequence);
      assert.deepEqual(
        sequences,
        sequences.toSorted((one, other) => one - other),
      );
      assert.deepEqual(idsOf(await bench.mail("one", { status: "pending", limit: 0 })), ["one-request"]);
      const all = await bench.mail("one", { status: "pending" });
      assert.equal(all.length, 21);
      assert.deepEqual(await bench.mail("one", { status: "pending", limit: 20 }), all);
    },
  ),

  contractCase("of what is pending all that only wakes is read, however few messages are asked for", async (bench) => {
    await bench.create("one");
    await bench.send("one", { id: "told-of", kind: "told", name: "told" });
    for (const limit of [0, 5])
      assert.deepEqual(idsOf(await bench.mail("one", { status: "pending", limit })), ["told-of"]);
  }),

  contractCase("messages that nobody has taken are counted, up to a number, and nothing else is", async (bench) => {
    await large(bench, "one");
    await bench.create("two");
    await bench.send("two");
    assert.equal(await bench.store.countPending("one", 100), 20);
    assert.equal(await bench.store.countPending("one", 20), 20);
    assert.equal(await bench.store.countPending("one", 5), 6);
    assert.equal(await bench.store.countPending("two", 5), 1);
    assert.equal(await bench.store.countPending("none", 5), 0);
  }),

  contractCase("pending messages with one name are read by themselves, the oldest first", async (bench) => {
    const { paid, sent } = await large(bench, "one");
    await bench.send("one", { kind: "rollback", name: "paid" });
    assert.deepEqual(idsOf(await bench.mail("one", { status: "pending", name: "paid" })), paid);
    assert.deepEqual(idsOf(await bench.mail("one", { status: "pending", name: "sent", limit: 3 })), sent.slice(0, 3));
    assert.deepEqual(await bench.mail("one", { status: "pending", name: "none", limit: 3 }), []);
  }),

  contractCase(
    "one row of a mailbox is found by its id or by its sender's, whatever has become of it",
    async (bench) => {
      await bench.create("one");
      await bench.create("two");
      await bench.send("one", { messageId: "m" });
      await bench.send("one");
      await bench.send("two", { messageId: "m" });
      const settled = [{ arrival: "arrival-1", as: "consumed" }] as const;
      await bench.commit("one", { signals: 2, settled, ends: true, rests: true, status: "completed" });
      for (const filter of [{ id: "arrival-1" }, { messageId: "m" }]) {
        const [row, ...others] = await bench.mail("one", filter);
        assert.deepEqual([row?.id, row?.status, row?.step, others], ["arrival-1", "consumed", "first", []]);
      }
      assert.deepEqual((await bench.mail("one", { id: "arrival-2" }))[0]?.status, "dead");
      assert.deepEqual(await bench.mail("one", { id: "arrival-3" }), []);
      assert.deepEqual(await bench.mail("one", { messageId: "arrival-2" }), []);
    },
  ),

  contractCase("the last rows of a mailbox, by their ids, are read by themselves, in their order", async (bench) => {
    await bench.create("one");
    await bench.create("two");
    for (const id of ["id-2", "id-1", "id-4", "id-3"]) await bench.send("one", { id });
    await bench.send("two", { id: "id-9" });
    const settled = [{ arrival: "id-4", as: "consumed" }] as const;
    await bench.commit("one", { signals: 4, settled });
    assert.deepEqual(idsOf(await bench.mail("one", { last: 3 })), ["id-2", "id-4", "id-3"]);
    assert.deepEqual(idsOf(await bench.mail(["two", "one"], { last: 1 })).toSorted(), ["id-4", "id-9"]);
    assert.deepEqual(idsOf(await bench.mail("one", { last: 9 })), ["id-2", "id-1", "id-4", "id-3"]);
    assert.deepEqual(await bench.mail("none", { last: 9 }), []);
  }),

  contractCase("the mailboxes of several executions are read at once, each in its order", async (bench) => {
    await bench.create("none");
    const one = await large(bench, "one");
    const two = await large(bench, "two");
    const rows = await bench.mail(["one", "none", "nobody", "two"], { status: "pending", limit: 50 });
    for (const [id, { paid, sent }] of Object.entries({ one, two })) {
      const own = rows.filter(({ execution }) => execution === id);
      assert.deepEqual(idsOf(own.filter(({ name }) => name === "paid")), paid);
      assert.deepEqual(idsOf(own.filter(({ name }) => name === "sent")), sent);
    }
    assert.equal(rows.length, 42);
    assert.deepEqual(await bench.mail([], { status: "pending" }), []);
  }),

  contractCase("where executions stand can be read without what they hold", async (bench) => {
    await bench.create("one");
    await bench.send("one");
    await bench.commit("one", { signals: 1, rests: true, dueInMs: 5, status: "waiting" });
    const [nobody, one] = await bench.store.load(["nobody", "one"], "standing");
    const { id, workflow, version, status, revision, signals, owner, dueAt } = one!;
    assert.deepEqual(
      { id, workflow, version, status, revision, signals, owner, dueAt },
      {
        id: "one",
        workflow: "sell",
        version: "1",
        status: "waiting",
        revision: 1,
        signals: 1,
        owner: null,
        dueAt: bench.now + 5,
      },
    );
    assert.equal(nobody, undefined);
  }),

  contractCase("executions can be read by their ids as a list reads them", async (bench) => {
    await bench.create("one", { tags: ["a", "b"] });
    await bench.create("two");
    const error = { name: "Error", message: "no" };
    await bench.commit("one", { status: "stuck", rests: true, position: { ...position, error, stuckBy: error } });
    const { records } = await bench.store.list({ limit: 2 });
    const loaded = await bench.store.load(["one", "nobody", "two"], "listed");
    const fields = Object.keys(records[0]!) as (keyof ListedExecution)[];
    const found = loaded.map((it) => it && Object.fromEntries(fields.map((field) => [field, it[field]])));
    assert.deepEqual(found, [records[1], undefined, records[0]]);
  }),
];
