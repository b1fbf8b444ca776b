/** The connection breaks after a call was carried out and before its answer: what the same call says when it is made again. */
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import { TcpProxy } from "../../../test/support/tcp-proxy.js";
import { systemClock } from "../../clock.js";
import { Encoded } from "../../values/encode.js";
import { entry, fromTexts, position, promised, sell } from "../../testing/store-contract/bench.js";
import type { Arrival, Batch, NewExecution, Publication, Release } from "../batch.js";
import type { Transition, HistoryEntry } from "../../execution/records.js";
import type { Store } from "../contract.js";
import { InDoubt } from "./in-doubt.js";
import type { PooledClient, PostgresPool } from "./driver.js";
import { postgresStore } from "./index.js";

const nothing: Batch = { creates: [], transitions: [], releases: [], arrivals: [] };

const create = (id: string, owner: number | null): NewExecution => ({
  id,
  workflow: sell.name,
  version: sell.version,
  fingerprint: null,
  tags: ["red"],
  status: "running",
  position,
  state: Encoded.ofText("{}"),
  input: Encoded.ofText("{}"),
  owner,
  dueInMs: 0,
  deadlineInMs: null,
  carried: null,
});

const transition = (id: string, owner: number, more: Partial<Transition> = {}): Transition => ({
  id,
  owner,
  revision: 1,
  signals: 0,
  status: "running",
  position,
  state: null,
  rests: false,
  dueInMs: null,
  settled: [],
  ends: false,
  carried: null,
  history: fromTexts<HistoryEntry>(entry),
  ...more,
});

const release = (id: string, owner: number, more: Partial<Release> = {}): Release => ({
  id,
  owner,
  signals: null,
  dueInMs: 0,
  dead: [],
  ...more,
});

const arrival = (id: string, execution: string, more: Partial<Arrival> = {}): Arrival => ({
  id,
  execution,
  kind: "message",
  name: "paid",
  payload: Encoded.ofText("1"),
  messageId: null,
  acceptedIn: ["running"],
  wakes: [],
  carried: null,
  ...more,
});

interface Scene {
  readonly schema: string;
  readonly store: Store;
  readonly owner: number;
  /** The call is carried out, and its answer lost. */
  readonly lose: (call: () => unknown) => Promise<void>;
}

async function scene(): Promise<Scene> {
  const proxy = await TcpProxy.before(postgresUrl());
  const schema = freshSchema();
  const store = postgresStore(proxy.url, { schema, notifications: false, connections: 2 });
  await store.open();
  onTestFinished(async () => {
    if (store.isOpen) await store.close();
    await proxy.close();
  });
  const owner = await store.register({ host: "here", pid: 1 });
  const lose = async (call: () => unknown): Promise<void> => {
    proxy.mode = "mute";
    const answered = proxy.answered();
    const calling = promised(call).catch((error: unknown) => error);
    await answered;
    proxy.cut();
    proxy.mode = "open";
    expect(await calling).toMatchObject({ code: "STEPWELL_STORE_UNREACHABLE", retryable: true });
  };
  return { schema, store, owner, lose };
}

test("a create that was made is answered as created, and made once", async () => {
  const { store, owner, lose } = await scene();
  const batch = { ...nothing, creates: [create("one", owner), create("two", owner)] };
  await lose(() => store.write(batch));
  expect((await store.write(batch)).creates).toMatchObject([{ created: true }, { created: true }]);
  // Another create of the same id is another one.
  const again = { ...nothing, creates: [create("one", owner)] };
  expect((await store.write(again)).creates).toMatchObject([{ created: false, existing: { id: "one", owner } }]);
  expect((await store.list({ tags: ["red"], limit: 10 })).records).toHaveLength(2);
});

test("a create that did not get through is made at the next try", async () => {
  const { store, owner, lose } = await scene();
  await lose(() => store.load(["one"]));
  expect((await store.write({ ...nothing, creates: [create("one", owner)] })).creates).toEqual([
    { created: true, owned: true },
  ]);
});

test("a transition that was taken is answered as taken, and is in the history once", async () => {
  const { store, owner, lose } = await scene();
  await store.write({ ...nothing, creates: [create("one", owner), create("two", owner)] });
  const kept = transition("one", owner, { state: Encoded.ofText('{"n":1}') });
  const rests = transition("two", owner, { rests: true, dueInMs: 0 });
  const batch = { ...nothing, transitions: [kept, rests] };
  await lose(() => store.write(batch));
  expect((await store.write(batch)).transitions).toEqual(["taken", "taken"]);
  expect(await store.load(["one", "two"])).toMatchObject([
    { revision: 1, owner },
    { revision: 1, owner: null },
  ]);
  for (const id of ["one", "two"]) expect(await store.history(id)).toHaveLength(1);
  // It was that very transition: another one of the same revision is none of the launcher's any more.
  expect((await store.write({ ...nothing, transitions: [transition("one", owner)] })).transitions).toEqual(["lost"]);
});

test("a transition that was taken stays so where the question fails why another one was not", async () => {
  const pool = new pg.Pool({ connectionString: postgresUrl() });
  onTestFinished(() => pool.end());
  let breaks = false;
  const breaking: PostgresPool = {
    on: () => undefined,
    async connect() {
      const client = (await pool.connect()) as unknown as PooledClient;
      return {
        on: (event, listener) => client.on(event, listener),
        release: (destroy) => client.release(destroy),
        async query(asked) {
          const isQuestion = asked.text.includes("AS written");
          if (breaks && isQuestion) throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
          return client.query(asked);
        },
      };
    },
  };
  const store = postgresStore(breaking, { schema: freshSchema(), notifications: false });
  await store.open();
  const owner = await store.register({ host: "here", pid: 1 });
  await store.write({ ...nothing, creates: [create("one", owner), create("two", owner)] });
  const batch = { ...nothing, transitions: [transition("one", owner), transition("two", owner + 1)] };
  breaks = true;
  await expect(store.write(batch)).rejects.toMatchObject({ code: "STEPWELL_STORE_UNREACHABLE" });
  breaks = false;
  expect((await store.write(batch)).transitions).toEqual(["taken", "lost"]);
  await store.close();
});

test("a transition that another launcher made meanwhile is lost, also where its own answer was", async () => {
  const { store, owner, lose } = await scene();
  await store.write({ ...nothing, creates: [create("one", owner)] });
  await store.removeLaunchers([owner]);
  const mine = { ...nothing, transitions: [transition("one", owner)] };
  await lose(() => store.write(mine));
  const other = await store.register({ host: "there", pid: 2 });
  await store.claim({ owner: other, limit: 5, workflows: [sell] });
  expect((await store.write({ ...nothing, transitions: [transition("one", other)] })).transitions).toEqual(["taken"]);
  expect((await store.write(mine)).transitions).toEqual(["lost"]);
});

test("an arrival that was stored is answered as stored, also once it was consumed and all has ended", async () => {
  const { store, owner, lose } = await scene();
  await store.write({ ...nothing, creates: [create("one", owner)] });
  const batch = { ...nothing, arrivals: [arrival("a", "one"), arrival("b", "one", { messageId: "m" })] };
  await lose(() => store.write(batch));
  const ends = transition("one", owner, {
    signals: 2,
    status: "completed",
    rests: true,
    ends: true,
    settled: [{ arrival: "a", as: "consumed" }],
  });
  expect((await store.write({ ...nothing, transitions: [ends] })).transitions).toEqual(["taken"]);
  expect((await store.write(batch)).arrivals).toEqual([
    { result: "stored", id: "a" },
    { result: "stored", id: "b" },
  ]);
  expect(await store.mail({ executions: ["one"] })).toMatchObject([{ status: "consumed" }, { status: "dead" }]);
  expect(await store.load(["one"])).toMatchObject([{ signals: 2 }]);
});

test("a publication that was stored is answered as stored, and delivered once; a subscription as taken", async () => {
  const pool = new pg.Pool({ connectionString: postgresUrl() });
  onTestFinished(() => pool.end());
  let breaks = false;
  /** What is committed is not answered. */
  const breaking: PostgresPool = {
    on: () => undefined,
    async connect() {
      const client = (await pool.connect()) as unknown as PooledClient;
      return {
        on: (event, listener) => client.on(event, listener),
        release: (destroy) => client.release(destroy),
        async query(asked) {
          const answer = await client.query(asked);
          if (breaks && asked.text === "COMMIT") {
            throw Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
          }
          return answer;
        },
      };
    },
  };
  const store = postgresStore(breaking, { schema: freshSchema(), notifications: false });
  await store.open();
  const owner = await store.register({ host: "here", pid: 1 });
  const lose = async (call: () => unknown): Promise<void> => {
    breaks = true;
    await expect(promised(call)).rejects.toMatchObject({ code: "STEPWELL_STORE_UNREACHABLE", retryable: true });
    breaks = false;
  };
  await store.write({ ...nothing, creates: [create("one", owner), create("two", owner)] });
  const subscribe = (execution: string): Batch => ({
    ...nothing,
    subscriptions: [{ execution, owner, revision: 0, topic: "t", until: "step", step: "first" }],
  });
  await lose(() => store.write(subscribe("one")));
  expect((await store.write(subscribe("one"))).subscriptions).toEqual(["taken"]);
  const published = ["m", null].map((messageId, index): Publication => ({
    id: `p${index}`,
    topic: "t",
    name: "paid",
    payload: Encoded.ofText("1"),
    messageId,
    keepForMs: 60_000 * index,
    wakes: [],
    carried: null,
  }));
  const batch = { ...nothing, publications: published };
  await lose(() => store.write(batch));
  await store.write(subscribe("two"));
  expect((await store.write(batch)).publications).toEqual([
    { result: "stored", id: "p0", delivered: 1 },
    { result: "stored", id: "p1", delivered: 1 },
  ]);
  expect((await store.mail({ executions: ["one"] })).map(({ messageId }) => messageId)).toEqual(["m", "p1"]);
  expect((await store.mail({ executions: ["two"] })).map(({ messageId }) => messageId)).toEqual(["p1"]);
  expect(await store.load(["one", "two"])).toMatchObject([{ signals: 2 }, { signals: 1 }]);
  await store.close();
});

test("while a release is in doubt nothing is claimed; then it is answered as taken", async () => {
  const { store, owner, lose } = await scene();
  await store.write({ ...nothing, creates: [create("one", owner)] });
  const batch = { ...nothing, releases: [release("one", owner)] };
  await lose(() => store.write(batch));
  const claim = async (): Promise<number> => (await store.claim({ owner, limit: 5, workflows: [sell] })).records.length;
  expect(await claim()).toBe(0);
  expect((await store.write(batch)).releases).toEqual(["taken"]);
  expect(await claim()).toBe(1);
});

test("what a claim took up is given out by the next one, once", async () => {
  const { store, owner, lose } = await scene();
  await store.write({ ...nothing, creates: [create("one", null), create("two", null)] });
  const options = { owner, limit: 5, workflows: [sell] };
  await lose(() => store.claim(options));
  expect(await store.load(["one"])).toMatchObject([{ owner, claims: 1 }]);
  const { records, dueSince, at } = await store.claim(options);
  expect(records.map(({ id, claims }) => `${id} ${claims}`).toSorted()).toEqual(["one 1", "two 1"]);
  for (const since of dueSince) expect(since).toBeGreaterThanOrEqual(at);
  expect(dueSince).toHaveLength(2);
  expect((await store.claim(options)).records).toEqual([]);
});

test("what a claim took up and somebody keeps locked holds up none of the rest, and is given out later", async () => {
  const { store, owner, lose, schema } = await scene();
  await store.write({ ...nothing, creates: [create("one", null), create("two", null)] });
  const options = { owner, limit: 5, workflows: [sell] };
  await lose(() => store.claim(options));
  const foreign = new pg.Client(postgresUrl());
  await foreign.connect();
  onTestFinished(() => foreign.end());
  await foreign.query("BEGIN");
  await foreign.query(`SELECT 1 FROM ${schema}.stepwell_executions WHERE id = 'one' FOR UPDATE`);
  const claimed = async (): Promise<string[]> => (await store.claim(options)).records.map(({ id }) => id);
  expect(await claimed()).toEqual(["two"]);
  await foreign.query("COMMIT");
  expect(await claimed()).toEqual(["one"]);
  expect(await claimed()).toEqual([]);
});

test("a create that its caller gave up is given out by the next claim", async () => {
  const { store, owner, lose } = await scene();
  const row = create("one", owner);
  await lose(() => store.write({ ...nothing, creates: [row] }));
  const options = { owner, limit: 5, workflows: [sell] };
  expect((await store.claim(options)).records).toEqual([]);
  store.abandon?.(row);
  expect((await store.claim(options)).records).toMatchObject([{ id: "one", owner, claims: 1 }]);
  expect((await store.claim(options)).records).toEqual([]);
});

test("nothing is remembered for ever", () => {
  const doubts = new InDoubt();
  const [row, gone] = [create("one", 7), release("two", 7)];
  doubts.lostWrite({ ...nothing, creates: [row], releases: [gone] }, [17]);
  doubts.lostClaim(7, 18);
  expect(doubts.ticketOf(row)).toBe(17);
  expect(doubts.holdsClaims).toBe(true);
  expect(doubts.strandedOf(7)).toEqual([18]);
  expect(doubts.strandedOf(8)).toEqual([]);
  const later = vi.spyOn(systemClock, "monotonic").mockReturnValue(performance.now() + 181_000);
  onTestFinished(() => later.mockRestore());
  expect(doubts.holdsClaims).toBe(false);
  expect(doubts.strandedOf(7)).toEqual([]);
  expect(doubts.ticketOf(row)).not.toBe(17);
});
