/**
 * Writes `test/fixtures/first-version.*`: what the first version left in its stores, with executions in every status.
 * `npx tsx scripts/first-version.ts <a built copy of that version> <connection string of a PostgreSQL server>`
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import pg from "pg";
import type * as stepwell from "../src/index.js";
import type * as postgres from "../src/stores/postgres/index.js";
import type * as sqlite from "../src/stores/sqlite/index.js";
import type * as testing from "../src/testing/index.js";
import type { Connection } from "../src/stores/sqlite/driver.js";
import { left, workflowsOf } from "../test/support/first-version.js";

const [tree = "", url = ""] = process.argv.slice(2);
const part = async <Module>(path: string): Promise<Module> =>
  (await import(resolve(tree, "dist", path, "index.js"))) as Module;

/** Stacks of errors name where the code lay. */
function write(name: string, text: string): void {
  const path = new URL(`../test/fixtures/first-version.${name}`, import.meta.url);
  writeFileSync(path, text.replaceAll(resolve(tree), "/old").replaceAll(process.cwd(), "/new"));
}

const note = (length: number): string => {
  let text = "";
  for (let n = 1; text.length < length; n++) text += `${n * 7919} `;
  return text.slice(0, length);
};

/** Leaves them while they are at work; gives back what each of them has behind it. */
async function leave(store: stepwell.Store, clock: testing.VirtualClock): Promise<object> {
  const api = await part<typeof stepwell>("");
  const { order, limited } = workflowsOf(api, { hold: () => new Promise<void>(() => undefined), open: false });
  const launcher = new api.Launcher({ store, workflows: [order, limited], pollInterval: "1h" });
  await launcher.start();
  const launch = (kind: string, more: object = {}, length = 10): Promise<unknown> =>
    Promise.resolve(launcher.launch(order, { kind, number: 7, note: note(length) }, { id: kind, ...more }));
  for (const kind of ["running", "stuck", "down", "completed", "rolledBack"]) await launch(kind);
  await launch("scheduled", { delay: "1h" });
  await launch("waiting", { tags: ["red", "blue"] });
  await launch("large", { tags: ["red"] }, 5_000);
  for (const id of ["place", "queued"]) await launcher.launch(limited, { kind: id, number: 1, note: "" }, { id });
  await launcher.schedules.set("nightly", order, { kind: "planned", number: 1, note: "" }, { every: "1d" });
  await clock.settle();
  await launcher.send("waiting", "remark", { text: "too early" }, { messageId: "m-1" });
  await clock.settle();
  const behind: Record<string, object> = {};
  for (const id of ["running", "stuck", "down", "completed", "rolledBack", "waiting", "large", "place"]) {
    const execution = launcher.execution(id);
    const history = (await execution.history()).map(({ revision, step, func, result }) => [
      revision,
      step,
      func,
      result,
    ]);
    const states: unknown[] = [];
    for (let revision = 0; revision <= history.length; revision++) {
      states.push({ ...(await execution.stateAt(revision)), note: undefined });
    }
    behind[id] = { status: (await execution.summary()).status, history, states };
  }
  return behind;
}

async function ofSqlite(clock: testing.VirtualClock): Promise<void> {
  const path = join(mkdtempSync(join(tmpdir(), "first-version-")), "test.db");
  const { sqliteStore } = await part<typeof sqlite>("stores/sqlite");
  const behind = await leave(sqliteStore(path, { clock }), clock);
  write("json", `${JSON.stringify(behind, null, 1)}\n`);
  const { DatabaseSync } = createRequire(resolve(tree, "x.js"))("@photostructure/sqlite") as {
    readonly DatabaseSync: new (path: string) => Connection;
  };
  const file = new DatabaseSync(path);
  const schema = file.prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid").all();
  const lines: string[] = [];
  for (const { type, name, sql } of schema as Record<"type" | "name" | "sql", string>[]) {
    if (name !== "sqlite_sequence") lines.push(`${sql};`);
    if (type !== "table") continue;
    const columns = (file.prepare(`SELECT name FROM pragma_table_info('${name}')`).all() as { name: string }[]).map(
      (column) => column.name,
    );
    const values = columns.map((column) => `quote(${column})`).join(" || ', ' || ");
    const rows = file.prepare(`SELECT ${values} AS row FROM ${name}`).all() as { readonly row: string }[];
    for (const { row } of rows) lines.push(`INSERT INTO ${name} (${columns.join(", ")}) VALUES (${row});`);
  }
  write("sqlite.sql", `${lines.join("\n")}\n`);
}

async function ofPostgres(clock: testing.VirtualClock): Promise<void> {
  const { postgresStore } = await part<typeof postgres>("stores/postgres");
  const schema = "first_version";
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  const store = postgresStore(url, { schema, clock, notifications: false });
  const { migrations } = (await import(resolve(tree, "dist/stores/postgres/migrations.js"))) as {
    readonly migrations: readonly { readonly sql: string }[];
  };
  await leave(store, clock);
  const made = `CREATE TABLE stepwell_migrations (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL, oldest INTEGER NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now());`;
  const lines = [made, ...migrations.map(({ sql }) => sql)];
  const tables = await client.query<{ readonly name: string }>(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1 ORDER BY table_name",
    [schema],
  );
  for (const { name } of tables.rows) {
    const found = await client.query<{ readonly name: string }>(
      "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
      [schema, name],
    );
    const columns = found.rows.map((row) => row.name);
    const values = columns.map((column) => `quote_nullable(${column}::text)`).join(" || ', ' || ");
    const { rows } = await client.query<{ readonly row: string }>(`SELECT ${values} AS row FROM ${schema}.${name}`);
    for (const { row } of rows) lines.push(`INSERT INTO ${name} (${columns.join(", ")}) VALUES (${row});`);
  }
  for (const [table, column] of [
    ["stepwell_mailbox", "sequence"],
    ["stepwell_launchers", "owner"],
  ]) {
    lines.push(`ALTER TABLE ${table} ALTER COLUMN ${column} RESTART WITH 100;`);
  }
  lines.push("ALTER SEQUENCE stepwell_sequence RESTART WITH 100;");
  write("postgres.sql", `${lines.join("\n")}\n`);
  await client.query(`DROP SCHEMA ${schema} CASCADE`);
  await client.end();
}

const { VirtualClock } = await part<typeof testing>("testing");
await ofSqlite(new VirtualClock({ start: left }));
await ofPostgres(new VirtualClock({ start: left }));
// One of them is at work for ever.
process.exit(0);
