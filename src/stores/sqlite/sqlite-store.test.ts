import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { Encoded } from "../../values/encode.js";
import { systemClock, type Clock } from "../../clock.js";
import { entry, fromTexts, position } from "../../testing/store-contract/bench.js";
import { storeContract } from "../../testing/store-contract/index.js";
import type { HistoryEntry, Transition } from "../../execution/records.js";
import { VirtualClock } from "../../testing/virtual-clock.js";
import type { Arrival, NewExecution } from "../batch.js";
import type { Pruned } from "../contract.js";
import { drivers } from "./driver.js";
import type { Durability } from "./open.js";
import { sqliteStoreOn, type SqliteStore } from "./sqlite-store.js";

const folder = mkdtempSync(join(tmpdir(), "stepwell-sqlite-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const newFile = (): string => join(folder, `${++files}.db`);

const one = {
  id: "one",
  workflow: "sell",
  fingerprint: null,
  version: "1",
  tags: [],
  status: "running",
  position: {},
  state: Encoded.ofText("{}"),
  input: Encoded.ofText("{}"),
  owner: null,
  dueInMs: 0,
  deadlineInMs: null,
  carried: null,
} as unknown as NewExecution;
const nothing = { creates: [], transitions: [], releases: [], arrivals: [] };

/** Of that execution. */
const transition = (owner: number, revision: number): Transition => ({
  ...{ id: "one", owner, revision, signals: 0, status: "running", position, state: null, rests: false, dueInMs: null },
  ...{ settled: [], ends: false, carried: null, history: fromTexts<HistoryEntry>(entry) },
});

describe.each([...drivers()])("the SQLite store, through $name", (driver) => {
  const storeOn = (path: string, durability: Durability = "full", clock: Clock = systemClock): SqliteStore =>
    sqliteStoreOn(path, clock, durability, () => driver);

  test.each(storeContract)("$name", async ({ run }) => {
    await expect(run((clock) => storeOn(newFile(), "full", clock))).resolves.toBeUndefined();
  });

  test("keeps its data over close and open", () => {
    const store = storeOn(newFile());
    store.open();
    store.write({ ...nothing, creates: [one] });
    store.close();
    store.open();
    expect(store.load(["one"])).toMatchObject([{ id: "one" }]);
    store.close();
  });

  test("keeps executions in memory until it is closed, on the path :memory:", () => {
    const store = storeOn(":memory:");
    store.open();
    store.write({ ...nothing, creates: [one] });
    expect(store.load(["one"])).toMatchObject([{ id: "one" }]);
    store.close();
    store.open();
    expect(store.load(["one"])).toEqual([undefined]);
    store.close();
  });

  test("a list lets others have their turn by the clock of its store, and by no other", async () => {
    const clock = new VirtualClock();
    const store = storeOn(":memory:", "full", clock);
    store.open();
    store.write({ ...nothing, creates: [one, { ...one, id: "two" }] });
    let real = 0;
    const monotonic = vi.spyOn(systemClock, "monotonic").mockImplementation(() => (real += 1000));
    const soon = vi.spyOn(systemClock, "soon");
    try {
      expect((await store.list({ limit: 10 })).records.map(({ id }) => id)).toEqual(["two", "one"]);
      expect(soon).not.toHaveBeenCalled();
    } finally {
      monotonic.mockRestore();
      soon.mockRestore();
    }
    store.close();
  });

  test("an older part of a history is found from the part after it, and not by walking along all that came later", async () => {
    const path = newFile();
    const store = storeOn(path);
    store.open();
    const owner = await store.register({ host: "here", pid: 1 });
    store.write({ ...nothing, creates: [{ ...one, owner }] });
    for (let revision = 1; revision <= 90; revision++) {
      store.write({ ...nothing, transitions: [transition(owner, revision)] });
    }
    const read = async (after: number): Promise<number[]> => {
      const rows = await store.history("one", { after, limit: 30 });
      return rows.map(({ revision }) => revision);
    };
    expect(await read(60)).toHaveLength(30);
    const other = driver.connect(path);
    other.exec("DELETE FROM stepwell_history WHERE revision > 60");
    other.close();
    expect(await read(30)).toEqual(Array.from({ length: 30 }, (_, index) => 31 + index));
    expect(await read(0)).toEqual(Array.from({ length: 30 }, (_, index) => 1 + index));
    store.close();
  });

  test("two stores on one file see each other's work", async () => {
    const path = newFile();
    const [left, right] = [storeOn(path), storeOn(path, "normal")];
    left.open();
    right.open();
    const first = await left.register({ host: "here", pid: 1 });
    const second = await right.register({ host: "here", pid: 1 });
    expect(second).toBeGreaterThan(first);
    left.write({ ...nothing, creates: [one] });
    expect(right.write({ ...nothing, creates: [one] }).creates).toMatchObject([{ created: false }]);
    const { records } = await right.claim({ owner: second, limit: 5, workflows: [{ name: "sell", version: "1" }] });
    expect(records).toHaveLength(1);
    expect(left.load(["one"])).toMatchObject([{ owner: second }]);
    expect((await left.beat(first)).others).toMatchObject([{ owner: second }]);
    left.close();
    right.close();
  });

  test("a file that another one is writing is busy: nothing of a batch is written, and it may be tried again", () => {
    const path = newFile();
    const store = storeOn(path);
    store.open();
    const other = driver.connect(path);
    other.exec("BEGIN IMMEDIATE");
    const busy = expect.objectContaining({ code: "STEPWELL_STORE_BUSY", retryable: true });
    const write = (): unknown => store.write({ ...nothing, creates: [one] });
    expect(write).toThrow(busy);
    // Readers are not kept waiting.
    expect(store.load(["one"])).toEqual([undefined]);
    const old = { olderThanMs: { completed: 0 }, limit: 1, after: null };
    expect(store.prune({ ...old, dry: true })).toEqual({ counts: {}, cursor: null });
    other.exec("COMMIT");
    expect(write()).toMatchObject({ creates: [{ created: true }] });
    other.close();
    store.close();
  });

  test("within a caller's transaction a batch that fails half-way writes nothing, and the transaction goes on", () => {
    const path = newFile();
    const store = storeOn(path);
    store.open();
    const own = driver.connect(path);
    expect(() => store.transactions!.within(own)).toThrow(
      expect.objectContaining({ code: "STEPWELL_NOT_IN_TRANSACTION" }),
    );
    const broken = { ...one, id: "broken", state: Encoded.ofText(Symbol("not a text") as unknown as string) };
    const failed = expect.objectContaining({ code: "STEPWELL_STORE_FAILED" });
    own.exec("BEGIN IMMEDIATE");
    const within = store.transactions!.within(own);
    expect(within.write({ ...nothing, creates: [{ ...one, id: "first" }] })).toMatchObject({
      creates: [{ created: true }],
    });
    expect(() => within.write({ ...nothing, creates: [one, broken] })).toThrow(failed);
    own.exec("COMMIT");
    expect(store.load(["one", "first"])).toMatchObject([undefined, { id: "first" }]);
    own.close();
    store.close();
  });

  test("a transition that was taken back with its batch is taken when it comes again, and the history has it once", async () => {
    const path = newFile();
    const store = storeOn(path);
    store.open();
    const owner = await store.register({ host: "here", pid: 1 });
    store.write({ ...nothing, creates: [{ ...one, owner }] });
    const write = (revision: number): unknown =>
      store.write({ ...nothing, transitions: [transition(owner, revision)] }).transitions;
    expect(write(1)).toEqual(["taken"]);
    const broken = { ...one, id: Symbol("not a text") as unknown as string };
    const arrivals = [{ ...broken, execution: broken.id }] as unknown as Arrival[];
    expect(() => store.write({ ...nothing, transitions: [transition(owner, 2)], arrivals })).toThrow(
      expect.objectContaining({ code: "STEPWELL_STORE_FAILED" }),
    );
    expect([write(2), write(2), write(3)]).toEqual([["taken"], ["lost"], ["taken"]]);
    // Another process goes on with it, and what this one knows of the row is out of date.
    const other = storeOn(path);
    other.open();
    const second = await other.register({ host: "here", pid: 2 });
    await other.removeLaunchers([owner]);
    await other.claim({ owner: second, limit: 1, workflows: [{ name: "sell", version: "1" }] });
    expect(other.write({ ...nothing, transitions: [transition(second, 4)] }).transitions).toEqual(["taken"]);
    expect([write(4), write(5)]).toEqual([["lost"], ["lost"]]);
    expect((await store.history("one")).map(({ revision }) => revision)).toEqual([1, 2, 3, 4]);
    other.close();
    store.close();
  });

  test("a prune of long histories is done in several calls, each of which removes whole executions", async () => {
    const store = storeOn(newFile());
    store.open();
    const owner = await store.register({ host: "here", pid: 1 });
    const ids = Array.from({ length: 40 }, (_, number) => `e${number}`);
    store.write({ ...nothing, creates: ids.map((id) => ({ ...one, id, owner })) });
    for (let revision = 1; revision <= 100; revision++) {
      const ends = revision === 100;
      const transition = { owner, revision, signals: 0, position: {}, state: null, settled: [], carried: null };
      const rest = {
        status: ends ? "completed" : "running",
        rests: ends,
        dueInMs: null,
        ends,
        history: fromTexts<HistoryEntry>(entry),
      };
      const transitions = ids.map((id) => ({ id, ...transition, ...rest }) as unknown as Transition);
      expect(store.write({ ...nothing, transitions }).transitions).toEqual(ids.map(() => "taken"));
    }
    const removed: number[] = [];
    let after: string | null = null;
    do {
      const page: Pruned = await store.prune({ olderThanMs: { completed: 0 }, limit: 100, after, dry: false });
      removed.push(page.counts.completed ?? 0);
      after = page.cursor;
      const left = await store.load(ids);
      for (const [at, record] of left.entries()) {
        expect(await store.history(ids[at]!)).toHaveLength(record === undefined ? 0 : 100);
      }
    } while (after !== null);
    expect(removed).toEqual([29, 11]);
    store.close();
  });

  test("a batch that fails half-way writes nothing, and the store goes on", () => {
    const store = storeOn(newFile());
    store.open();
    const broken = { ...one, id: "broken", state: Encoded.ofText(Symbol("not a text") as unknown as string) };
    expect(() => store.write({ ...nothing, creates: [one, broken] })).toThrow(
      expect.objectContaining({ code: "STEPWELL_STORE_FAILED", retryable: false }),
    );
    expect(store.load(["one"])).toEqual([undefined]);
    expect(store.write({ ...nothing, creates: [one] }).creates).toEqual([{ created: true, owned: false }]);
    store.close();
  });
});
