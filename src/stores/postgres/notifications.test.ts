import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { freshSchema, postgresUrl, query } from "../../../test/support/postgres.js";
import { TcpProxy } from "../../../test/support/tcp-proxy.js";
import { VirtualClock } from "../../testing/virtual-clock.js";
import { Encoded } from "../../values/encode.js";
import { entry, fromTexts, position, sell } from "../../testing/store-contract/bench.js";
import type { HistoryEntry, Transition } from "../../execution/records.js";
import type { Arrival, Batch, NewExecution } from "../batch.js";
import type { Hint, Store, Wanted } from "../contract.js";
import { postgresStore, type PostgresStoreOptions } from "./index.js";
import { Notifications, type Line } from "./notifications.js";

const nothing: Batch = { creates: [], transitions: [], releases: [], arrivals: [] };

const create = (id: string, owner: number | null, dueInMs = 0): NewExecution => ({
  id,
  workflow: sell.name,
  version: sell.version,
  fingerprint: null,
  tags: [],
  status: "running",
  position,
  state: Encoded.ofText("{}"),
  input: Encoded.ofText("{}"),
  owner,
  dueInMs,
  deadlineInMs: null,
  carried: null,
});

const transition = (id: string, owner: number, revision: number): Transition => ({
  ...{ id, owner, revision, signals: 0, status: "running", position, state: null, rests: false, dueInMs: null },
  ...{ settled: [], ends: false, carried: null, history: fromTexts<HistoryEntry>(entry) },
});

const arrival = (id: string, execution: string): Arrival => ({
  id,
  execution,
  kind: "message",
  name: "paid",
  payload: Encoded.ofText("1"),
  messageId: null,
  acceptedIn: ["running"],
  wakes: ["running"],
  carried: null,
});

interface Ear {
  readonly store: Store;
  readonly heard: Hint[];
}

async function opened(schema: string, url = postgresUrl(), options: PostgresStoreOptions = {}): Promise<Ear> {
  const store = postgresStore(url, { schema, ...options });
  await store.open();
  onTestFinished(() => store.close());
  const heard: Hint[] = [];
  store.watch((hint) => heard.push(hint));
  return { store, heard };
}

const due: Hint = { type: "due", inMs: 0 };

describe("hints between processes", () => {
  test("tell that something is due now, and of mail for an execution that is worked on elsewhere", async () => {
    const schema = freshSchema();
    const [here, there] = [await opened(schema), await opened(schema)];
    await here.store.write({ ...nothing, creates: [create("one", null)] });
    await vi.waitFor(() => expect(there.heard).toEqual([due]));
    const owner = await there.store.register({ host: "there", pid: 1 });
    await here.store.write({ ...nothing, creates: [create("two", owner)] });
    await here.store.write({ ...nothing, arrivals: [arrival("a", "two")] });
    await vi.waitFor(() => expect(there.heard.at(-1)).toEqual({ type: "signalled", execution: "two" }));
    // Its own come at once, and not a second time.
    expect(here.heard).toEqual([due, { type: "signalled", execution: "two" }]);
    await pause(50);
    expect(here.heard).toHaveLength(2);
  });

  test("tell of what another process follows, and of nothing that nobody follows", async () => {
    const schema = freshSchema();
    const [here, there] = [await opened(schema), await opened(schema)];
    const moved: string[] = [];
    const owner = await here.store.register({ host: "here", pid: 1 });
    await here.store.write({ ...nothing, creates: ["a", "b"].map((id) => create(id, owner)) });
    const unfollow = there.store.follow!(["b"], (ids) => void moved.push(...ids));
    const commit = async (id: string, revision: number): Promise<void> =>
      void (await here.store.write({ ...nothing, transitions: [transition(id, owner, revision)] }));
    let revision = 0;
    await vi.waitFor(async () => {
      await commit("a", ++revision);
      await commit("b", revision);
      await pause(20);
      expect(moved).toContain("b");
    });
    expect(moved).not.toContain("a");
    unfollow();
    moved.length = 0;
    await commit("b", ++revision);
    await pause(50);
    expect(moved).toEqual([]);
  });

  test("are not sent for what is due later, nor for a launcher of the same process", async () => {
    const schema = freshSchema();
    const [here, there] = [await opened(schema), await opened(schema)];
    const owner = await here.store.register({ host: "here", pid: 1 });
    await here.store.write({ ...nothing, creates: [create("later", null, 60_000), create("own", owner)] });
    await here.store.write({ ...nothing, arrivals: [arrival("a", "own")] });
    expect(here.heard).toEqual([
      { type: "due", inMs: 60_000 },
      { type: "signalled", execution: "own" },
    ]);
    await pause(50);
    expect(there.heard).toEqual([]);
  });

  test("can be switched off", async () => {
    const schema = freshSchema();
    const [here, there] = [await opened(schema), await opened(schema, postgresUrl(), { notifications: false })];
    await here.store.write({ ...nothing, creates: [create("one", null)] });
    await there.store.write({ ...nothing, creates: [create("two", null)] });
    await pause(50);
    expect([here.heard, there.heard]).toEqual([[due], [due]]);
    const listening = await query<{ readonly count: number }>(
      postgresUrl(),
      `SELECT count(*)::integer AS count FROM pg_stat_activity WHERE query = 'LISTEN "stepwell_${schema}"'`,
    );
    expect(listening[0]!.count).toBeLessThanOrEqual(1);
  });

  test("come again after the listener's connection was cut, and it says that something may have been missed", async () => {
    const schema = freshSchema();
    const proxy = await TcpProxy.before(postgresUrl());
    onTestFinished(() => proxy.close());
    const [here, there] = [await opened(schema), await opened(schema, proxy.url)];
    for (const id of ["one", "two", "three"]) {
      proxy.cut();
      await vi.waitFor(() => expect(there.heard).toEqual([due]), { timeout: 5_000 });
      there.heard.length = 0;
      await here.store.write({ ...nothing, creates: [create(id, null)] });
      await vi.waitFor(() => expect(there.heard).toEqual([due]), { timeout: 5_000 });
      there.heard.length = 0;
    }
  });

  test("are taken from a pool that is the user's, whose connection is given back", async () => {
    const { default: pg } = await import("pg");
    const pool = new pg.Pool({ connectionString: postgresUrl(), max: 4 });
    const schema = freshSchema();
    const here = await opened(schema);
    const store = postgresStore(pool, { schema });
    await store.open();
    const heard: Hint[] = [];
    store.watch((hint) => heard.push(hint));
    await here.store.write({ ...nothing, creates: [create("one", null)] });
    await vi.waitFor(() => expect(heard).toEqual([due]));
    await store.close();
    await pool.end();
  });
});

/** A connection that a test has in its hand. */
class Wire implements Line {
  readonly said: string[] = [];
  answers = true;
  isClosed = false;
  readonly #listeners = new Map<string, (given: never) => void>();

  async query({ text, values }: { readonly text: string; readonly values?: unknown[] }) {
    this.said.push(values === undefined ? text : String(values[1]));
    if (!this.answers) await new Promise(() => undefined);
    return { rows: [] };
  }

  on(event: string, listener: (given: never) => void): void {
    this.#listeners.set(event, listener);
  }

  emit(event: string, given?: unknown): void {
    this.#listeners.get(event)?.(given as never);
  }

  close(): void {
    this.isClosed = true;
  }
}

const listened = ["SET synchronous_commit TO off", 'LISTEN "stepwell_orders"'];

describe("the connection for notifications", () => {
  async function listening(): Promise<{
    clock: VirtualClock;
    wires: Wire[];
    heard: Hint[];
    it: Notifications;
    fails: { next: boolean };
    moved: string[];
    followed: { wanted: Wanted };
  }> {
    const clock = new VirtualClock();
    const wires: Wire[] = [];
    const heard: Hint[] = [];
    const fails = { next: false };
    const connect = async (): Promise<Line> => {
      if (fails.next) throw new Error("away");
      return wires[wires.push(new Wire()) - 1]!;
    };
    const moved: string[] = [];
    const followed: { wanted: Wanted } = { wanted: [] };
    const listener = {
      due: (hints: readonly Hint[]) => void heard.push(...hints),
      moved: (ids: readonly string[]) => void moved.push(...ids),
      wanted: () => followed.wanted,
    };
    const it = new Notifications("orders", connect, listener, clock);
    await it.open();
    return { clock, wires, heard, moved, followed, it, fails };
  }

  const said = (wire: Wire | undefined): unknown[] =>
    wire!.said.filter((text) => text.startsWith("{")).map((text) => JSON.parse(text) as unknown);
  const from = expect.any(String) as string;

  test("tells the first at once, and what comes within a moment after it as one, each thing once", async () => {
    const { clock, wires, it } = await listening();
    const a: Hint = { type: "signalled", execution: "a" };
    it.send([a]);
    it.send([due, { type: "signalled", execution: "b" }]);
    it.send([{ type: "signalled", execution: "b" }, due, { type: "signalled", execution: "c" }]);
    expect(wires[0]!.said.slice(0, 2)).toEqual(listened);
    expect(said(wires[0])).toEqual([{ from, signalled: ["a"] }]);
    await clock.advance(2);
    expect(said(wires[0]).slice(1)).toEqual([{ from, due: true, signalled: ["b", "c"] }]);
    it.send([a]);
    expect(said(wires[0])).toHaveLength(2);
    await clock.advance(2);
    expect(said(wires[0]).slice(2)).toEqual([{ from, signalled: ["a"] }]);
    await clock.advance(2);
    it.send([a]);
    expect(said(wires[0])).toHaveLength(4);
  });

  test("says only that there is something where there is too much to say", async () => {
    const { clock, wires, it } = await listening();
    it.send(Array.from({ length: 1000 }, (_, n): Hint => ({ type: "signalled", execution: `execution-${n}` })));
    await clock.advance(10);
    expect(said(wires[0])).toEqual([{ from, due: true }]);
  });

  test("hears others, and nothing that is not a hint", async () => {
    const { wires, heard } = await listening();
    for (const payload of [undefined, "", "x", "null", "5", '{"signalled":7}', '{"signalled":[7]}', "[]"]) {
      wires[0]!.emit("notification", { payload });
    }
    expect(heard).toEqual([]);
    wires[0]!.emit("notification", { payload: '{"from":"x","due":true,"signalled":["a"]}' });
    expect(heard).toEqual([{ type: "signalled", execution: "a" }, due]);
  });

  test("tells others of what they follow, the first at once and the rest of a moment as one, and of nothing that nobody follows", async () => {
    const { clock, wires, it } = await listening();
    expect(it.isFollowed).toBe(false);
    it.moved(["a", "b"]);
    await clock.advance(100);
    expect(said(wires[0])).toEqual([]);
    wires[0]!.emit("notification", { payload: '{"from":"x","follows":["a","c"]}' });
    wires[0]!.emit("notification", { payload: '{"from":"y","follows":["d"]}' });
    expect(it.isFollowed).toBe(true);
    for (const ids of [["a", "b"], ["a"], ["d"], ["d", "a"]]) it.moved(ids);
    expect(said(wires[0])).toEqual([{ from, moved: ["a"] }]);
    await clock.advance(10);
    expect(said(wires[0]).slice(1)).toEqual([{ from, moved: ["a", "d"] }]);
    await clock.advance(100);
    wires[0]!.emit("notification", { payload: '{"from":"x","follows":"all"}' });
    it.moved(["b"]);
    await clock.advance(100);
    expect(said(wires[0]).at(-1)).toEqual({ from, moved: ["b"] });
  });

  test("forgets who follows when that one says so, or says nothing for a while", async () => {
    const { clock, wires, it } = await listening();
    for (const follows of ['["a"]', "[]"]) {
      wires[0]!.emit("notification", { payload: `{"from":"x","follows":${follows}}` });
    }
    expect(it.isFollowed).toBe(false);
    wires[0]!.emit("notification", { payload: '{"from":"x","follows":"all"}' });
    await clock.advance("16s");
    it.moved(["a"]);
    await clock.advance(100);
    expect(it.isFollowed).toBe(false);
    expect(said(wires[0]).filter((it) => (it as { moved?: unknown }).moved !== undefined)).toEqual([]);
  });

  test("tells of very many in several messages, and of no more than some thousands", async () => {
    const { clock, wires, it } = await listening();
    wires[0]!.emit("notification", { payload: '{"from":"x","follows":"all"}' });
    it.moved(Array.from({ length: 10_000 }, (_, n) => `01a22570-4549-7000-8000-${String(n).padStart(12, "0")}`));
    await clock.advance(100);
    const parts = said(wires[0]) as { moved: string[] }[];
    expect(parts).toHaveLength(8);
    expect(parts.flatMap(({ moved }) => moved).length).toBeGreaterThan(1000);
    expect(Math.max(...wires[0]!.said.map((text) => Buffer.byteLength(text)))).toBeLessThan(8000);
  });

  test("says what is followed here, again while it is, to whom it has lost too, and says once that it is over", async () => {
    const { clock, wires, followed, it } = await listening();
    followed.wanted = ["a"];
    it.announce();
    it.announce();
    expect(said(wires[0])).toEqual([{ from, follows: ["a"] }]);
    followed.wanted = ["a", "b"];
    it.announce();
    followed.wanted = ["b"];
    it.announce();
    expect(said(wires[0]).slice(1)).toEqual([{ from, follows: ["a", "b"] }]);
    await clock.advance("6s");
    expect(said(wires[0]).slice(2)).toEqual([{ from, follows: ["b"] }]);
    wires[0]!.emit("error", new Error("broken"));
    await clock.advance(100);
    expect(said(wires[1])).toEqual([{ from, follows: ["b"] }]);
    followed.wanted = Array.from({ length: 1000 }, (_, n) => `execution-${n}`);
    it.announce();
    expect(said(wires[1]).at(-1)).toEqual({ from, follows: "all" });
    followed.wanted = [];
    await clock.advance("1h");
    expect(said(wires[1]).at(-1)).toEqual({ from, follows: [] });
    expect(said(wires[1]).length).toBeLessThan(5);
  });

  test("hears what has moved elsewhere", async () => {
    const { wires, moved, heard } = await listening();
    for (const payload of ['{"from":"x","moved":7}', '{"moved":["a"]}', '{"from":"x","follows":[7]}']) {
      wires[0]!.emit("notification", { payload });
    }
    wires[0]!.emit("notification", { payload: '{"from":"x","moved":["a","b"]}' });
    expect([moved, heard]).toEqual([["a", "b"], []]);
  });

  test("that says nothing any more is given up, and a new one is made", async () => {
    const { clock, wires, heard } = await listening();
    await clock.advance("1m");
    expect(wires).toHaveLength(1);
    wires[0]!.answers = false;
    await clock.advance("20s");
    expect(wires).toHaveLength(2);
    expect(wires[0]!.isClosed).toBe(true);
    expect(heard).toEqual([due]);
    // What the old one still says is nobody's business.
    wires[0]!.emit("error", new Error("late"));
    await clock.advance("1s");
    expect(wires).toHaveLength(2);
  });

  test("tries again, more and more rarely, while there is none to be had", async () => {
    const { clock, wires, fails, heard } = await listening();
    fails.next = true;
    wires[0]!.emit("end");
    await clock.advance("10m");
    expect(wires).toHaveLength(1);
    fails.next = false;
    await clock.advance("8s");
    expect(wires).toHaveLength(2);
    expect(heard).toEqual([due]);
    wires[1]!.emit("error", new Error("broken"));
    await clock.advance(100);
    expect(wires).toHaveLength(3);
  });

  test("is closed for good", async () => {
    const { clock, wires, it } = await listening();
    it.close();
    it.send([due]);
    await clock.advance("10m");
    expect(wires).toHaveLength(1);
    expect(wires[0]!.isClosed).toBe(true);
    expect(wires[0]!.said).toEqual(listened);
  });
});
