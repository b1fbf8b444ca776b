import assert from "node:assert/strict";
import type { HistoryEntry } from "../../execution/records.js";
import { contractCase, entry, type StoreContractCase, type Texts } from "./bench.js";

export const history: readonly StoreContractCase[] = [
  contractCase("a history holds every taken transition once, in the order of revision", async (bench) => {
    await bench.create("one");
    await bench.create("two");
    const expected: unknown[] = [];
    for (let revision = 1; revision <= 12; revision++) {
      await bench.clock.advance(1);
      await bench.commit("one", { revision, history: { ...entry, attempt: revision } });
      await bench.commit("one", { revision, history: { ...entry, attempt: -1 } });
      expected.push({ ...entry, attempt: revision, revision, at: bench.now });
    }
    assert.deepEqual(await bench.history("one"), expected);
    assert.deepEqual(await bench.history("two"), []);
    assert.deepEqual(await bench.history("none"), []);
  }),

  contractCase(
    "a part of a history holds what was committed after a revision, at most as many as wanted",
    async (bench) => {
      await bench.create("one");
      await bench.create("other");
      for (let revision = 1; revision <= 9; revision++) {
        await bench.commit("one", { revision, history: { ...entry, attempt: revision } });
        await bench.commit("other", { revision, history: { ...entry, attempt: -1 } });
      }
      const read = async (after: number, limit: number): Promise<unknown> => {
        const rows = await bench.store.history("one", { after, limit });
        for (const { revision, attempt } of rows) assert.equal(attempt, revision);
        return rows.map(({ revision }) => revision);
      };
      assert.deepEqual(await read(0, 3), [1, 2, 3]);
      assert.deepEqual(await read(3, 3), [4, 5, 6]);
      assert.deepEqual(await read(7, 3), [8, 9]);
      assert.deepEqual(await read(9, 3), []);
      assert.deepEqual(await read(2 ** 40, 3), []);
      assert.deepEqual(await read(8, 2 ** 40), [9]);
      assert.deepEqual(await bench.store.history("none", { after: 0, limit: 3 }), []);
      assert.deepEqual(
        await bench.store.history("one", { after: 0, limit: 2 ** 31 }),
        await bench.store.history("one"),
      );
    },
  ),

  contractCase(
    "a history that goes on is read in parts from its end, each without a gap to the next",
    async (bench) => {
      for (const ids of [["one", "other"], ["one"]]) {
        for (const id of ids) await bench.create(id);
        for (let revision = 1; revision <= 12; revision++) {
          for (const id of ids) {
            await bench.commit(id, { revision, history: { ...entry, step: id, attempt: revision } });
          }
        }
        for (const id of ids) {
          const read: number[] = [];
          for (let after = 9; after >= 0; after -= 3) {
            const rows = await bench.store.history(id, { after, limit: 3 });
            assert.ok(rows.every(({ step, attempt, revision }) => step === id && attempt === revision));
            read.unshift(...rows.map(({ revision }) => revision));
            await bench.commit(id, { revision: 13 + (9 - after) / 3 });
          }
          assert.deepEqual(read, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        }
        // Launched anew under its id, it has a history of its own.
        await bench.commit("one", { revision: 17, status: "completed", rests: true, ends: true });
        await bench.clock.advance(1);
        const { counts } = await bench.store.prune({
          olderThanMs: { completed: 1 },
          limit: 9,
          after: null,
          dry: false,
        });
        assert.deepEqual(counts, { completed: 1 });
        assert.deepEqual(await bench.store.history("one", { after: 0, limit: 3 }), []);
      }
    },
  ),

  contractCase("a history row is read back with all that it was given, and nothing more", async (bench) => {
    await bench.create("one");
    const full: Texts<HistoryEntry> = {
      direction: "down",
      step: "second",
      stepIndex: 1,
      func: "rollbackContinue",
      attempt: 4,
      result: "card-declined",
      durationMs: 12.5,
      message: { id: "m-1", name: "refused" },
      error: {
        name: "Error",
        message: "no",
        details: { list: [1, null, { deep: true }] },
        cause: { name: "Error", message: "why" },
      },
      by: "someone",
      why: "for\na reason",
      patch: '{"n":1}',
      others: '{"checked":true}',
      initial: '{"n":0}',
    };
    await bench.commit("one", { history: full });
    await bench.commit("one", { revision: 2 });
    assert.deepEqual(await bench.history("one"), [
      { ...full, revision: 1, at: bench.now },
      { ...entry, revision: 2, at: bench.now },
    ]);
  }),

  contractCase("what a caller gets is its own: later commits do not change it", async (bench) => {
    await bench.create("one");
    await bench.send("one");
    const [record, rows, mail] = [await bench.load("one"), await bench.history("one"), await bench.mail("one")];
    const before = structuredClone({ record, rows, mail });
    await bench.commit("one", { signals: 1, state: '"new"', settled: [{ arrival: "arrival-1", as: "consumed" }] });
    assert.deepEqual({ record, rows, mail }, before);
  }),
];
