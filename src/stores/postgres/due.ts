/** Of which workflows and versions something is due, or planned: found by jumps, without a look at what each of them has. */
import type { Overdue } from "../contract.js";
import type { Database, Statement } from "./database.js";
import { at, moment } from "./moment.js";

/** Goes from one workflow and version to the next in the index on `time`, as `name`. */
const jumps = (name: string, table: string, time: string): string => `
${name} (workflow, version) AS (
  (SELECT workflow, version FROM ${table} WHERE ${time} IS NOT NULL ORDER BY workflow, version LIMIT 1)
  UNION ALL
  SELECT n.workflow, n.version FROM ${name} AS k CROSS JOIN LATERAL (
    SELECT e.workflow, e.version FROM ${table} AS e
    WHERE e.${time} IS NOT NULL AND (e.workflow, e.version) > (k.workflow, k.version)
    ORDER BY e.workflow, e.version LIMIT 1
  ) AS n
)`;

/** What has executions that are due, now or later. */
export const known = jumps("known", "stepwell_executions", "due_at");

const overdueQuery: Statement = {
  name: "overdue",
  text: `
WITH RECURSIVE ${moment}, ${known}, ${jumps("planned", "stepwell_schedules", "next_at")}
SELECT 'executions' AS what, k.workflow AS name, k.version FROM known AS k WHERE EXISTS (
  SELECT 1 FROM stepwell_executions AS e
  WHERE e.workflow = k.workflow AND e.version = k.version AND e.due_at < ${at} - $2::float8
)
UNION ALL
SELECT 'schedules', p.workflow, p.version FROM planned AS p WHERE EXISTS (
  SELECT 1 FROM stepwell_schedules AS s
  WHERE s.workflow = p.workflow AND s.version = p.version AND s.next_at < ${at} - $2::float8
)`,
};

export async function overdue(database: Database, forMs: number, now: number | null): Promise<readonly Overdue[]> {
  return database.rows(overdueQuery, [now, forMs]);
}
