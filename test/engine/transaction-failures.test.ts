/** What goes wrong in the work of a transaction is an attempt of the step's; what goes wrong with the store is not. */
import type { Socket } from "node:net";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { fail, Launcher, pause, StepwellError, workflow, type AnyWorkflow } from "../../src/index.js";
import {
  postgresStore,
  transaction,
  type PostgresConnection,
  type PostgresStoreOptions,
} from "../../src/stores/postgres/index.js";
import { freshSchema, postgresUrl, query } from "../support/postgres.js";
import { told } from "../support/rig.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { onTransactingStores } from "../support/transacting.js";

const input = z.object({ n: z.number() });

const elsewhere: readonly Error[] = [
  ...[
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EPIPE",
    "ENOENT",
    "EMFILE",
    "ENOTFOUND",
    "57P01",
    "25P03",
    "40001",
  ].map((code) => Object.assign(new Error("some other service"), { code })),
  new Error("Query read timeout"),
  new Error("Connection terminated unexpectedly"),
  new StepwellError("STEPWELL_STORE_UNREACHABLE", "some other store", { retryable: true }),
];

onTransactingStores("what the work of a transaction throws", (start) => {
  test("is a failed attempt that its retry policy counts, whatever its code or text", async () => {
    const calls: number[] = elsewhere.map(() => 0);
    const { launcher, clock, errors, notes } = await start((transact) => [
      workflow("steps", { input }).step("1", {
        retry: { attempts: 2, delay: "1s", jitter: false },
        run: ({ state }) =>
          transact((note) => {
            note("never");
            calls[state.n]!++;
            throw elsewhere[state.n]!;
          }),
      }),
    ]);
    const steps = workflow("steps", { input }).step("1", { run: () => undefined });
    for (const [n, error] of elsewhere.entries()) {
      const execution = await launcher.launch(steps, { n });
      await clock.advance("12s");
      const outcome = await execution.outcome();
      expect(outcome).toMatchObject({ status: "rolledBack", error: { message: error.message } });
      const { reason } = outcome as { readonly reason: string };
      expect(await told(execution)).toEqual([`run 1: ${reason}`, `run 1: ${reason}`, "rollback 1: ok"]);
    }
    expect(calls).toEqual(elsewhere.map(() => 2));
    expect(errors).toEqual([]);
    expect(await notes()).toEqual([]);
  });
});

interface Desk {
  readonly launcher: Launcher;
  readonly errors: StepwellError[];
  readonly schema: string;
}

async function desk(
  workflows: readonly AnyWorkflow[],
  source: string | pg.Pool = postgresUrl(),
  options: PostgresStoreOptions = {},
  heartbeat = { interval: 100, timeout: 60_000 },
): Promise<Desk> {
  const errors: StepwellError[] = [];
  const schema = options.schema ?? freshSchema();
  const store = postgresStore(source, { ...options, schema });
  const launcher = new Launcher({ store, workflows, pollInterval: 50, heartbeat, onError: (e) => errors.push(e) });
  await launcher.start();
  onTestFinished(() => launcher.stop());
  return { launcher, errors, schema };
}

test("a work that lets its transaction wait for too long has failed, with a code that says so, and is not repeated for ever", async () => {
  let calls = 0;
  const waits = workflow("waits", { input }).step("1", {
    retry: { attempts: 2, delay: 0 },
    run: () =>
      transaction(async (client) => {
        calls++;
        await client.query("SET LOCAL idle_in_transaction_session_timeout = '50ms'");
        await new Promise((resolve) => setTimeout(resolve, 200));
        // One that does not look at the connection again has not committed either.
        if (calls === 2) await client.query("SELECT 1");
        return { done: true };
      }),
  });
  const { launcher } = await desk([waits]);
  const execution = await launcher.launch(waits, { n: 1 });
  expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "STEPWELL_TRANSACTION_TIMEOUT" });
  expect(calls).toBe(2);
  expect((await execution.history())[0]?.error?.message).toContain("idle-in-transaction timeout");
});

test("a connection that is cut under the work is the store's affair, whatever the work makes of it", async () => {
  let calls = 0;
  const books = workflow("books", { input }).step("1", {
    run: () =>
      transaction(async (client) => {
        calls++;
        if (calls > 2) return { done: calls };
        const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
        await query(postgresUrl(), "SELECT pg_terminate_backend($1)", [rows[0]!.pid]);
        await client.query("SELECT 1").catch(() => undefined);
        if (calls === 1) throw new Error("no seat left");
        return { done: calls };
      }),
  });
  const { launcher } = await desk([books]);
  const execution = await launcher.launch(books, { n: 1 });
  expect(await execution.outcome()).toMatchObject({ status: "completed", state: { done: 3 } });
  expect(await told(execution)).toEqual(["run 1: ok"]);
});

test("a work that fails leaves its connection to the next one", async () => {
  const backends = new Set<number>();
  const fails = workflow("fails", { input }).step("1", {
    retry: { attempts: 5, delay: 0 },
    run: () =>
      transaction(async (client) => {
        const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
        backends.add(rows[0]!.pid);
        throw new Error("no seat left");
      }),
  });
  const { launcher } = await desk([fails], postgresUrl(), { connections: 2 });
  expect((await (await launcher.launch(fails, { n: 1 })).outcome()).status).toBe("rolledBack");
  expect(backends.size).toBeLessThanOrEqual(2);
});

/** The next COMMIT on that connection reaches the server and its answer is lost, or it is lost itself. */
function loseCommit(connection: PostgresConnection, proxy: TcpProxy, reaches: boolean): void {
  const client = connection as unknown as {
    query: (query: { readonly text?: string }) => Promise<unknown>;
    readonly connection: { readonly stream: Socket };
  };
  const send = client.query.bind(client);
  const broken = (): void => {
    proxy.cut();
    proxy.mode = "open";
  };
  client.query = (asked) => {
    if (asked.text !== "COMMIT") return send(asked);
    proxy.mode = reaches ? "mute" : "frozen";
    if (reaches) void proxy.answered(client.connection.stream.localPort).then(broken);
    else setTimeout(broken, 20);
    return send(asked);
  };
}

test.each([
  ["was committed is undone, though nobody heard of it", true, ["up", "down"], 1],
  ["never reached the server is done again, and is not undone where that fails", false, [], 2],
] as const)("a transactional step whose commit %s", async (_, reaches, expected, expectedCalls) => {
  const proxy = await TcpProxy.before(postgresUrl());
  onTestFinished(() => proxy.close());
  const schema = freshSchema();
  await query(postgresUrl(), `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.notes (id serial, text text NOT NULL)`);
  let calls = 0;
  const steps = workflow("steps", { input })
    .step("1", { run: () => undefined })
    .step("2", {
      run: transaction(async (client) => {
        await client.query(`INSERT INTO ${schema}.notes (text) VALUES ('up')`);
        if (++calls > 1) throw new Error("no seat left");
        loseCommit(client, proxy, reaches);
      }),
      rollback: transaction(async (client) => {
        await client.query(`INSERT INTO ${schema}.notes (text) VALUES ('down')`);
      }),
    })
    .step("3", { run: () => fail("no") });
  const { launcher } = await desk([steps], proxy.url, { schema });
  const execution = await launcher.launch(steps, { n: 1 });
  expect((await execution.outcome()).status).toBe("rolledBack");
  const notes = await query<{ text: string }>(postgresUrl(), `SELECT text FROM ${schema}.notes ORDER BY id`);
  expect(notes.map(({ text }) => text)).toEqual(expected);
  expect(calls).toBe(expectedCalls);
});

/** Together they take longer than a launcher may be silent; each by itself is shorter. */
const many = 20;

test.each([
  ["connections of its own", () => postgresUrl()],
  [
    "a pool of the user's",
    () => {
      const pool = new pg.Pool({ connectionString: postgresUrl(), max: 6 });
      onTestFinished(() => pool.end());
      return pool;
    },
  ],
])(
  "many transaction steps at once leave heartbeats, commits and sends of the same store alone: %s",
  async (_, source) => {
    let calls = 0;
    let atOnce = 0;
    let most = 0;
    const hears = workflow("hears", { input }).step("1", {
      messages: { go: z.number() },
      run: () => pause(),
      onMessage: ({ message }) => ({ from: message.payload }),
    });
    const long = workflow("long", { input }).step("1", {
      // Each has its time, however long it waits for its turn.
      timeout: "1200ms",
      run: ({ state }) =>
        transaction(async (client) => {
          calls++;
          most = Math.max(most, ++atOnce);
          // Without its transaction: on a connection that its siblings don't hold.
          await launcher.send(`hears-${state.n}`, "go", state.n);
          await client.query("SELECT pg_sleep(0.3)");
          atOnce--;
          return { done: true };
        }),
    });
    const heartbeat = { interval: 100, timeout: 700 };
    const { launcher, errors, schema } = await desk([long, hears], source(), { connections: 5 }, heartbeat);
    // Takes for dead who is silent for so long.
    const idle = workflow("idle", { input }).step("1", { run: () => undefined });
    const undertaker = await desk([idle], postgresUrl(), { schema, connections: 2 }, heartbeat);
    for (let n = 0; n < many; n++) await launcher.launch(hears, { n }, { id: `hears-${n}` });
    const executions = await launcher.launchMany(
      long,
      Array.from({ length: many }, (_item, n) => ({ input: { n }, id: `long-${n}` })),
    );
    const outcomes = await Promise.all(executions.map((it) => it.outcome()));
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["completed"]));
    for (let n = 0; n < many; n++)
      expect(await launcher.execution(`hears-${n}`).outcome()).toMatchObject({ state: { from: n } });
    expect(calls).toBe(many);
    expect(most).toBe(3);
    expect([...errors, ...undertaker.errors]).toEqual([]);
  },
);

test("a pool that is too small is refused when the store opens", async () => {
  for (const [max, notifications, needed] of [
    [1, false, "at least 2"],
    [1, true, "at least 3"],
    [2, true, "at least 3"],
  ] as const) {
    const pool = new pg.Pool({ connectionString: postgresUrl(), max });
    onTestFinished(() => pool.end());
    const launcher = new Launcher({
      store: postgresStore(pool, { schema: freshSchema(), notifications }),
      workflows: [workflow("steps", { input }).step("1", { run: () => undefined })],
    });
    await expect(launcher.start()).rejects.toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
      message: expect.stringContaining(needed) as string,
    });
  }
});
