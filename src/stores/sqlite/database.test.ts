import { describe, expect, test } from "vitest";
import { drivers } from "./driver.js";
import { storeError } from "./failure.js";
import { openDatabase } from "./open.js";

describe.each([...drivers()])("a database, through $name", (driver) => {
  test("that is full undoes the transaction, and takes the next one when there is room again", () => {
    const database = openDatabase(":memory:", "full", driver, 0);
    const insert = (size: number): unknown =>
      database.transaction(() => {
        const { changes } = database
          .statement("INSERT INTO stepwell_launchers (host, pid, beat_at, format) VALUES (?, 1, 0, 1)")
          .run("x".repeat(size));
        return Number(changes);
      });
    const [{ page_count: pages }] = database.rows<{ page_count: number }>("PRAGMA page_count") as [
      { page_count: number },
    ];
    database.exec(`PRAGMA max_page_count = ${pages + 2}`);
    expect(() => {
      for (let i = 0; i < 10; i++) insert(4_000);
    }).toThrow(expect.objectContaining({ code: "STEPWELL_STORE_FAILED", retryable: true }));
    const before = database.rows("SELECT owner FROM stepwell_launchers").length;
    expect(() => insert(100_000)).toThrow(/full/);
    expect(database.rows("SELECT owner FROM stepwell_launchers")).toHaveLength(before);
    database.exec("PRAGMA max_page_count = 100000");
    expect(insert(100_000)).toBe(1);
    database.close();
  });

  test("undoes what an error of the caller breaks off, and passes the error on", () => {
    const database = openDatabase(":memory:", "full", driver, 0);
    const mistake = new TypeError("mistake");
    expect(() =>
      database.transaction(() => {
        database
          .statement("INSERT INTO stepwell_launchers (host, pid, beat_at, format) VALUES ('here', 1, 0, 1)")
          .run();
        throw mistake;
      }),
    ).toThrow(expect.objectContaining({ code: "STEPWELL_STORE_FAILED", cause: mistake }));
    expect(database.rows("SELECT owner FROM stepwell_launchers")).toEqual([]);
    database.close();
  });
});

test.each([
  { name: "SQLITE_BUSY", errcode: 5, code: "STEPWELL_STORE_BUSY", retryable: true },
  { name: "SQLITE_BUSY_SNAPSHOT", errcode: 517, code: "STEPWELL_STORE_BUSY", retryable: true },
  { name: "SQLITE_LOCKED", errcode: 6, code: "STEPWELL_STORE_BUSY", retryable: true },
  { name: "SQLITE_IOERR_WRITE", errcode: 778, code: "STEPWELL_STORE_FAILED", retryable: true },
  { name: "SQLITE_FULL", errcode: 13, code: "STEPWELL_STORE_FAILED", retryable: true },
  { name: "SQLITE_READONLY_DBMOVED", errcode: 1032, code: "STEPWELL_STORE_FAILED", retryable: true },
  { name: "SQLITE_CORRUPT", errcode: 11, code: "STEPWELL_STORE_FAILED", retryable: false },
  { name: "SQLITE_TOOBIG", errcode: 18, code: "STEPWELL_STORE_FAILED", retryable: false },
  { name: "SQLITE_CONSTRAINT_NOTNULL", errcode: 1299, code: "STEPWELL_STORE_FAILED", retryable: false },
])("$name is $code; may be tried again: $retryable", ({ name, errcode, code, retryable }) => {
  const cause = Object.assign(new Error(name), { errcode });
  expect(storeError(cause, "orders.db")).toMatchObject({
    code,
    retryable,
    cause,
    message: expect.stringContaining(`"orders.db"`) as string,
  });
});
