import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { VirtualClock } from "../../testing/virtual-clock.js";
import { drivers, type Connection } from "./driver.js";
import { migrations } from "./migrations.js";
import { openDatabase } from "./open.js";
import { sqliteStoreOn } from "./sqlite-store.js";

const folder = mkdtempSync(join(tmpdir(), "stepwell-migrate-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;

/** Of the last schema before rows were compact. */
const before = migrations.findIndex(({ closes }) => closes === true);

/** The words of a launcher of before. */
const registered = "INSERT INTO stepwell_launchers (host, pid, beat_at) VALUES ('here', ?, ?)";

const position =
  '{"direction":"up","reason":"normal","stepIndex":0,"stepFunc":"run","lifecycle":"step","lastResult":"ok","step":"a",' +
  '"attempts":0,"firstAttemptAt":null,"uncounted":0,"waitUntil":null,"resumeAt":null,"error":null,"stuckBy":null}';
const entry = '{"direction":"up","step":"a","stepIndex":0,"func":"run","attempt":1,"result":"ok","durationMs":1}';

describe.each([...drivers()])("a file of the schema before compact rows, through $name", (driver) => {
  const start = Date.UTC(2026, 0, 1);
  const minute = 60_000;

  function older(schema: number): { readonly path: string; readonly other: Connection } {
    const path = join(folder, `${++files}.db`);
    const other = driver.connect(path);
    other.exec("CREATE TABLE stepwell_migrations (number INTEGER PRIMARY KEY, name TEXT, applied_at BIGINT)");
    for (const { number, name, sql } of migrations.slice(0, schema)) {
      other.exec(sql);
      other.prepare("INSERT INTO stepwell_migrations VALUES (?, ?, 0)").run(number, name);
    }
    return { path, other };
  }

  function create(other: Connection, sequence: number, owner: number | null, text: string): void {
    const columns =
      "sequence, id, owner, position, state, input, workflow, version, status, revision, signals, seen, claims, created_at, updated_at, tags";
    other
      .prepare(
        `INSERT INTO stepwell_executions (${columns}) VALUES (?, ?, ?, ?, ?, ?, 'sell', '1', 'running', 3, 0, 0, 1, 0, 0, '[]')`,
      )
      .run(sequence, `e${sequence}`, owner, position, text, text);
    for (const revision of [3, 1, 2]) {
      other
        .prepare("INSERT INTO stepwell_history VALUES (?, ?, ?, ?, ?)")
        .run(sequence, revision, revision * 10, entry, revision === 2 ? null : `{"n":${revision}}`);
    }
  }

  test.each([4, before])("is left as it is while an older launcher is at work: schema %i", (schema) => {
    const { path, other } = older(schema);
    other.prepare(registered).run(4711, start - 59_000);
    expect(() => openDatabase(path, "full", driver, start)).toThrow(
      expect.objectContaining({
        code: "STEPWELL_STORE_BUSY",
        retryable: true,
        message: expect.stringMatching(/launcher of an older version.*process 4711.*Stop it/s) as string,
      }),
    );
    expect(other.prepare("SELECT max(number) AS number FROM stepwell_migrations").get()).toMatchObject({
      number: schema,
    });
    other.close();
    // It is silent.
    const database = openDatabase(path, "full", driver, start + 1_000);
    expect(database.rows("SELECT pid FROM stepwell_launchers")).toEqual([]);
    database.close();
  });

  test("is emptied of launchers that died: what they owned is due, and they count as deaths", async () => {
    const { path, other } = older(before);
    for (const pid of [1, 2, 3]) other.prepare(registered).run(pid, start - 2 * minute);
    other.exec("DELETE FROM stepwell_launchers WHERE owner = 3");
    create(other, 1, 2, "{}");
    create(other, 2, null, "{}");
    const clock = new VirtualClock({ start });
    const store = sqliteStoreOn(path, clock, "full", () => driver);
    store.open();
    expect(store.load(["e1", "e2"])).toMatchObject([
      { owner: null, dueAt: start },
      { owner: null, dueAt: null },
    ]);
    expect(await store.deaths("e1")).toEqual([{ fate: "silent", sinceMs: 0 }]);
    // A number is never given twice, or a launcher would be taken for another one.
    expect(await store.register({ host: "here", pid: 4 })).toBe(4);
    // One that sleeps with the file open, and wakes, can't come back.
    expect(() => other.prepare(registered).run(2, start)).toThrow("stepwell_launchers.format");
    store.close();
    other.close();
  });

  test("keeps each history in its order, and long states and inputs", async () => {
    const { path, other } = older(before);
    const long = `{"text":"${"x".repeat(5_000)}"}`;
    for (let sequence = 1; sequence <= 20; sequence++) create(other, sequence, null, sequence % 2 === 0 ? long : "{}");
    other.prepare("UPDATE stepwell_executions SET input = '{}' WHERE sequence = 4").run();
    other.close();
    const store = sqliteStoreOn(path, new VirtualClock({ start }), "full", () => driver);
    store.open();
    for (let sequence = 1; sequence <= 20; sequence++) {
      const rows = await store.history(`e${sequence}`);
      expect(rows.map(({ revision, at, patch }) => [revision, at, patch?.text])).toEqual([
        [1, 10, '{"n":1}'],
        [2, 20, undefined],
        [3, 30, '{"n":3}'],
      ]);
      const [record] = await store.load([`e${sequence}`]);
      expect(record!.state.text).toBe(sequence % 2 === 0 ? long : "{}");
      expect(record!.input.text).toBe(sequence % 2 === 0 && sequence !== 4 ? long : "{}");
    }
    store.close();
  });
});
