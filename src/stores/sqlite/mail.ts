/** What was sent, as it is read, and what becomes of a message that no step took. */
import { requestKinds } from "../../execution/records.js";
import { isOfDead } from "../held.js";
import { reachable } from "../sql/pruning.js";
import { mailColumns, mailOf, type MailRow } from "../sql/rows.js";
import type { Arrival } from "../batch.js";
import type { DeadMailConditions, DeadMailFilter, MailCount, MailFilter, MailRecord, Store } from "../contract.js";
import type { Database } from "./database.js";
import type { Value } from "./driver.js";
import type { SqliteFile } from "./shared.js";

export function mail(file: SqliteFile): Pick<Store, "mail" | "countMail"> {
  return {
    mail: (filter) => file.patiently((database) => readMail(database, filter)),
    countMail: (conditions) =>
      file.patiently((database) => {
        const { text, values } = deadMail(conditions);
        return database.rows<MailCount>(`SELECT e.workflow, count(*) AS count ${text} GROUP BY e.workflow`, ...values);
      }),
  };
}

export function readMail(database: Database, filter: MailFilter): MailRecord[] {
  if (isOfDead(filter)) {
    const { text, values } = deadMail(filter);
    const order = "ORDER BY m.sequence DESC LIMIT ?";
    return database.rows<MailRow>(`SELECT ${mailColumns} ${text} ${order}`, ...values, filter.limit).map(mailOf);
  }
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
const requests = `${pending} AND m.kind IN (${requestKinds.map((kind) => `'${kind}'`).join(", ")})`;
const messages = `${pending} AND m.kind = 'message'`;

function rowsOf(database: Database, execution: string, filter: Exclude<MailFilter, DeadMailFilter>): MailRow[] {
  const rows = (text: string, ...values: Value[]): MailRow[] =>
    database.statement(text).all(execution, ...values) as MailRow[];
  if (!("status" in filter)) {
    if (filter.id !== undefined) return rows(`${selected} AND m.id = ?`, filter.id);
    return filter.messageId === undefined ? rows(selected) : rows(`${selected} AND m.message_id = ?`, filter.messageId);
  }
  const { name, limit = -1 } = filter;
  if (name !== undefined) return rows(`${messages} AND m.name = ? ORDER BY m.sequence LIMIT ?`, name, limit);
  if (limit === -1) return rows(pending);
  return [...rows(requests), ...rows(`${messages} ORDER BY m.name, m.sequence LIMIT ?`, limit)];
}

/** Left to itself SQLite would walk along the whole table, which has the same order. */
function deadMail({
  workflow,
  execution,
  name,
  before,
}: DeadMailConditions & { readonly before?: number | undefined }): {
  readonly text: string;
  readonly values: Value[];
} {
  // Word for word as in the partial index: a bound value would not be recognised.
  const conditions = ["m.status = 'dead'", "m.kind = 'message'", reachable("e")];
  const values: Value[] = [];
  const where = (condition: string, value: Value): void => {
    conditions.push(condition);
    values.push(value);
  };
  if (execution !== undefined)
    where("m.execution = (SELECT sequence FROM stepwell_executions WHERE id = ?)", execution);
  if (workflow !== undefined) where("e.workflow = ?", workflow);
  if (name !== undefined) where("m.name = ?", name);
  if (before !== undefined) where("m.sequence < ?", before);
  const index = execution === undefined ? "stepwell_mailbox_dead" : "stepwell_mailbox_execution";
  return {
    text:
      `FROM stepwell_mailbox AS m INDEXED BY ${index} ` +
      `CROSS JOIN stepwell_executions AS e ON e.sequence = m.execution WHERE ${conditions.join(" AND ")}`,
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
