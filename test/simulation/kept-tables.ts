/**
 * SQLite in memory for one history after the other. To make the tables takes longer than many a history: they are made once, by the
 * migrations, and what a history leaves in them is deleted before the next one.
 */
import type { Clock } from "../../src/clock.js";
import type { Store } from "../../src/stores/contract.js";
import type { Connection, Driver, Statement, Value } from "../../src/stores/sqlite/driver.js";
import { findDriver } from "../../src/stores/sqlite/driver.js";
import { openDatabase } from "../../src/stores/sqlite/open.js";
import { sqliteStoreOn } from "../../src/stores/sqlite/sqlite-store.js";

type Row = Readonly<Record<string, Value>>;

/** More texts than that are not of statements that come again. */
const mostStatements = 1000;

export class KeptTables implements Driver {
  readonly name = "kept tables";
  readonly #idle: KeptConnection[] = [];

  connect(): Connection {
    return this.#idle.pop() ?? new KeptConnection((it) => this.#idle.push(it));
  }
}

class KeptConnection implements Connection {
  readonly #connection: Connection;
  readonly #isFree: (it: KeptConnection) => void;
  readonly #statements = new Map<string, Statement>();
  /** What the migrations have put into the tables. */
  readonly #first: readonly { readonly table: string; readonly row: Row }[];
  #isUsed = false;

  constructor(isFree: (it: KeptConnection) => void) {
    this.#connection = openDatabase(":memory:", "full", findDriver(), 0).connection;
    this.#isFree = isFree;
    this.#first = this.#tables().flatMap((table) =>
      (this.prepare(`SELECT * FROM ${table}`).all() as Row[]).map((row) => ({ table, row })),
    );
  }

  exec(sql: string): void {
    this.#isUsed = true;
    this.#connection.exec(sql);
  }

  prepare(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size === mostStatements) this.#statements.clear();
    const statement = this.#connection.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  /** @throws where a transaction was left open: then it is not used again. */
  close(): void {
    if (this.#isUsed) this.#empty();
    this.#isUsed = false;
    this.#isFree(this);
  }

  /** Tables that steps have made stay as well: without them all statements would have to be prepared anew. */
  #empty(): void {
    this.prepare("BEGIN").run();
    for (const table of this.#tables()) this.prepare(`DELETE FROM ${table}`).run();
    for (const { table, row } of this.#first) {
      const columns = Object.keys(row);
      this.prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`).run(
        ...Object.values(row),
      );
    }
    this.prepare("COMMIT").run();
  }

  #tables(): string[] {
    const rows = this.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as {
      readonly name: string;
    }[];
    return rows.map(({ name }) => name);
  }
}

const tables = new KeptTables();

/** A store that finds its tables there, and empty. */
export function sqliteInMemory(clock: Clock): Store {
  return sqliteStoreOn(":memory:", clock, "full", () => tables);
}
