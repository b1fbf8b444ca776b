import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { Encoded } from "../../values/encode.js";
import { position, promised, sell } from "../../testing/store-contract/bench.js";
import type { Arrival, NewExecution } from "../batch.js";
import type { Store } from "../contract.js";
import { storeContract } from "../../testing/store-contract/index.js";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import { postgresStore } from "./index.js";

const nothing = { creates: [], transitions: [], releases: [], arrivals: [] };

const one: NewExecution = {
  id: "one",
  workflow: sell.name,
  version: sell.version,
  fingerprint: null,
  tags: [],
  status: "running",
  position,
  state: Encoded.ofText("{}"),
  input: Encoded.ofText("{}"),
  owner: null,
  dueInMs: 0,
  deadlineInMs: null,
  carried: null,
};

async function opened(schema = freshSchema()): Promise<{ readonly store: Store; readonly schema: string }> {
  const store = postgresStore(postgresUrl(), { schema });
  await store.open();
  onTestFinished(() => store.close());
  return { store, schema };
}

/** Another session, to be in the way. */
let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client(postgresUrl());
  await client.connect();
});
afterAll(() => client.end());

describe("the PostgreSQL store", () => {
  test.each(storeContract)("$name", async ({ run }) => {
    await expect(
      run((clock) => postgresStore(postgresUrl(), { schema: freshSchema(), clock })),
    ).resolves.toBeUndefined();
  });

  test("a create whose id is pruned in the same moment is to be asked again, and is made then", async () => {
    const schema = freshSchema();
    const pool = new pg.Pool({ connectionString: postgresUrl(), max: 2 });
    onTestFinished(() => pool.end());
    const prune = `DELETE FROM ${schema}.stepwell_executions`;
    let isInTheWay = true;
    const connect = async (): Promise<pg.PoolClient> => {
      const connection = await pool.connect();
      const query = async (asked: pg.QueryConfig): Promise<unknown> => {
        // It has found that the id is there, and asks what that is.
        if (isInTheWay && asked.text.includes("SELECT ticket,")) await client.query(prune);
        return connection.query(asked);
      };
      return new Proxy(connection, {
        get: (target, key) => {
          if (key === "query") return query;
          const value: unknown = Reflect.get(target, key);
          return typeof value === "function" ? (value.bind(target) as unknown) : value;
        },
      });
    };
    const store = postgresStore({ connect, on: () => undefined }, { schema });
    await store.open();
    onTestFinished(() => store.close());
    const batch = { ...nothing, creates: [one] };
    await store.write(batch);
    const again = { ...nothing, creates: [{ ...one }] };
    await expect(store.write(again)).rejects.toMatchObject({ code: "STEPWELL_STORE_BUSY", retryable: true });
    isInTheWay = false;
    expect((await store.write(again)).creates).toMatchObject([{ created: true }]);
  });

  test("keeps the server's time, which is the same for all", async () => {
    const { store } = await opened();
    const { rows } = await client.query<{ readonly now: number }>(
      "SELECT extract(epoch FROM now())::float8 * 1000 AS now",
    );
    const { at } = await store.write({ ...nothing, creates: [one] });
    expect(store.clock).toBeUndefined();
    expect(Number.isInteger(at)).toBe(true);
    expect(Math.abs(at - rows[0]!.now)).toBeLessThan(5_000);
    expect(await store.load(["one"])).toMatchObject([{ createdAt: at, updatedAt: at, dueAt: at }]);
  });

  test("two stores on one schema see each other's work, and another schema sees nothing of it", async () => {
    const schema = freshSchema();
    const [{ store: left }, { store: right }, { store: apart }] = [
      await opened(schema),
      await opened(schema),
      await opened(),
    ];
    const first = await left.register({ host: "here", pid: 1 });
    const second = await right.register({ host: "there", pid: 2 });
    expect(second).toBeGreaterThan(first);
    await left.write({ ...nothing, creates: [one] });
    expect((await right.write({ ...nothing, creates: [one] })).creates).toMatchObject([{ created: false }]);
    expect((await right.claim({ owner: second, limit: 5, workflows: [sell] })).records).toHaveLength(1);
    expect(await left.load(["one"])).toMatchObject([{ owner: second }]);
    expect((await left.beat(first)).others).toMatchObject([{ owner: second }]);
    expect(await apart.load(["one"])).toEqual([undefined]);
  });

  test("a batch that fails half-way writes nothing, and the store goes on", async () => {
    const { store } = await opened();
    const broken = { ...one, id: "broken", state: Encoded.ofText("no \0 in a text") };
    await expect(store.write({ ...nothing, creates: [one, broken] })).rejects.toMatchObject({
      code: "STEPWELL_STORE_FAILED",
      retryable: false,
    });
    expect(await store.load(["one"])).toEqual([undefined]);
    expect((await store.write({ ...nothing, creates: [one] })).creates).toEqual([{ created: true, owned: false }]);
  });

  test("an execution that a launcher got while it was being buried is found by the others", async () => {
    const { store, schema } = await opened();
    const [gone, alive] = [await store.register({ host: "a", pid: 1 }), await store.register({ host: "b", pid: 2 })];
    await store.write({ ...nothing, creates: [one] });
    // A claim that has begun before the burial and commits after it.
    await client.query("BEGIN");
    await client.query(`UPDATE "${schema}".stepwell_executions SET owner = ${gone}, due_at = NULL WHERE id = 'one'`);
    await client.query(`INSERT INTO "${schema}".stepwell_work (owner, number, ids) VALUES (${gone}, 1, ARRAY['one'])`);
    expect(await store.removeLaunchers([gone])).toBe(0);
    await client.query("COMMIT");
    expect(await store.beat(alive)).toEqual({
      alive: true,
      others: [{ owner: gone, host: "", pid: 0, silentMs: Infinity }],
    });
    expect(await store.removeLaunchers([gone])).toBe(1);
    expect((await store.claim({ owner: alive, limit: 5, workflows: [sell] })).records).toMatchObject([{ id: "one" }]);
    expect(await store.beat(alive)).toEqual({ alive: true, others: [] });
  });

  test("what another launcher is taking is passed over, not waited for", async () => {
    const { store, schema } = await opened();
    const owner = await store.register({ host: "a", pid: 1 });
    await store.write({ ...nothing, creates: [one, { ...one, id: "two" }] });
    await client.query("BEGIN");
    await client.query(`SELECT 1 FROM "${schema}".stepwell_executions WHERE id = 'one' FOR UPDATE`);
    const { records } = await store.claim({ owner, limit: 5, workflows: [sell] });
    expect(records.map(({ id }) => id)).toEqual(["two"]);
    await client.query("ROLLBACK");
  });

  test("one message that comes to two processes at the same moment is stored once: the second one may try again", async () => {
    const { store, schema } = await opened();
    await store.write({ ...nothing, creates: [one] });
    await client.query("BEGIN");
    await client.query(
      `INSERT INTO "${schema}".stepwell_mailbox (execution, received_at, id, kind, name, message_id, payload, status)
       SELECT sequence, 1, 'first', 'message', 'n', 'm', '1', 'pending' FROM "${schema}".stepwell_executions`,
    );
    const second = {
      ...nothing,
      arrivals: [
        {
          id: "second",
          execution: "one",
          kind: "message" as const,
          name: "n",
          payload: Encoded.ofText("1"),
          messageId: "m",
          acceptedIn: ["running" as const],
          wakes: [],
          carried: null,
        },
      ],
    };
    const writing = promised(() => store.write(second)).catch((error: unknown) => error);
    await vi.waitFor(async () => {
      const { rows } = await client.query(
        "SELECT 1 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE NOT l.granted AND a.query LIKE $1",
        [`%"${schema}".stepwell_mailbox%`],
      );
      expect(rows).toHaveLength(1);
    });
    await client.query("COMMIT");
    expect(await writing).toMatchObject({ code: "STEPWELL_STORE_BUSY", retryable: true });
    expect((await store.write(second)).arrivals).toEqual([{ result: "duplicate", id: "first" }]);
  });

  test("batches of two processes that want the same rows, in whatever order, never wait for each other in turn", async () => {
    const schema = freshSchema();
    const stores = [(await opened(schema)).store, (await opened(schema)).store];
    const ids = Array.from({ length: 20 }, (_, n) => `e${n}`);
    await stores[0]!.write({ ...nothing, creates: ids.map((id) => ({ ...one, id, owner: null })) });
    const deadlocks = async (): Promise<number> => {
      const { rows } = await client.query<{ readonly deadlocks: number }>(
        "SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database()",
      );
      return rows[0]!.deadlocks;
    };
    const before = await deadlocks();
    let serial = 0;
    const arrival = (execution: string, messageId: string | null): Arrival => ({
      id: `a${serial++}`,
      execution,
      kind: "message",
      name: "n",
      payload: Encoded.ofText("1"),
      messageId,
      acceptedIn: ["running"],
      wakes: [],
      carried: null,
    });
    let stored = 0;
    const writer = async (store: Store): Promise<void> => {
      for (let round = 0; round < 60; round++) {
        const mixed = ids.toSorted(() => Math.random() - 0.5);
        // A message that is there twice makes a second statement begin, with rows of its own.
        const twice = arrival(mixed[0]!, `twice-${serial}`);
        const arrivals = [
          twice,
          ...mixed.slice(1, 10).map((id) => arrival(id, null)),
          { ...twice, id: `a${serial++}` },
          ...mixed.slice(10).map((id) => arrival(id, null)),
        ];
        const written = await store.write({ ...nothing, arrivals });
        stored += written.arrivals.filter(({ result }) => result === "stored").length;
      }
    };
    await Promise.all([...stores, ...stores].map(writer));
    expect(await deadlocks()).toBe(before);
    expect(stored).toBe(4 * 60 * 20);
    expect((await stores[0]!.load(ids)).reduce((sum, row) => sum + row!.signals, 0)).toBe(stored);
  });
});
