/** Executions are followed from whatever process: every transition once, the last state always, and a slow caller costs nothing. */
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { again, Client, fail, pause, StepwellError, workflow, type Store } from "../../src/index.js";
import { deaf, errorOf, onEveryStore, reading, type Rig } from "../support/rig.js";
import { through } from "../../src/testing/faults/through.js";

const input = z.object({ n: z.number() });

const short = workflow("short", { input })
  .step("1", { run: () => ({ one: 1 }), rollback: () => undefined })
  .step("2", { run: () => ({ two: 2 }) });

const asks = workflow("asks", { input })
  .step("1", { run: () => undefined, rollback: () => undefined })
  .step("2", {
    messages: { answer: z.object({ yes: z.boolean() }) },
    run: () => pause(),
    onMessage: () => undefined,
    rollback: () => undefined,
  });

/** Stuck in its undo until it is skipped. */
const sticks = workflow("sticks", { input })
  .step("1", { run: () => ({ one: 1 }), rollback: () => fail("closed"), rollbackRetry: { attempts: 1 } })
  .step("2", { run: () => fail("no") });

const many = workflow("many", { input }).step("1", {
  run: ({ state }) => (state.n < 450 ? again({ n: state.n + 1 }, { after: "1s" }) : undefined),
});

const son = workflow("son", { input }).child("asked", asks, { input: ({ state: { n } }) => ({ n }) });
const grand = workflow("grand", { input }).child("sons", son, { input: ({ state: { n } }) => ({ n }) });

const all = [short, asks, sticks, many];

interface Followed<Item> {
  readonly items: Item[];
  /** Undefined: it goes on. */
  end: "ended" | StepwellError | undefined;
}

/** What is found from now on. */
function collected<Item>(iterable: AsyncIterable<Item>): Followed<Item> {
  const followed: Followed<Item> = { items: [], end: undefined };
  const collect = async (): Promise<void> => {
    for await (const item of iterable) followed.items.push(item);
    followed.end = "ended";
  };
  collect().catch((error: unknown) => (followed.end = error as StepwellError));
  return followed;
}

const lines = (
  rows: readonly { readonly revision: number; readonly func: string; readonly step: string; readonly result: string }[],
): string[] => rows.map(({ revision, func, step, result }) => `${revision} ${func} ${step}: ${result}`);

/** Sees the same store, and hears no hint: as from another process. */
function elsewhere(store: Store): Client {
  const client = new Client({ store: deaf(store) });
  onTestFinished(() => client.stop());
  return client;
}

const from: readonly [string, (rig: Rig) => Client][] = [
  ["the launcher that drives it", ({ launcher }) => launcher],
  ["a client that no hint reaches", ({ store }) => elsewhere(store)],
];

onEveryStore("one execution, followed", (start) => {
  test.each(from)("gives each transition once, and ends with the last: from %s", async (_, clientOf) => {
    const rig = await start(all);
    const execution = await rig.launcher.launch(asks, { n: 1 });
    await rig.clock.advance(10);
    const followed = collected(clientOf(rig).execution(execution.id).follow());
    await rig.clock.advance("2s");
    expect(lines(followed.items)).toEqual(["1 run 1: ok", "2 run 2: continue"]);
    await execution.send("answer", { yes: true });
    await rig.clock.advance("2s");
    expect(followed.end).toBe("ended");
    expect(followed.items).toEqual(await execution.history());
    expect(lines(followed.items.slice(2))).toEqual(["3 runContinue 2: ok"]);
  });

  test.each(from)("goes on where it is stuck, until it is rolled back: from %s", async (_, clientOf) => {
    const rig = await start(all);
    const execution = await rig.launcher.launch(sticks, { n: 1 });
    const followed = collected(clientOf(rig).execution(execution.id).follow());
    await rig.clock.advance("1m");
    expect((await execution.summary()).status).toBe("stuck");
    expect(followed.end).toBeUndefined();
    await execution.skip("done by hand");
    await rig.clock.advance("5s");
    expect((await execution.summary()).status).toBe("rolledBack");
    expect(followed.end).toBe("ended");
    expect(followed.items).toEqual(await execution.history());
  });

  test("goes on from a revision, in another iteration or after it has ended", async () => {
    const { launcher, clock } = await start(all);
    const execution = await launcher.launch(short, { n: 1 });
    await execution.outcome();
    for (const [revision, rest] of [
      [0, ["1 run 1: ok", "2 run 2: ok"]],
      [1, ["2 run 2: ok"]],
      [2, []],
      [9, []],
    ] as const) {
      const followed = collected(execution.follow({ from: revision }));
      await clock.advance(1);
      expect(lines(followed.items)).toEqual(rest);
      expect(followed.end).toBe("ended");
    }
  });

  test("follows an undo that was accepted before it looked, though the execution had completed", async () => {
    const { launcher, clock, store } = await start(all);
    const execution = await launcher.launch(short, { n: 1 });
    await execution.outcome();
    await launcher.stop();
    const client = elsewhere(store);
    const answer = client.rollback(execution.id, "returned");
    await clock.advance(1);
    const followed = collected(client.execution(execution.id).follow({ from: 2 }));
    await clock.advance("2s");
    expect(followed).toEqual({ items: [], end: undefined });
    answer.catch(() => undefined);
    await client.stop();
    await clock.advance("1m");
    expect(followed.end).toMatchObject({ code: "STEPWELL_CLIENT_STOPPED" });
  });

  test("ends when its signal is aborted or it is given up, at once, also while it waits", async () => {
    const { launcher, clock } = await start(all);
    const execution = await launcher.launch(asks, { n: 1 });
    await clock.advance(10);
    const ending = new AbortController();
    const followed = collected(execution.follow({ signal: ending.signal }));
    await clock.advance("1m");
    ending.abort();
    await clock.settle();
    expect(followed).toMatchObject({ items: [{}, {}], end: "ended" });
    expect(collected(execution.follow({ signal: ending.signal })).items).toEqual([]);
    const iterator = execution.follow({ from: 2 });
    const next = iterator.next();
    await clock.advance("1m");
    expect(await iterator.return!()).toEqual({ done: true, value: undefined });
    expect(await next).toEqual({ done: true, value: undefined });
  });

  test("reads in bounded pages, whatever the length of the history", async () => {
    const rig = await start(all);
    const { store, reads } = reading(rig.store);
    const execution = await rig.launcher.launch(many, { n: 0 });
    await rig.clock.advance("1h");
    const { revision } = await execution.summary();
    expect(revision).toBeGreaterThan(440);
    const client = new Client({ store });
    const followed = collected(client.execution(execution.id).follow());
    await rig.clock.advance("1s");
    expect(followed.items.map((it) => it.revision)).toEqual(Array.from({ length: revision }, (_, n) => n + 1));
    expect(reads.rows["history"]).toBe(revision);
    expect(reads.calls["history"]).toBe(Math.ceil(revision / 200));
    await client.stop();
  });

  test("reads nothing for a caller that does not ask, and gives it all once it does", async () => {
    const rig = await start(all);
    const { store, reads } = reading(deaf(rig.store));
    const client = new Client({ store });
    onTestFinished(() => client.stop());
    const execution = await rig.launcher.launch(asks, { n: 1 });
    await rig.clock.advance(10);
    const iterator = client.execution(execution.id).follow();
    expect(await iterator.next()).toMatchObject({ value: { revision: 1 } });
    const before = structuredClone(reads.calls);
    await execution.send("answer", { yes: true });
    await rig.clock.advance("1h");
    expect(reads.calls).toEqual(before);
    const rest = collected(iterator);
    await rig.clock.advance("1s");
    expect(rest).toMatchObject({ items: [{ revision: 2 }, { revision: 3 }], end: "ended" });
  });

  test("asks once for all callers of a client, however many they are", async () => {
    const rig = await start(all);
    const { store, reads } = reading(deaf(rig.store));
    const client = new Client({ store });
    onTestFinished(() => client.stop());
    const executions = await rig.launcher.launchMany(
      asks,
      Array.from({ length: 20 }, (_, n) => ({ input: { n } })),
    );
    await rig.clock.advance(10);
    const followed = executions.flatMap(({ id }) => [
      collected(client.execution(id).follow()),
      collected(client.execution(id).follow()),
    ]);
    await rig.clock.advance("10s");
    const before = reads.calls["load"]!;
    await rig.clock.advance("1h");
    // The virtual clock leaves out looks that find nothing.
    expect(reads.calls["load"]! - before).toBeLessThan(5);
    for (const it of executions) await it.send("answer", { yes: true });
    await rig.clock.advance("2s");
    expect(followed.map(({ end }) => end)).toEqual(Array.from({ length: 40 }, () => "ended"));
  });

  test("rides out an outage of the store", async () => {
    const rig = await start(all);
    let away = false;
    const store = through(deaf(rig.store), (call) => (...given) => {
      if (away) throw new StepwellError("STEPWELL_STORE_UNREACHABLE", "away", { retryable: true });
      return call(...given);
    });
    const errors: StepwellError[] = [];
    const client = new Client({ store, onError: (error) => errors.push(error) });
    onTestFinished(() => client.stop());
    const execution = await rig.launcher.launch(asks, { n: 1 });
    await rig.clock.advance(10);
    const followed = collected(client.execution(execution.id).follow());
    await rig.clock.advance("1s");
    away = true;
    await execution.send("answer", { yes: true });
    await rig.clock.advance("30s");
    const late = collected(client.execution(execution.id).follow());
    await rig.clock.advance("30s");
    expect([followed.end, late.end]).toEqual([undefined, undefined]);
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_STORE_UNREACHABLE"]);
    away = false;
    await rig.clock.advance("2s");
    for (const it of [followed, late]) expect(it).toMatchObject({ items: [{}, {}, {}], end: "ended" });
  });

  test("is refused for what makes no sense, and rejects where there is none, or where its launcher stops", async () => {
    const { launcher, clock } = await start(all);
    for (const options of [{ from: -1 }, { from: "1" }, { signal: "no" }, null, 1]) {
      expect(() => launcher.execution("e").follow(options as never)).toThrow(
        expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }),
      );
    }
    expect(() => launcher.execution("e").follow({ form: 1 } as never)).toThrow(
      expect.objectContaining({ code: "STEPWELL_UNKNOWN_OPTION" }),
    );
    const none = launcher.execution("nobody").follow();
    expect(await errorOf(none.next())).toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND", execution: "nobody" });
    const execution = await launcher.launch(asks, { n: 1 });
    const followed = collected(execution.follow());
    await clock.advance("1s");
    const stopped = launcher.stop();
    await clock.advance("1m");
    await stopped;
    expect(followed).toMatchObject({ items: [{}, {}], end: { code: "STEPWELL_LAUNCHER_NOT_RUNNING" } });
  });
});

onEveryStore("many executions, followed", (start) => {
  const told = (followed: Followed<{ readonly id: string; readonly status: string }>): string[] =>
    followed.items.splice(0).map(({ id, status }) => `${id} ${status}`);

  test.each(from)(
    "gives those that have not ended, and each as it moves, is launched or ends: from %s",
    async (_, clientOf) => {
      const rig = await start(all);
      const { launcher, clock } = rig;
      const launched = (id: string): Promise<unknown> => launcher.launch(asks, { n: 1 }, { id });
      await launcher.launch(short, { n: 1 }, { id: "long over" });
      await launched("a");
      await launcher.launch(sticks, { n: 1 }, { id: "b" });
      await clock.advance("1m");
      const followed = collected(clientOf(rig).follow());
      await clock.advance("2s");
      expect(told(followed).toSorted()).toEqual(["a waiting", "b stuck"]);
      await launched("c");
      await launcher.launch(short, { n: 1 }, { id: "d" });
      await launcher.send("a", "answer", { yes: true });
      await clock.advance("5s");
      // What each was last is told, and maybe how it came to it.
      const last = new Map(followed.items.map(({ id, status, revision }) => [id, `${status} ${revision}`]));
      expect(Object.fromEntries(last)).toEqual({ a: "completed 3", c: "waiting 2", d: "completed 2" });
      const times = followed.items.splice(0).map(({ id, status, revision }) => `${id} ${status} ${revision}`);
      expect(new Set(times).size).toBe(times.length);
      await launcher.skip("b", "by hand");
      await clock.advance("5s");
      expect(told(followed).at(-1)).toBe("b rolledBack");
      await clock.advance("5m");
      expect(followed).toEqual({ items: [], end: undefined });
    },
  );

  test.each(from)("gives a tree, its root and all generations below it: from %s", async (_, clientOf) => {
    const rig = await start([grand, short]);
    const { launcher, clock } = rig;
    const client = clientOf(rig);
    const early = collected(client.follow({ root: "g" }));
    const byWorkflow = collected(client.follow({ root: "g", workflow: "asks" }));
    await clock.advance("1s");
    expect(early.items).toEqual([]);
    await launcher.launch(grand, { n: 1 }, { id: "g" });
    await launcher.launch(grand, { n: 1 }, { id: "other" });
    await clock.advance("15s");
    const late = collected(client.follow({ root: "g" }));
    await clock.advance("5s");
    const tree = ["g waiting", "g/sons/0 waiting", "g/sons/0/asked/0 waiting"];
    expect(told(late).toSorted()).toEqual(tree);
    expect(told(early)).toEqual(expect.arrayContaining(tree));
    await launcher.send("g/sons/0/asked/0", "answer", { yes: true });
    await clock.advance("15s");
    for (const followed of [early, late]) {
      const last = new Map(followed.items.splice(0).map(({ id, status }) => [id, status]));
      expect(last).toEqual(new Map(["g", "g/sons/0", "g/sons/0/asked/0"].map((id) => [id, "completed"])));
    }
    expect(new Set(told(byWorkflow).map((line) => line.split(" ")[0]))).toEqual(new Set(["g/sons/0/asked/0"]));
    await launcher.rollback("g", "returned");
    await clock.advance("15s");
    // Of executions that are found by one look any may be told first.
    const ended = new Map(late.items.map(({ id, status }) => [id, status]));
    expect(ended).toEqual(new Map(["g", "g/sons/0", "g/sons/0/asked/0"].map((id) => [id, "rolledBack"])));
    const over = collected(client.follow({ root: "g" }));
    await clock.advance("1m");
    expect(told(over)).toEqual(["g rolledBack"]);
    const below = collected(client.follow({ root: "g/sons/0" }));
    await clock.advance("1s");
    expect(below.end).toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
  });

  test("tells of one that had ended and is undone", async () => {
    const { launcher, clock } = await start(all);
    await launcher.launch(short, { n: 1 }, { id: "a" });
    await clock.advance("1h");
    const followed = collected(launcher.follow({ workflow: "short" }));
    await clock.advance("1m");
    expect(followed.items).toEqual([]);
    await launcher.rollback("a", "returned");
    await clock.advance("1s");
    expect(told(followed).at(-1)).toBe("a rolledBack");
  });

  test.each(from)("follows on what has ended, for it may be undone: from %s", async (_, clientOf) => {
    const rig = await start(all);
    const followed = collected(clientOf(rig).follow({ workflow: "short" }));
    await rig.clock.advance("1s");
    await rig.launcher.launch(short, { n: 1 }, { id: "a" });
    await rig.clock.advance("1h");
    expect(told(followed).at(-1)).toBe("a completed");
    await rig.launcher.rollback("a", "returned");
    await rig.clock.advance("2s");
    expect(told(followed).at(-1)).toBe("a rolledBack");
  });

  test.each(from)("gives only what fits its filter: from %s", async (_, clientOf) => {
    const rig = await start(all);
    const { launcher, clock } = rig;
    const client = clientOf(rig);
    const byWorkflow = collected(client.follow({ workflow: "short" }));
    const byTags = collected(client.follow({ tags: ["x", "y"] }));
    const byId = collected(client.follow({ ids: ["later", "a"] }));
    await launcher.launch(asks, { n: 1 }, { id: "a", tags: ["x"] });
    await launcher.launch(asks, { n: 1 }, { id: "b", tags: ["y", "x", "z"] });
    await clock.advance("1m");
    await launcher.launch(short, { n: 1 }, { id: "later" });
    await clock.advance("5s");
    expect(told(byWorkflow).at(-1)).toBe("later completed");
    expect(new Set(told(byTags).map((line) => line.split(" ")[0]))).toEqual(new Set(["b"]));
    expect(told(byId)).toEqual(expect.arrayContaining(["a waiting", "later completed"]));
    await launcher.rollback("later", "returned");
    await clock.advance("5s");
    expect(told(byId).at(-1)).toBe("later rolledBack");
  });

  test("gives a slow caller the last state, and holds nothing up for it", async () => {
    const rig = await start(all);
    const { store, reads } = reading(rig.store);
    const client = new Client({ store });
    onTestFinished(() => client.stop());
    for (const id of ["a", "b", "c"]) await rig.launcher.launch(asks, { n: 1 }, { id });
    await rig.clock.advance("1m");
    const iterator = client.follow({ workflow: "asks" });
    expect(await iterator.next()).toMatchObject({ value: { id: "c", status: "waiting" } });
    const before = structuredClone(reads.calls);
    for (const id of ["a", "b", "c"]) await rig.launcher.send(id, "answer", { yes: true });
    for (const id of ["d", "e"]) await rig.launcher.launch(asks, { n: 1 }, { id });
    await rig.clock.advance("1h");
    expect(reads.calls).toEqual(before);
    const rest = collected(iterator);
    await rig.clock.advance("5s");
    const last = new Map(rest.items.map(({ id, status }) => [id, status]));
    expect(Object.fromEntries(last)).toEqual({
      a: "completed",
      b: "completed",
      c: "completed",
      d: "waiting",
      e: "waiting",
    });
  });

  test("asks once for all callers of a client that follow the same", async () => {
    const rig = await start(all);
    const { store, reads } = reading(deaf(rig.store));
    const client = new Client({ store });
    onTestFinished(() => client.stop());
    await rig.launcher.launch(asks, { n: 1 }, { id: "a" });
    await rig.clock.advance("1m");
    const followed = Array.from({ length: 10 }, () => collected(client.follow({ workflow: "asks" })));
    await rig.clock.advance("5s");
    const before = reads.calls["list"]!;
    await rig.clock.advance("3s");
    expect(reads.calls["list"]! - before).toBeLessThan(10);
    await rig.launcher.send("a", "answer", { yes: true });
    await rig.clock.advance("3s");
    for (const it of followed) expect(it.items.at(-1)).toMatchObject({ id: "a", status: "completed" });
  });

  test("is refused for what makes no sense, and rejects where its launcher stops", async () => {
    const { launcher, clock } = await start(all);
    const wrong = [
      { ids: [] },
      { ids: ["a", ""] },
      { ids: "a" },
      { ids: ["a"], workflow: "w" },
      { tags: "x" },
      { signal: 1 },
      null,
    ];
    for (const filter of wrong) {
      expect(() => launcher.follow(filter as never)).toThrow(
        expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }),
      );
    }
    expect(() => launcher.follow({ status: "stuck" } as never)).toThrow(
      expect.objectContaining({ code: "STEPWELL_UNKNOWN_OPTION" }),
    );
    const followed = collected(launcher.follow());
    await clock.advance("1s");
    const stopped = launcher.stop();
    await clock.advance("1m");
    await stopped;
    expect(followed.end).toMatchObject({ code: "STEPWELL_LAUNCHER_NOT_RUNNING" });
  });
});
