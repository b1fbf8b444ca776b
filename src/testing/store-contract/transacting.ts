import assert from "node:assert/strict";
import type { Transition } from "../../stores/batch.js";
import type { Store } from "../../stores/store.js";
import { contractCase, promised, type Bench, type StoreContractCase } from "./bench.js";

type Work = Parameters<NonNullable<Store["transact"]>>[0];

/** A case for stores that have transactions; the others have nothing to show. */
function transactingCase(
  name: string,
  body: (bench: Bench, transact: (work: Work) => Promise<unknown>) => Promise<void>,
): StoreContractCase {
  return contractCase(name, async (bench) => {
    const { store } = bench;
    if (store.transact === undefined) return;
    await body(bench, (work) => promised(() => store.transact!(work)));
  });
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
    const error = new TypeError("the user's own");
    await assert.rejects(
      transact(() => {
        throw error;
      }),
      (thrown) => thrown === error,
    );
    assert.equal((await bench.load("one")).revision, 0);
    assert.equal(await bench.commit("one"), "taken");
  }),

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
    "what a caller writes within a transaction of its own is seen there, duplicates too",
    async (bench, transact) => {
      await bench.create("one");
      const { store } = bench;
      if (store.within === undefined) return;
      await transact((connection) => {
        const within = store.within!(connection);
        const batch = { transitions: [], releases: [] };
        const wrote = within.write({
          ...batch,
          creates: [bench.newExecution("two", { owner: null })],
          arrivals: [bench.arrival("one", { messageId: "m" })],
        });
        const check = (): Transition | null => null;
        return wrote instanceof Promise ? wrote.then(check) : check();
      });
      assert.equal((await store.load(["two"]))[0], undefined);
      assert.deepEqual(await bench.mailbox("one"), []);
    },
  ),
];
