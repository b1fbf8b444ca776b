/** The store of a trial, by its address: a path of an SQLite file, or a URL of a PostgreSQL database. */
import type { Store } from "../../src/index.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";

export async function storeAt(address: string): Promise<Store> {
  return sqliteStore(address, { durability: "normal" });
}
