import assert from "node:assert/strict";
import type { Line, LinePhase, ListChange, StagedLine } from "../../execution/records.js";
import type { Advance, ListRecord, Staging } from "../../stores/lists.js";
import { Encoded } from "../../values/encode.js";
import { entry, needing, type Bench, type StoreContractCase } from "./bench.js";

/** The list that cases have, where they say no other. */
export const list = "p/step";

/** Its lines are the executions `c0`, `c1`, …. */
export function staged(position: number): StagedLine {
  const execution = `c${position}`;
  return { position, key: `key ${position}`, execution, launch: Encoded.ofText(`{"launch":"${execution}"}`) };
}

export function lineAt(position: number): Line {
  return { list, position, parent: "p", depth: 1 };
}

async function stage(bench: Bench, positions: readonly number[], more: Partial<Staging> = {}): Promise<boolean> {
  const lines = positions.map(staged);
  return bench.the("lists").stage({ list, of: "p", owner: bench.owner, revision: 0, lines, ...more });
}

export function opening(count: number, lines: readonly StagedLine[] = []): ListChange {
  return { list, opens: { count, data: "opened", lines } };
}

/** The list, opened by the first transition of its execution. */
export async function opened(bench: Bench, count: number): Promise<void> {
  await bench.create("p");
  const positions = Array.from({ length: count }, (_, position) => position);
  assert.equal(await bench.commit("p", { list: opening(count, positions.map(staged)) }), "taken");
}

export async function listOf(bench: Bench, id = list): Promise<ListRecord | undefined> {
  return (await bench.the("lists").find([id]))[0];
}

/** At the revision that the list has. It is no longer marked. */
export async function advance(bench: Bench, more: Partial<Advance> = {}) {
  const id = more.list ?? list;
  const { revision } = (await listOf(bench, id))!;
  const nothing = { data: "advanced", isMarked: false, counts: [], begins: [], asks: [], arrivals: [], frees: [] };
  const [answer = null] = await bench.the("lists").advance([{ ...nothing, list: id, revision, ...more }]);
  return answer;
}

/** These lines begin: what they create is nobody's. */
export function begins(bench: Bench, ...positions: number[]): Advance["begins"] {
  return positions.map((position) =>
    bench.newExecution(`c${position}`, { owner: null, line: lineAt(position), root: "p" }),
  );
}

/** `position phase` of each, and `asked`. */
export async function linesOf(bench: Bench, from = 0, limit = 100): Promise<string[]> {
  const lines = await bench.the("lists").lines(list, from, limit);
  return lines.map(({ position, phase, isAsked }) => `${position} ${phase}${isAsked ? " asked" : ""}`);
}

/** `position: phase before, phase` of each line of which there is news, and `asked`; what is alike stands together, in the order of the list. */
export async function newsOf(bench: Bench, limit = 100): Promise<string[]> {
  const news = await bench.the("lists").news(list, limit);
  return news.flatMap(({ was, phase, positions, asked }) =>
    positions
      .toSorted((one, other) => one - other)
      .map((position) => `${position}: ${was}, ${phase}${asked.includes(position) ? " asked" : ""}`),
  );
}

/** All of which there is news is counted. */
export async function countAll(bench: Bench, id = list): Promise<void> {
  const news = await bench.the("lists").news(id, 1_000);
  assert.deepEqual(await advance(bench, { list: id, counts: news.map((it) => it.id) }), []);
}

/** What a child's transition says. */
export function telling(position: number, phase: Exclude<LinePhase, "staged">, was: LinePhase = "begun") {
  return { status: phase === "begun" ? "running" : phase, line: { list, position, was, phase } } as const;
}

const due = async (bench: Bench, limit = 100): Promise<readonly string[]> =>
  (await bench.the("lists").due(limit)).toSorted();

const listsCase = needing("lists");

export const lists: readonly StoreContractCase[] = [
  listsCase("lines are staged for an execution in slices, and are read back as they were given", async (bench) => {
    await bench.create("p");
    assert.equal(await stage(bench, [0, 1]), true);
    assert.equal(await stage(bench, [2]), true);
    assert.deepEqual(await bench.the("lists").lines(list, 0, 1), [
      { position: 0, key: "key 0", execution: "c0", phase: "staged", isAsked: false },
    ]);
    const launches = await bench.the("lists").launches(list, 1, 2);
    assert.deepEqual(
      launches.map(({ launch, ...line }) => ({ ...line, launch: launch.text })),
      [1, 2].map((position) => ({ ...staged(position), launch: staged(position).launch.text })),
    );
    const { revision, status, of } = (await listOf(bench))!;
    assert.deepEqual({ revision, status, of }, { revision: 0, status: "staged", of: "p" });
    assert.deepEqual((await bench.load("p")).revision, 0);
  }),

  listsCase("a slice is staged again as if it had been once, and what is new takes its place", async (bench) => {
    await bench.create("p");
    await stage(bench, [0, 1]);
    await stage(bench, [2]);
    const other = { ...staged(1), key: "other", execution: "c-other", launch: Encoded.ofText('"other"') };
    assert.equal(await stage(bench, [], { lines: [staged(0), other] }), true);
    const lines = await bench.the("lists").lines(list, 0, 10);
    assert.deepEqual(
      lines.map(({ position, key, execution }) => [position, key, execution]),
      [
        [0, "key 0", "c0"],
        [1, "other", "c-other"],
        [2, "key 2", "c2"],
      ],
    );
    assert.equal((await bench.the("lists").launches(list, 1, 1))[0]!.launch.text, '"other"');
  }),

  listsCase("only the launcher that has the execution, at this revision, may stage", async (bench) => {
    await bench.create("p");
    const other = await bench.register();
    assert.equal(await stage(bench, [0], { owner: other }), false);
    assert.equal(await stage(bench, [0], { revision: 1 }), false);
    assert.equal(await stage(bench, [0], { of: "nobody" }), false);
    assert.deepEqual([await linesOf(bench), await listOf(bench)], [[], undefined]);
    await bench.commit("p", { rests: true, status: "waiting" });
    assert.equal(await stage(bench, [0], { revision: 1 }), false);
    assert.deepEqual(await linesOf(bench), []);
  }),

  listsCase("a list that was only staged wants nothing, and is none", async (bench) => {
    await bench.create("p");
    await stage(bench, [0]);
    assert.deepEqual(await due(bench), []);
    assert.equal((await listOf(bench))!.isMarked, false);
    assert.equal(await bench.commit("p", { list: { list, closes: true } }), "taken");
    assert.deepEqual([(await listOf(bench))!.status, await due(bench)], ["staged", []]);
  }),

  listsCase(
    "a transition opens a list of the slices that were staged before its end, and leaves out the rest",
    async (bench) => {
      await bench.create("p");
      for (const slice of [[0, 1], [2], [3, 4]]) await stage(bench, slice);
      assert.equal(await bench.commit("p", { list: opening(3) }), "taken");
      assert.deepEqual(await listOf(bench), {
        ...{ id: list, of: "p", status: "open", revision: 1, data: "opened", isMarked: true },
      });
      assert.deepEqual(await linesOf(bench), ["0 staged", "1 staged", "2 staged"]);
      assert.deepEqual(await due(bench), [list]);
      assert.equal((await bench.the("lists").launches(list, 0, 10)).length, 3);
    },
  ),

  listsCase("a transition opens a list of the lines that it gives, whatever was staged before", async (bench) => {
    await bench.create("p");
    await stage(
      bench,
      Array.from({ length: 100 }, (_, position) => position),
    );
    const given = [staged(0), { ...staged(1), key: "other" }, staged(2)];
    assert.equal(await bench.commit("p", { list: opening(3, given) }), "taken");
    const lines = await bench.the("lists").lines(list, 0, 10);
    assert.deepEqual(
      lines.map(({ position, key }) => [position, key]),
      [
        [0, "key 0"],
        [1, "other"],
        [2, "key 2"],
      ],
    );
    assert.deepEqual(await linesOf(bench, 3), []);
  }),

  listsCase("a list without lines is opened too", async (bench) => {
    await opened(bench, 0);
    assert.deepEqual([(await listOf(bench))!.status, await linesOf(bench), await due(bench)], ["open", [], [list]]);
  }),

  listsCase("a transition that is refused opens nothing and closes nothing", async (bench) => {
    await bench.create("p");
    await stage(bench, [0]);
    await bench.send("p");
    assert.equal(await bench.commit("p", { list: opening(1) }), "signalled");
    assert.equal(await bench.commit("p", { revision: 2, signals: 1, list: opening(1) }), "lost");
    const { status, revision } = (await listOf(bench))!;
    assert.deepEqual([status, revision], ["staged", 0]);
    assert.equal(await bench.commit("p", { signals: 1, list: opening(1) }), "taken");
    const before = await listOf(bench);
    assert.equal(await bench.commit("p", { signals: 1, list: { list, closes: true } }), "lost");
    assert.deepEqual(await listOf(bench), before);
    assert.equal(await bench.commit("p", { signals: 1, list: opening(0) }), "lost");
    assert.deepEqual([await listOf(bench), await linesOf(bench)], [before, ["0 staged"]]);
  }),

  listsCase("an open list is closed once, at its next revision, and wants to be advanced", async (bench) => {
    await opened(bench, 1);
    await advance(bench);
    assert.deepEqual(await due(bench), []);
    assert.equal(await bench.commit("p", { revision: 2, list: { list, closes: true } }), "taken");
    const closed = { id: list, of: "p", status: "closed", revision: 3, data: "advanced", isMarked: true };
    assert.deepEqual([await listOf(bench), await due(bench)], [closed, [list]]);
    assert.equal(await bench.commit("p", { revision: 3, list: { list, closes: true } }), "taken");
    assert.deepEqual(await listOf(bench), closed);
    assert.equal(await bench.commit("p", { revision: 4, list: { list: "none", closes: true } }), "taken");
    assert.equal(await advance(bench, { revision: 2 }), null);
  }),

  listsCase("several transitions of one batch open their lists, the refused ones none", async (bench) => {
    for (const id of ["p", "q", "r"]) await bench.create(id);
    const opens = (id: string, revision: number) =>
      bench.transition(id, {
        revision,
        list: { list: `${id}/step`, opens: { count: 1, data: id, lines: [staged(0)] } },
      });
    const { transitions } = await bench.write({ transitions: [opens("r", 1), opens("q", 7), opens("p", 1)] });
    assert.deepEqual(transitions, ["taken", "lost", "taken"]);
    assert.deepEqual(await due(bench), ["p/step", "r/step"]);
    assert.deepEqual(await due(bench, 1), [(await bench.the("lists").due(1))[0]]);
    const found = await bench.the("lists").find(["r/step", "q/step", "p/step"]);
    assert.deepEqual(
      found.map((it) => it?.data),
      ["r", undefined, "p"],
    );
  }),

  listsCase("what an execution becomes is told in its line, only if its transition is taken", async (bench) => {
    await opened(bench, 2);
    await advance(bench, { begins: begins(bench, 0, 1) });
    await bench.claim();
    const end = { rests: true, ends: true } as const;
    await bench.send("c1");
    assert.equal(await bench.commit("c0", { ...end, revision: 2, ...telling(0, "completed") }), "lost");
    assert.equal(await bench.commit("c0", { ...end, owner: 99, ...telling(0, "completed") }), "lost");
    assert.equal(await bench.commit("c1", { ...end, ...telling(1, "completed") }), "signalled");
    assert.deepEqual([await linesOf(bench), await due(bench)], [["0 begun", "1 begun"], []]);
    const { transitions } = await bench.write({
      transitions: [
        bench.transition("c1", { ...end, signals: 1, ...telling(1, "completed") }),
        bench.transition("c0", { ...end, revision: 3, ...telling(0, "completed") }),
      ],
    });
    assert.deepEqual(transitions, ["taken", "lost"]);
    assert.deepEqual([await linesOf(bench), await due(bench)], [["0 begun", "1 completed"], [list]]);
    assert.deepEqual(await newsOf(bench), ["1: begun, completed"]);
    assert.equal((await listOf(bench))!.revision, 2);
  }),

  listsCase("a line is told whatever else its transition does", async (bench) => {
    await opened(bench, 5);
    const queue = { gate: "sell", key: null, rateKey: null, leadMs: 0 };
    await advance(bench, { begins: begins(bench, 0, 1, 2, 3, 4) });
    if (bench.store.limits !== undefined) {
      await bench.create("free", { owner: null, status: "scheduled", queue });
    }
    await bench.claim();
    await bench.send("c1");
    const whole = { rests: true, ends: true } as const;
    const { transitions } = await bench.write({
      transitions: [
        bench.transition("c0", { ...whole, ...telling(0, "completed") }),
        bench.transition("c1", {
          ...{ ...whole, signals: 1, settled: [{ arrival: "arrival-1", as: "dead" }], ...telling(1, "completed") },
        }),
        bench.transition("c2", { rests: true, dueInMs: 50, ...telling(2, "stuck") }),
        bench.transition("c3", {
          ...{ ...whole, leaves: true, unsubscribes: "all", carried: "x", ...telling(3, "rolledBack") },
        }),
        bench.transition("c4", { definition: { version: "2", fingerprint: "f" } }),
      ],
    });
    assert.deepEqual(
      transitions,
      [0, 1, 2, 3, 4].map(() => "taken"),
    );
    assert.deepEqual(await linesOf(bench), ["0 completed", "1 completed", "2 stuck", "3 rolledBack", "4 begun"]);
    const told = ["0: begun, completed", "1: begun, completed", "2: begun, stuck", "3: begun, rolledBack"];
    assert.deepEqual((await newsOf(bench)).toSorted(), told);
    assert.deepEqual(
      (await bench.history("c3")).map(({ revision }) => revision),
      [1],
    );
  }),

  listsCase("a list that is not there is told nothing, and nothing is the matter", async (bench) => {
    await opened(bench, 1);
    await advance(bench);
    await bench.create("lonely");
    const told = { line: { list: "none", position: 0, was: "begun", phase: "stuck" } } as const;
    assert.equal(await bench.commit("lonely", told), "taken");
    assert.deepEqual([await linesOf(bench), await due(bench)], [["0 staged"], []]);
    assert.deepEqual(await bench.the("lists").news("none", 10), []);
  }),

  listsCase("what is told twice of a line is counted twice, each time from where it was", async (bench) => {
    await opened(bench, 1);
    await advance(bench, { begins: begins(bench, 0) });
    await bench.claim();
    await bench.commit("c0", telling(0, "stuck"));
    assert.deepEqual(await newsOf(bench), ["0: begun, stuck"]);
    await bench.commit("c0", { revision: 2, ...telling(0, "begun", "stuck") });
    await bench.commit("c0", { revision: 3, ...telling(0, "stuck") });
    assert.deepEqual((await newsOf(bench)).toSorted(), ["0: begun, stuck", "0: begun, stuck", "0: stuck, begun"]);
    assert.deepEqual(await linesOf(bench), ["0 stuck"]);
    await countAll(bench);
    assert.deepEqual([await newsOf(bench), await due(bench)], [[], []]);
  }),

  listsCase("who lets go of an execution without a transition tells its line as well", async (bench) => {
    await opened(bench, 2);
    await advance(bench, { begins: begins(bench, 0, 1) });
    await bench.claim();
    await bench.send("c1");
    const parked = (position: number) => ({ parks: true, line: { list, position } }) as const;
    assert.equal(await bench.release("c0", parked(0)), "taken");
    assert.equal(await bench.release("c0", parked(0)), "lost");
    assert.equal(await bench.release("c1", parked(1)), "signalled");
    assert.deepEqual([await linesOf(bench), await newsOf(bench)], [["0 stuck", "1 begun"], ["0: begun, stuck"]]);
    assert.equal(await bench.release("c1", { signals: null, dueInMs: 5 }), "taken");
    assert.deepEqual([await linesOf(bench), await newsOf(bench)], [["0 stuck", "1 begun"], ["0: begun, stuck"]]);
  }),

  listsCase("who is parked where it is stuck already is no news", async (bench) => {
    await opened(bench, 2);
    await advance(bench, { begins: begins(bench, 0, 1) });
    await bench.claim();
    await bench.commit("c0", telling(0, "stuck"));
    await countAll(bench);
    for (const position of [0, 1])
      assert.equal(await bench.release(`c${position}`, { parks: true, line: { list, position } }), "taken");
    assert.deepEqual(await newsOf(bench), ["1: begun, stuck"]);
  }),

  listsCase("a list with news is due until all of it is counted", async (bench) => {
    await opened(bench, 3);
    await advance(bench, { begins: begins(bench, 0, 1, 2) });
    await bench.claim();
    for (const position of [2, 0]) {
      await bench.commit(`c${position}`, { rests: true, ends: true, ...telling(position, "completed") });
      assert.deepEqual(await newsOf(bench, 1), ["2: begun, completed"]);
    }
    assert.deepEqual(await newsOf(bench), ["2: begun, completed", "0: begun, completed"]);
    const [first, ...others] = await bench.the("lists").news(list, 10);
    await advance(bench, { counts: [first!.id] });
    assert.deepEqual([await newsOf(bench), await due(bench)], [["0: begun, completed"], [list]]);
    assert.equal(await advance(bench, { revision: 1, counts: others.map(({ id }) => id) }), null);
    assert.deepEqual(await newsOf(bench), ["0: begun, completed"]);
    await advance(bench, { counts: others.map(({ id }) => id) });
    assert.deepEqual([await newsOf(bench), await due(bench)], [[], []]);
  }),

  listsCase("of those that are rolled back, news says which were asked", async (bench) => {
    await opened(bench, 3);
    await advance(bench, { begins: begins(bench, 0, 1, 2) });
    await bench.claim();
    await advance(bench, { asks: [0, 2] });
    const transitions = [0, 1].map((position) => bench.transition(`c${position}`, telling(position, "rolledBack")));
    await bench.write({ transitions: [...transitions, bench.transition("c2", telling(2, "stuck"))] });
    assert.deepEqual((await newsOf(bench)).toSorted(), [
      "0: begun, rolledBack asked",
      "1: begun, rolledBack",
      "2: begun, stuck",
    ]);
  }),

  listsCase("lines are read at some positions, over the rows that a store may keep them in", async (bench) => {
    await opened(bench, 100);
    await advance(bench, {
      begins: begins(bench, ...Array.from({ length: 66 }, (_, position) => position)),
    });
    await bench.claim();
    await bench.commit("c32", telling(32, "completed"));
    await advance(bench, { asks: [32, 65] });
    assert.deepEqual(await linesOf(bench, 31, 3), ["31 begun", "32 completed asked", "33 begun"]);
    assert.deepEqual(await linesOf(bench, 64, 4), ["64 begun", "65 begun asked", "66 staged", "67 staged"]);
    assert.deepEqual(await linesOf(bench, 98), ["98 staged", "99 staged"]);
    assert.deepEqual([await linesOf(bench, 100), await linesOf(bench, 0, 0)], [[], []]);
    const launches = await bench.the("lists").launches(list, 60, 10);
    assert.deepEqual(
      launches.map(({ position, launch }) => [position, launch.text]),
      [66, 67, 68, 69].map((position) => [position, staged(position).launch.text]),
    );
    assert.deepEqual(await bench.the("lists").lines("none", 0, 10), []);
    assert.deepEqual(await bench.the("lists").launches("none", 0, 10), []);
  }),

  listsCase("the lists of an execution come in the order in which they were made", async (bench) => {
    await bench.create("p");
    await bench.create("q");
    await stage(bench, [0], { list: "p/z" });
    await bench.commit("q", { list: { list: "q/step", opens: { count: 0, data: "", lines: [] } } });
    await bench.commit("p", { list: { list: "p/a", opens: { count: 0, data: "", lines: [] } } });
    await bench.commit("p", { revision: 2, list: { list: "p/z", opens: { count: 1, data: "z", lines: [] } } });
    const found = await bench.the("lists").of("p");
    assert.deepEqual(
      found.map(({ id, of, data }) => [id, of, data]),
      [
        ["p/z", "p", "z"],
        ["p/a", "p", ""],
      ],
    );
    assert.deepEqual(await bench.the("lists").of("nobody"), []);
    assert.deepEqual(
      (await bench.history("p")).map(({ step }) => step),
      [entry.step, entry.step],
    );
  }),
];
