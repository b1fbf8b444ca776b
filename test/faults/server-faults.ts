/** What goes wrong with a PostgreSQL server and the connections to it. */
import pg from "pg";
import type { PostgresServer } from "../support/postgres-server.js";
import type { Fault } from "./trial.js";

export function serverFaults(server: PostgresServer): readonly Fault[] {
  let isDown = false;
  const cut = async (which: string): Promise<void> => {
    if (isDown) return;
    const client = new pg.Client(server.url);
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND ${which}`,
      );
    } catch {
      // It went down in the meantime: that is a cut, too.
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  return [
    {
      // The postmaster and all its backends, under load.
      every: 5_000,
      make: async () => {
        isDown = true;
        await server.kill();
        await server.start();
        isDown = false;
      },
    },
    { every: 4_000, make: () => cut("true") },
    { every: 2_500, make: () => cut("query LIKE 'LISTEN%'") },
  ];
}
