/** The store for many processes and machines: a PostgreSQL database that they share. */
import type { Clock } from "../../clock.js";
import { refuseUnknownOptions } from "../../values/options.js";
import { transacted, type Transacted } from "../../definition/outcome.js";
import { StepwellError } from "../../errors.js";
import type { Store } from "../contract.js";
import { checkSchema, checkUrl } from "./address.js";
import type { PostgresPool } from "./driver.js";
import { healthOf, type PostgresHealth } from "./health.js";
import { migrate, pendingSql } from "./migrate.js";
import { connect, type Source } from "./open.js";
import { postgresStoreOn } from "./postgres-store.js";

export interface PostgresStoreOptions {
  /**
   * Where the tables are. Created if it is not there, as far as the user may; stores with different
   * schemas know nothing of each other. Small letters, digits and "_", at most 50. Default: `stepwell`.
   */
  readonly schema?: string;
  /**
   * Whether processes tell each other by LISTEN and NOTIFY that something is due, on a connection that does
   * nothing else. Without, others find out by polling. Default: true; with `pooler` false.
   */
  readonly notifications?: boolean;
  /**
   * `transaction`: a pooler such as PgBouncer stands before the database and gives a connection to others after each
   * transaction. Then nothing is kept in a session: no notifications, no prepared statements. Default: none.
   */
  readonly pooler?: "transaction";
  /** How many connections the store opens at most, besides the one for notifications: from 2. Not with a pool of yours. Default: 5. */
  readonly connections?: number;
  /** Whose time the store keeps, for tests. Default: the server's, which is the same for all processes. */
  readonly clock?: Clock;
}

const optionNames = ["schema", "notifications", "pooler", "connections", "clock"];

/**
 * Keeps executions in a PostgreSQL database, version 14 or newer, which any number of processes and
 * machines may share. Needs the package `pg`.
 *
 * Takes a connection string, which may name several hosts (`postgres://db1,db2,db3/shop`: the one that takes writes is found, after a
 * failover too), or a pool of `pg` that is yours: then it is used as it is, and left open.
 * Passwords are never part of a message.
 *
 * `open` (and so `launcher.start()`) creates the tables or brings them up to date. It throws
 * STEPWELL_POSTGRES_MISSING, STEPWELL_STORE_UNREACHABLE, STEPWELL_STORE_FAILED, STEPWELL_STORE_TOO_NEW.
 *
 * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
 * @example
 * const launcher = new Launcher({ store: postgresStore(process.env.DATABASE_URL), workflows: [fulfilOrder] });
 */
export function postgresStore(source: string | PostgresPool, options: PostgresStoreOptions = {}): Store {
  checkSource(source);
  refuseUnknownOptions(options, optionNames, "postgresStore");
  const { schema = "stepwell", pooler, notifications = pooler === undefined, connections = 5, clock } = options;
  checkSchema(schema);
  if (pooler !== undefined && pooler !== "transaction") throw invalid(`"pooler" must be "transaction", or be left out`);
  if (typeof notifications !== "boolean") throw invalid(`"notifications" must be true or false`);
  if (notifications && pooler !== undefined) throw invalid(`"notifications" can't be had behind a pooler`);
  if (!Number.isInteger(connections) || connections < 2 || connections > 1000) {
    throw invalid(`"connections" must be a whole number from 2 to 1000`);
  }
  const sharedSessions = pooler !== undefined;
  return postgresStoreOn(source, { schema, notifications, sharedSessions, connections, clock });
}

/**
 * Brings the tables up to date, as `open` does: for a deployment that does it in a step of its own, with a
 * user that has the right to.
 *
 * @returns with `dryRun` the SQL that would be run, else what was done; empty: nothing was to be done
 */
export async function migratePostgres(
  url: string,
  { schema = "stepwell", dryRun = false }: { readonly schema?: string; readonly dryRun?: boolean } = {},
): Promise<string> {
  checkSource(url);
  checkSchema(schema);
  const opened = await connect(url, { schema, sharedSessions: false, connections: 2 });
  try {
    return dryRun ? await pendingSql(opened.database) : (await migrate(opened.database)).join("\n");
  } finally {
    await opened.close();
  }
}

/**
 * What holds the tables of a store back: old transactions, rows that vacuum has not removed, connections. Reads the server's views, and
 * needs no tables of Stepwell.
 *
 * @example
 * const { oldestTransactionMs } = await postgresHealth(process.env.DATABASE_URL);
 */
export async function postgresHealth(
  url: string,
  { schema = "stepwell" }: { readonly schema?: string } = {},
): Promise<PostgresHealth> {
  checkSource(url);
  checkSchema(schema);
  const opened = await connect(url, { schema, sharedSessions: false, connections: 2 });
  try {
    const listening = await opened.driver!.client();
    try {
      return await healthOf(opened.database, listening);
    } finally {
      await listening.end().catch(() => undefined);
    }
  } finally {
    await opened.close();
  }
}

function checkSource(source: unknown): asserts source is Source {
  if (typeof source === "string") return checkUrl(source);
  if (typeof source === "object" && source !== null && "connect" in source && typeof source.connect === "function")
    return;
  throw invalid("the database must be given as a connection string, or as a pool of pg");
}

function invalid(problem: string): StepwellError {
  return new StepwellError("STEPWELL_INVALID_ARGUMENT", `postgresStore: ${problem}.`);
}

/** A connection in a transaction, as far as most need it; say `pg.ClientBase` for all of it. */
export interface PostgresConnection {
  query<Row = Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: Row[]; readonly rowCount: number | null }>;
}

/**
 * Work in the store's own transaction, for a step to give back: what it writes and the step's transition
 * commit together, exactly once, whatever crashes. The tables must be in the store's database. What it gives
 * back is what the step gives; `fail(…)` and a thrown error roll back what it wrote.
 *
 * @example
 * run: ({ state }) =>
 *   transaction(async (connection) => {
 *     await connection.query("INSERT INTO bookings (order_number, cents) VALUES ($1, $2)", [state.number, state.cents]);
 *     return { booked: true };
 *   }),
 * @example An undo that is one too sees what its own `run` gives where that is an argument of its own.
 * .step("book", transaction((tx, { state }) => …), { rollback: transaction((tx, { given }) => …) })
 */
export function transaction<Result, Connection = PostgresConnection, Context = unknown>(
  work: (connection: Connection, context: Context) => Result,
): Transacted<Context, Result> {
  return transacted("postgres", work);
}

export type {
  PooledClient,
  PostgresPool,
  PostgresResult,
  Query as PostgresQuery,
  Types as PostgresTypes,
} from "./driver.js";
export type { PostgresHealth } from "./health.js";
