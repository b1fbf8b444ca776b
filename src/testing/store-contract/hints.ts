import assert from "node:assert/strict";
import type { Hint, Wanted } from "../../stores/contract.js";
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

/** What the store tells who follows these, of one act; nothing where it tells nobody. */
async function movedBy(bench: Bench, wanted: Wanted, act: () => Promise<unknown>): Promise<string[] | undefined> {
  const moved = new Set<string>();
  const unfollow = bench.store.follow?.(wanted, (ids) => ids.forEach((id) => moved.add(id)));
  if (unfollow === undefined) return undefined;
  await act();
  await bench.clock.settle();
  unfollow();
  unfollow();
  return [...moved].toSorted();
}

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

  contractCase(
    "a store that tells which executions have moved tells of each commit, to those who follow them",
    async (bench) => {
      for (const id of ["one", "two", "three"]) await bench.create(id);
      let revision = 0;
      const commit = async (): Promise<void> => {
        revision += 1;
        await bench.write({ transitions: ["one", "two"].map((id) => bench.transition(id, { revision })) });
      };
      const told = [await movedBy(bench, "all", commit), await movedBy(bench, ["two", "three"], commit)];
      told.push(await movedBy(bench, "all", () => bench.release("three", { parks: true })));
      told.push(await movedBy(bench, "all", () => bench.send("one")), await movedBy(bench, [], commit));
      const follows = bench.store.follow !== undefined;
      assert.deepEqual(told, follows ? [["one", "two"], ["two"], ["three"], [], []] : told.map(() => undefined));
    },
  ),
];
