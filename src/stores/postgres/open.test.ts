import { inspect } from "node:util";
import pg from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { freshSchema, postgresUrl, query } from "../../../test/support/postgres.js";
import { storeContract } from "../../testing/store-contract/index.js";
import type { PostgresPool } from "./driver.js";
import { loadDriver } from "./driver.js";
import { postgresStore, type PostgresStoreOptions } from "./index.js";

const canary = "canary-7f3a";

function withPassword(change: (url: URL) => void = () => undefined): string {
  const url = new URL(postgresUrl());
  url.password = canary;
  change(url);
  return url.href;
}

/** All that a logger could print of it. */
function printed(error: unknown): string {
  return `${inspect(error, { depth: 20, showHidden: true, getters: true })} ${JSON.stringify(error)} ${String(error)}`;
}

describe("a password", () => {
  test.each([
    ["no server", withPassword((url) => (url.port = "1"))],
    ["no such host", withPassword((url) => (url.hostname = "no.such.host.invalid"))],
    ["no such database", withPassword((url) => (url.pathname = "/nothing"))],
    ["no such user", withPassword((url) => (url.username = "nobody"))],
    [
      "a certificate that is not there",
      withPassword((url) => url.searchParams.set("sslrootcert", "/nowhere/none.pem")),
    ],
    [
      "a port that is none",
      postgresUrl()
        .replace("postgres@", `postgres:${canary}@`)
        .replace(/:\d+\//, ":70000/"),
    ],
    ["signs that have a meaning in an address", `postgres://me:12@${canary}/${canary}@127.0.0.1:1/shop`],
    ["a text that is no address", `postgres://me:${canary}@[::bad/shop`],
  ])("is in no error: %s", async (_, url) => {
    const store = postgresStore(url, { schema: freshSchema() });
    const error: unknown = await Promise.resolve(store.open()).then(
      () => undefined,
      (failed: unknown) => failed,
    );
    expect(error).toMatchObject({ name: "StepwellError" });
    expect(printed(error)).not.toContain(canary);
    expect(printed(store)).not.toContain(canary);
  });

  test("is not in what is printed of a store that is open", async () => {
    const store = postgresStore(withPassword(), { schema: freshSchema() });
    await store.open();
    expect(inspect(store, { depth: 20, showHidden: true })).not.toContain(canary);
    await store.close();
  });

  test("is not in what is said of a wrong option", () => {
    for (const make of [
      () => postgresStore(`mysql://me:${canary}@there/shop`),
      () => postgresStore(withPassword(), { schema: "No Schema" }),
      () => postgresStore(withPassword(), { schemas: "x" } as PostgresStoreOptions),
    ]) {
      let error: unknown;
      try {
        make();
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toMatchObject({ name: "StepwellError" });
      expect(printed(error)).not.toContain(canary);
    }
  });
});

describe("the options of the PostgreSQL store", () => {
  test.each([
    [{ schema: "a b" }, "STEPWELL_INVALID_ARGUMENT"],
    [{ notifications: "no" }, "STEPWELL_INVALID_ARGUMENT"],
    [{ pooler: "session" }, "STEPWELL_INVALID_ARGUMENT"],
    [{ pooler: "transaction", notifications: true }, "STEPWELL_INVALID_ARGUMENT"],
    [{ connections: 1 }, "STEPWELL_INVALID_ARGUMENT"],
    [{ connections: 2.5 }, "STEPWELL_INVALID_ARGUMENT"],
    [{ shema: "orders" }, "STEPWELL_UNKNOWN_OPTION"],
  ])("%j is refused", (options, code) => {
    expect(() => postgresStore("postgres://localhost/x", options as PostgresStoreOptions)).toThrow(
      expect.objectContaining({ code }),
    );
  });

  test.each([undefined, null, 5, "", {}, { connect: 1 }])("%j is no database", (source) => {
    expect(() => postgresStore(source as unknown as string)).toThrow(
      expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }),
    );
  });
});

test.each([
  [
    "a database that is not there is a mistake",
    (url: URL) => (url.pathname = "/nothing"),
    "STEPWELL_STORE_FAILED",
    false,
  ],
  ["a server that is not there may come", (url: URL) => (url.port = "1"), "STEPWELL_STORE_UNREACHABLE", true],
])("at the first connection, %s", async (_, change, code, retryable) => {
  const store = postgresStore(withPassword(change), { schema: freshSchema() });
  await expect(Promise.resolve(store.open())).rejects.toMatchObject({ code, retryable });
  expect(store.isOpen).toBe(false);
});

test("without pg, it is said how to get it", async () => {
  await expect(
    loadDriver("postgres://", () => Promise.reject(new Error("Cannot find package 'pg'"))),
  ).rejects.toMatchObject({
    code: "STEPWELL_POSTGRES_MISSING",
    message: expect.stringContaining("npm install pg") as string,
  });
});

test("a database in another encoding is refused", async () => {
  const name = `latin_${Math.floor(Math.random() * 1e9)}`;
  await query(postgresUrl(), `CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
  onTestFinished(async () => void (await query(postgresUrl(), `DROP DATABASE ${name} WITH (FORCE)`)));
  const url = new URL(postgresUrl());
  url.pathname = `/${name}`;
  await expect(Promise.resolve(postgresStore(url.href).open())).rejects.toMatchObject({
    code: "STEPWELL_STORE_FAILED",
    message: expect.stringContaining("must be UTF8") as string,
  });
});

/** One case of each kind is enough to see that it works in another way. */
const some = storeContract.filter((_, index) => index % 4 === 0);

describe("on a pool that is the user's", () => {
  test.each(some)("$name", async ({ run }) => {
    const pool = new pg.Pool({ connectionString: postgresUrl(), max: 4 });
    onTestFinished(() => pool.end());
    const schema = freshSchema();
    await expect(run((clock) => postgresStore(pool, { schema, clock }))).resolves.toBeUndefined();
  });

  test("the pool is left open, and its connections are as they were", async () => {
    const pool = new pg.Pool({ connectionString: postgresUrl(), max: 2 });
    onTestFinished(() => pool.end());
    const store = postgresStore(pool satisfies PostgresPool, { schema: freshSchema(), notifications: false });
    await store.open();
    await store.register({ host: "here", pid: 1 });
    await store.close();
    const { rows } = await pool.query<{ readonly seqscan: string; readonly prepared: number }>(
      "SELECT current_setting('enable_seqscan') AS seqscan, (SELECT count(*)::integer FROM pg_prepared_statements) AS prepared",
    );
    expect(rows).toEqual([{ seqscan: "on", prepared: 0 }]);
  });
});

describe("behind a pooler that shares connections by transaction", () => {
  test.each(some)("$name", async ({ run }) => {
    const schema = freshSchema();
    await expect(
      run((clock) => postgresStore(postgresUrl(), { schema, clock, pooler: "transaction" })),
    ).resolves.toBeUndefined();
  });
});

test("a pool of the user's that nobody listens to does not end the process when an idle connection breaks", async () => {
  const pool = new pg.Pool({ connectionString: postgresUrl(), application_name: "stepwell-idle" });
  onTestFinished(() => pool.end());
  const store = postgresStore(pool, { schema: freshSchema(), notifications: false });
  await store.open();
  onTestFinished(async () => store.close());
  // With a listener of ours only: an error that nobody hears would be thrown.
  const broken = new Promise((resolve) => pool.once("remove", resolve));
  await query(
    postgresUrl(),
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stepwell-idle'",
  );
  await broken;
  expect(await store.register({ host: "here", pid: 1 })).toBeGreaterThan(0);
});
