/** Where a round keeps its data: a folder, or a server of its own, gone afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "../../test/support/postgres-server.js";

export async function withFolder<Result>(work: (path: (name: string) => string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-bench-"));
  try {
    return await work((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Database {
  readonly url: string;
  /** For questions to the server, beside what is measured. */
  readonly client: pg.Client;
  readonly newSchema: () => string;
}

/** A real server with its defaults, those of durability too. */
export async function withPostgres<Result>(work: (database: Database) => Promise<Result>): Promise<Result> {
  const server = await startPostgres({ fsync: true });
  try {
    const client = new pg.Client(server.url);
    await client.connect();
    let schemas = 0;
    try {
      return await work({ url: server.url, client, newSchema: () => `bench_${++schemas}` });
    } finally {
      await client.end();
    }
  } finally {
    await server.stop();
  }
}
