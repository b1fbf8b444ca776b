import assert from "node:assert/strict";
import { contractCase, entry, position, promised, type StoreContractCase } from "./bench.js";

/** Everything that the codec may write, and what careless SQL trips over. */
const texts = [
  "",
  "null",
  '{"a":"\\u0000","b":"\\ud800"}',
  '~[["Date","2026-01-01T00:00:00.000Z"]]',
  "naïve – 日本語 – 🦆 – ‏עברית – e\u0301",
  "line\nline\r\n\ttab \u0001\u001f\u007f \u2028\u2029 \ufeff",
  `'; DROP TABLE stepwell_executions; -- "quoted" \\ %s ? ?1 :a $1 @b`,
  "x".repeat(300_000),
];

export const values: readonly StoreContractCase[] = [
  contractCase("encoded texts come back character for character", async (bench) => {
    for (const [index, text] of texts.entries()) {
      const id = `text-${index}`;
      await bench.create(id, { state: text, input: text });
      await bench.send(id, { payload: text, messageId: text.slice(0, 200) });
      assert.equal((await bench.load(id)).state, text);
      await bench.commit(id, { signals: 1, state: `${text}!`, history: { ...entry, patch: text } });
      const record = await bench.load(id);
      assert.equal(record.state, `${text}!`);
      assert.equal(record.input, text);
      assert.equal((await bench.history(id))[0]?.patch, text);
      const [row] = await bench.mail(id);
      assert.equal(row?.payload, text);
      assert.equal(row?.messageId, text.slice(0, 200));
    }
  }),

  contractCase("reasons and errors may hold any character, also NUL and half a surrogate pair", async (bench) => {
    const odd = "a\u0000b \ud83e c \udd86";
    await bench.create("one");
    const error = { name: odd, message: odd, stack: odd };
    const irreversible = [{ step: odd, reason: odd }];
    const turned = { ...position, direction: "down", reason: odd, error, irreversible } as const;
    await bench.commit("one", { position: turned, history: { ...entry, result: odd, error } });
    assert.deepEqual((await bench.load("one")).position, turned);
    const [row] = await bench.history("one");
    assert.deepEqual(row, { ...entry, result: odd, error, revision: 1, at: bench.now });
  }),

  contractCase("names, versions and tags may be of any script", async (bench) => {
    const workflow = { name: "Übergabe/引き渡し 'x'", version: "1.0-β 🦆" };
    const tags = ["größe:xl", "タグ", "a'b\"c", "%_"];
    const details = { workflow: workflow.name, version: workflow.version, tags, owner: null };
    await bench.create("one", details);
    assert.deepEqual((await bench.load("one")).tags, tags);
    for (const tag of tags) assert.equal((await bench.store.list({ tags: [tag], limit: 5 })).records.length, 1, tag);
    assert.equal((await bench.store.list({ workflow: workflow.name, limit: 5 })).records.length, 1);
    assert.equal((await bench.claim(bench.owner, 5, [workflow])).records[0]?.version, workflow.version);
  }),

  contractCase("times a hundred years ahead and fractions of a millisecond are kept", async (bench) => {
    const century = 100 * 365 * 24 * 60 * 60 * 1000;
    await bench.create("far", { owner: null, dueInMs: century, deadlineInMs: 2 * century });
    const far = await bench.load("far");
    assert.equal(far.dueAt, bench.now + century);
    assert.equal(far.deadlineAt, bench.now + 2 * century);
    await bench.create("soon", { owner: null, dueInMs: 0.25 });
    assert.deepEqual(await bench.claimedIds(), []);
    const waits = { ...position, waitUntil: bench.now + 0.5, resumeAt: bench.now + century };
    await bench.create("waits", { position: waits });
    assert.deepEqual((await bench.load("waits")).position, waits);
  }),

  contractCase(
    "a store that is not open refuses every call by a coded error, and can be closed twice",
    async (bench) => {
      const { store } = bench;
      assert.equal(store.isOpen, true);
      await store.close();
      await store.close();
      assert.equal(store.isOpen, false);
      const calls: (() => unknown)[] = [
        () => store.register({ host: "here", pid: 1 }),
        () => store.beat(bench.owner),
        () => store.removeLaunchers([]),
        () => store.write({ creates: [], transitions: [], releases: [], arrivals: [] }),
        () => store.claim({ owner: bench.owner, limit: 1, workflows: [] }),
        () => store.load([]),
        () => store.list({ limit: 1 }),
        () => store.history("one"),
        () => store.mail({ executions: ["one"] }),
      ];
      for (const call of calls) await assert.rejects(promised(call), { code: "STEPWELL_STORE_CLOSED" });
    },
  ),

  contractCase("a store that is open can't be opened again", async (bench) => {
    await assert.rejects(
      promised(() => bench.store.open()),
      { code: "STEPWELL_INVALID_ARGUMENT" },
    );
    assert.equal(bench.store.isOpen, true);
  }),
];
