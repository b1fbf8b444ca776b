/** Lists where launchers race, on connections of their own and without a virtual clock; and where an answer is lost. */
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import { Encoded } from "../../values/encode.js";
import { entry, fromTexts, position } from "../../testing/store-contract/bench.js";
import type { Arrival, Batch, NewExecution } from "../batch.js";
import type { StagedLine, Transition, HistoryEntry } from "../../execution/records.js";
import type { Store } from "../contract.js";
import type { Advance } from "../lists.js";
import type { PooledClient, PostgresPool } from "./driver.js";
import { postgresStore } from "./index.js";

const nothing: Batch = { creates: [], transitions: [], releases: [], arrivals: [] };
const list = "p/step";
const count = 90;
const width = 8;

const create = (id: string, more: Partial<NewExecution> = {}): NewExecution => ({
  ...{ id, workflow: "sell", version: "1", fingerprint: null, tags: [], status: "running", position },
  ...{ state: Encoded.ofText("{}"), input: Encoded.ofText("{}") },
  ...{ owner: null, dueInMs: 0, deadlineInMs: null, carried: null, ...more },
});

const transition = (id: string, owner: number, more: Partial<Transition> = {}): Transition => ({
  ...{ id, owner, revision: 1, signals: 0, status: "running", position, state: null, rests: false, dueInMs: null },
  ...{ settled: [], ends: false, carried: null, history: fromTexts<HistoryEntry>(entry), ...more },
});

const staged = (position: number): StagedLine => {
  const execution = `c${position}`;
  return { position, key: String(position), execution, launch: Encoded.ofText("{}") };
};

const child = (position: number): NewExecution =>
  create(`c${position}`, { line: { list, position, parent: "p", depth: 1 }, root: "p" });

const opening = (lines: number, data: string) =>
  ({
    list,
    opens: { count: lines, data, lines: Array.from({ length: lines }, (_, position) => staged(position)) },
  }) as const;

const ended = (position: number, owner: number): Transition =>
  transition(`c${position}`, owner, {
    ...{ status: "completed", rests: true, ends: true, line: { list, position, was: "begun", phase: "completed" } },
  });

interface Counted {
  readonly begun: number;
  readonly settled: number;
}

/** What all who race have seen. */
class Race {
  readonly advanced: string[] = [];
  told = 0;
  ended = 0;
  /** How many had begun when the list had been closed. */
  begunAtEnd: number | undefined;
}

/** As the engine does it: counts the news, and begins the next lines as far as there is room. */
async function advance(store: Store, race: Race): Promise<void> {
  const lists = store.lists!;
  const [record] = await lists.find([list]);
  const { begun, settled }: Counted = JSON.parse(record!.data);
  const news = await lists.news(list, 10);
  const settledNow = settled + news.flatMap(({ positions }) => positions).length;
  const room = record!.status === "open" ? width - (begun - settledNow) : 0;
  const next = room === 0 ? [] : await lists.lines(list, begun, room);
  const told = `told ${race.told++}`;
  const step: Advance = {
    ...{ list, revision: record!.revision, isMarked: false, asks: [], frees: [] },
    data: JSON.stringify({ begun: begun + next.length, settled: settledNow } satisfies Counted),
    counts: news.map(({ id }) => id),
    begins: next.map(({ position }) => child(position)),
    arrivals: [
      {
        ...{ id: told, execution: "p", kind: "told", name: "told", payload: Encoded.ofText("null"), messageId: told },
        ...{ acceptedIn: ["running"], wakes: [], carried: null },
      },
    ],
  };
  const [answers = null] = await lists.advance([step]);
  if (answers === null) return;
  race.advanced.push(told);
  expect(answers).toEqual(next.map(() => ({ created: true, owned: false })));
  expect(begun + next.length - settledNow).toBeLessThanOrEqual(width);
}

/** Advances the list and works on its children, until it is closed and all that began is counted. */
async function work(store: Store, owner: number, race: Race, closes: boolean): Promise<void> {
  for (;;) {
    for (const _ of await store.lists!.due(10)) await advance(store, race);
    const { records } = await store.claim({ owner, limit: 3, workflows: [{ name: "sell", version: "1" }] });
    const transitions = records.map(({ line }) => ended(line!.position, owner));
    const isClosing = closes && race.begunAtEnd === undefined && race.ended > count / 4;
    const [parent] = isClosing ? await store.load(["p"]) : [];
    // The parent closes the list in the same batch in which children of it end.
    if (parent !== undefined) {
      const { revision, signals } = parent;
      transitions.push(transition("p", owner, { revision: revision + 1, signals, list: { list, closes: true } }));
    }
    const answers = (await store.write({ ...nothing, transitions })).transitions;
    expect(answers.slice(0, records.length)).toEqual(records.map(() => "taken"));
    race.ended += records.length;
    const [record] = await store.lists!.find([list]);
    const { begun, settled }: Counted = JSON.parse(record!.data);
    if (isClosing && answers.at(-1) === "taken") race.begunAtEnd = begun;
    if (race.begunAtEnd !== undefined && begun === settled) return;
  }
}

test("launchers that race over one list begin and count each line once, and begin nothing once it is closed", async () => {
  const schema = freshSchema();
  const stores = [0, 1, 2].map(() => postgresStore(postgresUrl(), { schema, connections: 3, notifications: false }));
  onTestFinished(async () => void (await Promise.all(stores.map(async (store) => store.close()))));
  for (const store of stores) await store.open();
  const [store] = stores;
  const owners = await Promise.all(stores.map(async (it) => it.register({ host: "here", pid: 1 })));
  await store!.write({ ...nothing, creates: [create("p", { owner: owners[0]! })] });
  const opens = transition("p", owners[0]!, { list: opening(count, '{"begun":0,"settled":0}') });
  expect((await store!.write({ ...nothing, transitions: [opens] })).transitions).toEqual(["taken"]);
  const race = new Race();
  await Promise.all(stores.map(async (it, index) => work(it, owners[index]!, race, index === 0)));

  const lines = await store!.lists!.lines(list, 0, count);
  const begun = lines.filter(({ phase }) => phase !== "staged");
  expect(begun.length).toBe(race.begunAtEnd);
  for (const line of begun) expect(line).toMatchObject({ phase: "completed" });
  expect(race.ended).toBe(begun.length);
  expect(await store!.count({ root: "p" }, count)).toBe(begun.length);
  expect(await store!.lists!.due(10)).toEqual([]);
  const mail = await store!.mail({ executions: ["p"] });
  expect(mail.map(({ id }) => id).toSorted()).toEqual(race.advanced.toSorted());
}, 60_000);

test("a batch that closes a list and tells lines of it takes the list before the lines, as who advances it does", async () => {
  const schema = freshSchema();
  const store = postgresStore(postgresUrl(), { schema, notifications: false });
  await store.open();
  const foreign = new pg.Client(postgresUrl());
  await foreign.connect();
  onTestFinished(async () => {
    await foreign.end();
    await store.close();
  });
  const owner = await store.register({ host: "here", pid: 1 });
  await store.write({ ...nothing, creates: [create("p", { owner }), { ...child(0), owner }] });
  await store.write({ ...nothing, transitions: [transition("p", owner, { list: opening(1, "opened") })] });
  await foreign.query("BEGIN; SET LOCAL lock_timeout = '500ms'");
  await foreign.query(`SELECT 1 FROM ${schema}.stepwell_lists WHERE id = $1 FOR UPDATE`, [list]);
  const closes = transition("p", owner, { revision: 2, list: { list, closes: true } });
  const writing = store.write({ ...nothing, transitions: [ended(0, owner), closes] });
  const waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))";
  while ((await foreign.query(waits)).rows.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await foreign.query(`UPDATE ${schema}.stepwell_lines SET launches = launches`);
  await foreign.query(`INSERT INTO ${schema}.stepwell_marks SELECT list, first, 'asked' FROM ${schema}.stepwell_lines`);
  await foreign.query("COMMIT");
  expect((await writing).transitions).toEqual(["taken", "taken"]);
  expect(await store.lists!.news(list, 1)).toMatchObject([{ was: "begun", phase: "completed", positions: [0] }]);
});

/** The connection breaks at a commit: before it gets there, or once it is done. */
async function breaking() {
  const pool = new pg.Pool({ connectionString: postgresUrl(), max: 4 });
  const breaks: { at: "before" | "after" | undefined } = { at: undefined };
  const broken = (): Error => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  const wrapped: PostgresPool = {
    on: () => undefined,
    async connect() {
      const client = (await pool.connect()) as unknown as PooledClient;
      return {
        on: () => undefined,
        release: (destroy) => client.release(destroy),
        async query(asked) {
          const { at } = breaks;
          if (at === undefined || asked.text !== "COMMIT") return client.query(asked);
          breaks.at = undefined;
          await client.query(at === "after" ? asked : { text: "ROLLBACK" });
          throw broken();
        },
      };
    },
  };
  const store = postgresStore(wrapped, { schema: freshSchema(), notifications: false });
  await store.open();
  onTestFinished(async () => {
    await store.close();
    await pool.end();
  });
  const owner = await store.register({ host: "here", pid: 1 });
  await store.write({ ...nothing, creates: [create("p", { owner })] });
  return { store, owner, breaks };
}

const step = (more: Partial<Advance> = {}): Advance => ({
  ...{
    list,
    revision: 1,
    data: "advanced",
    isMarked: false,
    counts: [],
    begins: [],
    asks: [],
    arrivals: [],
    frees: [],
  },
  ...more,
});

test.each(["before", "after"] as const)(
  "where the connection breaks %s the commit, a list is opened and closed once, however often it is asked",
  async (at) => {
    const { store, owner, breaks } = await breaking();
    const lists = store.lists!;
    const opens = { ...nothing, transitions: [transition("p", owner, { list: opening(2, "opened") })] };
    breaks.at = at;
    await expect(store.write(opens)).rejects.toMatchObject({ retryable: true });
    expect(await lists.find([list])).toMatchObject([at === "after" ? { status: "open" } : undefined]);
    // Somebody else was faster.
    if (at === "after") await lists.advance([step({ begins: [child(0)] })]);
    expect((await store.write(opens)).transitions).toEqual(["taken"]);
    const [record] = await lists.find([list]);
    expect(record).toMatchObject({ status: "open", revision: at === "after" ? 2 : 1 });
    const phases = (await lists.lines(list, 0, 5)).map(({ phase }) => phase);
    expect(phases).toEqual([at === "after" ? "begun" : "staged", "staged"]);
    expect(await store.history("p")).toHaveLength(1);

    const closes = transition("p", owner, { revision: 2, list: { list, closes: true } });
    breaks.at = at;
    await expect(store.write({ ...nothing, transitions: [closes] })).rejects.toMatchObject({ retryable: true });
    expect((await store.write({ ...nothing, transitions: [closes] })).transitions).toEqual(["taken"]);
    expect(await lists.find([list])).toMatchObject([{ status: "closed", revision: record!.revision + 1 }]);
  },
);

test.each(["before", "after"] as const)(
  "where the connection breaks %s the commit of an advance, it is done once or not at all",
  async (at) => {
    const { store, owner, breaks } = await breaking();
    await store.write({ ...nothing, transitions: [transition("p", owner, { list: opening(2, "opened") })] });
    // One that its launcher had at once: it is given out by the next claim, since nobody asks for it again.
    const begins = [{ ...child(0), owner }];
    breaks.at = at;
    await expect(Promise.resolve(store.lists!.advance([step({ begins })]))).rejects.toMatchObject({ retryable: true });
    const [answers] = await store.lists!.advance([step({ begins })]);
    expect(answers).toEqual(at === "after" ? null : [{ created: true, owned: true }]);
    expect(await store.lists!.find([list])).toMatchObject([{ revision: 2, data: "advanced" }]);
    const [line] = await store.lists!.lines(list, 0, 1);
    expect(line).toMatchObject({ phase: "begun" });
    const { records } = await store.claim({ owner, limit: 5, workflows: [{ name: "sell", version: "1" }] });
    expect(records.map(({ id }) => id)).toEqual(at === "after" ? ["c0"] : []);
    expect((await store.load(["c0"]))[0]).toMatchObject({ owner, line: { list, position: 0 } });
  },
);

test("a line is told once, also where the answer to its transition was lost and its list has counted it since", async () => {
  const { store, owner, breaks } = await breaking();
  await store.write({ ...nothing, transitions: [transition("p", owner, { list: opening(2, "opened") })] });
  await store.lists!.advance([step({ begins: [0, 1].map(child) })]);
  await store.claim({ owner, limit: 5, workflows: [{ name: "sell", version: "1" }] });
  // With something else in the batch there is a commit of its own.
  const batch = { ...nothing, transitions: [ended(0, owner)], releases: [{ ...release("c1"), owner }] };
  breaks.at = "after";
  await expect(store.write(batch)).rejects.toMatchObject({ retryable: true });
  const news = await store.lists!.news(list, 5);
  expect(news.map(({ phase, positions }) => [phase, positions])).toEqual([
    ["completed", [0]],
    ["stuck", [1]],
  ]);
  await store.lists!.advance([step({ revision: 2, counts: news.map(({ id }) => id) })]);
  // The one that was let go is in the same launcher's hands again.
  await store.write({ ...nothing, arrivals: [woken("c1")] });
  await store.claim({ owner, limit: 5, workflows: [{ name: "sell", version: "1" }] });
  const again = await store.write(batch);
  expect([again.transitions, again.releases]).toEqual([["taken"], ["taken"]]);
  expect(await store.lists!.news(list, 5)).toEqual([]);
  expect(await store.history("c0")).toHaveLength(1);
});

const woken = (execution: string): Arrival => ({
  ...{ id: "woken", execution, kind: "message", name: "go", payload: Encoded.ofText("null"), messageId: null },
  ...{ acceptedIn: ["stuck"], wakes: ["stuck"], carried: null },
});

function release(id: string) {
  const line = { list, position: 1 } as const;
  return { id, signals: null, dueInMs: null, dead: [], parks: true as const, line };
}
