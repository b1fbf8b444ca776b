import { deathsAfter, keepBurials, launcherOf, type LauncherRow } from "../sql/rows.js";
import type { RowFormat } from "../sql/json-columns.js";
import type { Store } from "../contract.js";
import type { Death } from "../records.js";
import { overdue } from "./due.js";
import type { Statement } from "./database.js";
import { waitedAt } from "./gates.js";
import { formatAt } from "./migrate.js";
import { launcherFormat } from "./migrations.js";
import { at, moment } from "./moment.js";
import type { Server } from "./shared.js";
import { inHand } from "./work.js";

const insertLauncher: Statement = {
  name: "register",
  text: `
WITH ${moment},
back AS (DELETE FROM stepwell_burials WHERE owner = $4::integer),
old AS (DELETE FROM stepwell_burials WHERE at < ${at} - ${keepBurials})
INSERT INTO stepwell_launchers (host, pid, beat_at, format) VALUES ($2::text, $3::integer, ${at}, ${launcherFormat}) RETURNING owner`,
};

/**
 * `strays` are numbers that own executions and are registered no more: a launcher that was buried while
 * its last claim or create was on its way. It jumps from one owner to the next in the index.
 */
const beatText = (table: string): string => `
WITH RECURSIVE ${moment},
beaten AS (UPDATE stepwell_launchers SET beat_at = ${at} WHERE owner = $2::integer RETURNING owner),
owners (owner) AS (
  (SELECT owner FROM ${table} WHERE owner IS NOT NULL ORDER BY owner LIMIT 1)
  UNION ALL
  SELECT (SELECT e.owner FROM ${table} AS e WHERE e.owner > o.owner ORDER BY e.owner LIMIT 1)
  FROM owners AS o WHERE o.owner IS NOT NULL
),
strays AS (
  SELECT o.owner FROM owners AS o
  WHERE o.owner <> $2::integer AND NOT EXISTS (SELECT 1 FROM stepwell_launchers AS l WHERE l.owner = o.owner)
),
others AS (
  SELECT owner, host, pid, beat_at FROM stepwell_launchers WHERE owner <> $2::integer
  UNION ALL
  SELECT owner, '', 0, '-Infinity' FROM strays
)
SELECT m.at, (SELECT count(*) FROM beaten) > 0 AS alive, (SELECT max(number) FROM stepwell_migrations) AS schema,
  o.owner, o.host, o.pid, o.beat_at
FROM moment AS m LEFT JOIN others AS o ON true ORDER BY o.owner`;

/** What an older process has in work stands with the executions only. */
const updateBeat: Readonly<Record<RowFormat, Statement>> = {
  full: { name: "beat_full", text: beatText("stepwell_executions") },
  compact: { name: "beat", text: beatText("stepwell_work") },
};

interface BeatRow extends Omit<LauncherRow, "owner"> {
  readonly at: number;
  readonly alive: boolean;
  /** The number of the last migration. */
  readonly schema: number;
  /** Null: there are no others. */
  readonly owner: number | null;
}

const deathsOf = deathsAfter.replaceAll(/\b(?:deaths|revision|begun|owner)\b/g, "e.$&");

/**
 * Rows are locked in the order of their ids, as in every batch: so none waits for the other in turn. What somebody else
 * has locked is passed over: its owner is a stray from now on, and is buried again at the next beat.
 */
const removal = (owned: string): string => `
WITH ${moment},
gone AS (DELETE FROM stepwell_launchers WHERE owner = ANY ($2::integer[]) RETURNING owner),
back AS (DELETE FROM stepwell_burials WHERE $3::text = 'left' AND owner = ANY ($2::integer[])),
buried AS (
  INSERT INTO stepwell_burials (owner, at, fate) SELECT owner, ${at}, $3::text FROM gone WHERE $3::text <> 'left'
  RETURNING owner
),
owned AS MATERIALIZED (
  ${owned} ORDER BY e.id FOR NO KEY UPDATE OF e SKIP LOCKED
),
freed AS (
  UPDATE stepwell_executions AS e SET owner = NULL, due_at = ${at},
    deaths = CASE WHEN e.owner IN (SELECT owner FROM buried) THEN ${deathsOf} ELSE e.deaths END
  FROM owned AS o WHERE e.id = o.id RETURNING e.id
),
let_go AS (
  DELETE FROM stepwell_work AS w WHERE w.owner = ANY ($2::integer[]) AND NOT EXISTS (
    SELECT 1 FROM unnest(w.ids) AS i (id)
    WHERE (SELECT e.owner FROM stepwell_executions AS e WHERE e.id = i.id) = w.owner AND i.id NOT IN (SELECT id FROM freed)
  )
),
unheard AS (DELETE FROM stepwell_signalled WHERE owner = ANY ($2::integer[]))
SELECT count(*) AS freed FROM freed`;

const deleteLaunchers: Readonly<Record<RowFormat, Statement>> = {
  full: {
    name: "bury_full",
    text: removal("SELECT e.id FROM stepwell_executions AS e WHERE e.owner = ANY ($2::integer[])"),
  },
  compact: {
    name: "bury",
    text: removal(
      `SELECT e.id FROM ${inHand(" WHERE w.owner = ANY ($2::integer[])")} AS w ` +
        "JOIN stepwell_executions AS e ON e.id = w.id WHERE e.owner IS NOT DISTINCT FROM w.owner",
    ),
  },
};

const noteBegun: Statement = {
  name: "begin",
  text: "UPDATE stepwell_executions SET begun = owner WHERE id = $1::text AND owner IS NOT DISTINCT FROM $2::integer RETURNING 1",
};

const deathsQuery: Statement = {
  name: "deaths",
  text: `
WITH ${moment},
owners AS MATERIALIZED (
  SELECT unnest(string_to_array(split_part(deaths, ':', 2), ','))::integer AS owner
  FROM stepwell_executions WHERE id = $2::text AND deaths LIKE revision || ':%'
)
SELECT b.fate, greatest(0, ${at} - b.at) AS since
FROM owners AS o CROSS JOIN LATERAL (SELECT fate, at FROM stepwell_burials WHERE owner = o.owner OFFSET 0) AS b`,
};

export function launchers(server: Server): Pick<Store, "register" | "beat" | "removeLaunchers" | "begin" | "deaths"> {
  return {
    async register({ host, pid }, formerly) {
      const values = [server.now, host, pid, formerly ?? null];
      const [row] = await server.database.rows<{ readonly owner: number }>(insertLauncher, values);
      server.owners.add(row!.owner);
      return row!.owner;
    },
    async beat(owner, overdueForMs) {
      const { database, now } = server;
      const rows = await database.rows<BeatRow>(updateBeat[server.format], [now, owner]);
      server.format = formatAt(rows[0]!.schema);
      const others = rows.flatMap(({ at, owner: other, host, pid, beat_at }) =>
        other === null ? [] : launcherOf({ owner: other, host, pid, beat_at }, at),
      );
      const beaten = { alive: rows[0]!.alive, others };
      if (overdueForMs === undefined) return beaten;
      // It has beaten by now, however long these take.
      const waiting = { overdue: await overdue(database, overdueForMs, now), gates: await waitedAt(database) };
      return { ...beaten, waiting };
    },
    async removeLaunchers(owners, fate) {
      const { database, now } = server;
      if (owners.length === 0) return 0;
      const [row] = await database.rows<{ readonly freed: number }>(deleteLaunchers[server.format], [
        now,
        owners,
        fate ?? null,
      ]);
      for (const owner of owners) server.owners.delete(owner);
      if (row!.freed > 0) server.tell([{ type: "due", inMs: 0 }]);
      return row!.freed;
    },
    begin: (id, owner) => server.ask(async (database) => (await database.rows(noteBegun, [id, owner])).length > 0),
    deaths: (id) =>
      server.ask(async (database, now) => {
        const rows = await database.rows<DeathRow>(deathsQuery, [now, id]);
        return rows.map(({ fate, since }) => ({ fate, sinceMs: since }));
      }),
  };
}

type DeathRow = Pick<Death, "fate"> & { readonly since: number };
