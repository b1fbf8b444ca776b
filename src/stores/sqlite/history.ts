/**
 * The history of an execution is a chain: its row names the latest entry, and each entry the one before. An index would be
 * written with every transition, and for a long execution that is a page of its own.
 */
import type { ErrorRow, HistoryRow } from "../sql/rows.js";
import type { HistoryRange } from "../contract.js";
import type { HistoryRecord } from "../../execution/records.js";
import { reachable } from "../sql/pruning.js";
import { historyOf } from "../sql/rows.js";
import type { Database } from "./database.js";
import type { Value } from "./driver.js";

/** The numbers of an execution's entries, by a number that its row names. */
const chainFrom = (latest: string): string => `
WITH RECURSIVE chain (sequence, previous) AS (
  SELECT sequence, previous FROM stepwell_history WHERE sequence = (${latest})
  UNION ALL
  SELECT h.sequence, h.previous FROM chain CROSS JOIN stepwell_history AS h ON h.sequence = chain.previous
)`;

/** From a landmark, or the latest one, back to the first one that is wanted: of what comes after these, only where it stands. */
const select = `
WITH RECURSIVE chain (sequence, previous, revision) AS (
  SELECT sequence, previous, revision FROM stepwell_history
  WHERE sequence = coalesce(
    (
      SELECT m.sequence FROM stepwell_history AS m WHERE m.sequence = ?4 AND m.revision = ?3
      AND m.execution = (SELECT sequence FROM stepwell_executions WHERE id = ?1 AND ${reachable()})
    ),
    (SELECT latest FROM stepwell_executions WHERE id = ?1 AND ${reachable()})
  ) AND revision > ?2
  UNION ALL
  SELECT h.sequence, h.previous, h.revision FROM chain CROSS JOIN stepwell_history AS h ON h.sequence = chain.previous
  WHERE h.revision > ?2
)
SELECT h.revision, h.at, h.entry, h.patch, h.previous FROM chain CROSS JOIN stepwell_history AS h ON h.sequence = chain.sequence
WHERE chain.revision <= ?3`;

interface ChainedRow extends HistoryRow {
  readonly previous: number | null;
}

export function readHistory(
  database: Database,
  id: string,
  { after, limit }: HistoryRange = { after: 0, limit: Number.MAX_SAFE_INTEGER },
): HistoryRecord[] {
  const { landmarks } = database;
  const last = after + limit;
  const from = landmarks.get(id, last) ?? null;
  const rows = database.read(() => database.statement(select).all(id, after, last, from)) as ChainedRow[];
  const previous = rows.at(-1)?.previous ?? null;
  if (previous !== null) landmarks.set(id, after, previous);
  return rows.toReversed().map((row) => historyOf(row, id));
}

const remove =
  "DELETE FROM stepwell_history WHERE sequence IN (" +
  `${chainFrom("SELECT latest FROM stepwell_executions WHERE sequence = ?")} SELECT sequence FROM chain)`;

/** Within a transaction, before the execution itself. */
export function removeHistory(database: Database, execution: number): void {
  database.statement(remove).run(execution);
}

/** Found by an index of their own: few entries hold an error. */
const selectError =
  "SELECT execution, revision, entry FROM stepwell_history WHERE execution = ? AND revision = ? AND failed IS NOT NULL";

export function errorEntry(database: Database, execution: number, revision: number): ErrorRow | undefined {
  return database.statement(selectError).get(execution, revision) as ErrorRow | undefined;
}

export interface NewEntry {
  readonly execution: number;
  readonly revision: number;
  readonly entry: string;
  readonly patch: string | null;
  /** The number of the entry before. Null: it is the first one. */
  readonly previous: number | null;
  readonly failed: boolean;
}

/** So many entries are written by one statement: one each takes a quarter longer. */
const together = 16;

const insert = (entries: number): string =>
  "INSERT INTO stepwell_history (sequence, execution, revision, at, entry, patch, previous, failed) VALUES " +
  Array.from({ length: entries }, () => "(?, ?, ?, ?, ?, ?, ?, ?)").join(", ");

const insertOne = insert(1);
const insertTogether = insert(together);

/** The entries of one transaction, which are numbered as they come and written together. */
export class Entries {
  readonly #database: Database;
  readonly #at: number;
  #next: number | undefined;
  #waiting: Value[][] = [];

  constructor(database: Database, at: number) {
    this.#database = database;
    this.#at = at;
  }

  /** The number that the next one gets. */
  get next(): number {
    if (this.#next !== undefined) return this.#next;
    const { latest } = this.#database.statement("SELECT max(sequence) AS latest FROM stepwell_history").get() as {
      readonly latest: number | null;
    };
    return (this.#next = (latest ?? 0) + 1);
  }

  add({ execution, revision, entry, patch, previous, failed }: NewEntry): void {
    this.#waiting.push([this.next, execution, revision, this.#at, entry, patch, previous, failed ? 1 : null]);
    this.#next = this.next + 1;
    if (this.#waiting.length === together) this.#write(insertTogether);
  }

  /** To be called before the transaction is committed. */
  finish(): void {
    const rows = this.#waiting;
    this.#waiting = [];
    for (const row of rows) this.#database.statement(insertOne).run(...row);
  }

  #write(text: string): void {
    this.#database.statement(text).run(...this.#waiting.flat());
    this.#waiting = [];
  }
}
