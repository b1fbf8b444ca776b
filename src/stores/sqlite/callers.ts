/** A transaction of the caller's, as it is handed over: by the connection that has it. */
import { StepwellError } from "../../errors.js";
import type { Database } from "./database.js";
import type { Connection } from "./driver.js";
import { storeError } from "./failure.js";

/** @throws STEPWELL_NOT_IN_TRANSACTION */
export function connectionOf(tx: unknown, path: string): Connection {
  const connection = tx as Partial<Connection> | null;
  if (typeof connection?.exec !== "function" || typeof connection.prepare !== "function") {
    throw refusal("what was given is no connection of node:sqlite or @photostructure/sqlite");
  }
  if (!isInTransaction(connection as Connection, path)) throw refusal("its connection has not begun a transaction");
  return connection as Connection;
}

/** @throws STEPWELL_NOT_IN_TRANSACTION where it has ended since */
export function inTransaction(database: Database): Database {
  if (isInTransaction(database.connection, database.path)) return database;
  throw refusal(
    "its transaction ended before what was asked with it could be written; wait for that before you commit",
  );
}

/** SQLite itself says so: a transaction can't be begun within one. One that could be begun has locked nothing. */
function isInTransaction(connection: Connection, path: string): boolean {
  try {
    connection.exec("BEGIN");
  } catch (error) {
    if (error instanceof Error && error.message.includes("within a transaction")) return true;
    throw storeError(error, path);
  }
  connection.exec("ROLLBACK");
  return false;
}

function refusal(problem: string): StepwellError {
  return new StepwellError(
    "STEPWELL_NOT_IN_TRANSACTION",
    `"tx" can't be used: ${problem}. Nothing was changed. Give the connection to the store's file between BEGIN and COMMIT.`,
  );
}
