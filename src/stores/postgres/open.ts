import { StepwellError } from "../../errors.js";
import { placeOf } from "./address.js";
import { Database, prepareSession, type Statement } from "./database.js";
import { loadDriver, type Driver, type OwnPool, type PostgresPool } from "./driver.js";
import { kindOf } from "./failure.js";
import { migrate } from "./migrations.js";

/** A connection string, or a pool that is the user's own. */
export type Source = string | PostgresPool;

export interface OpenOptions {
  readonly schema: string;
  /** Behind a pooler in transaction mode a connection is somebody else's after each transaction. */
  readonly sharedSessions: boolean;
  readonly connections: number;
}

export interface Opened {
  readonly database: Database;
  /** Undefined where the pool is the user's. */
  readonly driver: Driver | undefined;
  close(): Promise<void>;
}

/** Connects, without looking at what is there. */
export async function connect(source: Source, { schema, sharedSessions, connections }: OpenOptions): Promise<Opened> {
  if (typeof source !== "string") {
    const place = "the PostgreSQL database of the pool";
    return {
      database: new Database(source, { schema, place, ownSessions: false }),
      driver: undefined,
      close: async () => undefined,
    };
  }
  const driver = await loadDriver();
  const pool: OwnPool = driver.pool(source, connections, sharedSessions ? undefined : prepareSession);
  pool.on("error", () => undefined);
  return {
    database: new Database(pool, { schema, place: placeOf(source), ownSessions: !sharedSessions }),
    driver,
    close: () => pool.end(),
  };
}

/** Connects and migrates, and leaves nothing open if that fails. */
export async function openDatabase(source: Source, options: OpenOptions): Promise<Opened> {
  const opened = await connect(source, options);
  try {
    await checkServer(opened.database);
    await migrate(opened.database);
    return opened;
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
