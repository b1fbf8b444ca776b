import assert from "node:assert/strict";
import type { ListFilter } from "../../stores/contract.js";
import { contractCase, toTexts, promised, type Bench, type StoreContractCase } from "./bench.js";

async function pagesOf(bench: Bench, filter: ListFilter): Promise<string[][]> {
  const pages: string[][] = [];
  let after: string | undefined;
  do {
    const page = await bench.store.list({ ...filter, after });
    pages.push(page.records.map(({ id }) => id));
    after = page.cursor ?? undefined;
  } while (after !== undefined);
  return pages;
}

/** Whatever is listed must be counted. */
async function idsOf(bench: Bench, filter: Partial<ListFilter>): Promise<string[]> {
  const ids = (await pagesOf(bench, { limit: 100, ...filter })).flat();
  const { limit: _limit, after: _after, ...conditions } = filter;
  assert.equal(await bench.store.count(conditions, 100), ids.length);
  return ids;
}

export const listing: readonly StoreContractCase[] = [
  contractCase("a list is newest first, and among those of one moment last created first", async (bench) => {
    await bench.create("b");
    await bench.create("c");
    await bench.clock.advance(1);
    await bench.create("a");
    assert.deepEqual(await idsOf(bench, {}), ["a", "c", "b"]);
    const { records } = await bench.store.list({ limit: 1 });
    const { state: _state, input: _input, ...listed } = await bench.load("a");
    assert.deepEqual(records.map(toTexts), [listed]);
  }),

  contractCase(
    "pages follow each other without a gap or a repetition, and the last one has no cursor",
    async (bench) => {
      for (const id of ["1", "2", "3", "4", "5", "6"]) {
        await bench.create(id);
        if (Number(id) % 3 === 0) await bench.clock.advance(1);
      }
      assert.deepEqual(await pagesOf(bench, { limit: 2 }), [
        ["6", "5"],
        ["4", "3"],
        ["2", "1"],
      ]);
      assert.deepEqual(await pagesOf(bench, { limit: 4 }), [
        ["6", "5", "4", "3"],
        ["2", "1"],
      ]);
      assert.deepEqual(await pagesOf(bench, { limit: 6 }), [["6", "5", "4", "3", "2", "1"]]);
    },
  ),

  contractCase("what is created while someone turns the pages does not shift them", async (bench) => {
    for (const id of ["1", "2", "3"]) await bench.create(id);
    const first = await bench.store.list({ limit: 2 });
    await bench.clock.advance(1);
    await bench.create("4");
    const second = await bench.store.list({ limit: 2, after: first.cursor! });
    assert.deepEqual(
      second.records.map(({ id }) => id),
      ["1"],
    );
  }),

  contractCase("a list can be oldest first, by the same conditions, and its pages follow each other", async (bench) => {
    for (const id of ["1", "2", "3", "4", "5", "6"]) {
      await bench.create(id, { ...(Number(id) % 2 === 0 && { workflow: "buy" }), tags: id === "6" ? [] : ["red"] });
      if (Number(id) % 3 === 0) await bench.clock.advance(1);
    }
    for (const id of ["1", "2", "4"]) await bench.commit(id, { status: "completed", rests: true, ends: true });
    await bench.commit("5", { status: "stuck", rests: true });
    const oldest = (filter: Partial<ListFilter>) => pagesOf(bench, { limit: 2, oldestFirst: true, ...filter });
    assert.deepEqual(await oldest({}), [
      ["1", "2"],
      ["3", "4"],
      ["5", "6"],
    ]);
    assert.deepEqual(await oldest({ status: ["completed"], isFree: true }), [["1", "2"], ["4"]]);
    assert.deepEqual(await oldest({ status: ["completed", "stuck"] }), [
      ["1", "2"],
      ["4", "5"],
    ]);
    assert.deepEqual(await oldest({ workflow: "buy" }), [["2", "4"], ["6"]]);
    assert.deepEqual(await oldest({ tags: ["red"], status: ["completed"], limit: 5 }), [["1", "2", "4"]]);
    const { createdAt } = await bench.load("4");
    assert.deepEqual(await oldest({ createdFrom: createdAt }), [["4", "5"], ["6"]]);
    assert.deepEqual(await oldest({ createdBefore: createdAt, limit: 1 }), [["1"], ["2"], ["3"]]);
  }),

  contractCase("an empty list is one page", async (bench) => {
    assert.deepEqual(await bench.store.list({ limit: 10 }), { records: [], cursor: null });
  }),

  contractCase("a list can be of one workflow", async (bench) => {
    await bench.create("1");
    await bench.create("2", { workflow: "buy" });
    await bench.create("3", { version: "2" });
    assert.deepEqual(await idsOf(bench, { workflow: "sell" }), ["3", "1"]);
    assert.deepEqual(await idsOf(bench, { workflow: "none" }), []);
  }),

  contractCase("a list can be of one status, of several, or of none", async (bench) => {
    await bench.create("run");
    await bench.create("wait", { status: "waiting" });
    await bench.create("stuck", { status: "running" });
    await bench.commit("stuck", { status: "stuck", rests: true });
    assert.deepEqual(await idsOf(bench, { status: ["stuck"] }), ["stuck"]);
    assert.deepEqual(await idsOf(bench, { status: ["waiting"] }), ["wait"]);
    assert.deepEqual(await idsOf(bench, { status: ["running", "stuck"] }), ["stuck", "run"]);
    assert.deepEqual(await idsOf(bench, { status: [] }), []);
    await bench.send("stuck", { wakes: ["stuck"] });
    await bench.claim();
    await bench.commit("stuck", { revision: 2, signals: 1, status: "running" });
    assert.deepEqual(await idsOf(bench, { status: ["stuck"] }), []);
  }),

  contractCase(
    "what runs is listed whether somebody has it in work or not, and apart from what has ended",
    async (bench) => {
      const gone = await bench.store.register({ host: "there", pid: 2 });
      await bench.create("owned");
      await bench.clock.advance(1);
      await bench.create("freed", { owner: gone, workflow: "buy" });
      await bench.clock.advance(1);
      await bench.create("let-go");
      await bench.commit("let-go", { rests: true, dueInMs: 0 });
      await bench.create("never-taken", { owner: null });
      await bench.create("done");
      await bench.commit("done", { status: "completed", rests: true, ends: true });
      await bench.create("undone");
      await bench.commit("undone", { status: "rolledBack", rests: true, ends: true });
      await bench.create("waits");
      await bench.commit("waits", { status: "waiting", rests: true, dueInMs: 0 });
      await bench.store.removeLaunchers([gone]);
      await bench.clock.advance(1);
      assert.deepEqual(await idsOf(bench, { status: ["running"] }), ["never-taken", "let-go", "freed", "owned"]);
      assert.deepEqual(await idsOf(bench, { status: ["running"], workflow: "buy" }), ["freed"]);
      assert.deepEqual(await pagesOf(bench, { status: ["running"], limit: 3 }), [
        ["never-taken", "let-go", "freed"],
        ["owned"],
      ]);
      assert.deepEqual(await idsOf(bench, { status: ["completed"] }), ["done"]);
      assert.deepEqual(await idsOf(bench, { status: ["running", "waiting"], workflow: "sell" }), [
        "waits",
        "never-taken",
        "let-go",
        "owned",
      ]);
      assert.deepEqual(await idsOf(bench, { status: ["completed", "rolledBack"] }), ["undone", "done"]);
      assert.deepEqual(await idsOf(bench, { workflow: "sell" }), [
        "waits",
        "undone",
        "done",
        "never-taken",
        "let-go",
        "owned",
      ]);
      assert.equal(await bench.store.count({ status: ["running"] }, 2), 3);
      assert.equal(await bench.store.count({}, 3), 4);
    },
  ),

  contractCase("a list can be of those that carry all of some tags", async (bench) => {
    await bench.create("1", { tags: ["red", "big"] });
    await bench.create("2", { tags: ["red"] });
    await bench.clock.advance(1);
    await bench.create("3", { tags: ["big", "red", "old"] });
    await bench.create("4");
    assert.deepEqual(await idsOf(bench, { tags: ["red"] }), ["3", "2", "1"]);
    assert.deepEqual(await idsOf(bench, { tags: ["red", "big"] }), ["3", "1"]);
    assert.deepEqual(await idsOf(bench, { tags: ["re"] }), []);
    assert.deepEqual(await idsOf(bench, { tags: ["Red"] }), []);
    assert.deepEqual(await idsOf(bench, { tags: [] }), ["4", "3", "2", "1"]);
    assert.deepEqual(await pagesOf(bench, { tags: ["red"], limit: 1 }), [["3"], ["2"], ["1"]]);
  }),

  contractCase("a list can be of those created from one moment on and before another", async (bench) => {
    const start = bench.now;
    for (const id of ["1", "2", "3"]) {
      await bench.create(id, { tags: ["t"] });
      await bench.clock.advance(10);
    }
    assert.deepEqual(await idsOf(bench, { createdFrom: start + 10 }), ["3", "2"]);
    assert.deepEqual(await idsOf(bench, { createdBefore: start + 10 }), ["1"]);
    assert.deepEqual(await idsOf(bench, { createdFrom: start + 10, createdBefore: start + 20 }), ["2"]);
    assert.deepEqual(await idsOf(bench, { tags: ["t"], createdFrom: start + 10, createdBefore: start + 20 }), ["2"]);
  }),

  contractCase("all filters hold together, and over pages", async (bench) => {
    for (let i = 0; i < 12; i++) {
      await bench.create(String(i), {
        workflow: i % 2 === 0 ? "sell" : "buy",
        status: i % 3 === 0 ? "waiting" : "running",
        tags: i < 10 ? ["t"] : [],
      });
      await bench.clock.advance(1);
    }
    const filter = { workflow: "sell", status: ["waiting"], tags: ["t"], limit: 1 } as const;
    assert.deepEqual(await pagesOf(bench, filter), [["6"], ["0"]]);
  }),

  contractCase("a cursor that no page gave is refused by a coded error", async (bench) => {
    for (const after of ["", "nonsense", "1; DROP TABLE x", "-1_-1"]) {
      await assert.rejects(
        promised(() => bench.store.list({ limit: 1, after })),
        { code: "STEPWELL_INVALID_ARGUMENT" },
      );
    }
  }),
];
