import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { StepwellError } from "../../errors.js";
import { Database, isBusy } from "./database.js";
import { safeVersion, sharesSafely, type Connection, type Driver } from "./driver.js";
import { codes, resultCode, storeError } from "./failure.js";
import { migrate } from "./migrate.js";

export type Durability = "full" | "normal";

/** How long `open` waits for another process that migrates, in milliseconds. It blocks the event loop. */
const openPatience = 2_000;

/** How long a write waits for another writer: it blocks the event loop, so the engine waits instead. */
const writePatience = 50;

/** Connects, migrates, and leaves nothing open if that fails. */
export function openDatabase(path: string, durability: Durability, driver: Driver, now: number): Database {
  const version = sqliteVersion(driver);
  const database = new Database(path, connect(path, driver));
  try {
    prepare(database, version, durability, now);
    return database;
  } catch (error) {
    closeQuietly(database);
    throw explained(error, path);
  }
}

function connect(path: string, driver: Driver): Connection {
  try {
    return driver.connect(path);
  } catch (error) {
    throw explained(storeError(error, path), path);
  }
}

function prepare(database: Database, version: string, durability: Durability, now: number): void {
  database.exec(`PRAGMA busy_timeout = ${openPatience}`);
  const shares = sharesSafely(version);
  // Before the first access: so the lock is taken for good, and a second connection never gets in.
  if (!shares) database.exec("PRAGMA locking_mode = EXCLUSIVE");
  try {
    database.exec("PRAGMA journal_mode = WAL");
    // On macOS a plain sync leaves the data in the cache of the disk; elsewhere `fullfsync` means nothing.
    database.exec(
      durability === "full" ? "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON" : "PRAGMA synchronous = NORMAL",
    );
    migrate(database, now);
  } catch (error) {
    // What SQLite itself says of a lock.
    throw isBusy(error) && resultCode((error as StepwellError).cause) !== 0
      ? lockedError(database.path, version, shares, error)
      : error;
  }
  database.exec(`PRAGMA busy_timeout = ${writePatience}`);
}

/** Asked without touching the file. */
function sqliteVersion(driver: Driver): string {
  const connection = driver.connect(":memory:");
  const { version } = connection.prepare("SELECT sqlite_version() AS version").get() as { readonly version: string };
  connection.close();
  return version;
}

function lockedError(path: string, version: string, shares: boolean, cause: unknown): StepwellError {
  const file = `The SQLite file ${JSON.stringify(path)} is open in another connection`;
  if (shares) {
    return new StepwellError(
      "STEPWELL_STORE_BUSY",
      `${file} that does not let go of it: a long transaction, or a process whose SQLite is older than ${safeVersion} ` +
        `and takes the file for itself. End it, or run it on a newer Node.`,
      { cause, retryable: true },
    );
  }
  return new StepwellError(
    "STEPWELL_SQLITE_UNSAFE",
    `${file}, and this process has SQLite ${version}, which can lose commits when a file has more than one. Close the other ` +
      `one, or use a Node or a binding with SQLite ${safeVersion} or newer in every process.`,
    { cause },
  );
}

/** What the path has to do with it, and what to do. */
function explained(error: unknown, path: string): unknown {
  const { cause } = error as StepwellError;
  const problem = problemOf(path, resultCode(cause));
  if (problem === undefined) return error;
  return new StepwellError(
    "STEPWELL_STORE_FAILED",
    `The SQLite file ${JSON.stringify(path)} can't be opened: ${problem}`,
    {
      cause,
    },
  );
}

function problemOf(path: string, code: number): string | undefined {
  switch (code) {
    case codes.cannotOpen: {
      const folder = dirname(resolve(path));
      if (!existsSync(folder))
        return `the folder ${JSON.stringify(folder)} does not exist. Create it, or give another path.`;
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
        return "it is a folder. Give the path of a file in it.";
      return "this process may not read it or create it. Check the rights of the file and its folder.";
    }
    case codes.readOnly:
      return "this process may not write it. Check the rights of the file and its folder.";
    case codes.notDatabase:
      return "it is not an SQLite database. It was not changed; give another path.";
    case codes.corrupt:
      return "it is damaged. Restore it from a copy, together with nothing else; don't keep an old -wal or -shm file beside it.";
    default:
      return undefined;
  }
}

function closeQuietly(database: Database): void {
  try {
    database.close();
  } catch {
    // Why it could not be opened says more.
  }
}
