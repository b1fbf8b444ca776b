import { StepwellError } from "../../errors.js";
import type { Connection, Statement, Value } from "./driver.js";
import { storeError } from "./failure.js";
import { Landmarks } from "./landmarks.js";
import { Places } from "./places.js";

/** One connection: statements are prepared once, and what the driver throws becomes an error of ours. */
export class Database {
  readonly path: string;
  readonly places = new Places();
  readonly landmarks = new Landmarks();
  readonly #connection: Connection;
  readonly #statements = new Map<string, Statement>();

  constructor(path: string, connection: Connection) {
    this.path = path;
    this.#connection = connection;
  }

  exec(sql: string): void {
    this.#guarded(() => this.#connection.exec(sql));
  }

  /**
   * For use within `transaction`, or with `read`. Kept: its text must be one of few. A limit that is a parameter stands there as
   * `LIMIT ? + 0`: for each value of a bare `LIMIT ?` SQLite plans the whole statement anew, which takes far longer than to run it.
   */
  statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#connection.prepare(sql)));
    return statement;
  }

  /** The rows of a query; its text may be one of many. */
  rows<Row>(sql: string, ...values: Value[]): Row[] {
    return this.#guarded(() => this.#connection.prepare(sql).all(...values) as Row[]);
  }

  read<Result>(work: () => Result): Result {
    return this.#guarded(work);
  }

  /** All of it or nothing. Takes the write lock at once, so that nothing read in it is out of date. */
  transaction<Result>(work: () => Result): Result {
    return this.#guarded(() => {
      this.statement("BEGIN IMMEDIATE").run();
      try {
        const result = work();
        this.statement("COMMIT").run();
        return result;
      } catch (error) {
        this.#rollback();
        throw error;
      }
    });
  }

  /** All of it or nothing, as a part of a transaction that somebody else has begun. */
  part<Result>(work: () => Result): Result {
    return this.#guarded(() => {
      this.statement("SAVEPOINT stepwell").run();
      try {
        const result = work();
        this.statement("RELEASE stepwell").run();
        return result;
      } catch (error) {
        this.#takeBack();
        throw error;
      }
    });
  }

  /** The connection itself, for those who write tables of their own. */
  get connection(): Connection {
    return this.#connection;
  }

  close(): void {
    this.#statements.clear();
    try {
      // The last connection does this when it closes; but @photostructure/sqlite 1.2 closes for good only
      // when its statements have been collected, and the file should be whole by itself from now on.
      this.#connection.exec("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Nothing is lost: what stays in the log is read from there.
    }
    this.#guarded(() => this.#connection.close());
  }

  #takeBack(): void {
    try {
      this.statement("ROLLBACK TO stepwell").run();
      this.statement("RELEASE stepwell").run();
    } catch {
      // As below.
    }
  }

  #rollback(): void {
    try {
      this.statement("ROLLBACK").run();
    } catch {
      // SQLite has rolled back already, as it does when the disk is full; the first error tells more.
    }
  }

  #guarded<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw storeError(error, this.path);
    }
  }
}

export function isBusy(error: unknown): boolean {
  return error instanceof StepwellError && error.code === "STEPWELL_STORE_BUSY";
}
