/** Forgets executions that have been at rest for long enough. */
import type { Status } from "../../definition/flow.js";
import { cursorOf, firstPlace, placeOf } from "../cursor.js";
import type { Pruned, PruneOptions } from "../contract.js";
import { placeIn, type Row } from "./rows.js";

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
    const { record } = row;
    if (row.sequence <= sequence || record.createdAt > youngest) continue;
    if (looked === limit) return { counts, cursor: cursorOf(placeIn(last!)) };
    looked++;
    last = row;
    const age = olderThanMs[record.status];
    const isBusy = record.owner !== null || record.dueAt !== null;
    if (age === undefined || isBusy || record.updatedAt > at - age) continue;
    counts[record.status] = (counts[record.status] ?? 0) + 1;
    if (!dry) remove(row);
  }
  return { counts, cursor: null };
}
