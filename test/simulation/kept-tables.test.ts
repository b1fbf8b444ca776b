import fc from "fast-check";
import { expect, test } from "vitest";
import type { Connection, Driver } from "../../src/stores/sqlite/driver.js";
import { sqliteStoreOn } from "../../src/stores/sqlite/sqlite-store.js";
import { KeptTables } from "./kept-tables.js";
import { plans } from "./plan.js";
import { Seen } from "./seen.js";
import { play } from "./world.js";

/** By table: its rows. */
function rowsIn(connection: Connection): Record<string, unknown[]> {
  const tables = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[];
  return Object.fromEntries(tables.map(({ name }) => [name, connection.prepare(`SELECT * FROM ${name}`).all()]));
}

test("a history finds the tables as the migrations leave them, whatever those before it have written", async () => {
  const tables = new KeptTables();
  let left: Record<string, unknown[]> = {};
  /** Sees what is there when the store is closed. */
  const driver: Driver = {
    name: "looked at",
    connect: () => {
      const connection = tables.connect();
      const close = (): void => {
        left = rowsIn(connection);
        connection.close();
      };
      return { exec: (sql) => connection.exec(sql), prepare: (sql) => connection.prepare(sql), close };
    },
  };
  const fresh = rowsIn(tables.connect());
  for (const plan of fc.sample(plans({ transactions: true }), { seed: 1, numRuns: 10 })) {
    await play(plan, (clock) => sqliteStoreOn(":memory:", clock, "full", () => driver), {
      seen: new Seen(),
      traced: false,
    });
    expect(left.stepwell_executions).not.toEqual([]);
    const connection = tables.connect();
    expect({ entries: [], ...rowsIn(connection) }).toEqual({ entries: [], ...fresh });
    connection.close();
  }
});
