/** Launches, messages and publications within a transaction of the caller's: what is taken for one, and what is refused. */
import { drizzle } from "drizzle-orm/node-postgres";
import { CamelCasePlugin, Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { Launcher, pause, workflow, type CallerTransaction } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { drivers } from "../../src/stores/sqlite/driver.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";
import { freshSchema, postgresUrl, query } from "../support/postgres.js";
import { errorOf } from "../support/rig.js";

const waits = workflow("waits", { input: z.object({ n: z.number() }) }).step("1", {
  messages: { go: z.number() },
  run: async ({ subscribe }) => {
    await subscribe("topic");
    return pause();
  },
  onMessage: ({ message }) => ({ got: message.payload }),
});

class Undone extends Error {}

interface Desk {
  readonly launcher: Launcher;
  readonly pool: pg.Pool;
  readonly schema: string;
  readonly rows: () => Promise<number>;
}

async function desk(): Promise<Desk> {
  const schema = freshSchema();
  const pool = new pg.Pool({ connectionString: postgresUrl(), max: 4 });
  const launcher = new Launcher({
    store: postgresStore(postgresUrl(), { schema }),
    workflows: [waits],
    pollInterval: 50,
  });
  await launcher.start();
  onTestFinished(async () => {
    await launcher.stop();
    await pool.end();
  });
  const text = `SELECT (SELECT count(*) FROM ${schema}.stepwell_executions)::integer + (SELECT count(*) FROM ${schema}.stepwell_mailbox)::integer
    + (SELECT count(*) FROM ${schema}.stepwell_publications)::integer AS n`;
  const rows = async (): Promise<number> => (await query<{ n: number }>(postgresUrl(), text))[0]!.n;
  return { launcher, pool, schema, rows };
}

type Transact = (pool: pg.Pool, work: (tx: CallerTransaction) => Promise<void>) => Promise<void>;

const builders: Record<string, Transact> = {
  "a client of pg": async (pool, work) => {
    const client = await pool.connect();
    await client.query("BEGIN");
    try {
      await work(client);
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    } finally {
      client.release();
    }
  },
  "Drizzle's transaction": (pool, work) => drizzle({ client: pool }).transaction((tx) => work(tx)),
  "Drizzle's transaction within a transaction": (pool, work) =>
    drizzle({ client: pool }).transaction((tx) => tx.transaction((inner) => work(inner))),
  "Kysely's transaction": (pool, work) =>
    new Kysely<object>({
      dialect: new PostgresDialect({ pool }),
      log: (event) => void event.query.sql.replace("a", "b"),
    })
      .transaction()
      .execute((tx) => work(tx)),
  "Kysely's transaction with a plugin that renames what comes back": (pool, work) =>
    new Kysely<object>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] })
      .transaction()
      .execute((tx) => work(tx)),
};

test.each(Object.entries(builders))(
  "%s is taken as it is: what is asked of a launcher happens with it, or not at all",
  async (_, transact) => {
    // What a program changes for itself is nothing to the store.
    const parse = pg.types.getTypeParser(20) as (text: string) => unknown;
    pg.types.setTypeParser(20, (text) => BigInt(text) as never);
    onTestFinished(() => pg.types.setTypeParser(20, parse as never));
    const { launcher, pool, rows } = await desk();
    const asks = async (tx: CallerTransaction): Promise<void> => {
      await launcher.launch(waits, { n: 1 }, { id: "e", tags: ["a"], tx });
      expect(await launcher.send("e", "go", 7, { messageId: "m", tx })).toEqual({ id: "m", duplicate: false });
      expect(await launcher.send("e", "go", 7, { messageId: "m", tx })).toEqual({ id: "m", duplicate: true });
      expect(await launcher.publish("other", "go", 8, { tx })).toMatchObject({ duplicate: false, delivered: 0 });
    };
    await expect(
      transact(pool, async (tx) => {
        await asks(tx);
        throw new Undone();
      }),
    ).rejects.toThrow(Undone);
    expect(await rows()).toBe(0);
    await transact(pool, asks);
    expect(await launcher.execution("e").outcome()).toMatchObject({ status: "completed", state: { n: 1, got: 7 } });
  },
);

test("what has no transaction is refused by a coded error, before anything is written", async () => {
  const { launcher, pool, rows } = await desk();
  const client = new pg.Client(postgresUrl());
  const failed = new pg.Client(postgresUrl());
  await Promise.all([client.connect(), failed.connect()]);
  onTestFinished(() => Promise.all([client.end(), failed.end()]).then(() => undefined));
  await failed.query("BEGIN");
  await failed.query("SELECT 1/0").catch(() => undefined);
  const kysely = new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
  const without: Record<string, unknown> = {
    "a pool": pool,
    "a client before BEGIN": client,
    "a transaction that has failed": failed,
    "Drizzle on a pool": drizzle({ client: pool }),
    "Drizzle on a client": drizzle({ client }),
    Kysely: kysely,
    "no client": {},
    "a function": { query: 7 },
  };
  for (const [name, tx] of Object.entries(without)) {
    const given = { tx: tx as CallerTransaction };
    for (const ask of [
      () => launcher.launch(waits, { n: 1 }, given),
      () => launcher.send("e", "go", 7, given),
      () => launcher.publish("topic", "go", 7, given),
    ]) {
      expect(await errorOf(ask()), name).toMatchObject({ code: "STEPWELL_NOT_IN_TRANSACTION" });
    }
  }
  expect(await rows()).toBe(0);
});

test("a client whose BEGIN and COMMIT are on their way is asked in line with them", async () => {
  const { launcher, rows } = await desk();
  const client = new pg.Client({ connectionString: postgresUrl(), pipeline: true });
  await client.connect();
  onTestFinished(() => client.end());
  const begun = client.query("BEGIN");
  const launched = launcher.launch(waits, { n: 1 }, { id: "e", tx: client });
  await Promise.all([begun, launched]);
  // By the time that the answer is there, nothing is open any more.
  const [, late] = await Promise.all([
    client.query("COMMIT"),
    errorOf(launcher.launch(waits, { n: 2 }, { id: "f", tx: client })),
  ]);
  expect(late).toMatchObject({ code: "STEPWELL_NOT_IN_TRANSACTION" });
  expect(await rows()).toBe(1);
});

test("on SQLite, a connection without a transaction is refused, and none is left open on it", async () => {
  const [driver] = [...drivers()];
  const connection = driver!.connect(":memory:");
  onTestFinished(() => connection.close());
  await using launcher = new Launcher({ store: sqliteStore(":memory:"), workflows: [waits] });
  await launcher.start();
  for (const tx of [connection, {}, { exec: 7 }] as unknown as CallerTransaction[]) {
    expect(await errorOf(launcher.launch(waits, { n: 1 }, { tx }))).toMatchObject({
      code: "STEPWELL_NOT_IN_TRANSACTION",
    });
  }
  connection.exec("BEGIN IMMEDIATE");
  connection.exec("ROLLBACK");
});

test("the compiler refuses a pool, and what has no transaction by its type", () => {
  const taken = (tx: CallerTransaction): CallerTransaction => tx;
  const pool = new pg.Pool();
  const kysely = new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
  // @ts-expect-error -- each query of a pool may go to another client
  taken(pool);
  // @ts-expect-error -- it has no transaction
  taken(kysely);
  // @ts-expect-error -- it has no transaction
  taken(drizzle({ client: pool }));
  const client = new pg.Client();
  expect(taken(client)).toBe(client);
});
