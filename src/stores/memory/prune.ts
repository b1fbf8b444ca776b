/** Forgets executions that have been at rest for long enough. */
import type { Status } from "../../flow/flow.js";
import { cursorOf, firstPlace, placeOf } from "../cursor.js";
import type { Pruned, PruneOptions } from "../store.js";
import type { Row } from "./rows.js";

/** @param rows in the order in which they were created; `remove` may take the one out that it is given */
export function prune(
  rows: Iterable<Row>,
  { olderThanMs, limit, after, dry }: PruneOptions,
  at: number,
  remove: (row: Row) => void,
): Pruned {
  // That order is the order of their numbers, even where the clock was set back.
  const { sequence } = after === null ? firstPlace : placeOf(after);
  const youngest = at - Math.min(...Object.values(olderThanMs));
  const counts: Partial<Record<Status, number>> = {};
  let looked = 0;
  let last: Row | undefined;
  for (const row of rows) {
    if (row.sequence <= sequence || row.createdAt > youngest) continue;
    if (looked === limit) return { counts, cursor: cursorOf(last!) };
    looked++;
    last = row;
    const age = olderThanMs[row.status];
    const isBusy = row.owner !== null || row.dueAt !== null;
    if (age === undefined || isBusy || row.updatedAt > at - age) continue;
    counts[row.status] = (counts[row.status] ?? 0) + 1;
    if (!dry) remove(row);
  }
  return { counts, cursor: null };
}
