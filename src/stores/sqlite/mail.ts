/** What was sent, as it is read, and what becomes of a message that no step took. */
import { otherKinds } from "../../execution/records.js";
import { reachable } from "../sql/pruning.js";
import { letterCounts, letterPage, type CountRow, type LetterRow } from "../sql/letters.js";
import { mailColumns, mailOf, type MailRow } from "../sql/mail-rows.js";
import type { Arrival } from "../batch.js";
import type {
  DeadMailConditions,
  DeadMailFilter,
  DeadMailPage,
  MailCounts,
  MailFilter,
  MailRecord,
  Store,
} from "../contract.js";
import type { Database } from "./database.js";
import type { Value } from "./driver.js";
import type { SqliteFile } from "./shared.js";

export function mail(file: SqliteFile): Pick<Store, "mail" | "deadMail" | "countDeadMail" | "countPending"> {
  return {
    mail: (filter) => file.patiently((database) => readMail(database, filter)),
    deadMail: (filter) => file.patiently((database) => deadMail(database, filter)),
    countDeadMail: (conditions, lookAt) => file.patiently((database) => countDeadMail(database, conditions, lookAt)),
    countPending: (execution, upTo) =>
      file.patiently((database) => {
        const [row] = database.rows<{ readonly found: number }>(countOfPending, execution, upTo + 1);
        return row!.found;
      }),
  };
}

export function readMail(database: Database, filter: MailFilter): MailRecord[] {
  return database.read(() =>
    filter.executions.flatMap((id) => {
      const rows = rowsOf(database, id, filter);
      return rows.toSorted((one, other) => one.sequence - other.sequence).map(mailOf);
    }),
  );
}

const selected =
  `SELECT ${mailColumns} FROM stepwell_executions AS e CROSS JOIN stepwell_mailbox AS m ON m.execution = e.sequence ` +
  `WHERE e.id = ? AND ${reachable("e")}`;
/** Word for word as in the partial index: a bound value would not be recognised. */
const pending = `${selected} AND m.status = 'pending'`;
const others = `${pending} AND m.kind IN (${otherKinds.map((kind) => `'${kind}'`).join(", ")})`;
const messages = `${pending} AND m.kind = 'message'`;

function rowsOf(database: Database, execution: string, filter: MailFilter): MailRow[] {
  const rows = (text: string, ...values: Value[]): MailRow[] =>
    database.statement(text).all(execution, ...values) as MailRow[];
  if ("last" in filter) return rows(`${selected} ORDER BY m.id DESC LIMIT ? + 0`, filter.last);
  if (!("status" in filter)) {
    if (filter.id !== undefined) return rows(`${selected} AND m.id = ?`, filter.id);
    return filter.messageId === undefined ? rows(selected) : rows(`${selected} AND m.message_id = ?`, filter.messageId);
  }
  const { name, limit = -1 } = filter;
  if (name !== undefined) return rows(`${messages} AND m.name = ? ORDER BY m.sequence LIMIT ? + 0`, name, limit);
  if (limit === -1) return rows(pending);
  return [...rows(others), ...rows(`${messages} ORDER BY m.name, m.sequence LIMIT ? + 0`, limit)];
}

const countOfPending =
  "SELECT count(*) AS found FROM (SELECT 1 FROM stepwell_mailbox " +
  `WHERE execution = (SELECT sequence FROM stepwell_executions WHERE id = ? AND ${reachable()}) ` +
  "AND status = 'pending' AND kind = 'message' LIMIT ? + 0)";

function deadMail(database: Database, { limit, lookAt, ...filter }: DeadMailFilter): DeadMailPage {
  const { text, values } = looked("m.sequence", filter, lookAt);
  const rows = database.rows<LetterRow>(
    `SELECT ${mailColumns}, l.fits, l.number FROM (SELECT * FROM (${text}) WHERE fits OR number = ? LIMIT ? + 0) AS l ` +
      "CROSS JOIN stepwell_mailbox AS m ON m.sequence = l.sequence CROSS JOIN stepwell_executions AS e ON e.sequence = m.execution",
    ...[...values, lookAt, limit + 1],
  );
  return letterPage(rows, limit, lookAt);
}

function countDeadMail(database: Database, conditions: DeadMailConditions, lookAt: number): MailCounts {
  const { text, values } = looked(`${workflowOf} AS workflow`, conditions, lookAt + 1);
  const rows = database.rows<CountRow>(
    "SELECT workflow, count(*) FILTER (WHERE fits AND number <= ?) AS count, max(number) AS looked " +
      `FROM (${text}) GROUP BY workflow`,
    ...[lookAt, ...values],
  );
  return letterCounts(rows, lookAt);
}

const workflowOf = "(SELECT workflow FROM stepwell_executions WHERE sequence = m.execution)";

/** So many dead messages, each with whether it fits. Left to itself SQLite would walk along the whole table, which has the same order. */
function looked(
  columns: string,
  { workflow, execution, name, before }: Omit<DeadMailFilter, "limit" | "lookAt">,
  most: number,
): { readonly text: string; readonly values: Value[] } {
  const fits = [`(SELECT ${reachable("e")} FROM stepwell_executions AS e WHERE e.sequence = m.execution)`];
  const values: Value[] = [];
  const bound = (conditions: string[], condition: string, value: Value | undefined): void => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  bound(fits, `${workflowOf} = ?`, workflow);
  bound(fits, "m.name = ?", name);
  // Word for word as in the partial index: a bound value would not be recognised.
  const where = ["m.status = 'dead'", "m.kind = 'message'"];
  bound(where, "m.execution = (SELECT sequence FROM stepwell_executions WHERE id = ?)", execution);
  bound(where, "m.sequence < ?", before);
  const index = execution === undefined ? "stepwell_mailbox_dead" : "stepwell_mailbox_dead_in";
  const found =
    `SELECT ${columns}, ${fits.join(" AND ")} AS fits FROM stepwell_mailbox AS m INDEXED BY ${index} ` +
    `WHERE ${where.join(" AND ")} ORDER BY m.sequence DESC LIMIT ? + 0`;
  return { text: `SELECT *, row_number() OVER () AS number FROM (${found})`, values: [...values, most] };
}

/** Within a transaction. False: it is no dead letter. */
export function takeOut(
  database: Database,
  { execution, arrival, note }: NonNullable<Arrival["resends"]>,
  at: number,
): boolean {
  const { changes } = database
    .statement(
      "UPDATE stepwell_mailbox SET status = 'resent' WHERE execution = (SELECT sequence FROM stepwell_executions " +
        `WHERE id = ? AND ${reachable()}) ` +
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
