/** What was sent, as it is read. */
import { otherKinds } from "../../execution/records.js";
import type {
  DeadMailConditions,
  DeadMailFilter,
  DeadMailPage,
  MailCounts,
  MailFilter,
  MailRecord,
  Store,
} from "../contract.js";
import { reachable } from "../sql/pruning.js";
import { letterCounts, letterPage, type CountRow, type LetterRow } from "../sql/letters.js";
import { mailColumns, mailOf, type MailRow } from "../sql/mail-rows.js";
import { textArray } from "./arrays.js";
import type { Database, Statement } from "./database.js";
import type { Server } from "./shared.js";

export function mail(server: Server): Pick<Store, "mail" | "deadMail" | "countDeadMail" | "countPending"> {
  return {
    mail: (filter) => server.ask((database) => readMail(database, filter)),
    deadMail: (filter) => server.ask((database) => deadMail(database, filter)),
    countDeadMail: (conditions, lookAt) => server.ask((database) => countDeadMail(database, conditions, lookAt)),
    countPending: (execution, upTo) =>
      server.ask(async (database) => {
        const [row] = await database.rows<{ readonly found: number }>(countOfPending, [execution, upTo + 1]);
        return row!.found;
      }),
  };
}

export async function readMail(database: Database, filter: MailFilter): Promise<MailRecord[]> {
  const [query, ...values] = queryOf(filter);
  const rows = await database.rows<MailRow>(query, [textArray(filter.executions), ...values]);
  return rows.map(mailOf);
}

/** Of several executions; "OFFSET 0" keeps the look-ups apart, so that each one's rows are found, and no others read. */
function mailText(where: string): string {
  return (
    `SELECT ${mailColumns} FROM stepwell_executions AS e ` +
    `CROSS JOIN LATERAL (SELECT * FROM (${where}) AS x OFFSET 0) AS m WHERE e.id = ANY ($1::text[]) AND ${reachable("e")} ORDER BY m.sequence`
  );
}

const ownRows = `SELECT * FROM stepwell_mailbox AS x WHERE x.execution = e.sequence`;
const others = otherKinds.map((kind) => `'${kind}'`).join(", ");
const messages = (name: string): string =>
  `SELECT * FROM (${ownRows} AND x.kind = 'message'${name} AND x.status = 'pending' ORDER BY x.name, x.sequence LIMIT $2::integer) AS oldest`;

const mailboxQuery: Statement = { name: "mailbox", text: mailText(ownRows) };
const pendingQuery: Statement = { name: "mailbox_pending", text: mailText(`${ownRows} AND x.status = 'pending'`) };
const fewQuery: Statement = {
  name: "mailbox_few",
  text: mailText(`${ownRows} AND x.kind IN (${others}) AND x.status = 'pending' UNION ALL ${messages("")}`),
};
const namedQuery: Statement = { name: "mailbox_named", text: mailText(messages(" AND x.name = $3::text")) };
const lastQuery: Statement = {
  name: "mailbox_last",
  text: mailText(`SELECT * FROM (${ownRows} ORDER BY x.id DESC LIMIT $2::integer) AS x`),
};
const countOfPending: Statement = {
  name: "count_pending",
  text:
    "SELECT count(*)::integer AS found FROM (SELECT 1 FROM stepwell_mailbox AS x " +
    `WHERE x.execution = (SELECT e.sequence FROM stepwell_executions AS e WHERE e.id = $1::text AND ${reachable("e")}) ` +
    "AND x.kind = 'message' AND x.status = 'pending' LIMIT $2::integer) AS l",
};
const idQuery: Statement = { name: "mailbox_id", text: mailText(`${ownRows} AND x.id = $2::text`) };
const messageQuery: Statement = { name: "mailbox_message", text: mailText(`${ownRows} AND x.message_id = $2::text`) };

function queryOf(filter: MailFilter): [Statement, ...unknown[]] {
  if ("last" in filter) return [lastQuery, filter.last];
  if (!("status" in filter)) {
    if (filter.id !== undefined) return [idQuery, filter.id];
    return filter.messageId === undefined ? [mailboxQuery] : [messageQuery, filter.messageId];
  }
  const { name, limit } = filter;
  if (name !== undefined) return [namedQuery, limit ?? null, name];
  return limit === undefined ? [pendingQuery] : [fewQuery, limit];
}

/**
 * Dead letters, each with its execution. The execution is found by its id, in `addressee`. A letter that a process of an older version
 * made has no addressee, and its execution is found by walking along all executions.
 */
const deadRows =
  "FROM stepwell_mailbox AS m JOIN stepwell_executions AS e ON e.id = " +
  "coalesce(m.addressee, (SELECT x.id FROM stepwell_executions AS x WHERE x.sequence = m.execution))";

/** Word for word as in the partial index: a bound value would not be recognised. */
const dead = "m.status = 'dead' AND m.kind = 'message'";

async function deadMail(database: Database, { limit, lookAt, ...filter }: DeadMailFilter): Promise<DeadMailPage> {
  const { text, values } = looked(mailColumns, filter, lookAt);
  const more = `WHERE fits OR number = ${lookAt} ORDER BY sequence DESC LIMIT ${limit + 1}`;
  const rows = await database.unprepared<LetterRow>(`SELECT * FROM (${text}) AS l ${more}`, values);
  return letterPage(rows, limit, lookAt);
}

async function countDeadMail(database: Database, conditions: DeadMailConditions, lookAt: number): Promise<MailCounts> {
  const { text, values } = looked("e.workflow", conditions, lookAt + 1);
  // As a number with a point: the driver gives whole ones of this size as texts.
  const counted = `count(*) FILTER (WHERE fits AND number <= ${lookAt})::float8 AS count, max(number) AS looked`;
  const rows = await database.unprepared<CountRow>(
    `SELECT workflow, ${counted} FROM (${text}) AS l GROUP BY workflow`,
    values,
  );
  return letterCounts(rows, lookAt);
}

/** So many dead messages, each with whether it fits. */
function looked(
  columns: string,
  { workflow, execution, name, before }: Omit<DeadMailFilter, "limit" | "lookAt">,
  most: number,
): { readonly text: string; readonly values: unknown[] } {
  const values: unknown[] = [];
  const bound = (value: unknown): string => `$${values.push(value)}`;
  const fits = [reachable("e")];
  // By their letters, not by walking along all executions of the workflow.
  if (workflow !== undefined) fits.push(`e.workflow || '' = ${bound(workflow)}::text`);
  if (name !== undefined) fits.push(`m.name = ${bound(name)}::text`);
  const where = [dead];
  if (execution !== undefined) {
    where.push(`m.execution = (SELECT sequence FROM stepwell_executions WHERE id = ${bound(execution)}::text)`);
  }
  if (before !== undefined) where.push(`m.sequence < ${bound(before)}::bigint`);
  const text =
    `SELECT ${columns}, ${fits.join(" AND ")} AS fits, ` +
    `row_number() OVER (ORDER BY m.sequence DESC)::integer AS number ${deadRows} WHERE ${where.join(" AND ")} ` +
    `ORDER BY m.sequence DESC LIMIT ${most}`;
  return { text, values };
}
