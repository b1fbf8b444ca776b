/** Messages that no step took. */
import { letterPlaceOf } from "../cursor.js";
import { letterColumns, letterOf, type LetterRow } from "../sql/rows.js";
import type { LetterConditions, LetterFilter, LetterPage } from "../store.js";
import type { Database } from "./database.js";

export async function deadLetters(
  database: Database,
  { limit, after, ...conditions }: LetterFilter,
): Promise<LetterPage> {
  const { text, values } = chosen(conditions, after);
  const rows = await database.unprepared<LetterRow>(
    `SELECT ${letterColumns} FROM ${text} ORDER BY letter.sequence DESC LIMIT $${values.push(limit + 1)}::integer`,
    values,
  );
  const page = rows.slice(0, limit);
  return { records: page.map(letterOf), cursor: rows.length > limit ? String(page.at(-1)!.sequence) : null };
}

export async function countDeadLetters(database: Database, conditions: LetterConditions): Promise<number> {
  const { text, values } = chosen(conditions);
  // As a number with a point: the driver gives whole ones of this size as texts.
  const [row] = await database.unprepared<{ readonly found: number }>(
    `SELECT count(*)::float8 AS found FROM ${text}`,
    values,
  );
  return row!.found;
}

function chosen(
  { workflow, execution, name }: LetterConditions,
  after?: string,
): { readonly text: string; readonly values: unknown[] } {
  // Word for word as in the partial index: a bound value would not be recognised.
  const conditions = ["letter.status = 'dead'", "letter.kind = 'message'"];
  const values: unknown[] = [];
  const bound = (value: unknown): string => `$${values.push(value)}`;
  if (execution !== undefined) conditions.push(`e.id = ${bound(execution)}::text`);
  if (workflow !== undefined) conditions.push(`e.workflow = ${bound(workflow)}::text`);
  if (name !== undefined) conditions.push(`letter.name = ${bound(name)}::text`);
  if (after !== undefined) conditions.push(`letter.sequence < ${bound(letterPlaceOf(after))}::bigint`);
  return {
    text:
      "stepwell_mailbox AS letter JOIN stepwell_executions AS e ON e.sequence = letter.execution " +
      `WHERE ${conditions.join(" AND ")}`,
    values,
  };
}
