/** Steps whose work commits in the store's own transaction, on PostgreSQL; and with the query builders that people use. */
import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgTable, text } from "drizzle-orm/pg-core";
import { Kysely, PostgresDialect, type Generated } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { fail, Launcher, pause, workflow, type AnyWorkflow, type StepwellError } from "../../src/index.js";
import { postgresStore, transaction } from "../../src/stores/postgres/index.js";
import { freshSchema, postgresUrl, query } from "../support/postgres.js";
import { errorOf } from "../support/rig.js";

const input = z.object({ n: z.number() });

interface Desk {
  readonly launcher: Launcher;
  readonly errors: StepwellError[];
  readonly table: string;
  readonly notes: () => Promise<string[]>;
}

/** A launcher on a schema that has a table of the user's own, `notes`. */
async function desk(make: (table: string) => readonly AnyWorkflow[]): Promise<Desk> {
  const schema = freshSchema();
  const url = postgresUrl();
  const table = `${schema}.notes`;
  await query(url, `CREATE SCHEMA ${schema}; CREATE TABLE ${table} (id SERIAL PRIMARY KEY, text TEXT NOT NULL UNIQUE)`);
  const errors: StepwellError[] = [];
  const launcher = new Launcher({
    store: postgresStore(url, { schema }),
    workflows: make(table),
    pollInterval: 50,
    onError: (error) => errors.push(error),
  });
  await launcher.start();
  onTestFinished(() => launcher.stop());
  const notes = async (): Promise<string[]> =>
    (await query<{ text: string }>(url, `SELECT text FROM ${table} ORDER BY id`)).map(({ text }) => text);
  return { launcher, errors, table, notes };
}

test("a step's writes commit with its transition on the way up and down, and failures take them back", async () => {
  let tries = 0;
  const { launcher, notes } = await desk((table) => {
    const note = async (connection: pg.ClientBase, text: string): Promise<void> =>
      void (await connection.query(`INSERT INTO ${table} (text) VALUES ($1)`, [text]));
    return [
      workflow("steps", { input })
        .step("1", {
          retry: { attempts: 3, delay: 0 },
          run: () =>
            transaction(async (connection: pg.ClientBase) => {
              await note(connection, "up 1");
              if (++tries < 3) throw new Error("not yet");
              return { one: 1 };
            }),
          rollback: ({ state }) => transaction((connection: pg.ClientBase) => note(connection, `down 1 ${state.one}`)),
        })
        .step("2", {
          run: async () =>
            transaction(async (connection: pg.ClientBase) => {
              await note(connection, "never");
              return fail("no", { patch: { tried: true } });
            }),
        }),
    ];
  });
  const steps = workflow("steps", { input }).step("1", { run: () => undefined });
  const outcome = await (await launcher.launch(steps, { n: 1 })).outcome();
  expect(outcome).toMatchObject({ status: "rolledBack", reason: "no", state: { one: 1, tried: true } });
  expect(await notes()).toEqual(["up 1", "down 1 1"]);
});

test("what breaks a rule of the database fails with its error and code, and nothing of it stays", async () => {
  const { launcher, notes } = await desk((table) => [
    workflow("steps", { input }).step("1", {
      run: () =>
        transaction(async (connection) => {
          await connection.query(`INSERT INTO ${table} (text) VALUES ('a')`);
          await connection.query(`INSERT INTO ${table} (text) VALUES ('a')`);
        }),
    }),
  ]);
  const steps = workflow("steps", { input }).step("1", { run: () => undefined });
  expect(await (await launcher.launch(steps, { n: 1 })).outcome()).toMatchObject({
    status: "rolledBack",
    reason: "23505",
  });
  expect(await notes()).toEqual([]);
});

test("a step whose connection is cut off works again on another one, and what it wrote is there once", async () => {
  let cut = true;
  const { launcher, notes } = await desk((table) => [
    workflow("steps", { input }).step("1", {
      run: async () =>
        transaction(async (connection) => {
          await connection.query(`INSERT INTO ${table} (text) VALUES ('once')`);
          if (cut) {
            cut = false;
            const { rows } = await connection.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
            await query(postgresUrl(), "SELECT pg_terminate_backend($1)", [rows[0]!.pid]);
          }
          await connection.query("SELECT 1");
          return { done: true };
        }),
    }),
  ]);
  const steps = workflow("steps", { input }).step("1", { run: () => undefined });
  expect((await (await launcher.launch(steps, { n: 1 })).outcome()).status).toBe("completed");
  expect(await notes()).toEqual(["once"]);
});

test("a launch and a message happen with the caller's own transaction, or not at all", async () => {
  const waits = workflow("waits", { input }).step("1", {
    messages: { go: z.number() },
    run: async () => (await import("../../src/index.js")).pause(),
    onMessage: ({ message }) => ({ got: message.payload }),
  });
  const { launcher, table, notes } = await desk(() => [waits]);
  const client = new pg.Client(postgresUrl());
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(`BEGIN; INSERT INTO ${table} (text) VALUES ('first')`);
  const gone = await launcher.launch(waits, { n: 1 }, { id: "gone", tx: client, tags: ["a"] });
  await client.query("ROLLBACK");
  expect(await errorOf(gone.summary())).toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND" });
  await client.query(`BEGIN; INSERT INTO ${table} (text) VALUES ('second')`);
  const kept = await launcher.launch(waits, { n: 1 }, { id: "kept", tx: client });
  await launcher.send("kept", "go", 7, { messageId: "m", tx: client });
  expect(await launcher.send("kept", "go", 7, { messageId: "m", tx: client })).toEqual({ id: "m", duplicate: true });
  await client.query("COMMIT");
  expect(await kept.outcome()).toMatchObject({ status: "completed", state: { got: 7 } });
  expect(await notes()).toEqual(["second"]);
});

test("what is published within the caller's own transaction reaches who is subscribed once that is committed", async () => {
  const listens = workflow("listens", { input }).step("1", {
    messages: { go: z.number() },
    run: async ({ subscribe }) => {
      await subscribe("t");
      return pause();
    },
    onMessage: ({ message }) => ({ got: message.payload }),
  });
  const { launcher } = await desk(() => [listens]);
  const client = new pg.Client(postgresUrl());
  await client.connect();
  onTestFinished(() => client.end());
  const execution = await launcher.launch(listens, { n: 1 });
  await vi.waitFor(async () => expect((await execution.summary()).status).toBe("waiting"));
  await client.query("BEGIN");
  await launcher.publish("t", "go", 6, { messageId: "m", tx: client });
  await client.query("ROLLBACK");
  await client.query("BEGIN");
  const published = await launcher.publish("t", "go", 7, { messageId: "m", tx: client });
  expect(published).toEqual({ id: "m", duplicate: false, delivered: 1 });
  await client.query("COMMIT");
  expect(await execution.outcome()).toMatchObject({ status: "completed", state: { got: 7 } });
});

test("while a transaction of the caller's keeps a topic, others are published and subscribed to", async () => {
  const listens = workflow("listens", { input }).step("1", {
    messages: { go: z.number() },
    run: async ({ subscribe }) => {
      await subscribe("free");
      return pause();
    },
    onMessage: ({ message }) => ({ got: message.payload }),
  });
  const { launcher } = await desk(() => [listens]);
  const client = new pg.Client(postgresUrl());
  await client.connect();
  onTestFinished(() => client.end());
  await client.query("BEGIN");
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  await launcher.publish("kept", "go", 1, { tx: client });
  let isPublished = false;
  const waiting = launcher.publish("kept", "go", 2).then(() => (isPublished = true));
  // It is on its way before the others come.
  await vi.waitFor(async () => expect(await waitingFor(rows[0]!.pid)).toBe(1));
  await launcher.publish("free", "go", 3);
  const execution = await launcher.launch(listens, { n: 1 });
  expect(await execution.outcome()).toMatchObject({ status: "completed", state: { got: 3 } });
  expect(isPublished).toBe(false);
  await client.query("COMMIT");
  await waiting;
});

async function waitingFor(pid: number): Promise<number> {
  const text = "SELECT 1 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
  return (await query(postgresUrl(), text, [pid])).length;
}

test("Drizzle works on the connection of a step", async () => {
  const { launcher, notes } = await desk((table) => {
    const [schema, name] = table.split(".") as [string, string];
    const notesTable = pgTable(name, { id: integer("id"), text: text("text").notNull() });
    return [
      workflow("steps", { input }).step("1", {
        run: ({ state }) =>
          transaction(async (connection: pg.ClientBase) => {
            const db = drizzle(connection as pg.Client);
            await db.execute(sql`SET LOCAL search_path TO ${sql.identifier(schema)}`);
            await db.insert(notesTable).values({ text: `drizzle ${state.n}`, id: sql`DEFAULT` });
            const rows = await db.select().from(notesTable).where(eq(notesTable.text, "drizzle 1"));
            return { found: rows.length };
          }),
      }),
    ];
  });
  const steps = workflow("steps", { input }).step("1", { run: () => undefined });
  expect(await (await launcher.launch(steps, { n: 1 })).outcome()).toMatchObject({ state: { found: 1 } });
  expect(await notes()).toEqual(["drizzle 1"]);
});

interface Tables {
  readonly notes: { readonly id: Generated<number>; readonly text: string };
}

/** Kysely on one connection that is in a transaction already. */
function kyselyOn(connection: pg.ClientBase): Kysely<Tables> {
  const pool = {
    connect: async () => ({ query: connection.query.bind(connection), release: () => undefined }),
    end: async () => undefined,
  };
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

test("Kysely works on the connection of a step", async () => {
  const { launcher, notes } = await desk((table) => [
    workflow("steps", { input }).step("1", {
      run: ({ state }) =>
        transaction(async (connection: pg.ClientBase) => {
          const db = kyselyOn(connection).withSchema(table.split(".")[0]!);
          await db
            .insertInto("notes")
            .values({ text: `kysely ${state.n}` })
            .execute();
          const rows = await db.selectFrom("notes").selectAll().execute();
          return { found: rows.length };
        }),
    }),
  ]);
  const steps = workflow("steps", { input }).step("1", { run: () => undefined });
  expect(await (await launcher.launch(steps, { n: 1 })).outcome()).toMatchObject({ state: { found: 1 } });
  expect(await notes()).toEqual(["kysely 1"]);
});
