/** The work of a transaction whose launcher has lost the execution, and one whose COMMIT was not heard of, on both SQL stores. */
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { Launcher, StepwellError, workflow, type AnyWorkflow, type Store } from "../../src/index.js";
import { drivers } from "../../src/stores/sqlite/driver.js";
import type { PooledClient, PostgresPool } from "../../src/stores/postgres/driver.js";
import { postgresStore, transaction as onPostgres } from "../../src/stores/postgres/index.js";
import { sqliteStore, transaction as onSqlite, type SqliteConnection } from "../../src/stores/sqlite/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { freshSchema, postgresUrl, query } from "../support/postgres.js";
import { deaf } from "../support/rig.js";
import { TcpProxy } from "../support/tcp-proxy.js";

const input = z.object({});
const patience = { pollInterval: 50, heartbeat: { interval: 100, timeout: 400 } } as const;

interface Desk {
  readonly store: Store;
  /** What a step gives back that writes this down in the store's own transaction. */
  readonly note: (text: string) => never;
  readonly notes: () => Promise<string[]>;
}

const desks: Record<string, () => Promise<Desk>> = {
  async sqlite() {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "desk.db");
    const other = [...drivers()][0]!.connect(path);
    onTestFinished(() => other.close());
    other.exec("PRAGMA journal_mode = WAL; CREATE TABLE notes (text TEXT NOT NULL)");
    const all = (): string[] =>
      (other.prepare("SELECT text FROM notes ORDER BY rowid").all() as { text: string }[]).map(({ text }) => text);
    return {
      store: sqliteStore(path),
      note: (text) =>
        onSqlite((connection: SqliteConnection) => {
          connection.prepare("INSERT INTO notes (text) VALUES (?)").run(text);
        }) as never,
      notes: () => Promise.resolve(all()),
    };
  },
  async postgres() {
    const schema = freshSchema();
    const url = postgresUrl();
    const table = `${schema}.notes`;
    await query(url, `CREATE SCHEMA ${schema}; CREATE TABLE ${table} (id SERIAL PRIMARY KEY, text TEXT NOT NULL)`);
    return {
      store: postgresStore(url, { schema }),
      note: (text) =>
        onPostgres(async (connection: pg.ClientBase) => {
          await connection.query(`INSERT INTO ${table} (text) VALUES ($1)`, [text]);
        }) as never,
      notes: async () =>
        (await query<{ text: string }>(url, `SELECT text FROM ${table} ORDER BY id`)).map(({ text }) => text),
    };
  },
};

async function launcherOn(store: Store, workflows: readonly AnyWorkflow[], more = {}): Promise<Launcher> {
  const launcher = new Launcher({ store, workflows, ...patience, onError: () => undefined, ...more });
  await launcher.start();
  onTestFinished(() => launcher.stop());
  return launcher;
}

describe.each(Object.keys(desks))("the work of a transaction, on the %s store", (kind) => {
  test.each(["run", "rollback"] as const)(
    "of %s, by a launcher that has lost the execution, is not committed",
    async (func) => {
      const { store, note, notes } = await desks[kind]!();
      let finish: (() => void) | undefined;
      const works = ({ attempt }: { readonly attempt: number }): Promise<never> | never =>
        attempt > 1 ? note("second") : new Promise<never>((resolve) => (finish = () => resolve(note("first"))));
      const flow = workflow("flow", { input }).step("1", {
        run: ({ attempt }: { readonly attempt: number }) => {
          if (func === "run") return works({ attempt });
          throw new Error("no");
        },
        ...(func === "rollback" && { rollback: works }),
      } as never);
      await store.open();
      onTestFinished(() => store.close());
      // Its time stands still, and it hears of nothing: it can't know that it was taken for dead.
      const own = new VirtualClock();
      const refused: string[] = [];
      const zombie = new Launcher({
        store: deaf(store),
        workflows: [flow],
        clock: own,
        onError: ({ code }) => refused.push(code),
      });
      await zombie.start();
      await zombie.launch(flow, {}, { id: "e" });
      await vi.waitFor(() => expect(finish).toBeDefined(), { timeout: 10_000 });
      const heir = await launcherOn(store, [flow], {});
      expect(await heir.execution("e").outcome()).toMatchObject({
        status: func === "run" ? "completed" : "rolledBack",
      });
      const before = await store.history("e");
      finish!();
      // It hears that it was refused.
      await vi.waitFor(() => expect(refused).toContain("STEPWELL_OWNERSHIP_LOST"));
      expect(await notes()).toEqual(["second"]);
      expect(await store.history("e")).toEqual(before);
      const stopped = zombie.stop();
      await own.advance("1m");
      await stopped;
    },
  );
});

/** Connections through a proxy that, once it is armed, lets a COMMIT through and breaks before its answer. */
async function breakingAtCommit(): Promise<{ readonly pool: PostgresPool; arm: () => void; commits: () => number }> {
  const proxy = await TcpProxy.before(postgresUrl());
  onTestFinished(() => proxy.close());
  const pool = new pg.Pool({ connectionString: proxy.url, max: 3 });
  pool.on("error", () => undefined);
  onTestFinished(() => pool.end());
  let isArmed = false;
  let commits = 0;
  const wrapped = new Map<PooledClient, PooledClient>();
  const wrap = (client: PooledClient): PooledClient => {
    client.on("error", () => undefined);
    return {
      on: () => undefined,
      release: (destroy) => client.release(destroy),
      query(...asked) {
        if (isArmed && asked[0].text === "COMMIT") {
          isArmed = false;
          commits += 1;
          proxy.mode = "mute";
          const { stream } = (client as unknown as { readonly connection: { readonly stream: Socket } }).connection;
          void proxy.answered(stream.localPort).then(() => {
            proxy.mode = "open";
            proxy.cut();
          });
        }
        return client.query(...asked);
      },
    };
  };
  const breaking: PostgresPool = {
    on: () => undefined,
    async connect() {
      const client = (await pool.connect()) as unknown as PooledClient;
      if (!wrapped.has(client)) wrapped.set(client, wrap(client));
      return wrapped.get(client)!;
    },
  };
  return { pool: breaking, arm: () => void (isArmed = true), commits: () => commits };
}

describe("a transaction whose COMMIT was not heard of is not done again", () => {
  const twoSteps = (work: () => unknown, calls: string[]) =>
    workflow("flow", { input })
      .step("1", {
        run: () => {
          calls.push("1");
          return work() as undefined;
        },
      })
      .step("2", { run: () => void calls.push("2") });

  test("on PostgreSQL, where the connection breaks before the answer", async () => {
    const { note, notes } = await desks["postgres"]!();
    const { pool, arm, commits } = await breakingAtCommit();
    const calls: string[] = [];
    const flow = twoSteps(() => {
      arm();
      return note("once");
    }, calls);
    const store = postgresStore(pool, { schema: freshSchema(), notifications: false });
    // Nothing else commits meanwhile.
    const launcher = await launcherOn(store, [flow], {
      pollInterval: "1s",
      heartbeat: { interval: "5s", timeout: "20s" },
    });
    const execution = await launcher.launch(flow, {});
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    expect(commits()).toBe(1);
    expect(await notes()).toEqual(["once"]);
    expect(calls).toEqual(["1", "2"]);
    expect((await execution.history()).map(({ step, attempt, result }) => [step, attempt, result])).toEqual([
      ["1", 1, "ok"],
      ["2", 1, "ok"],
    ]);
  });

  test("on SQLite, where the store fails after it", async () => {
    const { store, note, notes } = await desks["sqlite"]!();
    const calls: string[] = [];
    const flow = twoSteps(() => note("once"), calls);
    const launcher = await launcherOn(store, [flow]);
    const commits = store.transactions!.run.bind(store.transactions);
    const transact = vi.spyOn(store.transactions!, "run").mockImplementationOnce((work) => {
      expect(commits(work)).toBe("taken");
      throw new StepwellError("STEPWELL_STORE_FAILED", "The disk is gone.", { retryable: true });
    });
    const execution = await launcher.launch(flow, {});
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    expect(transact).toHaveBeenCalledTimes(1);
    expect(await notes()).toEqual(["once"]);
    expect(calls).toEqual(["1", "2"]);
  });
});
