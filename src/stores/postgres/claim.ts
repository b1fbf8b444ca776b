import type { RowFormat } from "../sql/json-columns.js";
import { executionColumns, type ExecutionRow } from "../sql/rows.js";
import type { Claimed, ClaimOptions, Store } from "../contract.js";
import { textArray } from "./arrays.js";
import type { Database, Statement } from "./database.js";
import { at, moment } from "./moment.js";
import { executionsOf } from "./read.js";
import type { Server, Terms } from "./shared.js";
import { inHand, overAndDone, takenUp, unseen } from "./work.js";

/** When to ask again for due work while a release is in doubt, in milliseconds. */
const heldPause = 50;

export function claiming(server: Server): Pick<Store, "claim"> {
  const { doubts } = server;
  return {
    async claim(options) {
      const { database } = server;
      const { owner } = options;
      const ticket = doubts.newTicket();
      try {
        const stranded = doubts.strandedOf(owner);
        if (doubts.holdsClaims) {
          const held = await claim(database, { ...options, limit: 0 }, ticket, server.terms);
          return { ...held, nextDueInMs: heldPause };
        }
        const claimed = await claim(database, options, ticket, server.terms);
        if (stranded.length === 0 || options.limit === 0) return claimed;
        const lost = await claimLost(database, owner, stranded, ticket, server.now);
        return {
          ...claimed,
          records: [...lost.records, ...claimed.records],
          dueSince: [...lost.dueSince, ...claimed.dueSince],
        };
      } catch (error) {
        // Also where only the second half is lost: what the first one took is given out by the next claim.
        doubts.lostClaim(owner, ticket);
        throw error;
      }
    },
  };
}

const columns = executionColumns.replaceAll(/\w+/g, "e.$&");

/**
 * Each workflow has its own range of the index, so what waits for a workflow that nobody here knows is
 * never read, and each has its turn. What another launcher is just taking is passed over. Where nothing is due, it only reads.
 */
const claimText = (signalled: string): string => `
WITH ${moment},
launcher AS MATERIALIZED (SELECT EXISTS (SELECT 1 FROM stepwell_launchers WHERE owner = $2::integer) AS alive),
asked AS MATERIALIZED (SELECT * FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS a (workflow, version, turn)),
due AS MATERIALIZED (
  SELECT d.id, d.due_at, a.turn, row_number() OVER (PARTITION BY a.turn ORDER BY d.due_at, d.sequence) AS round FROM asked AS a CROSS JOIN LATERAL (
    SELECT e.id, e.sequence, e.due_at FROM stepwell_executions AS e
    WHERE e.workflow = a.workflow AND e.version = a.version AND e.due_at <= ${at}
    ORDER BY e.due_at, e.sequence LIMIT $5::integer + 1 FOR NO KEY UPDATE SKIP LOCKED
  ) AS d
),
taken AS (
  UPDATE stepwell_executions AS e SET owner = $2::integer, claims = e.claims + 1, due_at = NULL, ticket = $6::float8
  FROM (SELECT id, due_at, turn, round FROM due ORDER BY round, turn LIMIT $5::integer) AS d
  WHERE e.id = d.id AND (SELECT alive FROM launcher)
  RETURNING d.due_at AS due_since, d.turn, d.round, e.signals - e.seen AS unseen, ${columns}
)${takenUp("taken", "$6")}${unseen("taken")}${overAndDone("$7", "$8")}
SELECT m.at, l.alive,
  CASE WHEN (SELECT count(*) FROM due) > (SELECT count(*) FROM taken) THEN m.at
  ELSE (
    SELECT min(n.due_at) FROM asked AS a CROSS JOIN LATERAL (
      SELECT e.due_at FROM stepwell_executions AS e
      WHERE e.workflow = a.workflow AND e.version = a.version AND e.due_at > ${at}
      ORDER BY e.due_at LIMIT 1
    ) AS n
  ) END AS next,
  (SELECT json_agg(s.id) FROM ${signalled}) AS signalled,
  t.*
FROM moment AS m CROSS JOIN launcher AS l LEFT JOIN taken AS t ON true ORDER BY t.round, t.turn`;

/** An older process notes an arrival with the execution only. */
const claimDue: Readonly<Record<RowFormat, Statement>> = {
  full: {
    name: "claim_full",
    text: claimText("stepwell_executions AS s WHERE s.owner = $2::integer AND s.signals > s.seen"),
  },
  compact: { name: "claim", text: claimText("stepwell_signalled AS s WHERE s.owner = $2::integer") },
};

/** What calls took up whose answer was lost: it is this launcher's, and nobody works on it. What is locked is asked for again. */
const claimStranded: Statement = {
  name: "claim_stranded",
  text: `
WITH ${moment},
stranded AS MATERIALIZED (
  SELECT e.id FROM ${inHand(" WHERE w.owner = $2::integer")} AS w JOIN stepwell_executions AS e ON e.id = w.id
  WHERE e.owner IS NOT DISTINCT FROM w.owner AND e.ticket = ANY ($4::float8[]::bigint[])
  FOR NO KEY UPDATE OF e SKIP LOCKED
)
UPDATE stepwell_executions AS e SET ticket = $3::float8 FROM stranded AS s WHERE e.id = s.id RETURNING ${at} AS due_since, ${columns}`,
};

type ClaimedRow = ExecutionRow & { readonly due_since: number };
type Summary = {
  readonly at: number;
  readonly alive: boolean;
  readonly next: number | null;
  readonly signalled: readonly string[] | null;
};

/** @param ticket a number that no other call has */
async function claim(
  database: Database,
  { owner, limit, workflows }: ClaimOptions,
  ticket: number,
  { now, format, work }: Terms,
): Promise<Claimed> {
  const over = work.over();
  const rows = await database.rows<Summary & (ClaimedRow | { readonly id: null })>(claimDue[format], [
    now,
    owner,
    textArray(workflows.map(({ name }) => name)),
    textArray(workflows.map(({ version }) => version)),
    limit,
    ticket,
    over.owners,
    over.numbers,
  ]);
  const { at, alive, next, signalled } = rows[0]!;
  const taken = rows.filter((row): row is Summary & ClaimedRow => row.id !== null);
  work.took(
    owner,
    ticket,
    taken.map(({ id }) => id),
  );
  return {
    records: await executionsOf(database, taken),
    dueSince: taken.map(({ due_since }) => due_since),
    at,
    nextDueInMs: next === null ? null : Math.max(0, next - at),
    signalled: signalled ?? [],
    alive,
  };
}

/** @param tickets of the calls whose answer was lost */
async function claimLost(
  database: Database,
  owner: number,
  tickets: readonly number[],
  ticket: number,
  now: number | null,
): Promise<Pick<Claimed, "records" | "dueSince">> {
  const rows = await database.rows<ClaimedRow>(claimStranded, [now, owner, ticket, tickets]);
  return { records: await executionsOf(database, rows), dueSince: rows.map(({ due_since }) => due_since) };
}
