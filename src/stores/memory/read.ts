/** Pages of executions in memory. */
import { cursorOf, placeOf, type ListPlace } from "../cursor.js";
import type { ExecutionRecord } from "../../execution/records.js";
import type { ListConditions, ListFilter, ListPage } from "../contract.js";
import { placeIn, recordOf, type Row } from "./rows.js";

export function listPage(rows: Iterable<Row>, { limit, after, ...conditions }: ListFilter): ListPage {
  const place = after === undefined ? undefined : placeOf(after);
  const found = [...rows]
    .filter((row) => fits(row.record, conditions) && (place === undefined || isBehind(place, row)))
    .toSorted(newestFirst);
  const page = found.slice(0, limit);
  return { records: page.map(recordOf), cursor: found.length > limit ? cursorOf(placeIn(page.at(-1)!)) : null };
}

export function countOf(rows: Iterable<Row>, conditions: ListConditions): number {
  let found = 0;
  for (const { record } of rows) if (fits(record, conditions)) found++;
  return found;
}

function fits(
  record: ExecutionRecord,
  { workflow, status, tags, createdFrom, createdBefore }: ListConditions,
): boolean {
  return (
    (workflow === undefined || record.workflow === workflow) &&
    (status === undefined || status.includes(record.status)) &&
    (tags === undefined || tags.every((tag) => record.tags.includes(tag))) &&
    (createdFrom === undefined || record.createdAt >= createdFrom) &&
    (createdBefore === undefined || record.createdAt < createdBefore)
  );
}

function newestFirst(one: Row, other: Row): number {
  return other.record.createdAt - one.record.createdAt || other.sequence - one.sequence;
}

function isBehind({ createdAt, sequence }: ListPlace, row: Row): boolean {
  return row.record.createdAt < createdAt || (row.record.createdAt === createdAt && row.sequence < sequence);
}
