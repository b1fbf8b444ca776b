/** Of which workflows and versions something is due, or planned. */
import type { Overdue } from "../contract.js";
import type { Database } from "./database.js";

/** Goes from one workflow and version to the next in the index: what is due of each is not read. */
export const known = `known (workflow, version) AS (
  SELECT * FROM (SELECT workflow, version FROM stepwell_executions INDEXED BY stepwell_executions_due
    WHERE due_at IS NOT NULL ORDER BY workflow, version LIMIT 1)
  UNION ALL
  SELECT next.workflow, next.version FROM known, stepwell_executions AS next
  WHERE next.sequence = (SELECT sequence FROM stepwell_executions INDEXED BY stepwell_executions_due
    WHERE due_at IS NOT NULL AND (workflow, version) > (known.workflow, known.version) ORDER BY workflow, version LIMIT 1)
)`;

const overdueQuery = `
WITH RECURSIVE ${known}
SELECT 'executions' AS what, workflow AS name, version FROM known WHERE EXISTS (
  SELECT 1 FROM stepwell_executions INDEXED BY stepwell_executions_due
  WHERE workflow = known.workflow AND version = known.version AND due_at < ?1)
UNION ALL
SELECT 'schedules', workflow, version FROM stepwell_schedules INDEXED BY stepwell_schedules_due
WHERE next_at IS NOT NULL AND next_at < ?1 GROUP BY workflow, version`;

export function overdue(database: Database, before: number): readonly Overdue[] {
  return database.read(() => database.statement(overdueQuery).all(before)) as Overdue[];
}
