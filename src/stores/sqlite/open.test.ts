import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { drivers, findDriver, sharesSafely, type Driver } from "./driver.js";
import { sqliteStore } from "./index.js";
import { migrations } from "./migrations.js";
import { openDatabase } from "./open.js";

const folder = mkdtempSync(join(tmpdir(), "stepwell-open-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const newFile = (): string => join(folder, `${++files}.db`);
const failed = (...words: string[]): unknown =>
  expect.objectContaining({
    code: "STEPWELL_STORE_FAILED",
    retryable: false,
    message: expect.stringMatching(new RegExp(words.join(".*"), "s")) as string,
  });

/** As the driver, but with an SQLite of another version. */
function withVersion(driver: Driver, version: string): Driver {
  return {
    name: driver.name,
    connect(path) {
      const connection = driver.connect(path);
      return {
        exec: (sql) => connection.exec(sql),
        prepare: (sql) => connection.prepare(sql.replace("sqlite_version()", `'${version}'`)),
        close: () => connection.close(),
      };
    },
  };
}

describe.each([...drivers()])("opening an SQLite file, through $name", (driver) => {
  const open = (path: string, of = driver) => openDatabase(path, "full", of, 0);

  test("full durability waits for the disk with each commit, normal does not", () => {
    for (const [durability, synchronous] of [
      ["full", 2],
      ["normal", 1],
    ] as const) {
      const database = openDatabase(newFile(), durability, driver, 0);
      expect(database.rows("PRAGMA synchronous")).toEqual([{ synchronous }]);
      expect(database.rows("PRAGMA journal_mode")).toEqual([{ journal_mode: "wal" }]);
      database.close();
    }
  });

  test("a folder that does not exist is named", () => {
    expect(() => open(join(folder, "none", "a.db"))).toThrow(failed("a.db", "the folder .*none. does not exist"));
  });

  test("a path that is a folder is not a file", () => {
    const path = newFile();
    mkdirSync(path);
    expect(() => open(path)).toThrow(failed("it is a folder"));
  });

  test("a file that is no database is refused and left as it is", () => {
    const path = newFile();
    const text = "A shopping list, and by no means a database.\n".repeat(50);
    writeFileSync(path, text);
    expect(() => open(path)).toThrow(failed("not an SQLite database"));
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  test.skipIf(process.getuid?.() === 0)("a file that may not be written is refused", () => {
    const path = newFile();
    open(path).close();
    chmodSync(path, 0o400);
    expect(() => open(path)).toThrow(failed("may not write it"));
  });

  test("a file of a newer version is refused and left as it is", () => {
    const path = newFile();
    const database = open(path);
    const next = migrations.length + 1;
    database.exec(`INSERT INTO stepwell_migrations VALUES (${next}, 'the future', 0)`);
    database.close();
    expect(() => open(path)).toThrow(
      expect.objectContaining({
        code: "STEPWELL_STORE_TOO_NEW",
        message: expect.stringContaining(`schema ${next}`) as string,
      }),
    );
  });

  test("a file is migrated once, whoever opens it, and tables of others may be in it", () => {
    const path = newFile();
    const database = open(path);
    database.exec("CREATE TABLE executions (mine TEXT); PRAGMA user_version = 99");
    const again = open(path);
    expect(again.rows("SELECT number, applied_at FROM stepwell_migrations")).toEqual(
      migrations.map(({ number }) => ({ number, applied_at: 0 })),
    );
    again.close();
    database.close();
  });

  test("a migration that fails is undone as a whole, and leaves nothing open", () => {
    const path = newFile();
    const other = driver.connect(path);
    other.exec("CREATE TABLE stepwell_mailbox (mine TEXT)");
    expect(() => open(path)).toThrow(failed("stepwell_mailbox already exists"));
    const tables = other.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    expect(tables).toMatchObject([{ name: "stepwell_mailbox" }, { name: "stepwell_migrations" }]);
    other.exec("DROP TABLE stepwell_mailbox");
    other.close();
    open(path).close();
  });

  test("a file that was closed holds everything by itself", () => {
    const path = newFile();
    const database = open(path);
    database.exec("CREATE TABLE mine (name TEXT); INSERT INTO mine VALUES ('kept')");
    database.close();
    const copy = newFile();
    copyFileSync(path, copy);
    const copied = open(copy);
    expect(copied.rows("SELECT name FROM mine")).toEqual([{ name: "kept" }]);
    copied.close();
  });

  test("an SQLite that could lose commits takes the file for itself", () => {
    const path = newFile();
    const old = withVersion(driver, "3.45.1");
    const first = open(path, old);
    expect(() => open(path, old)).toThrow(
      expect.objectContaining({
        code: "STEPWELL_SQLITE_UNSAFE",
        message: expect.stringContaining("3.45.1") as string,
      }),
    );
    expect(() => open(path)).toThrow(
      expect.objectContaining({ code: "STEPWELL_STORE_BUSY", message: expect.stringContaining("3.51.3") as string }),
    );
    first.close();
    // The package lets go of the file only when its statements have been collected as garbage.
    if (driver.name === "node:sqlite") open(path, old).close();
  });

  test("an SQLite that could lose commits does not get in where another one works", () => {
    const path = newFile();
    const first = open(path);
    expect(() => open(path, withVersion(driver, "3.50.4"))).toThrow(
      expect.objectContaining({ code: "STEPWELL_SQLITE_UNSAFE" }),
    );
    first.transaction(() => first.rows("SELECT 1"));
    first.close();
  });
});

test.each([
  ["3.7.0", false],
  ["3.45.1", false],
  ["3.50.6", false],
  ["3.50.7", true],
  ["3.50.12", true],
  ["3.51.0", false],
  ["3.51.2", false],
  ["3.51.3", true],
  ["3.52.0", true],
  ["3.53.4", true],
  ["4.0.0", true],
  ["2.8.17", false],
])("SQLite %s may share a file: %s", (version, shares) => {
  expect(sharesSafely(version)).toBe(shares);
});

test("without any SQLite the error names the command that installs it", () => {
  expect(() => findDriver([])).toThrow(
    expect.objectContaining({
      code: "STEPWELL_SQLITE_MISSING",
      message: expect.stringContaining("npm install @photostructure/sqlite@1.2.1") as string,
    }),
  );
});

test("Node's own SQLite goes first", () => {
  const own = process.getBuiltinModule?.("node:sqlite" as "node:fs") !== undefined;
  expect(findDriver().name).toBe(own ? "node:sqlite" : "@photostructure/sqlite");
});

const otherPlaces = [
  "mysql://me:canary@db.example/shop",
  "postgres://me:canary@db.example/shop",
  "postgres:me:canary@db.example/shop",
  "me:canary@db.example/shop",
  "host=db.example user=me password=canary dbname=shop",
];

test.each(otherPlaces)("the address of another database is no path, and is not printed: %s", (place) => {
  expect(() => sqliteStore(place)).toThrow(
    expect.objectContaining({
      code: "STEPWELL_INVALID_ARGUMENT",
      message: expect.stringMatching(/^(?!.*(canary|db\.example)).*postgresStore/) as string,
    }),
  );
});

test.each(["orders.db", "C:\\data\\orders@home.db", "/var/data/me@home/orders.db", "file:orders.db"])(
  "%s is a path",
  (place) => {
    expect(() => sqliteStore(place)).not.toThrow();
  },
);

test("what sqliteStore is given is checked at once", () => {
  const invalid = expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" });
  for (const path of ["", undefined, 7, "a\0b"]) expect(() => sqliteStore(path as string)).toThrow(invalid);
  expect(() => sqliteStore("a.db", { durability: "some" as "full" })).toThrow(invalid);
  expect(() => sqliteStore("a.db", { durabilty: "full" } as object)).toThrow(
    expect.objectContaining({
      code: "STEPWELL_UNKNOWN_OPTION",
      message: expect.stringContaining("durability") as string,
    }),
  );
});
