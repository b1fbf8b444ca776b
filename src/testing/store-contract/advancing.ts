import assert from "node:assert/strict";
import { contractCase, everyStatus, needing, type Bench, type StoreContractCase } from "./bench.js";
import { advance, begins, countAll, lineAt, linesOf, list, listOf, newsOf, opened, staged, telling } from "./lists.js";

const listsCase = needing("lists");

/** A list of which these lines have begun, and are in work. */
async function begun(bench: Bench, ...positions: number[]): Promise<void> {
  await opened(bench, Math.max(...positions) + 1);
  await advance(bench, { begins: begins(bench, ...positions) });
  await bench.claim();
}

export const advancing: readonly StoreContractCase[] = [
  listsCase("several lists are advanced together, and one that is too late is not", async (bench) => {
    await begun(bench, 0, 1);
    await bench.create("q");
    const other = { list: "q/s", opens: { count: 1, data: "", lines: [{ ...staged(0), execution: "d0" }] } };
    assert.equal(await bench.commit("q", { list: other }), "taken");
    await bench.commit("c0", telling(0, "completed"));
    const nothing = { isMarked: false, begins: [], asks: [], arrivals: [], frees: [] };
    const counts = (await bench.the("lists").news(list, 10)).map(({ id }) => id);
    const { revision } = (await listOf(bench))!;
    const one = { ...nothing, list, revision, data: "one", counts };
    const two = { ...nothing, list: "q/s", revision: 1, data: "two", counts: [] };
    assert.deepEqual(await bench.the("lists").advance([one, two]), [[], []]);
    assert.deepEqual([(await listOf(bench))?.data, (await listOf(bench, "q/s"))?.data], ["one", "two"]);
    assert.deepEqual(await newsOf(bench), []);
    const [, late] = await bench.the("lists").advance([
      { ...one, revision: revision + 1, data: "three" },
      { ...two, data: "late" },
    ]);
    assert.equal(late, null);
    assert.equal((await listOf(bench, "q/s"))?.data, "two");
  }),

  listsCase("a list is advanced only at the revision that was read, and else nothing is done", async (bench) => {
    await begun(bench, 0, 1, 2);
    await bench.commit("c0", telling(0, "completed"));
    const state = async () => [
      await listOf(bench),
      await linesOf(bench),
      await newsOf(bench),
      await bench.load("c1"),
      await bench.load("p"),
    ];
    const before = await state();
    const counts = (await bench.the("lists").news(list, 10)).map(({ id }) => id);
    const arrivals = [bench.arrival("p", { kind: "told" })];
    const late = { revision: 1, counts, begins: begins(bench, 3), asks: [1], arrivals, frees: ["c1"] };
    assert.equal(await advance(bench, late), null);
    const none = { ...late, list: "none", data: "", isMarked: true };
    assert.deepEqual(await bench.the("lists").advance([none]), [null]);
    assert.deepEqual(await state(), before);
    assert.deepEqual(await bench.store.load(["c3"]), [undefined]);
    assert.deepEqual(await bench.mailbox("p"), []);
    assert.deepEqual(await advance(bench, { counts, isMarked: true, data: "more" }), []);
    assert.deepEqual(await listOf(bench), {
      ...{ id: list, of: "p", status: "open", revision: 3, data: "more", isMarked: true },
    });
    assert.deepEqual([await linesOf(bench), await newsOf(bench)], [["0 completed", "1 begun", "2 begun"], []]);
  }),

  listsCase("of advances that read the same revision only one is taken", async (bench) => {
    await opened(bench, 8);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        advance(bench, { revision: 1, data: String(index), begins: begins(bench, 0) }),
      ),
    );
    const taken = answers.findIndex((answer) => answer !== null);
    assert.deepEqual(
      answers.filter((answer) => answer !== null),
      [[{ created: true, owned: false }]],
    );
    assert.equal((await listOf(bench))!.data, String(taken));
    assert.equal((await linesOf(bench)).filter((line) => line.endsWith("begun")).length, 1);
  }),

  listsCase(
    "what stands in the place of one that was to begin is told of as it was before the same step brings something to it",
    async (bench) => {
      await opened(bench, 1);
      await bench.create("c0");
      const arrivals = [bench.arrival("c0", { kind: "told" })];
      const [answer] = (await advance(bench, { begins: begins(bench, 0), arrivals }))!;
      assert.equal(answer?.created === false && answer.existing.signals, 0);
      assert.equal((await bench.load("c0")).signals, 1);
    },
  ),

  listsCase(
    "what begins is created with its line and its root, and what it took to create it is forgotten",
    async (bench) => {
      await opened(bench, 3);
      assert.deepEqual(await advance(bench, { begins: begins(bench, 0, 1) }), [
        { created: true, owned: false },
        { created: true, owned: false },
      ]);
      assert.deepEqual(await linesOf(bench), ["0 begun", "1 begun", "2 staged"]);
      const launches = await bench.the("lists").launches(list, 0, 10);
      assert.deepEqual(
        launches.map(({ position }) => position),
        [2],
      );
      const { line, root, owner, dueAt, status } = await bench.load("c1");
      assert.deepEqual(
        { line, root, owner, dueAt, status },
        { line: lineAt(1), root: "p", owner: null, dueAt: bench.now, status: "running" },
      );
      const parent = await bench.load("p");
      assert.deepEqual([parent.line, parent.root], [null, null]);
      const { records } = await bench.claim();
      assert.deepEqual(
        records.map(({ id, line, root }) => ({ id, line, root })),
        [0, 1].map((position) => ({ id: `c${position}`, line: lineAt(position), root: "p" })),
      );
      assert.equal(await bench.commit("c0"), "taken");
      assert.deepEqual((await bench.load("c0")).line, lineAt(0));
      const again = await bench.create("c1");
      assert.deepEqual(!again.created && [again.existing.line, again.existing.root], [lineAt(1), "p"]);
    },
  ),

  listsCase("what begins may have an owner, a deadline, tags, and a time to come", async (bench) => {
    await opened(bench, 3);
    const more = [
      { owner: bench.owner },
      { dueInMs: 30, status: "waiting" },
      { deadlineInMs: 40, tags: ["red"] },
    ] as const;
    const answers = await advance(bench, {
      begins: more.map((it, position) =>
        bench.newExecution(`c${position}`, { owner: null, line: lineAt(position), root: "p", ...it }),
      ),
    });
    assert.deepEqual(
      answers!.map((it) => it.created && it.owned),
      [true, false, false],
    );
    const records = [await bench.load("c0"), await bench.load("c1"), await bench.load("c2")];
    assert.deepEqual(
      records.map(({ owner, dueAt, deadlineAt, tags, line }) => ({ owner, dueAt, deadlineAt, tags, line })),
      [
        { owner: bench.owner, dueAt: null, deadlineAt: null, tags: [], line: lineAt(0) },
        { owner: null, dueAt: bench.now + 30, deadlineAt: null, tags: [], line: lineAt(1) },
        { owner: null, dueAt: bench.now, deadlineAt: bench.now + 40, tags: ["red"], line: lineAt(2) },
      ],
    );
  }),

  contractCase(
    "what begins waits in its queue, where it has one",
    async (bench) => {
      await opened(bench, 1);
      const queue = { gate: "sell", key: null, rateKey: null, leadMs: 0 };
      const waiting = { owner: null, status: "scheduled", line: lineAt(0), root: "p", queue } as const;
      await advance(bench, { begins: [bench.newExecution("c0", waiting)] });
      const { admission, dueAt, line } = await bench.load("c0");
      assert.deepEqual({ admission, dueAt, line }, { admission: "queued", dueAt: null, line: lineAt(0) });
      assert.deepEqual((await bench.waiting(0)).gates, ["sell"]);
    },
    ["lists", "limits"],
  ),

  listsCase("where a stranger has the id, the line is rolled back, and that is news", async (bench) => {
    await bench.create("c1", { workflow: "buy", state: '"stranger"' });
    await opened(bench, 2);
    const answers = await advance(bench, { begins: begins(bench, 0, 1) });
    assert.deepEqual(answers![0], { created: true, owned: false });
    const second = answers![1]!;
    assert.equal(!second.created && second.existing.workflow, "buy");
    assert.deepEqual(
      [await linesOf(bench), await newsOf(bench)],
      [["0 begun", "1 rolledBack"], ["1: begun, rolledBack"]],
    );
    assert.deepEqual(await bench.the("lists").due(10), [list]);
    const { line, root, state, revision } = await bench.load("c1");
    assert.deepEqual({ line, root, state, revision }, { line: null, root: null, state: '"stranger"', revision: 0 });
    assert.deepEqual(await bench.the("lists").launches(list, 0, 10), []);
    assert.deepEqual(await bench.store.history("c1"), []);
  }),

  listsCase("who is asked gets what is sent to it, with its line marked as asked, in one", async (bench) => {
    await begun(bench, 0, 1);
    await bench.commit("c0", { rests: true, ends: true, ...telling(0, "completed") });
    const ask = { kind: "rollback", acceptedIn: everyStatus, wakes: everyStatus } as const;
    const arrivals = [
      bench.arrival("c1", { ...ask, messageId: "ask 1" }),
      bench.arrival("c0", { ...ask, messageId: "ask 0" }),
      bench.arrival("p", { kind: "told", name: "told", acceptedIn: everyStatus, wakes: ["waiting"] }),
      bench.arrival("nobody", ask),
    ];
    await advance(bench, { asks: [0, 1], arrivals });
    assert.deepEqual(await linesOf(bench), ["0 completed asked", "1 begun asked"]);
    for (const [id, kind] of [
      ["p", "told"],
      ["c0", "rollback"],
      ["c1", "rollback"],
    ] as const) {
      const [row] = await bench.mail(id);
      assert.deepEqual([row?.kind, row?.status], [kind, "pending"]);
    }
    assert.equal((await bench.load("c0")).dueAt, bench.now);
    const { signalled } = await bench.claim();
    assert.deepEqual(signalled.filter((id) => id !== "c0").toSorted(), ["c1", "p"]);
    assert.equal(await bench.commit("c1", telling(1, "rolledBack")), "signalled");
    assert.equal(await bench.commit("c1", { signals: 1, ...telling(1, "rolledBack") }), "taken");
    assert.deepEqual(await linesOf(bench), ["0 completed asked", "1 rolledBack asked"]);
  }),

  listsCase("what is let go of is a line no longer, and stays below its root", async (bench) => {
    await begun(bench, 0, 1);
    await bench.commit("c0", { rests: true, ends: true, ...telling(0, "completed") });
    await advance(bench, { frees: ["c0", "c1", "nobody"] });
    for (const id of ["c0", "c1"]) {
      const { line, root } = await bench.load(id);
      assert.deepEqual({ line, root }, { line: null, root: "p" });
    }
    assert.equal(await bench.commit("c1", { status: "rolledBack", rests: true }), "taken");
    assert.equal((await bench.load("c1")).line, null);
    // What becomes of it is not its list's any more.
    assert.deepEqual(await linesOf(bench), ["0 completed", "1 completed"]);
  }),

  listsCase("many lines begin and are counted at once", async (bench) => {
    const count = 300;
    await opened(bench, count);
    const all = Array.from({ length: count }, (_, position) => position);
    const answers = await advance(bench, { begins: begins(bench, ...all) });
    assert.equal(answers!.filter((it) => it.created).length, count);
    assert.equal((await bench.claim(bench.owner, 1_000)).records.length, count);
    const transitions = all.map((position) =>
      bench.transition(`c${position}`, { rests: true, ends: true, ...telling(position, "completed") }),
    );
    assert.ok((await bench.write({ transitions })).transitions.every((it) => it === "taken"));
    assert.equal((await newsOf(bench, 1_000)).length, count);
    await countAll(bench);
    assert.deepEqual(await bench.the("lists").due(10), []);
    assert.equal((await linesOf(bench, 0, 1_000)).filter((it) => it.endsWith(" completed")).length, count);
  }),

  listsCase("who watches hears of what begins, and of who is told", async (bench) => {
    await opened(bench, 2);
    const told: string[] = [];
    const stop = bench.store.watch((hint) => told.push(JSON.stringify(hint)));
    await advance(bench, { begins: begins(bench, 0) });
    await advance(bench, { arrivals: [bench.arrival("p", { kind: "told", wakes: [] })] });
    await advance(bench, { revision: 0, begins: begins(bench, 1), arrivals: [bench.arrival("p")] });
    stop();
    assert.deepEqual(told, ['{"type":"due","inMs":0}', '{"type":"signalled","execution":"p"}']);
    assert.deepEqual(await bench.claimedIds(), ["c0"]);
  }),
];
