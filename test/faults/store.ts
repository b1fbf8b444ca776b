/** The store of a trial, by its address: a path of an SQLite file, or a URL of a PostgreSQL database. */
import type { Store } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";

export function storeAt(address: string): Store {
  return address.startsWith("postgres:") ? postgresStore(address) : sqliteStore(address, { durability: "normal" });
}
