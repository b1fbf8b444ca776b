/**
 * A participant's ledger: one SQLite file, rows that are only ever added, and a memory of every
 * request by its idempotency key.
 */
import { DatabaseSync } from "@photostructure/sqlite";

/** An HTTP answer, as it is remembered. */
export interface Answer {
  readonly status: 200 | 202 | 409 | 410 | 422;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What names the thing to undo: the id that a participant gave, or the key that it was requested with. */
export interface Named {
  readonly id?: number | undefined;
  readonly requestedWith?: string | undefined;
}

type Value = string | number | null;

export interface Ledger {
  /** Executes one statement and gives the id of the row that it added. */
  add(sql: string, ...values: Value[]): number;
  rows<Row>(sql: string, ...values: Value[]): Row[];
  /** All of it is written, or nothing. */
  atomically<Result>(work: () => Result): Result;
  /**
   * Does the work of a request once. The same key with the same request gets the first answer
   * again, with another request a 409, after an undo that was faster than the request a 410.
   */
  once(key: string, request: string, work: () => Answer): Answer;
  /**
   * The row of a table (with the columns `id` and `key`) that is to be undone. Where its request has
   * not arrived, this leaves a tombstone: the request is refused if it still does.
   */
  findToUndo<Row>(table: string, named: Named): Row | undefined;
  close(): void;
}

const requests = `
  CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY,
    request TEXT, -- null: a tombstone
    status INTEGER NOT NULL,
    body TEXT NOT NULL
  )`;

/** Opens the file, or makes it. `appendOnly` are the tables in which rows can be neither changed nor removed. */
export function openLedger(file: string, schema: string, appendOnly: readonly string[] = []): Ledger {
  const database = new DatabaseSync(file);
  // The other processes may die at any time, the machine is trusted: no need to wait for the disk.
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  // Who looks into the books keeps the file for a moment when it leaves.
  database.exec("PRAGMA busy_timeout = 5000");
  database.exec(`${requests}; ${schema}`);
  for (const table of appendOnly) {
    for (const act of ["UPDATE", "DELETE"]) {
      database.exec(
        `CREATE TRIGGER IF NOT EXISTS ${table}_no_${act} BEFORE ${act} ON ${table}
         BEGIN SELECT RAISE(ABORT, 'rows of ${table} are only added'); END`,
      );
    }
  }
  const statements = new Map<string, ReturnType<typeof database.prepare>>();
  const prepare = (sql: string) => {
    const known = statements.get(sql) ?? database.prepare(sql);
    statements.set(sql, known);
    return known;
  };

  const ledger: Ledger = {
    add: (sql, ...values) => Number(prepare(sql).run(...values).lastInsertRowid),
    rows: <Row>(sql: string, ...values: Value[]) => prepare(sql).all(...values) as Row[],
    atomically(work) {
      database.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        database.exec("COMMIT");
        return result;
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      }
    },
    once: (key, request, work) =>
      ledger.atomically(() => {
        const [before] = ledger.rows<{ request: string | null; status: Answer["status"]; body: string }>(
          "SELECT request, status, body FROM requests WHERE key = ?",
          key,
        );
        if (before !== undefined && before.request !== null && before.request !== request) {
          return { status: 409, body: { refused: "key-used-for-another-request" } };
        }
        if (before !== undefined) return { status: before.status, body: JSON.parse(before.body) };
        const answer = work();
        ledger.add(
          "INSERT INTO requests VALUES (?, ?, ?, ?)",
          key,
          request,
          answer.status,
          JSON.stringify(answer.body),
        );
        return answer;
      }),
    findToUndo<Row>(table: string, { id, requestedWith }: Named) {
      const where = "id = ? OR key = ?";
      const [row] = ledger.rows<Row>(`SELECT * FROM ${table} WHERE ${where}`, id ?? null, requestedWith ?? null);
      if (row === undefined && requestedWith !== undefined) {
        const body = JSON.stringify({ refused: "undone-before-it-arrived" });
        ledger.add("INSERT OR IGNORE INTO requests VALUES (?, NULL, 410, ?)", requestedWith, body);
      }
      return row;
    },
    close: () => database.close(),
  };
  return ledger;
}

/** Reads another process's ledger, as an auditor does. */
export function readLedger(file: string): { rows: Ledger["rows"]; close(): void } {
  const database = new DatabaseSync(file, { readOnly: true });
  return {
    rows: <Row>(sql: string, ...values: Value[]) => database.prepare(sql).all(...values) as Row[],
    close: () => database.close(),
  };
}
