import assert from "node:assert/strict";
import type { Hint } from "../../stores/contract.js";
import { contractCase, type Bench, type StoreContractCase } from "./bench.js";

/** The hints of one act; a store may give one more than once. */
async function hintsOf(bench: Bench, act: () => Promise<unknown>): Promise<Hint[]> {
  const heard = new Map<string, Hint>();
  const unwatch = bench.store.watch((hint) => heard.set(JSON.stringify(hint), hint));
  await act();
  await bench.clock.settle();
  unwatch();
  return [...heard.values()];
}

const dueNow = [{ type: "due", inMs: 0 }];

export const hints: readonly StoreContractCase[] = [
  contractCase("who watches hears when something is due now or later", async (bench) => {
    assert.deepEqual(await hintsOf(bench, () => bench.create("now", { owner: null })), dueNow);
    assert.deepEqual(await hintsOf(bench, () => bench.create("later", { owner: null, dueInMs: 9 })), [
      { type: "due", inMs: 9 },
    ]);
    await bench.create("one");
    assert.deepEqual(await hintsOf(bench, () => bench.commit("one", { rests: true, dueInMs: 7 })), [
      { type: "due", inMs: 7 },
    ]);
    await bench.create("two");
    assert.deepEqual(await hintsOf(bench, () => bench.release("two", { dueInMs: 0 })), dueNow);
  }),

  contractCase(
    "who watches hears when an arrival wakes an execution, and when launchers are removed",
    async (bench) => {
      await bench.create("one", { status: "waiting" });
      await bench.release("one");
      assert.deepEqual(await hintsOf(bench, () => bench.send("one")), dueNow);
      await bench.create("two");
      assert.deepEqual(await hintsOf(bench, async () => bench.store.removeLaunchers([bench.owner])), dueNow);
    },
  ),

  contractCase("who watches hears of an arrival for an execution that is being worked on", async (bench) => {
    await bench.create("one");
    assert.deepEqual(await hintsOf(bench, () => bench.send("one")), [{ type: "signalled", execution: "one" }]);
  }),

  contractCase("nothing is hinted at that did not happen", async (bench) => {
    await bench.create("one");
    const quiet = await hintsOf(bench, async () => {
      await bench.create("one", { owner: null });
      await bench.commit("one", { revision: 7, rests: true, dueInMs: 0 });
      await bench.commit("one");
      await bench.send("none");
      await bench.commit("one", { revision: 2, rests: true });
    });
    assert.deepEqual(quiet, []);
  }),

  contractCase(
    "a listener may ask the store at once, and is not called after it has stopped watching",
    async (bench) => {
      let claimed: Promise<string[]> | undefined;
      const unwatch = bench.store.watch(() => void (claimed ??= bench.claimedIds()));
      await bench.create("one", { owner: null });
      await bench.clock.settle();
      assert.deepEqual(await claimed, ["one"]);
      claimed = undefined;
      unwatch();
      unwatch();
      await bench.create("two", { owner: null });
      await bench.clock.settle();
      assert.equal(claimed, undefined);
    },
  ),
];
