/** The store for one machine: an SQLite file, which several processes may share. */
import { systemClock, type Clock } from "../../clock.js";
import { refuseUnknownOptions } from "../../values/options.js";
import { transacted, type Transacted } from "../../definition/outcome.js";
import { StepwellError } from "../../errors.js";
import type { Store } from "../contract.js";
import { findDriver, type Connection } from "./driver.js";
import type { Durability } from "./open.js";
import { sqliteStoreOn } from "./sqlite-store.js";

export interface SqliteStoreOptions {
  /** Whose time the store keeps. Processes that share a file must agree on it. Default: the system's. */
  readonly clock?: Clock;
  /**
   * What survives once it is acknowledged. Neither can damage the file.
   * - `full`: everything, also when the power fails: each commit waits for the disk.
   * - `normal`: everything while the machine runs, also when the process is killed; a power failure may
   *   take the last commits back. Several times as fast where the disk is slow.
   *
   * Default: `full`.
   */
  readonly durability?: Durability;
}

/** What is no path holds a password, maybe, and messages hold paths: so it is refused and never printed. */
const otherDatabase = /^(?!file:)[a-z][\w+.-]+:\/\/|^postgres(?:ql)?:|:[^\\/]*@|\b(?:host|dbname|password)\s*=/i;

/**
 * Keeps executions in an SQLite file, which is created if it is not there; its folder must exist.
 * `":memory:"` keeps them in memory until the store is closed.
 *
 * Uses the SQLite of Node 22.13 or newer, else the package `@photostructure/sqlite`. Several processes
 * of one machine may share a file, not one on a network drive. With an SQLite older than 3.51.3, which
 * can lose commits when a file is shared, the first process takes the file for itself.
 *
 * `open` (and so `launcher.start()`) throws STEPWELL_SQLITE_MISSING, STEPWELL_STORE_FAILED for a path
 * that is no usable file, STEPWELL_STORE_TOO_NEW, STEPWELL_STORE_BUSY, STEPWELL_SQLITE_UNSAFE.
 *
 * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
 * @example
 * const launcher = new Launcher({ store: sqliteStore("orders.db"), workflows: [fulfilOrder] });
 */
export function sqliteStore(path: string, options: SqliteStoreOptions = {}): Store {
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `sqliteStore needs the path of a file, or ":memory:".`);
  }
  if (otherDatabase.test(path)) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      "sqliteStore needs the path of a file, not the address of another database. PostgreSQL has postgresStore and " +
        "an address such as postgres://user:password@host:5432/database.",
    );
  }
  refuseUnknownOptions(options, ["clock", "durability"], "sqliteStore");
  const { clock = systemClock, durability = "full" } = options;
  if (durability !== "full" && durability !== "normal") {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `sqliteStore: "durability" must be "full" or "normal".`);
  }
  return sqliteStoreOn(path, clock, durability, findDriver);
}

/**
 * Work in the store's own transaction, for a step to give back: what it writes and the step's transition
 * commit together, exactly once, whatever crashes. The tables must be in the store's file. The work is
 * synchronous: while it runs, nothing else writes. What it gives back is what the step gives; `fail(…)`
 * and a thrown error roll back what it wrote.
 *
 * @example
 * run: ({ state }) =>
 *   transaction((connection) => {
 *     connection.prepare("INSERT INTO bookings (order_number, cents) VALUES (?, ?)").run(state.number, state.cents);
 *     return { booked: true };
 *   }),
 * @example An undo that is one too sees what its own `run` gives where that is an argument of its own.
 * .step("book", transaction((tx, { state }) => …), { rollback: transaction((tx, { given }) => …) })
 */
export function transaction<Result, Context = unknown>(
  work: (connection: Connection, context: Context) => Result extends PromiseLike<unknown> ? never : Result,
): Transacted<Context, Result> {
  return transacted("sqlite", work as (connection: Connection, context: Context) => Result);
}

export type { Connection as SqliteConnection, Statement as SqliteStatement, Value as SqliteValue } from "./driver.js";
export type { Durability } from "./open.js";
