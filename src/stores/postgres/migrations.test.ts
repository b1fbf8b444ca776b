import { describe, expect, onTestFinished, test } from "vitest";
import { freshSchema, postgresUrl, query } from "../../../test/support/postgres.js";
import { migratePostgres, postgresStore } from "./index.js";
import { migrations } from "./migrations.js";

const latest = migrations.length;
const url = postgresUrl();

const numbers = async (schema: string): Promise<number[]> =>
  (
    await query<{ readonly number: number }>(url, `SELECT number FROM "${schema}".stepwell_migrations ORDER BY number`)
  ).map(({ number }) => number);

describe("migrations", () => {
  test("are numbered from 1 without gaps, and each says from which schema on a process must know it", () => {
    expect(migrations.map(({ number }) => number)).toEqual(migrations.map((_, index) => index + 1));
    for (const { number, oldest } of migrations) expect(oldest).toBeLessThanOrEqual(number);
  });

  test("are run once where many processes start at the same time", async () => {
    const schema = freshSchema();
    const stores = Array.from({ length: 8 }, () =>
      postgresStore(url, { schema, notifications: false, connections: 2 }),
    );
    await Promise.all(stores.map(async (store) => store.open()));
    expect(await numbers(schema)).toEqual(migrations.map(({ number }) => number));
    await Promise.all(stores.map(async (store) => store.close()));
  });

  test("need no right to create anything where there is nothing to do", async () => {
    const schema = freshSchema();
    await migratePostgres(url, { schema });
    const role = `clerk_${Math.floor(Math.random() * 1e9)}`;
    await query(
      url,
      `CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA ${schema} TO ${role};
       GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role};
       GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`,
    );
    onTestFinished(async () => void (await query(url, `DROP OWNED BY ${role}; DROP ROLE ${role}`)));
    const clerk = new URL(url);
    clerk.username = role;
    clerk.password = "x";
    const store = postgresStore(clerk.href, { schema });
    await store.open();
    expect(await store.register({ host: "here", pid: 1 })).toBe(1);
    await store.close();
    await expect(migratePostgres(clerk.href, { schema: `${schema.slice(0, 40)}_other` })).rejects.toMatchObject({
      code: "STEPWELL_STORE_FAILED",
      retryable: false,
      message: expect.stringMatching(/permission denied/) as string,
    });
  });

  test("of a newer version that left room for this one are no obstacle, also at a start", async () => {
    const schema = freshSchema();
    await migratePostgres(url, { schema });
    const newer = `INSERT INTO "${schema}".stepwell_migrations (number, name, oldest) VALUES`;
    await query(url, `${newer} (${latest + 1}, 'a column that nobody must know', ${latest})`);
    const store = postgresStore(url, { schema });
    await store.open();
    await store.close();
    await query(url, `${newer} (${latest + 2}, 'all is different', ${latest + 2})`);
    await expect(store.open()).rejects.toMatchObject({
      code: "STEPWELL_STORE_TOO_NEW",
      message: expect.stringContaining(`Schema "${schema}"`) as string,
    });
    expect(store.isOpen).toBe(false);
  });

  test("can be read before they are run, and run by hand", async () => {
    const schema = freshSchema();
    const sql = await migratePostgres(url, { schema, dryRun: true });
    expect(sql).toMatch(/^BEGIN;\n/);
    expect(sql).toContain(`CREATE TABLE "${schema}".stepwell_executions (`);
    expect(await query(url, "SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema])).toEqual([]);
    await query(url, sql);
    expect(await numbers(schema)).toEqual(migrations.map(({ number }) => number));
    expect(await migratePostgres(url, { schema, dryRun: true })).toBe("");
    expect(await migratePostgres(url, { schema })).toBe("");
    const store = postgresStore(url, { schema });
    await store.open();
    await store.close();
  });

  test("say what they did", async () => {
    expect(await migratePostgres(url, { schema: freshSchema() })).toBe(migrations.map(({ name }) => name).join("\n"));
  });
});
