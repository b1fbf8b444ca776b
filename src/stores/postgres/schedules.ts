import { scheduleColumns, scheduleOf, type ScheduleRow } from "../sql/rows.js";
import type { ScheduleRecord } from "../records.js";
import type { ClaimOptions, DueSchedules, Hint, ScheduleChange, ScheduleStore } from "../contract.js";
import { textArray } from "./arrays.js";
import { creating } from "./creates.js";
import type { Database, Statement } from "./database.js";
import { at, moment } from "./moment.js";
import type { Server, Terms } from "./shared.js";

const allQuery: Statement = {
  name: "schedules",
  text: `SELECT ${scheduleColumns} FROM stepwell_schedules ORDER BY name`,
};

const oneQuery: Statement = {
  name: "schedule",
  text: `SELECT ${scheduleColumns} FROM stepwell_schedules WHERE name = $1::text`,
};

export function schedules(server: Server): ScheduleStore {
  return {
    find: (name) => server.ask((database) => find(database, name)),
    due: (options) => server.ask((database, now) => dueSchedules(database, options, now)),
    async change(change) {
      const tickets = change.creates.map(() => server.doubts.newTicket());
      const { changed, hints } = await changeSchedule(server.database, change, tickets, server.terms);
      server.tell(hints);
      return changed;
    },
  };
}

async function find(database: Database, name: string | undefined): Promise<ScheduleRecord[]> {
  const rows =
    name === undefined
      ? await database.rows<ScheduleRow>(allQuery)
      : await database.rows<ScheduleRow>(oneQuery, [name]);
  return rows.map(scheduleOf);
}

const dueQuery: Statement = {
  name: "due_schedules",
  text: `
WITH ${moment},
asked AS MATERIALIZED (SELECT * FROM unnest($2::text[], $3::text[]) AS a (workflow, version)),
due AS MATERIALIZED (
  SELECT d.* FROM asked AS a CROSS JOIN LATERAL (
    SELECT ${scheduleColumns} FROM stepwell_schedules AS s
    WHERE s.workflow = a.workflow AND s.version = a.version AND s.next_at <= ${at}
    ORDER BY s.next_at LIMIT $4::integer + 1
  ) AS d ORDER BY d.next_at LIMIT $4::integer + 1
)
SELECT m.at, (
  SELECT min(n.next_at) FROM asked AS a CROSS JOIN LATERAL (
    SELECT s.next_at FROM stepwell_schedules AS s
    WHERE s.workflow = a.workflow AND s.version = a.version AND s.next_at > ${at}
    ORDER BY s.next_at LIMIT 1
  ) AS n
) AS later, d.*
FROM moment AS m LEFT JOIN due AS d ON true ORDER BY d.next_at, d.name`,
};

type Summary = { readonly at: number; readonly later: number | null };

async function dueSchedules(
  database: Database,
  { workflows, limit }: Omit<ClaimOptions, "owner">,
  now: number | null,
): Promise<DueSchedules> {
  const rows = await database.rows<Summary & (ScheduleRow | { readonly name: null })>(dueQuery, [
    now,
    textArray(workflows.map(({ name }) => name)),
    textArray(workflows.map(({ version }) => version)),
    limit,
  ]);
  const { at: time, later } = rows[0]!;
  const due = rows.filter((row): row is Summary & ScheduleRow => row.name !== null);
  return {
    records: due.slice(0, limit).map(scheduleOf),
    at: time,
    nextDueInMs: due.length > limit ? 0 : later === null ? null : later - time,
  };
}

const insert: Statement = {
  name: "schedule_insert",
  text: `
INSERT INTO stepwell_schedules (${scheduleColumns})
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::float8, $7::text)
ON CONFLICT (name) DO NOTHING RETURNING 1`,
};

const update: Statement = {
  name: "schedule_update",
  text: `
UPDATE stepwell_schedules SET workflow = $2::text, version = $3::text, input = $4::text, plan = $5::text,
  next_at = $6::float8, revision = $7::text
WHERE name = $1::text AND revision = $8::text RETURNING 1`,
};

const remove: Statement = {
  name: "schedule_delete",
  text: "DELETE FROM stepwell_schedules WHERE name = $1::text AND revision = $2::text RETURNING 1",
};

/** @param tickets one for each create */
async function changeSchedule(
  database: Database,
  { name, expected, schedule, creates }: ScheduleChange,
  tickets: readonly number[],
  terms: Terms,
): Promise<{ readonly changed: boolean; readonly hints: readonly Hint[] }> {
  return database.transaction(async (transaction) => {
    const [statement, values] = statementOf(name, expected, schedule);
    const changed = await transaction.rows(statement, values);
    if (changed.length === 0) {
      const [row] = await transaction.rows<ScheduleRow>(oneQuery, [name]);
      return { changed: row !== undefined && row.revision === schedule?.revision, hints: [] };
    }
    if (creates.length === 0) return { changed: true, hints: [] };
    const created = creating(creates, tickets, terms);
    await created.run(transaction);
    return { changed: true, hints: created.hints };
  });
}

function statementOf(
  name: string,
  expected: string | null,
  schedule: ScheduleRecord | null,
): readonly [Statement, unknown[]] {
  if (schedule === null) return [remove, [name, expected]];
  const { workflow, version, input, plan, nextAt, revision } = schedule;
  const values = [name, workflow, version, input.text, JSON.stringify(plan), nextAt, revision];
  return expected === null ? [insert, values] : [update, [...values, expected]];
}
