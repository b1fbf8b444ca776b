/** What happened in a history, for those who read it: a row for each call and for what came from outside. */
export interface LogRow {
  /** Of which process, from 1. 0: from outside. */
  readonly process: number;
  readonly what: string;
  readonly outcome: string;
  /** It is not as usual. */
  readonly isFault: boolean;
  /** How many transitions were committed before. */
  readonly revision: number;
}

/** So many rows are shown at most. */
const mostRows = 12;

/** The rows around what is not as usual, and the end; of the others it is said how many there were. */
export function shortened(rows: readonly LogRow[]): readonly LogRow[] {
  if (rows.length <= mostRows) return rows;
  const weights = rows.map((_, index) => {
    const near = rows.findIndex((row, at) => row.isFault && Math.abs(at - index) <= 1);
    const fromEnd = rows.length - index;
    return rows[index]!.isFault ? 1000 - index : near >= 0 ? 500 - index : fromEnd < 4 ? 300 - fromEnd : -index;
  });
  const kept = new Set(
    weights
      .map((weight, index) => ({ weight, index }))
      .toSorted((a, b) => b.weight - a.weight)
      .slice(0, mostRows - 3)
      .map(({ index }) => index),
  );
  const shown: LogRow[] = [];
  let left = 0;
  const flush = (): void => {
    if (left > 0) shown.push({ process: 0, what: `… ${left} more`, outcome: "as usual", isFault: false, revision: 0 });
    left = 0;
  };
  for (const [index, row] of rows.entries()) {
    if (!kept.has(index)) {
      left++;
      continue;
    }
    flush();
    shown.push(row);
  }
  flush();
  return shown.length <= mostRows ? shown : merged(shown);
}

/** As many as fit, and the last one. */
function merged(rows: readonly LogRow[]): readonly LogRow[] {
  return [...rows.slice(0, mostRows - 1), rows.at(-1)!];
}
