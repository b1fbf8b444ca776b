/** Who waits for a place and who has one. */
import type { Queueing } from "../batch.js";
import type { Hint, LimitStore } from "../contract.js";
import type { Admission, Candidate, GateQuery, GateState } from "../records.js";
import type { Database } from "./database.js";
import type { SqliteFile } from "./shared.js";

export function limits(file: SqliteFile): LimitStore {
  return {
    read: (query) => file.patiently((database, at) => readGate(database, query, at)),
    admit: (admission) => file.patiently((database, at, hints) => admit(database, admission, at, hints)),
  };
}

export function queue(
  database: Database,
  execution: number,
  version: string,
  { gate, key, rateKey, leadMs }: Queueing,
  readyAt: number,
): void {
  database
    .statement(
      "INSERT INTO stepwell_queue (execution, gate, version, key, rate_key, ready_at, turn) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .run(execution, gate, version, key, rateKey ?? "", readyAt, readyAt - leadMs);
}

export function leave(database: Database, execution: number): void {
  database.statement("DELETE FROM stepwell_queue WHERE execution = ?").run(execution);
  database.statement("DELETE FROM stepwell_places WHERE execution = ?").run(execution);
  database.statement("UPDATE stepwell_executions SET admission = NULL WHERE sequence = ?").run(execution);
}

/** Jumps from one gate to the next in the index: how long a queue is does not matter. */
const waitedAtQuery = `
WITH RECURSIVE known (gate) AS (
  SELECT min(gate) FROM stepwell_queue
  UNION ALL
  SELECT (SELECT min(gate) FROM stepwell_queue WHERE gate > known.gate) FROM known WHERE known.gate IS NOT NULL
)
SELECT gate FROM known WHERE gate IS NOT NULL`;

export function waitedAt(database: Database): readonly string[] {
  return database
    .read(() => database.statement(waitedAtQuery).all() as { readonly gate: string }[])
    .map((it) => it.gate);
}

/** Of keys: who has so many places, or began so often in the time that counts. */
const fullKeys =
  "SELECT key FROM stepwell_places INDEXED BY stepwell_places_key WHERE gate = ?1 AND key IS NOT NULL GROUP BY key HAVING count(*) >= ?3";
const fullRates =
  "FROM stepwell_starts INDEXED BY stepwell_starts_key WHERE gate = ?1 AND at > ?4 GROUP BY rate_key HAVING count(*) >= ?5";

/** Walks the queue in its order. What is not ready has its turn later than now, unless it has a priority. */
const candidatesQuery = (versions: number): string => `
SELECT e.id, q.key, q.rate_key,
  (SELECT count(*) FROM stepwell_places AS p WHERE p.gate = q.gate AND p.key = q.key) AS held,
  (SELECT count(*) FROM stepwell_starts AS s INDEXED BY stepwell_starts_key
    WHERE s.gate = q.gate AND s.rate_key = q.rate_key AND s.at > ?4) AS started
FROM stepwell_queue AS q INDEXED BY stepwell_queue_turn CROSS JOIN stepwell_executions AS e ON e.sequence = q.execution
WHERE q.gate = ?1 AND q.turn <= ?2 AND q.ready_at <= ?2 AND e.owner IS NULL
  AND q.version IN (${Array.from({ length: versions }, (_, index) => `?${index + 7}`).join(", ")})
  AND (q.key IS NULL OR q.key NOT IN (${fullKeys}))
  AND q.rate_key NOT IN (SELECT rate_key ${fullRates})
ORDER BY q.turn, q.execution LIMIT ?6 + 0`;

/** The numbers that it leaves out are those of the other values that candidates are asked for with. */
const fullRatesQuery = `SELECT min(at) AS at ${fullRates}`;

interface CandidateRow {
  readonly id: string;
  readonly key: string | null;
  /** Empty: none. */
  readonly rate_key: string;
  readonly held: number;
  readonly started: number;
}

function readGate(database: Database, query: GateQuery, at: number): GateState {
  return database.read(() => {
    const { gate, versions, limit, keyLimit, rate } = query;
    const since = rate === null ? null : at - rate.perMs;
    const most = rate?.limit ?? null;
    const rows = database
      .statement(candidatesQuery(versions.length))
      .all(gate, at, keyLimit, since, most, limit, ...versions) as CandidateRow[];
    return {
      revision: revisionOf(database, gate),
      held: numberOf(database, "SELECT count(*) AS number FROM stepwell_places WHERE gate = ?", gate) ?? 0,
      candidates: rows.map(candidateOf),
      readyInMs: inMs(numberOf(database, nextReadyQuery, gate, at), at),
      rateInMs: rate === null ? null : rateIn(database, gate, at, rate),
    };
  });
}

const nextReadyQuery =
  "SELECT min(ready_at) AS number FROM stepwell_queue INDEXED BY stepwell_queue_ready WHERE gate = ? AND ready_at > ?";

function candidateOf({ id, key, rate_key, held, started }: CandidateRow): Candidate {
  return { id, key, rateKey: rate_key === "" ? null : rate_key, heldByKey: held, startedByKey: started };
}

/** Until the oldest start of a key that is full counts no more. */
function rateIn(database: Database, gate: string, at: number, { limit, perMs }: { limit: number; perMs: number }) {
  const rows = database.statement(fullRatesQuery).all(gate, null, null, at - perMs, limit) as { readonly at: number }[];
  return rows.length === 0 ? null : inMs(Math.min(...rows.map((row) => row.at)) + perMs, at);
}

function admit(
  database: Database,
  { gate, revision, ids, perMs }: Admission,
  at: number,
  hints: Hint[],
): number | null {
  return database.transaction(() => {
    if (revisionOf(database, gate) !== revision) return null;
    database
      .statement(
        "INSERT INTO stepwell_gates (gate, revision) VALUES (?1, ?2) ON CONFLICT (gate) DO UPDATE SET revision = ?2",
      )
      .run(gate, revision + 1);
    if (perMs !== null) {
      database.statement("DELETE FROM stepwell_starts WHERE gate = ? AND at <= ?").run(gate, at - perMs);
    }
    const { length } = ids.filter((id) => admitOne(database, id, perMs !== null, at));
    if (length > 0) hints.push({ type: "due", inMs: 0 });
    return length;
  });
}

function admitOne(database: Database, id: string, counts: boolean, at: number): boolean {
  const row = database
    .statement(
      "UPDATE stepwell_executions SET admission = 'admitted', due_at = ? WHERE id = ? AND owner IS NULL AND admission = 'queued' RETURNING sequence",
    )
    .get(at, id) as { readonly sequence: number } | undefined;
  if (row === undefined) return false;
  database
    .statement(
      "INSERT INTO stepwell_places (execution, gate, key) SELECT execution, gate, key FROM stepwell_queue WHERE execution = ?",
    )
    .run(row.sequence);
  if (counts) {
    database
      .statement(
        "INSERT INTO stepwell_starts (gate, rate_key, at) SELECT gate, rate_key, ? FROM stepwell_queue WHERE execution = ?",
      )
      .run(at, row.sequence);
  }
  database.statement("DELETE FROM stepwell_queue WHERE execution = ?").run(row.sequence);
  return true;
}

function revisionOf(database: Database, gate: string): number {
  return numberOf(database, "SELECT revision AS number FROM stepwell_gates WHERE gate = ?", gate) ?? 0;
}

function numberOf(database: Database, query: string, ...values: (string | number)[]): number | null {
  const row = database.statement(query).get(...values) as { readonly number: number | null } | undefined;
  return row?.number ?? null;
}

function inMs(moment: number | null, at: number): number | null {
  return moment === null ? null : Math.max(0, moment - at);
}
