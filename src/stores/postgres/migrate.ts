/** Brings the tables up to date, or says how. */
import type { StepwellError } from "../../errors.js";
import type { RowFormat } from "../sql/json-columns.js";
import { pendingMigrations } from "../sql/migrations.js";
import { qualified, type Database, type Statement, type Transaction } from "./database.js";
import { sqlState } from "./failure.js";
import { launcherFormat, migrations, type Migration } from "./migrations.js";

const migrationsTable = `
CREATE TABLE IF NOT EXISTS stepwell_migrations (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  oldest INTEGER NOT NULL,
  applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
);`;

interface Applied {
  readonly number: number;
  /** The oldest schema whose code can work with it. */
  readonly oldest: number;
}

const nothing: Applied = { number: 0, oldest: 0 };

const appliedQuery: Statement = {
  name: "migrated",
  text: "SELECT coalesce(max(number), 0) AS number, coalesce(max(oldest), 0) AS oldest FROM stepwell_migrations",
};

/** No schema, or no table in it. */
const missing: readonly (string | undefined)[] = ["3F000", "42P01"];

async function applied(database: Database): Promise<Applied> {
  try {
    const [row] = await database.rows<Applied>(appliedQuery);
    return row ?? nothing;
  } catch (error) {
    if (missing.includes(sqlState((error as StepwellError).cause))) return nothing;
    throw error;
  }
}

/** From this schema on no process is at work that does not know compact rows. */
const compactFrom = migrations.find(({ waits }) => waits === true)!.number;

export function formatAt(number: number): RowFormat {
  return number >= compactFrom ? "compact" : "full";
}

/** In which form rows are to be written. To be asked after `migrate`. */
export async function formatOf(database: Database): Promise<RowFormat> {
  return formatAt((await applied(database)).number);
}

function pending({ number, oldest }: Applied, { schema, place }: Database): readonly Migration[] {
  // A newer version has been here, and left room for this one.
  if (number > migrations.length && oldest <= migrations.length) return [];
  return pendingMigrations(migrations, number, `Schema "${schema}" of ${place}`) as readonly Migration[];
}

/** Without what has to wait for launchers of an older version. */
function withoutWaiting(left: readonly Migration[], hasOlder: boolean): readonly Migration[] {
  const first = left.findIndex(({ waits }) => waits === true);
  return hasOlder && first >= 0 ? left.slice(0, first) : left;
}

/** Whether a launcher is registered whose code is older than this. */
async function hasOlder({ number }: Applied, session: Pick<Database, "unprepared">): Promise<boolean> {
  if (number === 0) return false;
  const older = number < compactFrom - 1 ? "" : ` WHERE format IS NULL OR format < ${launcherFormat}`;
  return (await session.unprepared(`SELECT 1 FROM stepwell_launchers${older} LIMIT 1`)).length > 0;
}

async function possible(database: Database): Promise<readonly Migration[]> {
  const found = await applied(database);
  const left = pending(found, database);
  return left.some(({ waits }) => waits === true) ? withoutWaiting(left, await hasOlder(found, database)) : left;
}

/** What `migrate` would do now, as SQL that can be read, checked and run by hand. Empty: nothing. */
export async function pendingSql(database: Database): Promise<string> {
  return scriptOf(await possible(database), database.schema);
}

/**
 * Brings the schema up to date; gives back the names of what it did. Processes that start at the same
 * time wait for the first one. Where nothing is pending it only reads, and needs no right to create.
 *
 * @throws STEPWELL_STORE_TOO_NEW
 */
export async function migrate(database: Database): Promise<readonly string[]> {
  const left = await possible(database);
  if (left.length === 0) return [];
  const waits = left.findIndex((it) => it.waits === true);
  // What may fail is apart from what may not, save where all of it is new.
  if (waits < 0 || left.length === migrations.length) return run(database, migrations.length);
  const done = waits === 0 ? [] : await run(database, compactFrom - 1);
  return [...done, ...(await runIfPossible(database))];
}

/** No right to change tables, or somebody has kept one locked: it can be done at the next start as well. */
const putOff: readonly (string | undefined)[] = ["42501", "55P03"];

async function runIfPossible(database: Database): Promise<readonly string[]> {
  try {
    return await run(database, migrations.length);
  } catch (error) {
    if (putOff.includes(sqlState((error as StepwellError).cause))) return [];
    throw error;
  }
}

/** @param upTo the number of the last that is done */
async function run(database: Database, upTo: number): Promise<readonly string[]> {
  return database.transaction(async (transaction) => {
    const { schema } = database;
    // An index on a large table may take its time.
    await transaction.script("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0");
    await transaction.rows(lock, [schema]);
    // Asked for, since to create one if it is not there needs the right to create it in any case.
    const schemas = await transaction.rows(schemaQuery, [schema]);
    if (schemas.length === 0) await transaction.script(`CREATE SCHEMA "${schema}"`);
    await transaction.script(qualified(migrationsTable, schema));
    const [row] = await transaction.rows<Applied>(appliedQuery, []);
    const done: string[] = [];
    for (const migration of pending(row ?? nothing, database)) {
      if (migration.number > upTo) break;
      if (migration.waits === true && !(await isAlone(transaction, schema))) break;
      await transaction.script(qualified(migration.sql + noted(migration), schema));
      done.push(migration.name);
    }
    return done;
  });
}

/** From now to the end of the transaction nobody registers. Who works on the tables is not held up for long by one who waits for a lock. */
async function isAlone(transaction: Transaction, schema: string): Promise<boolean> {
  await transaction.script(`SET LOCAL lock_timeout = '5s'; ${qualified(launchersLock, schema)}`);
  return (await transaction.rows(olderQuery, [])).length === 0;
}

const launchersLock = "LOCK TABLE stepwell_launchers IN SHARE ROW EXCLUSIVE MODE";

const olderQuery: Statement = {
  name: "launchers_older",
  text: `SELECT 1 FROM stepwell_launchers WHERE format IS NULL OR format < ${launcherFormat} LIMIT 1`,
};

const lock: Statement = {
  name: "migration_lock",
  text: "SELECT 1 FROM (SELECT pg_advisory_xact_lock(hashtextextended('stepwell migration of ' || $1::text, 0))) AS locked",
};

const schemaQuery: Statement = { name: "schema", text: "SELECT 1 FROM pg_namespace WHERE nspname = $1::text" };

function noted({ number, name, oldest }: Migration): string {
  return `\n\nINSERT INTO stepwell_migrations (number, name, oldest) VALUES (${number}, '${name}', ${oldest});`;
}

function scriptOf(left: readonly Migration[], schema: string): string {
  if (left.length === 0) return "";
  const parts = left.map((it) => `-- ${it.number}: ${it.name}${it.sql}${noted(it)}`);
  const text = [`CREATE SCHEMA IF NOT EXISTS "${schema}";${migrationsTable}`, ...parts].join("\n\n");
  return `BEGIN;\n${qualified(text, schema)}\nCOMMIT;\n`;
}
