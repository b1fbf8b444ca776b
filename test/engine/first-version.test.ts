/** What the first version left in its stores goes on with the code of today. `scripts/first-version.ts` wrote it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Launcher, pause, workflow, type Store } from "../../src/index.js";
import { qualified } from "../../src/stores/postgres/database.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { migrations as postgresMigrations } from "../../src/stores/postgres/migrations.js";
import { findDriver } from "../../src/stores/sqlite/driver.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";
import { migrations as sqliteMigrations } from "../../src/stores/sqlite/migrations.js";
import { left, workflowsOf } from "../support/first-version.js";
import { freshSchema, postgresUrl, query } from "../support/postgres.js";
import { patient, SettlingClock } from "../support/rig.js";

const fixture = (name: string): string =>
  readFileSync(new URL(`../fixtures/first-version.${name}`, import.meta.url), "utf8");

interface Behind {
  readonly status: string;
  readonly history: readonly unknown[];
  readonly states: readonly unknown[];
}

const behind = Object.entries(JSON.parse(fixture("json")) as Record<string, Behind>);

interface Kept {
  /** As another process would have it. */
  readonly store: () => Store;
  readonly sql: (text: string) => Promise<readonly unknown[]>;
}

const kept = {
  sqlite: async (clock: SettlingClock): Promise<Kept> => {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-first-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "test.db");
    const file = findDriver().connect(path);
    file.exec(fixture("sqlite.sql"));
    file.close();
    const sql: Kept["sql"] = async (text) => {
      const connection = findDriver().connect(path);
      const rows = connection.prepare(text).all();
      connection.close();
      return rows;
    };
    return { store: () => sqliteStore(path, { clock }), sql };
  },
  postgres: async (clock: SettlingClock): Promise<Kept> => {
    const schema = freshSchema();
    await query(postgresUrl(), `CREATE SCHEMA ${schema}`);
    await query(postgresUrl(), qualified(fixture("postgres.sql"), schema));
    const options = { schema, clock, notifications: false, connections: 3 };
    return {
      store: () => clock.watching(postgresStore(postgresUrl(), options)),
      sql: async (text) => query(postgresUrl(), qualified(text, schema)),
    };
  },
};

/** Whether the row spells out what is as usual, for those who know no other rows. */
async function isFull({ sql }: Kept, id: string): Promise<boolean> {
  const [row] = await sql(`SELECT position FROM stepwell_executions WHERE id = '${id}'`);
  return (row as { readonly position: string }).position.includes('"reason":"normal"');
}

const { order, limited } = workflowsOf({ workflow, pause }, { hold: () => undefined, open: true });
const plain = { kind: "plain", number: 1, note: "" };

/** Each revision that the first version made is told as it told it. */
async function readsAsItDid(launcher: Launcher, [id, { history, states }]: (typeof behind)[number]): Promise<void> {
  const execution = launcher.execution(id);
  const rows = (await execution.history()).slice(0, history.length);
  expect(rows.map(({ revision, step, func, result }) => [revision, step, func, result])).toEqual(history);
  for (const [revision, state] of states.entries()) {
    const found: unknown = JSON.parse(JSON.stringify({ ...(await execution.stateAt(revision)), note: undefined }));
    expect(found, `${id}, revision ${revision}`).toEqual(state);
  }
}

describe.each(["sqlite", "postgres"] as const)("what the first version left, on the %s store", (kind) => {
  test("reads as it did, and each execution goes on to its end", async () => {
    const clock = new SettlingClock({ start: left + 120_000 });
    const all = await kept[kind](clock);
    const begin = async (options: object): Promise<Launcher> => {
      const launcher = new Launcher({ store: all.store(), workflows: [order, limited], ...options });
      await launcher.start();
      return launcher;
    };
    const migrated = async (): Promise<unknown> =>
      (await all.sql("SELECT max(number) AS number FROM stepwell_migrations"))[0];

    const first = await begin({ onError: () => undefined });
    expect(await migrated()).toEqual({
      number: kind === "sqlite" ? sqliteMigrations.length : postgresMigrations.findIndex(({ waits }) => waits === true),
    });
    for (const it of behind) {
      await readsAsItDid(first, it);
      if (it[0] !== "running") expect((await first.execution(it[0]).summary()).status).toBe(it[1].status);
    }
    await first.launch(order, plain, { id: "beside" });
    await clock.advance("2m");
    // On PostgreSQL the launcher of before may have been alive when this one began.
    expect(await isFull(all, "beside")).toBe(kind === "postgres");
    expect((await first.execution("running").summary()).status).toBe("completed");
    const stopped = first.stop();
    await clock.advance("1m");
    await stopped;

    const second = await begin(patient);
    expect(await migrated()).toEqual({ number: (kind === "sqlite" ? sqliteMigrations : postgresMigrations).length });
    await second.launch(order, plain, { id: "after" });
    await second.retry("stuck");
    await second.send("waiting", "paid", { cents: 5 });
    await second.send("large", "paid", { cents: 6 });
    await second.send("place", "go", null);
    await clock.advance("2h");
    await second.send("queued", "go", null);
    await clock.advance("23h");
    expect(await isFull(all, "after")).toBe(false);

    const done = { reserved: 7, booked: new Date(left), shipped: true };
    const ends: Record<string, object> = {
      running: { status: "completed", state: done },
      scheduled: { status: "completed", state: done },
      waiting: { status: "completed", state: { ...done, asked: true, cents: 5, note: "too early" } },
      large: { status: "completed", state: { ...done, cents: 6, note: expect.stringMatching(/^.{5000}$/) as string } },
      completed: { status: "completed", state: done },
      stuck: { status: "rolledBack", state: { released: true } },
      down: { status: "rolledBack", state: { released: true } },
      rolledBack: { status: "rolledBack", state: { released: true } },
      place: { status: "completed", state: { gone: true } },
      queued: { status: "completed", state: { gone: true } },
      beside: { status: "completed", state: { shipped: true } },
      after: { status: "completed", state: { shipped: true } },
    };
    for (const [id, end] of Object.entries(ends)) {
      const outcome = await second.execution(id).outcome();
      expect(outcome, id).toMatchObject(end);
      if (outcome.status === "rolledBack") expect(outcome.error, id).toMatchObject({ message: "no carrier" });
    }
    for (const it of behind) await readsAsItDid(second, it);
    const { executions } = await second.list({ tags: ["schedule:nightly"] });
    expect(executions.map(({ status }) => status)).toEqual(["completed"]);
    expect((await second.list({ tags: ["red"] })).executions.map(({ id }) => id).toSorted()).toEqual([
      "large",
      "waiting",
    ]);
    const ended = second.stop();
    await clock.advance("1h");
    await ended;
  });
});
