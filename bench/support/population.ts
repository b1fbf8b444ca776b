/** A million executions: most completed, many waiting, and some hundreds each of what is rare. */
import { setTimeout } from "node:timers/promises";
import { Launcher, type AnyWorkflow, type LaunchOptions, type Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { sqliteStore } from "stepwell/sqlite";
import { connect } from "../raw/sqlite.js";
import { copyOnPostgres, copyOnSqlite, type Kind } from "./copies.js";
import type { Measured } from "./load.js";
import { long } from "./long.js";
import { withFolder, withPostgres } from "./places.js";
import { breaking, deaf, down, order, parked, rare, up } from "./work.js";

const day = 24 * 60 * 60 * 1000;
/** The first was created so long ago, the last one just now. */
const age = 90 * day;

export const common = "west";
export const uncommon = "fragile";

const workflows: readonly AnyWorkflow[] = [up, down, parked, rare, breaking, deaf, long];

/** What is stuck is meant to be. */
export async function launcherFor(store: Store): Promise<Launcher> {
  const launcher = new Launcher({ store, workflows, onError: () => undefined });
  await launcher.start();
  return launcher;
}

interface Sort {
  readonly workflow: Measured;
  readonly status: string;
  readonly copies: number;
  readonly options?: LaunchOptions;
}

const sorts: readonly Sort[] = [
  { workflow: up, status: "completed", copies: 600_000 },
  { workflow: parked, status: "waiting", copies: 398_200 },
  { workflow: breaking, status: "stuck", copies: 300 },
  { workflow: down, status: "rolledBack", copies: 300 },
  { workflow: up, status: "scheduled", copies: 300, options: { delay: "365d" } },
  { workflow: rare, status: "completed", copies: 300 },
  { workflow: up, status: "completed", copies: 300, options: { tags: [common, uncommon] } },
  // Each of them leaves a dead letter.
  { workflow: deaf, status: "completed", copies: 300 },
];

/** Measures a PostgreSQL store and an SQLite store that hold all of these. */
export async function withMillion<Result>(
  measure: (name: string, newStore: () => Store) => Promise<Result>,
): Promise<Result[]> {
  const onPostgres = await withPostgres(async (database) => {
    const schema = database.newSchema();
    const newStore = (): Store => postgresStore(database.url, { schema });
    await populate(newStore(), (kinds) => copyOnPostgres(database.client, schema, kinds));
    return measure("postgres", newStore);
  });
  const onSqlite = await withFolder(async (path) => {
    const file = path("million.db");
    await populate(sqliteStore(file), async (kinds) => {
      const connection = connect(file);
      connection.exec("PRAGMA synchronous = OFF");
      copyOnSqlite(connection, kinds);
      connection.close();
    });
    return measure("sqlite", () => sqliteStore(file));
  });
  return [onPostgres, onSqlite];
}

async function populate(store: Store, copy: (kinds: readonly Kind[]) => Promise<void>): Promise<void> {
  const launcher = await launcherFor(store);
  const kinds = await kindsFor(launcher);
  await launcher.stop();
  await copy(kinds);
}

/** One of each, made by the engine, to be copied. */
async function kindsFor(launcher: Launcher): Promise<Kind[]> {
  const now = Date.now();
  const kinds: Kind[] = [];
  for (const { workflow, status, copies, options } of sorts) {
    const execution = await launcher.launch(workflow, order, { tags: [common], ...options });
    if (workflow === deaf) {
      await execution.send("later", null);
      await execution.send("go", null);
    }
    while ((await execution.summary()).status !== status) await setTimeout(5);
    kinds.push({ id: execution.id, copies, from: now - age, every: Math.floor(age / (copies + 1)) });
  }
  return kinds;
}

/** A time in the midst of them, and one shortly before the last. */
export function times(): { readonly midst: Date; readonly late: Date } {
  return { midst: new Date(Date.now() - age / 2), late: new Date(Date.now() - day) };
}
