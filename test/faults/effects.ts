/**
 * The other side: participants that remember what was asked of them, in a database of their own. They honour
 * idempotency keys, and what was cancelled under a key is never done under it later: a request that was held up, by
 * a paused process for one, changes nothing any more.
 */
import { drivers, type Connection } from "../../src/stores/sqlite/driver.js";

export interface Effect {
  readonly key: string;
  readonly execution: string;
  readonly step: string;
  readonly cancelled: number;
}

export class Effects {
  readonly path: string;
  readonly #connection: Connection;

  constructor(path: string) {
    this.path = path;
    this.#connection = [...drivers()][0]!.connect(path);
    this.#connection.exec(`PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS effects (key TEXT PRIMARY KEY, execution TEXT NOT NULL, step TEXT NOT NULL, cancelled INTEGER NOT NULL);
      CREATE INDEX IF NOT EXISTS of_step ON effects (execution, step);
      CREATE TABLE IF NOT EXISTS tries (name TEXT PRIMARY KEY, count INTEGER NOT NULL)`);
  }

  /** Does it, once for a key, unless it was cancelled before, or the step's `run`, whose key is the beginning of those of its handlers. */
  do(key: string, execution: string, step: string): void {
    this.#connection
      .prepare(
        "INSERT INTO effects (key, execution, step, cancelled) VALUES (?1, ?2, ?3, " +
          "EXISTS (SELECT 1 FROM effects WHERE execution = ?2 AND step = ?3 AND cancelled = 1)) ON CONFLICT (key) DO NOTHING",
      )
      .run(key, execution, step);
  }

  /** Cancels all that was asked under this key or with it as a beginning, whether it came or not. */
  cancel(key: string, execution: string, step: string): void {
    this.#connection
      .prepare(
        "INSERT INTO effects (key, execution, step, cancelled) VALUES (?1, ?2, ?3, 1) ON CONFLICT (key) DO UPDATE SET cancelled = 1",
      )
      .run(key, execution, step);
    this.#connection.prepare("UPDATE effects SET cancelled = 1 WHERE execution = ? AND step = ?").run(execution, step);
  }

  /** How often this was tried before, over all processes. */
  tries(name: string): number {
    const row = this.#connection
      .prepare(
        "INSERT INTO tries (name, count) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET count = count + 1 RETURNING count",
      )
      .get(name) as { readonly count: number };
    return row.count - 1;
  }

  all(): Effect[] {
    return this.#connection.prepare("SELECT key, execution, step, cancelled FROM effects").all() as Effect[];
  }

  close(): void {
    this.#connection.close();
  }
}
