/** Messages that no step took. */
import { letterPlaceOf } from "../cursor.js";
import { letterColumns, letterOf, type LetterRow } from "../sql/rows.js";
import type { Arrival } from "../batch.js";
import type { LetterConditions, LetterCount, LetterFilter, LetterPage } from "../contract.js";
import type { Database } from "./database.js";
import type { Value } from "./driver.js";

export function deadLetters(database: Database, { limit, after, ...conditions }: LetterFilter): LetterPage {
  const { text, values } = chosen(conditions, after);
  const rows = database.rows<LetterRow>(
    `SELECT ${letterColumns} FROM ${text} ORDER BY letter.sequence DESC LIMIT ?`,
    ...values,
    limit + 1,
  );
  const page = rows.slice(0, limit);
  return { records: page.map(letterOf), cursor: rows.length > limit ? String(page.at(-1)!.sequence) : null };
}

export function countDeadLetters(database: Database, conditions: LetterConditions): number {
  const { text, values } = chosen(conditions);
  const [row] = database.rows<{ readonly found: number }>(`SELECT count(*) AS found FROM ${text}`, ...values);
  return row!.found;
}

export function countDeadLettersByWorkflow(database: Database): LetterCount[] {
  const { text } = chosen({});
  return database.rows<LetterCount>(`SELECT e.workflow, count(*) AS count FROM ${text} GROUP BY e.workflow`);
}

/** Left to itself SQLite would walk along the whole table, which has the same order. */
function chosen(
  { workflow, execution, name }: LetterConditions,
  after?: string,
): { readonly text: string; readonly values: Value[] } {
  // Word for word as in the partial index: a bound value would not be recognised.
  const conditions = ["letter.status = 'dead'", "letter.kind = 'message'"];
  const values: Value[] = [];
  const where = (condition: string, value: Value): void => {
    conditions.push(condition);
    values.push(value);
  };
  if (execution !== undefined) {
    where("letter.execution = (SELECT sequence FROM stepwell_executions WHERE id = ?)", execution);
  }
  if (workflow !== undefined) where("e.workflow = ?", workflow);
  if (name !== undefined) where("letter.name = ?", name);
  if (after !== undefined) where("letter.sequence < ?", letterPlaceOf(after));
  const index = execution === undefined ? "stepwell_mailbox_dead" : "stepwell_mailbox_execution";
  return {
    text:
      `stepwell_mailbox AS letter INDEXED BY ${index} ` +
      `CROSS JOIN stepwell_executions AS e ON e.sequence = letter.execution WHERE ${conditions.join(" AND ")}`,
    values,
  };
}

/** Within a transaction. False: it is no dead letter. */
export function takeOut(
  database: Database,
  { execution, arrival, note }: NonNullable<Arrival["resends"]>,
  at: number,
): boolean {
  const { changes } = database
    .statement(
      "UPDATE stepwell_mailbox SET status = 'resent' WHERE execution = (SELECT sequence FROM stepwell_executions WHERE id = ?) " +
        "AND id = ? AND +status = 'dead' AND kind = 'message'",
    )
    .run(execution, arrival);
  if (Number(changes) === 0) return false;
  database
    .statement(
      "INSERT INTO stepwell_mailbox (execution, id, kind, name, payload, status, received_at) " +
        "SELECT sequence, ?, 'resend', 'resend', ?, 'consumed', ? FROM stepwell_executions WHERE id = ?",
    )
    .run(note.id, note.payload.text, at, execution);
  return true;
}
