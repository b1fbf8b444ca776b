/**
 * Many executions at rest, made fast: the engine makes one of each kind, and SQL copies what it wrote, whatever the columns. A copy
 * has a number, an id and a time of its own, as have its tags and its mail. Histories are copied only where that is not much: rows of
 * what failed refer to them, and could not be read without.
 */
import type pg from "pg";
import { columnsOf, tablesOf, type Connection } from "../raw/sqlite.js";
import { executionsTable } from "../raw/writes.js";

export interface Kind {
  /** Of the execution that the engine made. */
  readonly id: string;
  readonly copies: number;
  /** The time of the first copy, and from one to the next; in milliseconds. */
  readonly from: number;
  readonly every: number;
}

interface Column {
  readonly name: string;
  readonly text: boolean;
}

/** The executions, and tables that say of them what their rows do not; a line of a list names one, and says nothing of it. */
const isCopied = (table: string, columns: readonly Column[]): boolean =>
  table === executionsTable ||
  (columns.some(({ name }) => name === "execution") && columns.every(({ name }) => name !== "list"));

const isTooMuch = (table: string, { copies }: Kind): boolean => table.includes("history") && copies > 1_000;

interface Dialect {
  /** A source of `n`, from 1. */
  readonly series: (copies: number) => string;
  readonly qualify: (table: string) => string;
  /** How texts of differing columns are compared. */
  readonly collate: string;
}

/** Of a copy: `n` counts the copies, `e` is the row that is copied, `t` a row beside it. */
function expression(
  table: string,
  { name, text }: Column,
  { from, every }: Kind,
  { base, collate }: { readonly base: number; readonly collate: string },
): string {
  const own = `${table === executionsTable ? "e" : "t"}.${name}`;
  if (name === "created_at") return `${from} + n * ${every}.0`;
  if (name === (table === executionsTable ? "sequence" : "execution")) return `${base} + n`;
  if (table === executionsTable && name === "id") return "e.id || '-' || n";
  return text ? `CASE WHEN ${own}${collate} = e.id THEN e.id || '-' || n ELSE ${own} END` : own;
}

/** @param base the highest number before */
function copying(
  table: string,
  columns: readonly Column[],
  kind: Kind,
  base: number,
  { series, qualify, collate }: Dialect,
): string {
  const beside = table === executionsTable ? "" : ` JOIN ${qualify(table)} AS t ON t.execution = e.sequence`;
  const values = columns.map((column) => expression(table, column, kind, { base, collate }));
  return (
    `INSERT INTO ${qualify(table)} (${columns.map(({ name }) => name).join(", ")}) SELECT ${values.join(", ")} ` +
    `FROM ${qualify(executionsTable)} AS e${beside} CROSS JOIN ${series(kind.copies)} WHERE e.id = '${kind.id}'`
  );
}

export async function copyOnPostgres(client: pg.Client, schema: string, kinds: readonly Kind[]): Promise<void> {
  const qualify = (table: string): string => `${schema}.${table}`;
  const series = (copies: number): string => `generate_series(1, ${copies}) AS n`;
  const tables = await postgresTables(client, schema);
  for (const kind of kinds) {
    const base = await highest(client, schema);
    for (const [table, columns] of tables) {
      if (isTooMuch(table, kind)) continue;
      await client.query(copying(table, columns, kind, base, { series, qualify, collate: ' COLLATE "C"' }));
    }
  }
  await client.query(`SELECT setval('${schema}.stepwell_sequence', ${await highest(client, schema)})`);
  for (const table of tables.keys()) await client.query(`VACUUM ANALYZE ${qualify(table)}`);
}

/** Those to be copied, with the columns that can be written and do not number the rows. */
async function postgresTables(client: pg.Client, schema: string): Promise<Map<string, Column[]>> {
  const { rows } = await client.query<{ table: string; name: string; type: string; identity: string }>(
    `SELECT table_name AS table, column_name AS name, data_type AS type, is_identity AS identity FROM information_schema.columns
     WHERE table_schema = $1 AND table_name LIKE 'stepwell\\_%' AND is_generated = 'NEVER'`,
    [schema],
  );
  const tables = new Map<string, Column[]>();
  for (const { table, name, type, identity } of rows) {
    if (identity === "YES" && table !== executionsTable) continue;
    tables.set(table, [...(tables.get(table) ?? []), { name, text: type === "text" }]);
  }
  return new Map([...tables].filter(([table, columns]) => isCopied(table, columns)));
}

async function highest(client: pg.Client, schema: string): Promise<number> {
  const { rows } = await client.query<{ highest: number }>(
    `SELECT coalesce(max(sequence), 0)::float8 AS highest FROM ${schema}.${executionsTable}`,
  );
  return rows[0]!.highest;
}

export function copyOnSqlite(connection: Connection, kinds: readonly Kind[]): void {
  const qualify = (table: string): string => table;
  const series = (copies: number): string =>
    `(WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < ${copies}) SELECT n FROM g)`;
  for (const kind of kinds) {
    const [row] = connection.prepare(`SELECT max(sequence) AS base FROM ${executionsTable}`).all();
    const { base } = row as { base: number };
    for (const table of tablesOf(connection)) {
      const columns = columnsOf(connection, table)
        .filter(({ name }) => table === executionsTable || name !== "sequence")
        .map(({ name }) => ({ name, text: true }));
      if (!isCopied(table, columns) || isTooMuch(table, kind)) continue;
      connection.exec(copying(table, columns, kind, base, { series, qualify, collate: "" }));
    }
  }
}
