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

/** A list of texts, as it was written. Damaged ones are looked for among the tags of all. */
const readable = String.raw`c.tags ~ '^\[("([^"\\[:cntrl:]]|\\["\\])*"(,"([^"\\[:cntrl:]]|\\["\\])*")*)?\]$'`;

/** All of an execution, for those in `from`: a part of a query with `id`, `sequence`, `created_at` and `tags`. */
const removing = (from: string): string => `
history AS (DELETE FROM stepwell_history AS h USING ${from} AS c WHERE h.execution = c.sequence),
subscriptions AS (DELETE FROM stepwell_subscriptions AS s USING ${from} AS c WHERE s.execution = c.sequence),
mail AS (DELETE FROM stepwell_mailbox AS m USING ${from} AS c WHERE m.execution = c.sequence),
tags AS (
  DELETE FROM stepwell_tags AS g USING (
    SELECT c.sequence, c.created_at, t.tag FROM ${from} AS c
    CROSS JOIN LATERAL json_array_elements_text((CASE WHEN ${readable} THEN c.tags ELSE '[]' END)::json) AS t (tag)
  ) AS c
  WHERE g.tag = c.tag AND g.created_at = c.created_at AND g.execution = c.sequence
),
unreadable AS (
  DELETE FROM stepwell_tags WHERE ctid IN (
    SELECT t.ctid FROM (SELECT * FROM ${from} AS c WHERE NOT ${readable} OFFSET 0) AS c
    CROSS JOIN LATERAL (
      SELECT g.ctid FROM stepwell_tags AS g WHERE g.created_at = c.created_at AND g.execution = c.sequence OFFSET 0
    ) AS t
  )
),
executions AS (DELETE FROM stepwell_executions AS e USING ${from} AS c WHERE e.id = c.id)`;

/** Until when it can be undone, out of its position: no other text in there holds this. Null: as long as it is kept. */
const sealedAt = `substring(e.position FROM '"sealedAt":([0-9.]+)')::float8`;

/**
 * What is locked is being worked on, and passed over: so it waits for nobody, and nobody waits for it in turn. What
 * has changed before its lock was taken has rows that this statement does not see, and is passed over too. What has a root
 * goes with it only; of a tree whose root has come to rest, all below must be at rest, and no list wants to be advanced.
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
  SELECT e.id, e.sequence, e.created_at, e.status, e.tags,
    EXISTS (SELECT 1 FROM stepwell_lists AS k WHERE k.parent = e.id) AS has_lists
  FROM looked AS p JOIN stepwell_executions AS e ON e.id = p.id
  WHERE e.owner IS NULL AND e.due_at IS NULL AND e.root IS NULL AND e.revision = p.revision AND e.signals = p.signals
    AND e.updated_at <= ${at} - (SELECT a.age FROM ages AS a WHERE a.status = e.status)
    AND COALESCE(${sealedAt}, 0) <= ${at}
  ${dry ? "" : "FOR UPDATE OF e SKIP LOCKED"}
),
alone AS MATERIALIZED (SELECT * FROM chosen WHERE NOT has_lists),
trees AS MATERIALIZED (
  SELECT c.id, c.status FROM chosen AS c WHERE c.has_lists
    AND NOT EXISTS (
      SELECT 1 FROM stepwell_executions AS b WHERE b.root = c.id
      AND (b.owner IS NOT NULL OR b.due_at IS NOT NULL OR b.status NOT IN ('completed', 'rolledBack', 'stuck'))
    )
    AND NOT EXISTS (
      SELECT 1 FROM stepwell_lists AS k WHERE k.root = c.id AND (k.marked IS NOT DISTINCT FROM 1 OR EXISTS (
        SELECT 1 FROM stepwell_news AS n WHERE n.list = k.sequence
      ))
    )
),${
  dry
    ? `
counted AS (
  SELECT status FROM alone UNION ALL SELECT status FROM trees
  UNION ALL SELECT e.status FROM trees AS t JOIN stepwell_executions AS e ON e.root = t.id
)`
    : `
counted AS (SELECT status FROM alone),
begun AS (INSERT INTO stepwell_pruning (root) SELECT id FROM trees),
rooted AS (UPDATE stepwell_executions AS e SET root = e.id FROM trees AS t WHERE e.id = t.id),${removing("alone")}`
}
SELECT (SELECT count(*) FROM page) > $7::integer AS more,
  (SELECT json_agg(l) FROM (SELECT created_at, sequence FROM looked ORDER BY created_at DESC, sequence DESC LIMIT 1) AS l) AS last,
  (SELECT json_object_agg(status, n) FROM (SELECT status, count(*) AS n FROM counted GROUP BY status) AS s) AS counts`;

const countOld: Statement = { name: "prune_dry", text: text(true) };
const deleteOld: Statement = { name: "prune", text: text(false) };

interface Row {
  readonly more: boolean;
  readonly last: readonly { readonly created_at: number; readonly sequence: number }[] | null;
  readonly counts: Partial<Record<Status, number>> | null;
}

/** So many executions of a tree, or rows of their lists, are removed in one transaction, and so many transactions are made by one call. */
const slice = 200;
const linesInSlice = 5_000;
const mostSlices = 20;

const goingQuery: Statement = { name: "pruning", text: "SELECT root FROM stepwell_pruning ORDER BY root LIMIT 100" };

/** Those below a root that rest, and the root itself when nothing else is left. Another process may be at it. */
const sliceQuery: Statement = {
  name: "prune_slice",
  text: `
WITH going AS MATERIALIZED (SELECT root FROM stepwell_pruning WHERE root = $1::text FOR UPDATE SKIP LOCKED)
SELECT e.id, e.sequence, e.created_at, e.status, e.tags FROM stepwell_executions AS e
WHERE e.root = $1::text AND EXISTS (SELECT 1 FROM going) AND e.owner IS NULL AND e.due_at IS NULL
  AND (e.id <> $1::text OR NOT EXISTS (SELECT 1 FROM stepwell_executions AS o WHERE o.root = $1::text AND o.id <> $1::text))
LIMIT ${slice} FOR UPDATE OF e SKIP LOCKED`,
};

/** Their lines first: while there are more than go at once, the executions stay. */
const removeQuery: Statement = {
  name: "prune_tree",
  text: `
WITH given AS MATERIALIZED (
  SELECT g.id, g.sequence::bigint AS sequence, g.created_at, g.tags
  FROM unnest($1::text[], $2::float8[], $3::float8[], $4::text[]) AS g (id, sequence, created_at, tags)
),
lists AS MATERIALIZED (SELECT k.sequence FROM given AS c JOIN stepwell_lists AS k ON k.parent = c.id),
lines AS MATERIALIZED (
  SELECT l.list, l.first FROM lists AS k
  CROSS JOIN LATERAL (SELECT list, first FROM stepwell_lines WHERE list = k.sequence LIMIT ${linesInSlice}) AS l LIMIT ${linesInSlice}
),
marks AS MATERIALIZED (
  SELECT m.list, m.position FROM lists AS k
  CROSS JOIN LATERAL (SELECT list, position FROM stepwell_marks WHERE list = k.sequence LIMIT ${linesInSlice}) AS m LIMIT ${linesInSlice}
),
unlined AS (DELETE FROM stepwell_lines AS d USING lines AS l WHERE d.list = l.list AND d.first = l.first),
unmarked AS (DELETE FROM stepwell_marks AS d USING marks AS m WHERE d.list = m.list AND d.position = m.position),
gone AS MATERIALIZED (
  SELECT * FROM given WHERE greatest((SELECT count(*) FROM lines), (SELECT count(*) FROM marks)) < ${linesInSlice}
),
unlisted AS (DELETE FROM stepwell_lists AS k USING gone AS c WHERE k.parent = c.id),
over AS (DELETE FROM stepwell_pruning AS p USING gone AS c WHERE p.root = c.id),${removing("gone")}
SELECT (SELECT count(*) FROM gone) > 0 AS removed`,
};

interface SliceRow {
  readonly id: string;
  readonly sequence: number;
  readonly created_at: number;
  readonly status: Status;
  readonly tags: string;
}

type Counts = Partial<Record<Status, number>>;

function add(counts: Counts, status: Status, count: number): void {
  counts[status] = (counts[status] ?? 0) + count;
}

/** False: there was nothing that could go. */
async function pruneSlice(database: Database, root: string, counts: Counts): Promise<boolean> {
  return database.transaction(async (transaction) => {
    const rows = await transaction.rows<SliceRow>(sliceQuery, [root]);
    if (rows.length === 0) return false;
    const [row] = await transaction.rows<{ readonly removed: boolean }>(removeQuery, [
      textArray(rows.map(({ id }) => id)),
      doubleArray(rows.map(({ sequence }) => sequence)),
      doubleArray(rows.map(({ created_at }) => created_at)),
      textArray(rows.map(({ tags }) => tags)),
    ]);
    if (row!.removed) for (const { status } of rows) add(counts, status, 1);
    return true;
  });
}

/** Goes on with trees of which some is gone. Gives back how many transactions may still be made. */
async function pruneTrees(database: Database, counts: Counts, most: number): Promise<number> {
  let left = most;
  for (const { root } of await database.rows<{ readonly root: string }>(goingQuery)) {
    while (left > 0 && (await pruneSlice(database, root, counts))) left--;
  }
  return left;
}

async function prune(database: Database, options: PruneOptions, now: number | null): Promise<Pruned> {
  const { olderThanMs, limit, after, dry } = options;
  const counts: Counts = {};
  const place = after === null ? firstPlace : placeOf(after);
  let left = dry ? 1 : await pruneTrees(database, counts, mostSlices);
  if (left === 0) return { counts, cursor: cursorOf(place) };
  const ages = Object.values(olderThanMs);
  const [row] = await database.rows<Row>(dry ? countOld : deleteOld, [
    now,
    textArray(Object.keys(olderThanMs)),
    doubleArray(ages),
    Math.min(...ages),
    place.createdAt,
    place.sequence,
    limit,
  ]);
  const { more, last } = row!;
  for (const [status, count] of Object.entries(row!.counts ?? {})) add(counts, status as Status, count);
  if (!dry) left = await pruneTrees(database, counts, left);
  const end = last?.[0];
  const next = end === undefined ? place : { createdAt: end.created_at, sequence: end.sequence };
  return { counts, cursor: more || left === 0 ? cursorOf(next) : null };
}
