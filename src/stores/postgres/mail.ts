/** What was sent, as it is read. */
import { requestKinds } from "../../execution/records.js";
import type { DeadMailConditions, DeadMailFilter, MailCount, MailFilter, MailRecord, Store } from "../contract.js";
import { isOfDead } from "../held.js";
import { reachable } from "../sql/pruning.js";
import { mailColumns, mailOf, type MailRow } from "../sql/rows.js";
import { textArray } from "./arrays.js";
import type { Database, Statement } from "./database.js";
import type { Server } from "./shared.js";

export function mail(server: Server): Pick<Store, "mail" | "countMail"> {
  return {
    mail: (filter) => server.ask((database) => readMail(database, filter)),
    countMail: (conditions) =>
      server.ask((database) => {
        const { text, values } = deadMail(conditions);
        // As a number with a point: the driver gives whole ones of this size as texts.
        const counted = `SELECT e.workflow, count(*)::float8 AS count ${text} GROUP BY e.workflow`;
        return database.unprepared<MailCount>(counted, values);
      }),
  };
}

export async function readMail(database: Database, filter: MailFilter): Promise<MailRecord[]> {
  return (await rowsOf(database, filter)).map(mailOf);
}

function rowsOf(database: Database, filter: MailFilter): Promise<MailRow[]> {
  if (isOfDead(filter)) {
    const { text, values } = deadMail(filter);
    const limit = `$${values.push(filter.limit)}::integer`;
    return database.unprepared(`SELECT ${mailColumns} ${text} ORDER BY m.sequence DESC LIMIT ${limit}`, values);
  }
  const [query, ...values] = queryOf(filter);
  return database.rows(query, [textArray(filter.executions), ...values]);
}

/** Of several executions; "OFFSET 0" keeps the look-ups apart, so that each one's rows are found, and no others read. */
function mailText(where: string): string {
  return (
    `SELECT ${mailColumns} FROM stepwell_executions AS e ` +
    `CROSS JOIN LATERAL (SELECT * FROM (${where}) AS x OFFSET 0) AS m WHERE e.id = ANY ($1::text[]) AND ${reachable("e")} ORDER BY m.sequence`
  );
}

const ownRows = `SELECT * FROM stepwell_mailbox AS x WHERE x.execution = e.sequence`;
const requests = requestKinds.map((kind) => `'${kind}'`).join(", ");
const messages = (name: string): string =>
  `SELECT * FROM (${ownRows} AND x.kind = 'message'${name} AND x.status = 'pending' ORDER BY x.name, x.sequence LIMIT $2::integer) AS oldest`;

const mailboxQuery: Statement = { name: "mailbox", text: mailText(ownRows) };
const pendingQuery: Statement = { name: "mailbox_pending", text: mailText(`${ownRows} AND x.status = 'pending'`) };
const fewQuery: Statement = {
  name: "mailbox_few",
  text: mailText(`${ownRows} AND x.kind IN (${requests}) AND x.status = 'pending' UNION ALL ${messages("")}`),
};
const namedQuery: Statement = { name: "mailbox_named", text: mailText(messages(" AND x.name = $3::text")) };
const idQuery: Statement = { name: "mailbox_id", text: mailText(`${ownRows} AND x.id = $2::text`) };
const messageQuery: Statement = { name: "mailbox_message", text: mailText(`${ownRows} AND x.message_id = $2::text`) };

function queryOf(filter: Exclude<MailFilter, DeadMailFilter>): [Statement, ...unknown[]] {
  if (!("status" in filter)) {
    if (filter.id !== undefined) return [idQuery, filter.id];
    return filter.messageId === undefined ? [mailboxQuery] : [messageQuery, filter.messageId];
  }
  const { name, limit } = filter;
  if (name !== undefined) return [namedQuery, limit ?? null, name];
  return limit === undefined ? [pendingQuery] : [fewQuery, limit];
}

/** Who has a letter is found by the unique id; one that an older process gave up, by walking along all executions. */
const deadRows =
  "FROM stepwell_mailbox AS m JOIN stepwell_executions AS e ON e.id = " +
  "coalesce(m.addressee, (SELECT x.id FROM stepwell_executions AS x WHERE x.sequence = m.execution))";

/** Word for word as in the partial index: a bound value would not be recognised. */
const dead = "m.status = 'dead' AND m.kind = 'message'";

function deadMail({
  workflow,
  execution,
  name,
  before,
}: DeadMailConditions & { readonly before?: number | undefined }): {
  readonly text: string;
  readonly values: unknown[];
} {
  // Of one execution they are found by its key, not by walking along all that are dead.
  const conditions = [execution === undefined ? dead : "m.status || ' ' || m.kind = 'dead message'", reachable("e")];
  const values: unknown[] = [];
  const bound = (value: unknown): string => `$${values.push(value)}`;
  if (execution !== undefined) {
    conditions.push(`m.execution = (SELECT sequence FROM stepwell_executions WHERE id = ${bound(execution)}::text)`);
  }
  // By their letters, not by walking along all executions of the workflow.
  if (workflow !== undefined) conditions.push(`e.workflow || '' = ${bound(workflow)}::text`);
  if (name !== undefined) conditions.push(`m.name = ${bound(name)}::text`);
  if (before !== undefined) conditions.push(`m.sequence < ${bound(before)}::bigint`);
  return { text: `${deadRows} WHERE ${conditions.join(" AND ")}`, values };
}
