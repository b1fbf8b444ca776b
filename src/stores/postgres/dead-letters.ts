/** Messages that no step took. */
import { letterPlaceOf } from "../cursor.js";
import { letterColumns, letterOf, type LetterRow } from "../sql/rows.js";
import type { LetterConditions, LetterCount, LetterFilter, LetterPage } from "../contract.js";
import type { Database, Statement } from "./database.js";

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

/** Who has a letter is found by the unique id; one that an older process gave up, by walking along all executions. */
const letters =
  "stepwell_mailbox AS letter JOIN stepwell_executions AS e ON e.id = " +
  "coalesce(letter.addressee, (SELECT x.id FROM stepwell_executions AS x WHERE x.sequence = letter.execution))";

/** Word for word as in the partial index: a bound value would not be recognised. */
const dead = "letter.status = 'dead' AND letter.kind = 'message'";

/** Reads all dead letters, and for each its execution. */
const countLetters: Statement = {
  name: "count_letters",
  text: `SELECT e.workflow, count(*)::float8 AS count FROM ${letters} WHERE ${dead} GROUP BY e.workflow`,
};

export async function countDeadLettersByWorkflow(database: Database): Promise<LetterCount[]> {
  return database.rows<LetterCount>(countLetters);
}

function chosen(
  { workflow, execution, name }: LetterConditions,
  after?: string,
): { readonly text: string; readonly values: unknown[] } {
  // Of one execution they are found by its key, not by walking along all that are dead.
  const conditions = [execution === undefined ? dead : "letter.status || ' ' || letter.kind = 'dead message'"];
  const values: unknown[] = [];
  const bound = (value: unknown): string => `$${values.push(value)}`;
  if (execution !== undefined) {
    conditions.push(
      `letter.execution = (SELECT sequence FROM stepwell_executions WHERE id = ${bound(execution)}::text)`,
    );
  }
  if (workflow !== undefined) conditions.push(`e.workflow = ${bound(workflow)}::text`);
  if (name !== undefined) conditions.push(`letter.name = ${bound(name)}::text`);
  if (after !== undefined) conditions.push(`letter.sequence < ${bound(letterPlaceOf(after))}::bigint`);
  return { text: `${letters} WHERE ${conditions.join(" AND ")}`, values };
}
