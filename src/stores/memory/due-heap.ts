/** What a heap needs of its rows: when, which first at the same time, and where in the heap it stands. */
export interface Due {
  readonly record: { readonly dueAt: number | null };
  /** Lower goes first among those due at the same time. */
  readonly sequence: number;
  /** Kept by the heap; -1: not in it. */
  place: number;
}

/**
 * Rows by the time they are due, for a store in memory: a binary heap whose rows know their place, so
 * that one that is no longer due goes at once, and a million parked rows are never scanned.
 */
export class DueHeap<Row extends Due> {
  readonly #rows: Row[] = [];

  /** The one that is due first. */
  get first(): Row | undefined {
    return this.#rows[0];
  }

  add(row: Row): void {
    row.place = this.#rows.push(row) - 1;
    this.#rise(row);
  }

  remove(row: Row): void {
    const last = this.#rows.pop()!;
    if (last !== row) {
      last.place = row.place;
      this.#rows[last.place] = last;
      this.#rise(last);
      this.#sink(last);
    }
    row.place = -1;
  }

  #rise(row: Row): void {
    while (row.place > 0) {
      const parent = this.#rows[(row.place - 1) >> 1]!;
      if (!isBefore(row, parent)) return;
      this.#swap(row, parent);
    }
  }

  #sink(row: Row): void {
    for (;;) {
      const left = this.#rows[2 * row.place + 1];
      if (left === undefined) return;
      const right = this.#rows[2 * row.place + 2];
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, row)) return;
      this.#swap(row, child);
    }
  }

  #swap(one: Row, other: Row): void {
    const place = one.place;
    one.place = other.place;
    other.place = place;
    this.#rows[one.place] = one;
    this.#rows[other.place] = other;
  }
}

function isBefore(one: Due, other: Due): boolean {
  return (
    one.record.dueAt! < other.record.dueAt! ||
    (one.record.dueAt === other.record.dueAt && one.sequence < other.sequence)
  );
}
