import { integerArray, textArray } from "./arrays.js";
import type { Statement } from "./database.js";
import type { Session } from "./step.js";

/** Which of the given are still their owner's, and which were committed by it as they are. */
const reasonQuery: Statement = {
  name: "reason",
  text: `
SELECT g.n, e.owner = g.owner AND e.revision = coalesce(g.revision - 1, e.revision) AS owned,
  (SELECT h.owner FROM stepwell_history AS h WHERE h.execution = e.sequence AND h.revision = g.revision) = g.owner AS written
FROM unnest($1::text[], $2::integer[], $3::integer[]) WITH ORDINALITY AS g (id, owner, revision, n)
JOIN stepwell_executions AS e ON e.id = g.id`,
};

interface ReasonRow {
  readonly n: number;
  readonly owned: boolean | null;
  readonly written: boolean | null;
}

/** What a statement says of the rows that it was given. Null or left out: all were taken. */
export interface TakenRow {
  readonly at: number;
  readonly taken?: readonly number[] | null;
}

/** Whether the row at a place was taken. @param row undefined: the statement had one row to write, and did not take it */
export function takenIn(row: TakenRow | undefined): (place: number) => boolean {
  if (row === undefined) return () => false;
  const { taken } = row;
  if (taken === undefined || taken === null) return () => true;
  const places = new Set(taken);
  return (place) => places.has(place + 1);
}

/** For each of the refused, by its place. */
export async function reasons(
  session: Session,
  refused: readonly { readonly id: string; readonly owner: number; readonly revision: number | null }[],
): Promise<(ReasonRow | undefined)[]> {
  const rows = await session.rows<ReasonRow>(reasonQuery, [
    textArray(refused.map(({ id }) => id)),
    integerArray(refused.map(({ owner }) => owner)),
    integerArray(refused.map(({ revision }) => revision)),
  ]);
  const found = new Map(rows.map((row) => [row.n, row]));
  return refused.map((_, index) => found.get(index + 1));
}
