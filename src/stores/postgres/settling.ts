import type { Transition } from "../../execution/records.js";

/**
 * What a step that settles mail has besides. "OFFSET 0" keeps the look-ups apart: each execution's own rows are
 * read, never all that are pending anywhere. What is dead then says whose it is: it is listed without its execution.
 */
export const settling = `,
settling AS (
  UPDATE stepwell_mailbox AS m SET status = d.status, step = d.step, addressee = d.addressee
  FROM (
    SELECT p.place, s.status, u.step, CASE WHEN s.status = 'dead' THEN u.id END AS addressee
    FROM updated AS u CROSS JOIN LATERAL json_to_recordset(u.settled::json) AS s (arrival text, status text)
    CROSS JOIN LATERAL (
      SELECT q.ctid AS place FROM stepwell_mailbox AS q
      -- By its key, not by walking along all that are pending.
      WHERE q.execution = u.sequence AND q.id = s.arrival AND q.status || '' = 'pending' OFFSET 0
    ) AS p
    UNION ALL
    SELECT p.place, 'dead', NULL, u.id
    FROM updated AS u CROSS JOIN LATERAL (
      SELECT q.ctid AS place, q.id FROM stepwell_mailbox AS q
      WHERE q.execution = u.sequence AND q.status = 'pending' OFFSET 0
    ) AS p
    WHERE u.ends = 1 AND p.id NOT IN (SELECT s.arrival FROM json_to_recordset(u.settled::json) AS s (arrival text))
  ) AS d
  WHERE m.ctid = d.place
)`;

/** Of the same arrival twice, the first counts. */
export function settledText(settled: Transition["settled"]): string {
  if (settled.length === 0) return "[]";
  const first = new Map<string, string>();
  for (const { arrival, as } of settled) if (!first.has(arrival)) first.set(arrival, as);
  return JSON.stringify([...first].map(([arrival, status]) => ({ arrival, status })));
}
