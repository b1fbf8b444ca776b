/** Who waits for a place and who has one. A gate's row is locked by admissions only: to wait or to leave touches rows of one's own. */
import type { LimitStore } from "../contract.js";
import type { Admission, GateQuery, GateState } from "../records.js";
import { textArray } from "./arrays.js";
import type { Database, Statement } from "./database.js";
import { at, moment } from "./moment.js";
import type { Server } from "./shared.js";

export function limits(server: Server): LimitStore {
  return {
    read: (query) => server.ask((database, now) => readGate(database, query, now)),
    async admit(admission) {
      const count = await admit(server.database, admission, server.now);
      if (count !== null && count > 0) server.tell([{ type: "due", inMs: 0 }]);
      return count;
    },
  };
}

/** For a create: those that were created and wait. */
export const queueing = `,
queued AS (
  INSERT INTO stepwell_queue (sequence, ready_at, turn, id, gate, version, key, rate_key)
  SELECT g.sequence, ${at} + g.due_in, ${at} + g.due_in - g.lead, g.id, g.gate, g.version, g.key, g.rate_key
  FROM created AS c JOIN given AS g ON g.sequence = c.sequence WHERE g.gate IS NOT NULL
)`;

/** For a commit: those that leave. */
export const leaving = `,
unqueued AS (DELETE FROM stepwell_queue AS q USING updated AS u WHERE q.id = u.id AND u.leaves = 1),
vacated AS (DELETE FROM stepwell_places AS p USING updated AS u WHERE p.id = u.id AND u.leaves = 1)`;

/** Jumps from one gate to the next in the index: how long a queue is does not matter. */
const waitedAtQuery: Statement = {
  name: "gates",
  text: `
WITH RECURSIVE known (gate) AS (
  (SELECT gate FROM stepwell_queue ORDER BY gate, ready_at LIMIT 1)
  UNION ALL
  SELECT n.gate FROM known AS k CROSS JOIN LATERAL (
    SELECT q.gate FROM stepwell_queue AS q WHERE q.gate > k.gate ORDER BY q.gate, q.ready_at LIMIT 1
  ) AS n
)
SELECT gate FROM known`,
};

export async function waitedAt(database: Database): Promise<readonly string[]> {
  return (await database.rows<{ readonly gate: string }>(waitedAtQuery)).map(({ gate }) => gate);
}

/** Walks the queue in its order. What is not ready has its turn later than now, unless it has a priority. */
const gateQuery: Statement = {
  name: "gate",
  text: `
WITH ${moment},
full_keys AS MATERIALIZED (
  SELECT key FROM stepwell_places WHERE gate = $2::text AND key IS NOT NULL GROUP BY key HAVING count(*) >= $5::integer
),
full_rates AS MATERIALIZED (
  SELECT rate_key, min(at) AS at FROM stepwell_starts
  WHERE gate = $2::text AND at > ${at} - $6::float8 GROUP BY rate_key HAVING count(*) >= $7::integer
),
found AS MATERIALIZED (
  SELECT q.id, q.key, q.rate_key, q.turn, q.sequence FROM stepwell_queue AS q
  WHERE q.gate = $2::text AND q.turn <= ${at} AND q.ready_at <= ${at} AND q.version = ANY ($3::text[])
    AND (q.key IS NULL OR q.key NOT IN (SELECT key FROM full_keys)) AND q.rate_key NOT IN (SELECT rate_key FROM full_rates)
    AND (SELECT e.owner IS NULL FROM stepwell_executions AS e WHERE e.id = q.id)
  ORDER BY q.turn, q.sequence LIMIT $4::integer
)
SELECT m.at,
  coalesce((SELECT g.revision FROM stepwell_gates AS g WHERE g.gate = $2::text), 0) AS revision,
  (SELECT count(*)::integer FROM stepwell_places AS p WHERE p.gate = $2::text) AS held,
  (SELECT min(q.ready_at) FROM stepwell_queue AS q WHERE q.gate = $2::text AND q.ready_at > ${at}) AS ready,
  (SELECT min(f.at) FROM full_rates AS f) AS oldest,
  (SELECT json_agg(json_build_object('id', f.id, 'key', f.key, 'rateKey', nullif(f.rate_key, ''),
    'heldByKey', (SELECT count(*) FROM stepwell_places AS p WHERE p.gate = $2::text AND p.key = f.key),
    'startedByKey', (SELECT count(*) FROM stepwell_starts AS s
      WHERE s.gate = $2::text AND s.rate_key = f.rate_key AND s.at > ${at} - $6::float8)
  ) ORDER BY f.turn, f.sequence) FROM found AS f) AS candidates
FROM moment AS m`,
};

interface GateRow extends Pick<GateState, "revision" | "held"> {
  readonly at: number;
  readonly ready: number | null;
  readonly oldest: number | null;
  readonly candidates: GateState["candidates"] | null;
}

async function readGate(
  database: Database,
  { gate, versions, limit, keyLimit, rate }: GateQuery,
  now: number | null,
): Promise<GateState> {
  const perMs = rate?.perMs ?? null;
  const values = [now, gate, textArray(versions), limit, keyLimit, perMs, rate?.limit ?? null];
  const [row] = await database.rows<GateRow>(gateQuery, values);
  const { at, revision, held, ready, oldest, candidates } = row!;
  return {
    revision,
    held,
    candidates: candidates ?? [],
    readyInMs: ready === null ? null : ready - at,
    rateInMs: oldest === null || perMs === null ? null : Math.max(0, oldest + perMs - at),
  };
}

/**
 * Two of one gate at the same time: the second waits for the row, and finds another revision. What has an owner
 * by now stays in the queue. Rows are locked in the order of their ids, as in a batch.
 */
const admitQuery: Statement = {
  name: "admit",
  text: `
WITH ${moment},
passed AS MATERIALIZED (
  INSERT INTO stepwell_gates AS g (gate, revision)
  SELECT $2::text, $3::integer + 1
  WHERE $3::integer = 0 OR EXISTS (SELECT 1 FROM stepwell_gates AS k WHERE k.gate = $2::text)
  ON CONFLICT (gate) DO UPDATE SET revision = excluded.revision WHERE g.revision = $3::integer
  RETURNING 1
),
given AS MATERIALIZED (SELECT g.id FROM unnest($4::text[]) AS g (id) WHERE EXISTS (SELECT 1 FROM passed)),
admitted AS (
  UPDATE stepwell_executions AS e SET admission = 'admitted', due_at = ${at} FROM given AS g
  WHERE e.id = g.id AND e.owner IS NULL AND e.admission IS NOT DISTINCT FROM 'queued' RETURNING e.id
),
unqueued AS (DELETE FROM stepwell_queue AS q USING admitted AS a WHERE q.id = a.id RETURNING q.id, q.gate, q.key, q.rate_key),
placed AS (INSERT INTO stepwell_places (id, gate, key) SELECT id, gate, key FROM unqueued),
forgotten AS (
  DELETE FROM stepwell_starts AS s WHERE s.gate = $2::text AND s.at <= ${at} - $5::float8 AND EXISTS (SELECT 1 FROM passed)
),
started AS (
  INSERT INTO stepwell_starts (at, gate, rate_key)
  SELECT ${at}, gate, rate_key FROM unqueued WHERE $5::float8 IS NOT NULL
)
SELECT EXISTS (SELECT 1 FROM passed) AS passed, (SELECT count(*)::integer FROM admitted) AS count`,
};

async function admit(
  database: Database,
  { gate, revision, ids, perMs }: Admission,
  now: number | null,
): Promise<number | null> {
  const values = [now, gate, revision, textArray(ids.toSorted()), perMs];
  const [row] = await database.rows<{ readonly passed: boolean; readonly count: number }>(admitQuery, values);
  return row!.passed ? row!.count : null;
}
