/** What SQLite itself can do at most: prepared statements in transactions of 200, with the durability that the engine has. */
import { createRequire } from "node:module";
import { sqliteStore } from "stepwell/sqlite";
import { collectGarbage, inFlight, launcherOn, perSecond, type Measured } from "../support/load.js";
import type { Limit } from "../support/turns.js";
import { changedIn, filler, idOf, turnsOf, writesOf, type Noted, type Writes } from "./writes.js";

const batch = 200;
const sample = 300;

type Value = string | number;

interface Statement {
  run(...values: Value[]): unknown;
  all(...values: Value[]): unknown[];
}

export interface Connection {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

interface Binding {
  readonly DatabaseSync: new (path: string) => Connection;
}

/** Node's own where it is there, else the package; as users have it. */
export function connect(path: string): Connection {
  // Node 20.15 and before have no such function.
  const { getBuiltinModule } = process as { readonly getBuiltinModule?: (this: void, id: string) => unknown };
  const binding =
    (getBuiltinModule?.("node:sqlite") as Binding | undefined) ??
    (createRequire(import.meta.url)("@photostructure/sqlite") as Binding);
  return new binding.DatabaseSync(path);
}

/** What the engine writes for one execution of the workflow; also warms it up. */
export async function writesOnSqlite(path: string, workflow: Measured): Promise<Writes> {
  await prepared(path);
  const before = connect(path);
  noteWrites(before);
  before.close();
  const launcher = await launcherOn(sqliteStore(path), [workflow]);
  await inFlight(launcher, workflow, sample);
  await launcher.stop();
  const after = connect(path);
  const noted = after
    .prepare(
      "SELECT relation, act, count(*) AS rows, sum(bytes) AS bytes, sum(changed) AS changed FROM bench_noted GROUP BY relation, act",
    )
    .all() as Noted[];
  after.close();
  return writesOf(noted, sample);
}

async function prepared(path: string): Promise<void> {
  const store = sqliteStore(path);
  await store.open();
  await store.close();
}

function noteWrites(connection: Connection): void {
  connection.exec("CREATE TABLE bench_noted (relation TEXT, act TEXT, bytes INTEGER, changed INTEGER)");
  for (const table of tablesOf(connection)) {
    const columns = columnsOf(connection, table).map(({ name }) => name);
    const sum = (terms: readonly string[]): string => (terms.length === 0 ? "0" : terms.join(" + "));
    const bytes = sum(columns.map((name) => `coalesce(octet_length(new.${name}), 0)`));
    const changed = sum(
      columns.map(
        (name) => `CASE WHEN new.${name} IS NOT old.${name} THEN coalesce(octet_length(new.${name}), 0) ELSE 0 END`,
      ),
    );
    connection.exec(`
      CREATE TRIGGER bench_insert_${table} AFTER INSERT ON ${table}
        BEGIN INSERT INTO bench_noted VALUES ('${table}', 'INSERT', ${bytes}, 0); END;
      CREATE TRIGGER bench_update_${table} AFTER UPDATE ON ${table}
        BEGIN INSERT INTO bench_noted VALUES ('${table}', 'UPDATE', ${bytes}, ${changed}); END`);
  }
}

/** The engine's. */
export function tablesOf(connection: Connection): string[] {
  const found = connection
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'stepwell_*'")
    .all();
  return (found as { name: string }[]).map(({ name }) => name);
}

/** Those that can be written. */
export function columnsOf(connection: Connection, table: string): { readonly name: string }[] {
  const found = connection.prepare(`SELECT name, hidden FROM pragma_table_xinfo('${table}')`).all();
  return (found as { name: string; hidden: number }[]).filter(({ hidden }) => hidden === 0);
}

/** The entries stand in the order in which they were written: an index of them is the engine's affair. */
const tables = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE raw_rows (id TEXT PRIMARY KEY, kept TEXT NOT NULL, changed TEXT NOT NULL);
CREATE TABLE raw_entries (row INTEGER NOT NULL, turn INTEGER NOT NULL, entry TEXT NOT NULL)`;

/** A file of its own, and what writes the turns of some executions in transactions. */
export class RawFile {
  readonly #connection: Connection;
  readonly #run: Readonly<Record<"insert" | "update" | "entry" | "begin" | "commit", Statement>>;
  readonly #writes: Writes;

  constructor(path: string, writes: Writes) {
    this.#writes = writes;
    this.#connection = connect(path);
    this.#connection.exec(tables);
    const prepare = (sql: string): Statement => this.#connection.prepare(sql);
    this.#run = {
      insert: prepare("INSERT INTO raw_rows (id, kept, changed) VALUES (?, ?, ?)"),
      update: prepare("UPDATE raw_rows SET changed = ? WHERE id = ?"),
      entry: prepare("INSERT INTO raw_entries (row, turn, entry) VALUES (?, ?, ?)"),
      begin: prepare("BEGIN IMMEDIATE"),
      commit: prepare("COMMIT"),
    };
  }

  /** All of their rows, a transaction for each turn. */
  write(first: number, count: number): void {
    const { kept, entry: width } = this.#writes;
    for (const [number, { kind, entry }] of turnsOf(this.#writes).entries()) {
      const [given, note] = [changedIn(number, this.#writes), filler(width, number)];
      this.#run.begin.run();
      for (let place = first; place < first + count; place++) {
        const id = idOf(place);
        if (kind === "insert") this.#run.insert.run(id, filler(kept, 0), given);
        else this.#run.update.run(given, id);
        if (entry) this.#run.entry.run(place, number, note);
      }
      this.#run.commit.run();
    }
  }

  readonly limit: Limit = async (first, count) => {
    collectGarbage();
    const began = performance.now();
    for (let start = 0; start < count; start += batch) this.write(first + start, Math.min(batch, count - start));
    return perSecond(count, began);
  };

  close(): void {
    this.#connection.close();
  }
}
