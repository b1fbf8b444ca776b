import { StepwellError } from "../../errors.js";
import { placeOf } from "./address.js";
import { Database, prepareSession, type Statement } from "./database.js";
import { loadDriver, type Driver, type OwnPool, type PostgresPool } from "./driver.js";
import { kindOf } from "./failure.js";
import type { RowFormat } from "../sql/json-columns.js";
import { formatOf, migrate } from "./migrate.js";

/** A connection string, or a pool that is the user's own. */
export type Source = string | PostgresPool;

export interface OpenOptions {
  readonly schema: string;
  /** Behind a pooler in transaction mode a connection is somebody else's after each transaction. */
  readonly sharedSessions: boolean;
  readonly connections: number;
  readonly notifications: boolean;
}

export interface Connected {
  readonly database: Database;
  /** Undefined where the pool is the user's. */
  readonly driver: Driver | undefined;
  close(): Promise<void>;
}

export interface Opened extends Connected {
  readonly format: RowFormat;
}

const heard = new WeakSet<PostgresPool>();

/** A connection that breaks while nobody uses it would end the process, if nobody listened; the pool makes another one. */
function listen(pool: PostgresPool): void {
  if (heard.has(pool)) return;
  heard.add(pool);
  pool.on("error", () => undefined);
}

/** Connects, without looking at what is there. */
export async function connect(
  source: Source,
  { schema, sharedSessions, connections }: Omit<OpenOptions, "notifications">,
): Promise<Connected> {
  if (typeof source !== "string") {
    const place = "the PostgreSQL database of the pool";
    listen(source);
    return {
      database: new Database(source, { schema, place, ownSessions: false }),
      driver: undefined,
      close: async () => undefined,
    };
  }
  const driver = await loadDriver(source);
  const pool: OwnPool = driver.pool(connections, sharedSessions ? undefined : prepareSession);
  pool.on("error", () => undefined);
  return {
    database: new Database(pool, { schema, place: placeOf(source), ownSessions: !sharedSessions }),
    driver,
    close: () => pool.end(),
  };
}

/** With one connection, a transaction would wait for what is asked within it. */
const fewest = 2;

/** How many connections there are, besides the one for notifications. */
export function connectionsOf(source: Source, { connections, notifications }: OpenOptions): number {
  if (typeof source === "string") return connections;
  const max = source.options?.max;
  return typeof max === "number" ? max - (notifications ? 1 : 0) : connections;
}

/** @throws STEPWELL_INVALID_ARGUMENT for a pool of the user's that has too few */
function checkPool(source: Source, options: OpenOptions): void {
  const found = connectionsOf(source, options);
  if (found >= fewest) return;
  const needed = options.notifications ? `${fewest + 1}, one of them for notifications` : String(fewest);
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `postgresStore: the pool has "max" ${String((source as PostgresPool).options?.max)}, and the store needs at least ${needed}. ` +
      `Make the pool larger, or give a connection string: then the store has connections of its own.`,
  );
}

/** Connects and migrates, and leaves nothing open if that fails. */
export async function openDatabase(source: Source, options: OpenOptions): Promise<Opened> {
  checkPool(source, options);
  const opened = await connect(source, options);
  try {
    await checkServer(opened.database);
    await migrate(opened.database);
    return { ...opened, format: await formatOf(opened.database) };
  } catch (error) {
    await opened.close().catch(() => undefined);
    throw explained(error);
  }
}

/** Before anything has worked, a password that is refused is a mistake, and no outage. */
function explained(error: unknown): unknown {
  if (!(error instanceof StepwellError) || error.code !== "STEPWELL_STORE_UNREACHABLE") return error;
  const { cause, message } = error;
  return kindOf(cause) === "broken" ? new StepwellError("STEPWELL_STORE_FAILED", message, { cause }) : error;
}

const oldestServer = 140_000;

const serverQuery: Statement = {
  name: "server",
  text: "SELECT current_setting('server_version_num')::integer AS version, current_setting('server_encoding') AS encoding",
};

async function checkServer(database: Database): Promise<void> {
  const [row] = await database.rows<{ readonly version: number; readonly encoding: string }>(serverQuery);
  const { version, encoding } = row!;
  if (version < oldestServer) {
    const found = `${Math.floor(version / 10_000)}.${version % 10_000}`;
    throw unusable(database, `it is PostgreSQL ${found}, and Stepwell needs PostgreSQL 14 or newer`);
  }
  if (encoding !== "UTF8") throw unusable(database, `its encoding is ${encoding}, and it must be UTF8`);
}

function unusable({ place }: Database, problem: string): StepwellError {
  return new StepwellError("STEPWELL_STORE_FAILED", `${place} can't be used: ${problem}. Nothing was changed.`);
}
