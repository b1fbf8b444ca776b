/** Where the tests' PostgreSQL is: each test gets a schema of its own. */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { inject, onTestFinished } from "vitest";

/** @throws where this machine has no server */
export function postgresUrl(): string {
  const server = inject("postgres");
  if ("url" in server) return server.url;
  throw new Error(`There is no PostgreSQL: ${server.missing}. Set STEPWELL_TEST_POSTGRES_URL to use one that runs.`);
}

/** The name of a schema that nobody uses; it goes with the test. */
export function freshSchema(): string {
  const url = postgresUrl();
  const schema = `test_${randomUUID().replaceAll("-", "")}`;
  onTestFinished(async () => void (await query(url, `DROP SCHEMA IF EXISTS ${schema} CASCADE`)));
  return schema;
}

/** On a connection of its own. */
export async function query<Row extends pg.QueryResultRow>(
  url: string,
  text: string,
  values?: unknown[],
): Promise<Row[]> {
  const client = new pg.Client(url);
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}
