/** Forgets executions that have been at rest for long enough. */
import type { Status } from "../../flow/flow.js";
import { cursorOf, firstPlace, placeOf } from "../cursor.js";
import type { Pruned, PruneOptions } from "../store.js";
import { isNewer } from "./read.js";
import type { Row } from "./rows.js";

export function prune(
  all: Iterable<Row>,
  { olderThanMs, limit, after, dry }: PruneOptions,
  at: number,
  remove: (row: Row) => void,
): Pruned {
  const place = after === null ? firstPlace : placeOf(after);
  const youngest = at - Math.min(...Object.values(olderThanMs));
  const rows = [...all]
    .filter((row) => row.createdAt <= youngest && isNewer(row, place))
    .toSorted((one, other) => (isNewer(one, other) ? 1 : -1));
  const page = rows.slice(0, limit);
  const counts: Partial<Record<Status, number>> = {};
  for (const row of page) {
    const age = olderThanMs[row.status];
    const isBusy = row.owner !== null || row.dueAt !== null;
    if (age === undefined || isBusy || row.updatedAt > at - age) continue;
    counts[row.status] = (counts[row.status] ?? 0) + 1;
    if (!dry) remove(row);
  }
  return { counts, cursor: rows.length > limit ? cursorOf(page.at(-1)!) : null };
}
