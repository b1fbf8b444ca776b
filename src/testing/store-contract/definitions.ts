import assert from "node:assert/strict";
import { contractCase, needing, entry, position, sell, type StoreContractCase } from "./bench.js";

const first = { workflow: "sell", version: "1", fingerprint: "a", steps: '[{"name":"first"}]' };
const changed = { workflow: "sell", version: "1", fingerprint: "b", steps: '[{"name":"other"}]' };
const second = { workflow: "sell", version: "2", fingerprint: "c", steps: "[]" };
const elsewhere = { workflow: "buy", version: "1", fingerprint: "a", steps: "[]" };

const definitionsCase = needing("definitions");

export const definitions: readonly StoreContractCase[] = [
  definitionsCase(
    "lists of steps are kept side by side, and given by workflow, version and fingerprint",
    async (bench) => {
      await bench.the("definitions").keep([second, changed]);
      await bench.the("definitions").keep([elsewhere, first]);
      assert.deepEqual(await bench.the("definitions").of("sell"), [first, changed, second]);
      assert.deepEqual(await bench.the("definitions").of("buy"), [elsewhere]);
      assert.deepEqual(await bench.the("definitions").of("nothing"), []);
      assert.deepEqual(await bench.the("definitions").of(), [elsewhere, first, changed, second]);
    },
  ),

  definitionsCase("a list that is there already stays as it is", async (bench) => {
    await bench.the("definitions").keep([first]);
    await bench.the("definitions").keep([{ ...first, steps: "[]" }, second]);
    assert.deepEqual(await bench.the("definitions").of("sell"), [first, second]);
    await bench.the("definitions").keep([]);
  }),

  contractCase("an execution keeps the fingerprint that it was created with", async (bench) => {
    await bench.create("known", { fingerprint: "a" });
    await bench.create("unknown");
    await bench.commit("known");
    assert.equal((await bench.load("known")).fingerprint, "a");
    assert.equal((await bench.load("unknown")).fingerprint, null);
  }),

  contractCase("a transition may take over another list, of the same version or of another", async (bench) => {
    const two = { name: "sell", version: "2" };
    await bench.create("one", { fingerprint: "a" });
    await bench.create("other", { fingerprint: "a" });
    await bench.write({
      transitions: [
        bench.transition("one", { definition: { version: "2", fingerprint: "c" } }),
        bench.transition("other", { definition: { version: "1", fingerprint: "b" }, rests: true, dueInMs: 0 }),
      ],
    });
    const { version, fingerprint, owner, revision } = await bench.load("one");
    assert.deepEqual(
      { version, fingerprint, owner, revision },
      { version: "2", fingerprint: "c", owner: bench.owner, revision: 1 },
    );
    assert.equal((await bench.load("other")).fingerprint, "b");
    await bench.commit("one", { revision: 2, rests: true, dueInMs: 0 });
    assert.deepEqual(await bench.claimedIds(), ["other"]);
    assert.deepEqual(
      (await bench.claim(bench.owner, 10, [two])).records.map(({ id }) => id),
      ["one"],
    );
  }),

  contractCase("it is due at once under its new version where it is let go of with it", async (bench) => {
    await bench.create("one", { fingerprint: "a" });
    await bench.commit("one", { definition: { version: "2", fingerprint: "c" }, rests: true, dueInMs: 0 });
    assert.deepEqual((await bench.claim(bench.owner, 10, [sell])).records, []);
    const { records } = await bench.claim(bench.owner, 10, [{ name: "sell", version: "2" }]);
    assert.deepEqual(
      records.map(({ version, fingerprint }) => ({ version, fingerprint })),
      [{ version: "2", fingerprint: "c" }],
    );
  }),

  contractCase("a refused transition takes over nothing", async (bench) => {
    await bench.create("one", { fingerprint: "a" });
    const definition = { version: "2", fingerprint: "c" };
    assert.equal(await bench.commit("one", { definition, revision: 2 }), "lost");
    await bench.send("one");
    assert.equal(await bench.commit("one", { definition }), "signalled");
    const { version, fingerprint } = await bench.load("one");
    assert.deepEqual({ version, fingerprint }, { version: "1", fingerprint: "a" });
  }),

  contractCase("the history keeps a migration, and the state as a whole where it was replaced", async (bench) => {
    await bench.create("one");
    const migration = { from: "1", to: "2", steps: { first: "begin", pack: null } };
    const history = { ...entry, result: "migrated", migration, replaced: '{"n":2}' };
    await bench.commit("one", { position, state: '{"n":2}', history });
    assert.deepEqual(await bench.history("one"), [{ ...history, revision: 1, at: bench.now }]);
  }),
];
