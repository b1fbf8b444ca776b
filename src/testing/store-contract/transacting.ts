import assert from "node:assert/strict";
import type { BatchResult } from "../../stores/batch.js";
import type { Transition } from "../../execution/records.js";
import type { MaybePromise, TransactionStore } from "../../stores/contract.js";
import { advance, begins, linesOf, listOf, opened, staged, telling } from "./lists.js";
import { contractCase, promised, type Bench, type StoreContractCase } from "./bench.js";

type Work = Parameters<TransactionStore["run"]>[0];

function transactingCase(
  name: string,
  body: (bench: Bench, transact: (work: Work) => Promise<unknown>) => Promise<void>,
): StoreContractCase {
  const run = (bench: Bench) => (work: Work) => promised(() => bench.the("transactions").run(work));
  return contractCase(name, (bench) => body(bench, run(bench)), ["transactions"]);
}

export const transacting: readonly StoreContractCase[] = [
  transactingCase(
    "a transaction commits the transition that its work gives, and hands out a connection",
    async (bench, transact) => {
      await bench.create("one");
      let connection: unknown;
      const answer = await transact((given) => {
        connection = given;
        return bench.transition("one", { state: '{"n":1}' });
      });
      assert.equal(answer, "taken");
      assert.ok(typeof connection === "object" && connection !== null);
      const { state, revision } = await bench.load("one");
      assert.deepEqual([state, revision], ['{"n":1}', 1]);
      assert.equal((await bench.history("one")).length, 1);
    },
  ),

  transactingCase("a transaction whose work gives nothing changes nothing", async (bench, transact) => {
    await bench.create("one");
    assert.equal(await transact(() => null), null);
    assert.equal((await bench.load("one")).revision, 0);
  }),

  transactingCase("a transaction rejects with what its work threw, and changes nothing", async (bench, transact) => {
    await bench.create("one");
    // Not even one that looks as if the database were away.
    for (const error of [new TypeError("the user's own"), Object.assign(new Error("no"), { code: "ECONNREFUSED" })]) {
      await assert.rejects(
        transact(() => {
          throw error;
        }),
        (thrown) => thrown === error,
      );
    }
    assert.equal((await bench.load("one")).revision, 0);
    assert.equal(await bench.commit("one"), "taken");
  }),

  contractCase(
    "a transaction opens a list and tells a line with its transition, or does neither",
    async (bench) => {
      const run = async (work: Work): Promise<unknown> => bench.the("transactions").run(work);
      await opened(bench, 1);
      await advance(bench, { begins: begins(bench, 0) });
      await bench.claim();
      const opens = { list: "c0/step", opens: { count: 1, data: "inner", lines: [staged(0)] } };
      const begun = { ...telling(0, "stuck"), list: opens };
      assert.equal(await run(() => bench.transition("c0", { revision: 2, ...begun })), "lost");
      assert.deepEqual([await linesOf(bench), await listOf(bench, "c0/step")], [["0 begun"], undefined]);
      assert.equal(await run(() => bench.transition("c0", begun)), "taken");
      assert.deepEqual([await linesOf(bench), (await listOf(bench, "c0/step"))?.data], [["0 stuck"], "inner"]);
    },
    ["lists", "transactions"],
  ),

  transactingCase(
    "a transaction is fenced as every commit is, and leaves nothing where it is refused",
    async (bench, transact) => {
      await bench.create("one");
      const attempt = (more: Partial<Transition>): Promise<unknown> =>
        transact(() => ({ ...bench.transition("one"), ...more }));
      assert.equal(await attempt({ owner: await bench.register() }), "lost");
      assert.equal(await attempt({ revision: 3 }), "lost");
      await bench.send("one");
      assert.equal(await attempt({ signals: 0 }), "signalled");
      assert.deepEqual(await bench.history("one"), []);
      assert.equal(await attempt({ signals: 1 }), "taken");
    },
  ),

  transactingCase(
    "what a caller writes within a transaction of its own is seen there, duplicates too, and is gone when that is rolled back",
    async (bench, transact) => {
      await bench.create("one");
      await transact((connection) => {
        const within = bench.the("transactions").within(connection);
        const write = (): MaybePromise<BatchResult> =>
          within.write({
            ...{ transitions: [], releases: [] },
            creates: [bench.newExecution("two", { owner: null })],
            arrivals: [bench.arrival("one", { messageId: "m" })],
          });
        const seen = next(next(write(), write), (again) => {
          assert.deepEqual([again.creates[0]?.created, again.arrivals[0]?.result], [false, "duplicate"]);
          return within.load(["two"]);
        });
        const loaded = next(seen, ([two]) => {
          assert.equal(two?.id, "two");
          return within.mail({ executions: ["one"], status: "pending" });
        });
        return next(loaded, (pending) => {
          assert.equal(pending.length, 1);
          return null;
        });
      });
      assert.equal((await bench.store.load(["two"]))[0], undefined);
      assert.deepEqual(await bench.mailbox("one"), []);
    },
  ),

  transactingCase(
    "a caller's connection whose transaction is over, or that is no connection, is refused, and nothing is written",
    async (bench, transact) => {
      let connection: unknown;
      await transact((given) => {
        connection = given;
        return null;
      });
      for (const tx of [connection, {}, { query: 1 }]) {
        await assert.rejects(
          promised(() =>
            bench
              .the("transactions")
              .within(tx)
              .write({
                ...{ transitions: [], releases: [], arrivals: [] },
                creates: [bench.newExecution("one", { owner: null })],
              }),
          ),
          { code: "STEPWELL_NOT_IN_TRANSACTION" },
        );
      }
      assert.equal((await bench.store.load(["one"]))[0], undefined);
    },
  ),
];

/** At once, where the store answers at once: its transaction may not wait. */
function next<Value, Result>(
  value: MaybePromise<Value>,
  use: (value: Value) => MaybePromise<Result>,
): MaybePromise<Result> {
  return value instanceof Promise ? value.then(use) : use(value);
}
