/**
 * What the engine writes for one execution, as triggers on its own tables saw it: how many rows, and how wide. The raw limit
 * writes as many rows of the same width. Nothing here knows the engine's SQL, only the names of its tables.
 */
export interface Writes {
  /** In bytes: what is given once; what every update gives anew; and what stands in its place at first. */
  readonly kept: number;
  readonly changed: number;
  readonly first: number;
  /** Updates of the row of an execution. */
  readonly updates: number;
  /** Rows of its history. What the engine keeps besides, to know who has what in work, is no business of a limit. */
  readonly entries: number;
  /** In bytes, of each of these. */
  readonly entry: number;
}

/** What a trigger noted, summed. */
export interface Noted {
  readonly relation: string;
  readonly act: string;
  readonly rows: number;
  /** The texts and numbers of the row, and those of them that an update changed. */
  readonly bytes: number;
  readonly changed: number;
}

export const executionsTable = "stepwell_executions";

const historyTable = "stepwell_history";

export function writesOf(noted: readonly Noted[], executions: number): Writes {
  const of = (act: string, table: string): Noted => {
    const found = noted.find((it) => it.relation === table && it.act === act);
    if (found === undefined)
      throw new Error(`The engine has no ${act} of ${table}, so there is nothing to compare it with.`);
    return found;
  };
  const inserted = of("INSERT", executionsTable);
  const updated = of("UPDATE", executionsTable);
  const history = of("INSERT", historyTable);
  const changed = updated.changed / updated.rows;
  const kept = updated.bytes / updated.rows - changed;
  return {
    kept: Math.round(kept),
    changed: Math.round(changed),
    first: Math.round(inserted.bytes / inserted.rows - kept),
    updates: Math.round(updated.rows / executions),
    entries: Math.round(history.rows / executions),
    entry: Math.round(history.bytes / history.rows),
  };
}

/** A text of that width; each turn differs from the one before in every byte. */
export function filler(width: number, turn: number): string {
  return String.fromCharCode(97 + (turn % 26)).repeat(Math.max(0, width));
}

/** As long as the ids that the engine makes. */
export function idOf(place: number): string {
  return `0199f000-0000-7000-8000-${String(place).padStart(12, "0")}`;
}

/**
 * What the turns give anew: in the first one another width than later, and no two in a row of one width, since a store may write
 * over what has kept its size.
 */
export function changedIn(turn: number, { first, changed }: Writes): string {
  return filler(turn === 0 ? first : changed + (turn % 2 === 0 ? 3 : -3), turn);
}

/** What one turn writes: first the row, then in each turn an update of it, with entries as long as there are any. */
export interface Turn {
  readonly kind: "insert" | "update";
  readonly entry: boolean;
}

export function turnsOf({ updates, entries }: Writes): Turn[] {
  const turns: Turn[] = [{ kind: "insert", entry: entries > updates }];
  for (let turn = 1; turn <= updates; turn++) turns.push({ kind: "update", entry: turn <= entries });
  return turns;
}

/** For the report: what both sides wrote for each execution. */
export function described({ kept, first, changed, updates, entries, entry }: Writes): string {
  const inserts = `1 insert of ${kept} + ${first} B`;
  return updates === 0
    ? inserts
    : `${inserts}, ${updates} updates of ${kept} + ${changed} B, ${entries} entries of ${entry} B`;
}
