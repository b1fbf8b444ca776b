/** A launcher on each store that has transactions, with a table of the user's own that steps write notes to. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { describe, onTestFinished } from "vitest";
import { Launcher, type AnyWorkflow, type LauncherOptions, type Store, type StepwellError } from "../../src/index.js";
import * as postgres from "../../src/stores/postgres/index.js";
import { drivers } from "../../src/stores/sqlite/driver.js";
import * as sqlite from "../../src/stores/sqlite/index.js";
import { freshSchema, postgresUrl, query } from "./postgres.js";
import { SettlingClock } from "./rig.js";

/** Writes a note in the transaction. What it throws or rejects with is the step's. */
type Note = (text: string) => void;

/** Work that does not wait, so that it is the same on each store: `transaction` of the store that is tested. */
export type Transact = <Result, Context = { readonly state: object }>(
  work: (note: Note, context: Context) => Result,
) => ReturnType<typeof postgres.transaction<Result>>;

export interface TransactingDesk {
  readonly clock: SettlingClock;
  readonly store: Store;
  readonly launcher: Launcher;
  readonly errors: StepwellError[];
  readonly notes: () => Promise<string[]>;
  /** Another launcher on the same store, as a second process would be. */
  readonly another: (workflows: readonly AnyWorkflow[], options?: Partial<LauncherOptions>) => Promise<Launcher>;
}

export type StartTransacting = (
  make: (transact: Transact) => readonly AnyWorkflow[],
  options?: Partial<LauncherOptions>,
) => Promise<TransactingDesk>;

interface Ground {
  readonly store: Store;
  readonly transact: Transact;
  readonly notes: () => Promise<string[]>;
}

const grounds: Record<string, (clock: SettlingClock) => Promise<Ground>> = {
  sqlite: async (clock) => {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-"));
    const path = join(folder, "desk.db");
    const other = [...drivers()][0]!.connect(path);
    other.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 2000; CREATE TABLE notes (text TEXT NOT NULL UNIQUE)");
    onTestFinished(() => {
      other.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const transact = ((work: (note: Note, context: unknown) => unknown) =>
      sqlite.transaction(((connection: sqlite.SqliteConnection, context: unknown) =>
        work(
          (text) => void connection.prepare("INSERT INTO notes VALUES (?)").run(text),
          context,
        )) as never)) as Transact;
    const notes = async (): Promise<string[]> =>
      (other.prepare("SELECT text FROM notes ORDER BY rowid").all() as { text: string }[]).map(({ text }) => text);
    return { store: sqlite.sqliteStore(path, { clock, durability: "normal" }), transact, notes };
  },
  postgres: async (clock) => {
    const url = postgresUrl();
    const schema = freshSchema();
    await query(url, `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.notes (id SERIAL, text TEXT NOT NULL UNIQUE)`);
    const transact = ((work: (note: Note, context: unknown) => unknown) =>
      postgres.transaction((async (client: pg.ClientBase, context: unknown) => {
        const written: Promise<unknown>[] = [];
        const note: Note = (text) => {
          const insert = client.query(`INSERT INTO ${schema}.notes (text) VALUES ($1)`, [text]);
          insert.catch(() => undefined);
          written.push(insert);
        };
        try {
          return await work(note, context);
        } finally {
          await Promise.all(written);
        }
      }) as never)) as unknown as Transact;
    const notes = async (): Promise<string[]> =>
      (await query<{ text: string }>(url, `SELECT text FROM ${schema}.notes ORDER BY id`)).map(({ text }) => text);
    const store = postgres.postgresStore(url, { schema, clock, notifications: false, connections: 3 });
    return { store: clock.watching(store), transact, notes };
  },
};

/** Runs the same tests on each store that has transactions. */
export function onTransactingStores(name: string, tests: (start: StartTransacting) => void): void {
  describe.each(Object.keys(grounds))(`${name}, on the %s store`, (kind) => {
    tests(async (make, options = {}) => {
      const clock = new SettlingClock();
      const { store, transact, notes } = await grounds[kind]!(clock);
      await store.open();
      onTestFinished(() => void (store.isOpen && store.close()));
      const errors: StepwellError[] = [];
      const another: TransactingDesk["another"] = async (workflows, more = {}) => {
        const launcher = new Launcher({ store, workflows, onError: (error) => errors.push(error), ...more });
        await launcher.start();
        onTestFinished(async () => {
          const stopped = launcher.stop();
          await clock.advance("1m");
          await stopped;
        });
        return launcher;
      };
      const launcher = await another(make(transact), options);
      return { clock, store, launcher, errors, notes, another };
    });
  });
}
