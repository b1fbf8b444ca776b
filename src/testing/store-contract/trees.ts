import assert from "node:assert/strict";
import type { Status } from "../../definition/flow.js";
import type { ListConditions, Pruned, PruneOptions } from "../../stores/contract.js";
import { everyStatus, needing, type Bench, type StoreContractCase } from "./bench.js";
import { advance, begins, countAll, list, listOf, opened, opening, staged, telling } from "./lists.js";

const listsCase = needing("lists");

/** Over all pages, which are as many as the count says. */
async function idsOf(bench: Bench, conditions: ListConditions, limit = 100): Promise<string[]> {
  const ids: string[] = [];
  let after: string | undefined;
  do {
    const page = await bench.store.list({ ...conditions, limit, after });
    ids.push(...page.records.map(({ id }) => id));
    after = page.cursor ?? undefined;
  } while (after !== undefined);
  assert.equal(await bench.store.count(conditions, 1_000), ids.length);
  return ids;
}

const end = { status: "completed", rests: true, ends: true } as const;

async function ends(bench: Bench, position: number, status: "completed" | "rolledBack" | "stuck"): Promise<void> {
  const isEnd = status !== "stuck";
  const told = await bench.commit(`c${position}`, { ...end, ends: isEnd, ...telling(position, status) });
  assert.equal(told, "taken");
}

/** `p` has completed, after its children, of which each is below it; the second one had a child of its own, `c1/0`. */
async function tree(bench: Bench): Promise<void> {
  await opened(bench, 3);
  await advance(bench, { begins: begins(bench, 0, 1) });
  await bench.claim();
  const inner = "c1/inner";
  const opens = { count: 1, data: "", lines: [{ ...staged(0), execution: "c1/0" }] };
  await bench.commit("c1", { list: { list: inner, opens } });
  const line = { list: inner, position: 0, parent: "c1", depth: 2 };
  const create = bench.newExecution("c1/0", { tags: ["red"], line, root: "p" });
  await advance(bench, { list: inner, begins: [create] });
  await bench.send("c1/0", { messageId: "m" });
  await bench.commit("c1/0", {
    ...end,
    signals: 1,
    line: { list: inner, position: 0, was: "begun", phase: "completed" },
  });
  await countAll(bench, inner);
  await ends(bench, 0, "rolledBack");
  await bench.commit("c1", { ...end, revision: 2, ...telling(1, "completed") });
  await countAll(bench);
  await bench.commit("p", { ...end, revision: 2 });
}

const all = ["p", "c0", "c1", "c1/0"];

async function there(bench: Bench): Promise<string[]> {
  return (await bench.store.load(all)).flatMap((record) => record?.id ?? []);
}

/** As often as it says where to go on. */
async function prune(bench: Bench, more: Partial<PruneOptions> = {}): Promise<Partial<Record<Status, number>>> {
  const counts: Partial<Record<Status, number>> = {};
  let after: string | null = null;
  do {
    const pruned: Pruned = await bench.store.prune({
      ...{ olderThanMs: { completed: 100 }, limit: 100, after, dry: false, ...more },
    });
    for (const [status, count] of Object.entries(pruned.counts)) {
      counts[status as Status] = (counts[status as Status] ?? 0) + count;
    }
    after = pruned.cursor;
  } while (after !== null);
  return counts;
}

export const trees: readonly StoreContractCase[] = [
  listsCase("a list can leave out what is a line, and can be of what is below one execution", async (bench) => {
    await bench.create("first", { workflow: "buy" });
    await bench.clock.advance(1);
    await tree(bench);
    await bench.clock.advance(1);
    await bench.create("last", { tags: ["red"] });
    assert.deepEqual(await idsOf(bench, {}), ["last", "c1/0", "c1", "c0", "p", "first"]);
    assert.deepEqual(await idsOf(bench, { isFree: true }), ["last", "p", "first"]);
    assert.deepEqual(await idsOf(bench, { isFree: true }, 1), ["last", "p", "first"]);
    assert.deepEqual(await idsOf(bench, { root: "p" }), ["c1/0", "c1", "c0"]);
    assert.deepEqual(await idsOf(bench, { root: "p" }, 1), ["c1/0", "c1", "c0"]);
    assert.deepEqual(await idsOf(bench, { root: "c1" }), []);
    const { records } = await bench.store.list({ root: "p", limit: 1 });
    assert.deepEqual([records[0]!.line?.list, records[0]!.root], ["c1/inner", "p"]);
  }),

  listsCase("such a list can be of a workflow, of statuses, of tags and of a time as well", async (bench) => {
    await tree(bench);
    await bench.clock.advance(10);
    await bench.create("free", { tags: ["red"] });
    await bench.create("other", { workflow: "buy", status: "waiting" });
    const line = { list, position: 2, parent: "p", depth: 1 };
    await bench.create("below", { workflow: "buy", line, root: "p" });
    assert.deepEqual(await idsOf(bench, { isFree: true, workflow: "sell" }), ["free", "p"]);
    assert.deepEqual(await idsOf(bench, { isFree: true, status: ["running"] }), ["free"]);
    assert.deepEqual(await idsOf(bench, { isFree: true, status: ["completed"] }), ["p"]);
    assert.deepEqual(await idsOf(bench, { isFree: true, status: ["completed", "waiting"] }), ["other", "p"]);
    assert.deepEqual(await idsOf(bench, { isFree: true, tags: ["red"] }), ["free"]);
    assert.deepEqual(await idsOf(bench, { isFree: true, createdFrom: bench.now }), ["other", "free"]);
    assert.deepEqual(await idsOf(bench, { root: "p", workflow: "buy" }), ["below"]);
    assert.deepEqual(await idsOf(bench, { root: "p", status: ["running"] }), ["below"]);
    assert.deepEqual(await idsOf(bench, { root: "p", status: ["completed"] }), ["c1/0", "c1"]);
    assert.deepEqual(await idsOf(bench, { root: "p", status: ["rolledBack", "running"] }), ["below", "c0"]);
    assert.deepEqual(await idsOf(bench, { root: "p", status: ["rolledBack"], workflow: "buy" }), []);
    assert.deepEqual(await idsOf(bench, { root: "p", tags: ["red"] }), ["c1/0"]);
    assert.deepEqual(await idsOf(bench, { root: "p", createdBefore: bench.now }), ["c1/0", "c1", "c0"]);
    assert.deepEqual(await idsOf(bench, { root: "p", isFree: true }), []);
    assert.deepEqual(await idsOf(bench, { status: ["running"] }), ["below", "free"]);
    assert.deepEqual(await idsOf(bench, { workflow: "buy" }), ["below", "other"]);
    await advance(bench, { frees: ["c1", "below"] });
    assert.deepEqual(await idsOf(bench, { isFree: true, status: ["completed"] }), ["c1", "p"]);
    assert.deepEqual(await idsOf(bench, { root: "p", isFree: true }), ["below", "c1"]);
    assert.deepEqual(await idsOf(bench, { isFree: true, status: ["running"] }), ["below", "free"]);
  }),

  listsCase("a tree is pruned with its root, its lists with it, by the root's status and age", async (bench) => {
    await tree(bench);
    await bench.create("younger");
    await bench.clock.advance(99);
    assert.deepEqual(await prune(bench), {});
    await bench.clock.advance(1);
    assert.deepEqual(await prune(bench, { olderThanMs: { rolledBack: 0, stuck: 0 } }), {});
    assert.deepEqual(await prune(bench, { dry: true }), { completed: 3, rolledBack: 1 });
    assert.deepEqual(await there(bench), all);
    assert.deepEqual(await prune(bench), { completed: 3, rolledBack: 1 });
    assert.deepEqual(await there(bench), []);
    for (const id of all) assert.deepEqual([await bench.history(id), await bench.mail(id)], [[], []]);
    assert.deepEqual(await bench.store.list({ tags: ["red"], limit: 10 }), { records: [], cursor: null });
    assert.deepEqual(await bench.the("lists").of("p"), []);
    assert.deepEqual([await listOf(bench), await listOf(bench, "c1/inner")], [undefined, undefined]);
    assert.deepEqual(await bench.the("lists").lines(list, 0, 10), []);
    assert.deepEqual(await idsOf(bench, {}), ["younger"]);
    assert.deepEqual(await prune(bench), {});
    // All its ids are free again.
    await opened(bench, 1);
    assert.deepEqual((await bench.the("lists").lines(list, 0, 10)).length, 1);
    assert.deepEqual(await advance(bench, { begins: begins(bench, 0) }), [{ created: true, owned: false }]);
  }),

  listsCase("a tree is kept while anything of it is not at rest", async (bench) => {
    await tree(bench);
    await bench.clock.advance(100);
    await bench.send("c1/0", { kind: "rollback", acceptedIn: everyStatus, wakes: everyStatus });
    assert.deepEqual([await prune(bench, { dry: true }), await prune(bench)], [{}, {}]);
    await bench.claim();
    assert.deepEqual(await prune(bench), {});
    const waiting = { revision: 2, signals: 2, status: "waiting", rests: true } as const;
    assert.equal(await bench.commit("c1/0", waiting), "taken");
    assert.deepEqual(await prune(bench), {});
    assert.deepEqual(await there(bench), all);
    assert.deepEqual(await idsOf(bench, { root: "p" }), ["c1/0", "c1", "c0"]);
    await bench.send("c1/0", { wakes: everyStatus });
    await bench.claim();
    await bench.commit("c1/0", { revision: 3, signals: 3, status: "stuck", rests: true });
    assert.deepEqual(await prune(bench), { completed: 2, rolledBack: 1, stuck: 1 });
    assert.deepEqual(await there(bench), []);
  }),

  listsCase("what is below a root is not pruned without it, also one that was let go", async (bench) => {
    await tree(bench);
    await advance(bench, { frees: ["c0"] });
    await bench.clock.advance(100);
    assert.deepEqual(await prune(bench, { olderThanMs: { rolledBack: 0 } }), {});
    assert.deepEqual(await there(bench), all);
    assert.deepEqual(await prune(bench), { completed: 3, rolledBack: 1 });
    assert.deepEqual(await there(bench), []);
  }),

  listsCase("a tree is kept while a list of it wants to be advanced", async (bench) => {
    await tree(bench);
    await advance(bench, { isMarked: true });
    await bench.clock.advance(100);
    assert.deepEqual([await prune(bench, { dry: true }), await prune(bench)], [{}, {}]);
    assert.deepEqual(await there(bench), all);
    await advance(bench);
    assert.deepEqual(await prune(bench), { completed: 3, rolledBack: 1 });
  }),

  listsCase("an execution goes with a list of which nothing has begun, or that was only staged", async (bench) => {
    await bench.create("p");
    await bench.commit("p", { list: opening(2, [staged(0), staged(1)]) });
    await advance(bench);
    await bench.the("lists").stage({ list: "p/next", of: "p", owner: bench.owner, revision: 1, lines: [staged(0)] });
    await bench.commit("p", { ...end, revision: 2 });
    await bench.clock.advance(100);
    assert.deepEqual(await prune(bench), { completed: 1 });
    assert.deepEqual([await bench.the("lists").of("p"), await listOf(bench, "p/next")], [[], undefined]);
  }),

  listsCase("a large tree goes too, and what is beside it stays", async (bench) => {
    const count = 450;
    const positions = Array.from({ length: count }, (_, position) => position);
    await bench.create("p");
    await bench.commit("p", {
      list: opening(
        7_000,
        Array.from({ length: 7_000 }, (_, position) => staged(position)),
      ),
    });
    const line = (position: number) => ({ list, position, parent: "p", depth: 1 });
    const creates = positions.map((position) =>
      bench.newExecution(`c${position}`, { line: line(position), root: "p" }),
    );
    // So many rows of lines and of what is said of them apart do not go at once either.
    await advance(bench, { begins: creates, asks: Array.from({ length: 7_000 }, (_, position) => position) });
    const transitions = positions.map((position) => bench.transition(`c${position}`, end));
    await bench.write({ transitions });
    await bench.commit("p", { ...end, revision: 2 });
    await bench.create("beside", { line: line(0), root: "other" });
    await bench.commit("beside", end);
    await bench.clock.advance(100);
    const pruned = await bench.store.prune({ olderThanMs: { completed: 0 }, limit: 100, after: null, dry: false });
    // From the first slice on nothing of it is to be found.
    assert.deepEqual(await bench.store.load(["p", "c0", "c449"]), [undefined, undefined, undefined]);
    assert.deepEqual(await bench.send("c449", { acceptedIn: everyStatus }), { result: "not-found" });
    assert.deepEqual(await bench.history("c449"), []);
    const listed = await bench.store.list({ root: "p", limit: 10 });
    assert.deepEqual(listed.records, []);
    const rest = pruned.cursor === null ? {} : await prune(bench, { olderThanMs: { completed: 0 } });
    assert.equal((pruned.counts.completed ?? 0) + (rest.completed ?? 0), count + 1);
    assert.deepEqual(await idsOf(bench, {}), ["beside"]);
    assert.deepEqual(await bench.the("lists").of("p"), []);
  }),
];
