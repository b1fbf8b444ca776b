/** A tree that can't go at once: somebody keeps a row of it locked. */
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import { Bench, everyStatus, promised } from "../../testing/store-contract/bench.js";
import { advance, begins, countAll, list, opened, telling } from "../../testing/store-contract/lists.js";
import { VirtualClock } from "../../testing/virtual-clock.js";
import { postgresStore } from "./index.js";

/** A store, and a connection of somebody else. */
async function scene() {
  const schema = freshSchema();
  const clock = new VirtualClock();
  const store = postgresStore(postgresUrl(), { schema, clock, notifications: false });
  await store.open();
  const foreign = new pg.Client(postgresUrl());
  await foreign.connect();
  onTestFinished(async () => {
    await foreign.end();
    await store.close();
  });
  const bench = new Bench(store, clock, await store.register({ host: "here", pid: 1 }));
  const prune = () =>
    promised(() => store.prune({ olderThanMs: { completed: 5 }, limit: 100, after: null, dry: false }));
  return { schema, clock, store, foreign, bench, prune };
}

test("a tree of which some is gone is not to be found any more, and goes on going when it can", async () => {
  const { schema, clock, store, foreign, bench, prune } = await scene();
  await opened(bench, 2);
  await advance(bench, { begins: begins(bench, 0, 1) });
  await bench.claim();
  const end = { status: "completed", rests: true, ends: true } as const;
  for (const position of [0, 1]) await bench.commit(`c${position}`, { ...end, ...telling(position, "completed") });
  await advance(bench, { asks: [0] });
  await countAll(bench);
  await bench.commit("p", { ...end, revision: 2 });
  await clock.advance(10);

  await foreign.query("BEGIN");
  await foreign.query(`SELECT 1 FROM ${schema}.stepwell_executions WHERE id = 'c1' FOR UPDATE`);
  expect(await prune()).toEqual({ counts: { completed: 1 }, cursor: null });
  for (const id of ["p", "c0", "c1"]) {
    for (const only of [undefined, "listed", "standing"] as const)
      expect(await store.load([id], only)).toEqual([undefined]);
    expect([await store.history(id), await bench.mail(id)]).toEqual([[], []]);
    expect(await bench.send(id, { acceptedIn: everyStatus })).toEqual({ result: "not-found" });
  }
  for (const conditions of [{}, { isFree: true }, { root: "p" }, { status: ["completed"] }] as const) {
    expect(await store.list({ ...conditions, limit: 10 })).toEqual({ records: [], cursor: null });
  }
  await expect(bench.create("c1")).rejects.toMatchObject({ code: "STEPWELL_STORE_BUSY", retryable: true });
  expect(await prune()).toEqual({ counts: {}, cursor: null });

  await foreign.query("COMMIT");
  expect(await prune()).toEqual({ counts: { completed: 2 }, cursor: null });
  expect(await bench.create("c1")).toEqual({ created: true, owned: true });
  expect(await store.lists!.find([list])).toEqual([undefined]);
  const { rows } = await foreign.query(
    `SELECT 1 FROM ${schema}.stepwell_lines UNION ALL SELECT 1 FROM ${schema}.stepwell_news
     UNION ALL SELECT 1 FROM ${schema}.stepwell_marks
     UNION ALL SELECT 1 FROM ${schema}.stepwell_pruning`,
  );
  expect(rows).toEqual([]);
});

test("one whose row somebody keeps locked is passed over, and holds up nobody else", async () => {
  const { schema, clock, store, foreign, bench, prune } = await scene();
  for (const id of ["locked", "free"]) {
    await bench.create(id);
    await bench.commit(id, { status: "completed", rests: true, ends: true });
  }
  await clock.advance(10);
  await foreign.query("BEGIN");
  await foreign.query(`SELECT 1 FROM ${schema}.stepwell_executions WHERE id = 'locked' FOR UPDATE`);
  expect(await prune()).toEqual({ counts: { completed: 1 }, cursor: null });
  expect((await store.load(["locked", "free"])).map((it) => it?.id)).toEqual(["locked", undefined]);
  await foreign.query("COMMIT");
  expect(await prune()).toEqual({ counts: { completed: 1 }, cursor: null });
});
