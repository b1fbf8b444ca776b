/** A batch is written in steps, each one statement. */
import type { Statement } from "./database.js";
import type { Told } from "./shared.js";

/** Where a statement is run: in a transaction, or as one of its own. */
export interface Session {
  rows<Row>(statement: Statement, values: unknown[]): Promise<Row[]>;
}

export interface Step {
  /** The store's time of it. */
  readonly at: number;
  readonly hints: readonly Told[];
  run(session: Session): Promise<void>;
  /** Asks why something was refused, where that is not known yet. To be called after `run`. */
  explain(session: Session): Promise<void>;
}

/** Positions of rows, in groups in which no key is there twice: the first rows of all keys, then the second ones, and so on. */
export function inWaves<Row>(rows: readonly Row[], keyOf: (row: Row) => string): number[][] {
  if (rows.length === 0) return [];
  const seen = new Map<string, number>();
  const waves: number[][] = [];
  for (const [index, row] of rows.entries()) {
    const key = keyOf(row);
    const wave = seen.get(key) ?? 0;
    seen.set(key, wave + 1);
    (waves[wave] ??= []).push(index);
  }
  return waves;
}

/** Positions, by the ids of their rows. */
export function sorted(rows: readonly number[], idOf: (row: number) => string): number[] {
  return rows.toSorted((one, other) => (idOf(one) < idOf(other) ? -1 : 1));
}
