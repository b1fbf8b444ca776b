import { cursorOf, placeOf } from "../cursor.js";
import {
  executionColumns,
  executionOf,
  historyOf,
  mailboxColumns,
  mailboxOf,
  standingColumns,
  standingOf,
  type ExecutionRow,
  type HistoryRow,
  type MailboxRow,
} from "../sql/rows.js";
import { requestKinds, type HistoryRecord, type MailboxRecord } from "../../execution/records.js";
import type { ListConditions, ListFilter, ListPage, Loaded, MailFilter } from "../contract.js";
import { textArray } from "./arrays.js";
import type { Database, Statement } from "./database.js";

const loadQuery: Statement = {
  name: "load",
  text: `SELECT ${executionColumns} FROM stepwell_executions WHERE id = ANY ($1::text[])`,
};

const standingQuery: Statement = {
  name: "standing",
  text: `SELECT ${standingColumns} FROM stepwell_executions WHERE id = ANY ($1::text[])`,
};

export async function load<Only extends "standing" | undefined>(
  database: Database,
  ids: readonly string[],
  only: Only | undefined,
): Promise<Loaded<Only>> {
  if (ids.length === 0) return [];
  const rows = await database.rows<ExecutionRow>(only === undefined ? loadQuery : standingQuery, [textArray(ids)]);
  const read = only === undefined ? executionOf : standingOf;
  const found = new Map(rows.map((row) => [row.id, read(row)]));
  return ids.map((id) => found.get(id)) as Loaded<Only>;
}

const historyQuery: Statement = {
  name: "history",
  text:
    "SELECT revision, at, entry, patch FROM stepwell_history " +
    "WHERE execution = (SELECT sequence FROM stepwell_executions WHERE id = $1::text) ORDER BY revision",
};

export async function history(database: Database, id: string): Promise<HistoryRecord[]> {
  const rows = await database.rows<HistoryRow>(historyQuery, [id]);
  return rows.map((row) => historyOf(row, id));
}

/** Of several executions; "OFFSET 0" keeps the look-ups apart, so that each one's rows are found, and no others read. */
function mailText(where: string): string {
  return (
    `SELECT e.id AS execution_id, ${mailboxColumns.replaceAll(/\w+/g, "m.$&")} FROM stepwell_executions AS e ` +
    `CROSS JOIN LATERAL (SELECT * FROM (${where}) AS x OFFSET 0) AS m WHERE e.id = ANY ($1::text[]) ORDER BY m.sequence`
  );
}

const rowsOf = `SELECT * FROM stepwell_mailbox AS x WHERE x.execution = e.sequence`;
const requests = requestKinds.map((kind) => `'${kind}'`).join(", ");
const messages = (name: string): string =>
  `SELECT * FROM (${rowsOf} AND x.kind = 'message'${name} AND x.status = 'pending' ORDER BY x.name, x.sequence LIMIT $2::integer) AS oldest`;

const mailboxQuery: Statement = { name: "mailbox", text: mailText(rowsOf) };
const pendingQuery: Statement = { name: "mailbox_pending", text: mailText(`${rowsOf} AND x.status = 'pending'`) };
const fewQuery: Statement = {
  name: "mailbox_few",
  text: mailText(`${rowsOf} AND x.kind IN (${requests}) AND x.status = 'pending' UNION ALL ${messages("")}`),
};
const namedQuery: Statement = { name: "mailbox_named", text: mailText(messages(" AND x.name = $3::text")) };
const idQuery: Statement = { name: "mailbox_id", text: mailText(`${rowsOf} AND x.id = $2::text`) };
const messageQuery: Statement = { name: "mailbox_message", text: mailText(`${rowsOf} AND x.message_id = $2::text`) };

type MailRow = MailboxRow & { readonly execution_id: string };

export async function mailbox(
  database: Database,
  executions: string | readonly string[],
  filter: MailFilter | undefined,
): Promise<MailboxRecord[]> {
  const [query, ...values] = mailQuery(filter);
  const rows = await database.rows<MailRow>(query, [textArray([executions].flat()), ...values]);
  return rows.map((row) => mailboxOf(row, row.execution_id));
}

function mailQuery(filter: MailFilter | undefined): [Statement, ...unknown[]] {
  if (filter === undefined) return [mailboxQuery];
  if ("id" in filter) return [idQuery, filter.id];
  if ("messageId" in filter) return [messageQuery, filter.messageId];
  const { name, limit } = filter;
  if (name !== undefined) return [namedQuery, limit ?? null, name];
  return limit === undefined ? [pendingQuery] : [fewQuery, limit];
}

export async function list(database: Database, filter: ListFilter): Promise<ListPage> {
  const { text, values } = listQuery(filter);
  const rows = await database.unprepared<ExecutionRow>(text, values);
  const page = rows.slice(0, filter.limit);
  const last = rows.length > filter.limit ? page.at(-1) : undefined;
  return {
    records: page.map(executionOf),
    cursor: last === undefined ? null : cursorOf({ createdAt: last.created_at, sequence: last.sequence }),
  };
}

export async function count(database: Database, conditions: ListConditions): Promise<number> {
  const { from, where, values } = chosen(conditions);
  // As a number with a point: the driver gives whole ones of this size as texts.
  const text = `SELECT count(*)::float8 AS found FROM ${from} ${where}`;
  const [row] = await database.unprepared<{ readonly found: number }>(text, values);
  return row!.found;
}

/** Newest first. */
function listQuery({ limit, after, ...filter }: ListFilter): { readonly text: string; readonly values: unknown[] } {
  const { from, where, order, values } = chosen(filter, after);
  const columns = executionColumns.replaceAll(/\w+/g, "e.$&");
  const last = `$${values.push(limit + 1)}::integer`;
  return { text: `SELECT ${columns} FROM ${from} ${where} ORDER BY ${order} LIMIT ${last}`, values };
}

/** By tag it walks along the tag's own rows, so that a rare tag costs little. */
function chosen(
  { workflow, status, tags = [], createdFrom, createdBefore }: ListConditions,
  after?: string,
): { readonly from: string; readonly where: string; readonly order: string; readonly values: unknown[] } {
  const values: unknown[] = [];
  const conditions: string[] = [];
  const bound = (value: unknown): string => `$${values.push(value)}`;
  const [firstTag, ...otherTags] = tags;
  const [createdAt, sequence] =
    firstTag === undefined ? ["e.created_at", "e.sequence"] : ["first.created_at", "first.execution"];
  if (firstTag !== undefined) conditions.push(`first.tag = ${bound(firstTag)}`);
  for (const tag of otherTags) {
    conditions.push(
      `EXISTS (SELECT 1 FROM stepwell_tags AS other WHERE other.tag = ${bound(tag)} ` +
        "AND other.created_at = first.created_at AND other.execution = first.execution)",
    );
  }
  if (workflow !== undefined) conditions.push(`e.workflow = ${bound(workflow)}`);
  // Word for word as in the partial index: a bound value would not be recognised.
  if (status?.length === 1 && status[0] === "stuck") conditions.push("e.status = 'stuck'");
  else if (status !== undefined) conditions.push(`e.status = ANY (${bound(status)}::text[])`);
  if (createdFrom !== undefined) conditions.push(`${createdAt} >= ${bound(createdFrom)}::float8`);
  if (createdBefore !== undefined) conditions.push(`${createdAt} < ${bound(createdBefore)}::float8`);
  if (after !== undefined) {
    const place = placeOf(after);
    conditions.push(
      `(${createdAt}, ${sequence}) < (${bound(place.createdAt)}::float8, ${bound(place.sequence)}::bigint)`,
    );
  }
  const from =
    firstTag === undefined
      ? "stepwell_executions AS e"
      : "stepwell_tags AS first JOIN stepwell_executions AS e ON e.created_at = first.created_at AND e.sequence = first.execution";
  return {
    from,
    where: conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`,
    order: `${createdAt} DESC, ${sequence} DESC`,
    values,
  };
}
