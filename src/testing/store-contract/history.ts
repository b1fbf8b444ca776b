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
