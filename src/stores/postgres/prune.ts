import type { Status } from "../../definition/flow.js";
import { cursorOf, firstPlace, placeOf } from "../cursor.js";
import type { Pruned, PruneOptions, Store } from "../contract.js";
import { doubleArray, textArray } from "./arrays.js";
import type { Database, Statement } from "./database.js";
import { at, moment } from "./moment.js";
import type { Server } from "./shared.js";

export function pruning(server: Server): Pick<Store, "prune"> {
  return { prune: (options) => server.ask((database, now) => prune(database, options, now)) };
}

/**
 * What is locked is being worked on, and passed over: so it waits for nobody, and nobody waits for it in turn. What
 * has changed before its lock was taken has rows that this statement does not see, and is passed over too.
 */
const text = (dry: boolean): string => `
WITH ${moment},
ages AS MATERIALIZED (SELECT * FROM unnest($2::text[], $3::float8[]) AS a (status, age)),
page AS MATERIALIZED (
  SELECT id, sequence, created_at, revision, signals FROM stepwell_executions
  WHERE created_at <= ${at} - $4::float8 AND (created_at, sequence) > ($5::float8, $6::bigint)
  ORDER BY created_at, sequence LIMIT $7::integer + 1
),
looked AS MATERIALIZED (SELECT * FROM page ORDER BY created_at, sequence LIMIT $7::integer),
chosen AS MATERIALIZED (
  SELECT e.id, e.sequence, e.created_at, e.status, e.tags
  FROM looked AS p JOIN stepwell_executions AS e ON e.id = p.id
  WHERE e.owner IS NULL AND e.due_at IS NULL AND e.root IS NULL
    AND NOT EXISTS (SELECT 1 FROM stepwell_lists AS k WHERE k.parent = e.id) AND e.revision = p.revision AND e.signals = p.signals
    AND e.updated_at <= ${at} - (SELECT a.age FROM ages AS a WHERE a.status = e.status)
  ${dry ? "" : "FOR UPDATE OF e SKIP LOCKED"}
)${
  dry
    ? ""
    : `,
history AS (DELETE FROM stepwell_history AS h USING chosen AS c WHERE h.execution = c.sequence),
subscriptions AS (DELETE FROM stepwell_subscriptions AS s USING chosen AS c WHERE s.execution = c.sequence),
mail AS (DELETE FROM stepwell_mailbox AS m USING chosen AS c WHERE m.execution = c.sequence),
tags AS (
  DELETE FROM stepwell_tags AS g USING (
    SELECT c.sequence, c.created_at, t.tag FROM chosen AS c CROSS JOIN LATERAL json_array_elements_text(c.tags::json) AS t (tag)
  ) AS c
  WHERE g.tag = c.tag AND g.created_at = c.created_at AND g.execution = c.sequence
),
executions AS (DELETE FROM stepwell_executions AS e USING chosen AS c WHERE e.id = c.id)`
}
SELECT (SELECT count(*) FROM page) > $7::integer AS more,
  (SELECT json_agg(l) FROM (SELECT created_at, sequence FROM looked ORDER BY created_at DESC, sequence DESC LIMIT 1) AS l) AS last,
  (SELECT json_object_agg(status, n) FROM (SELECT status, count(*) AS n FROM chosen GROUP BY status) AS s) AS counts`;

const countOld: Statement = { name: "prune_dry", text: text(true) };
const deleteOld: Statement = { name: "prune", text: text(false) };

interface Row {
  readonly more: boolean;
  readonly last: readonly { readonly created_at: number; readonly sequence: number }[] | null;
  readonly counts: Partial<Record<Status, number>> | null;
}

async function prune(
  database: Database,
  { olderThanMs, limit, after, dry }: PruneOptions,
  now: number | null,
): Promise<Pruned> {
  const { createdAt, sequence } = after === null ? firstPlace : placeOf(after);
  const ages = Object.values(olderThanMs);
  const [row] = await database.rows<Row>(dry ? countOld : deleteOld, [
    now,
    textArray(Object.keys(olderThanMs)),
    doubleArray(ages),
    Math.min(...ages),
    createdAt,
    sequence,
    limit,
  ]);
  const { more, last, counts } = row!;
  const place = last?.[0];
  return {
    counts: counts ?? {},
    cursor: !more || place === undefined ? null : cursorOf({ createdAt: place.created_at, sequence: place.sequence }),
  };
}
