/** Pages of executions in memory. */
import { cursorOf, placeOf, type ListPlace } from "../cursor.js";
import type { ListConditions, ListFilter, ListPage } from "../store.js";
import { recordOf, type Row } from "./rows.js";

export function listPage(rows: Iterable<Row>, { limit, after, ...conditions }: ListFilter): ListPage {
  const place = after === undefined ? undefined : placeOf(after);
  const found = [...rows]
    .filter((row) => fits(row, conditions) && (place === undefined || isNewer(place, row)))
    .toSorted((one, other) => (isNewer(one, other) ? -1 : 1));
  const page = found.slice(0, limit);
  return { records: page.map(recordOf), cursor: found.length > limit ? cursorOf(page.at(-1)!) : null };
}

export function countOf(rows: Iterable<Row>, conditions: ListConditions): number {
  let found = 0;
  for (const row of rows) if (fits(row, conditions)) found++;
  return found;
}

function fits(row: Row, { workflow, status, tags, createdFrom, createdBefore }: ListConditions): boolean {
  return (
    (workflow === undefined || row.workflow === workflow) &&
    (status === undefined || status.includes(row.status)) &&
    (tags === undefined || tags.every((tag) => row.tags.includes(tag))) &&
    (createdFrom === undefined || row.createdAt >= createdFrom) &&
    (createdBefore === undefined || row.createdAt < createdBefore)
  );
}

function isNewer(one: ListPlace, other: ListPlace): boolean {
  return one.createdAt === other.createdAt ? one.sequence > other.sequence : one.createdAt > other.createdAt;
}
