import type { Status } from "../../definition/flow.js";
import { cursorOf, firstPlace, placeOf } from "../cursor.js";
import type { Pruned, PruneOptions, Store } from "../contract.js";
import type { Database } from "./database.js";
import { removeHistory } from "./history.js";
import type { SqliteFile } from "./shared.js";

export function pruning(file: SqliteFile): Pick<Store, "prune"> {
  return { prune: (options) => file.patiently((database, at) => prune(database, options, at)) };
}

const page =
  "SELECT sequence, created_at, updated_at, status, revision, tags, owner IS NOT NULL OR due_at IS NOT NULL OR root IS NOT NULL " +
  "OR EXISTS (SELECT 1 FROM stepwell_lists WHERE parent = stepwell_executions.id) AS busy FROM stepwell_executions WHERE created_at <= ? AND (created_at, sequence) > (?, ?) ORDER BY created_at, sequence LIMIT ?";

interface Row {
  readonly sequence: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly status: Status;
  readonly revision: number;
  readonly tags: string;
  readonly busy: number;
}

/** So many executions are looked at, and so many rows removed, by one call: it takes some milliseconds, in which nothing else happens. */
const mostLookedAt = 500;
const mostRemoved = 3_000;

/** Of an execution itself and beside it: about so many. */
function rowsOf({ revision }: Row): number {
  return 6 + revision;
}

function prune(database: Database, { olderThanMs, limit, after, dry }: PruneOptions, at: number): Pruned {
  const youngest = at - Math.min(...Object.values(olderThanMs));
  const { createdAt, sequence } = after === null ? firstPlace : placeOf(after);
  const most = Math.min(limit, mostLookedAt);
  const look = (): Pruned => {
    const rows = database.statement(page).all(youngest, createdAt, sequence, most + 1) as Row[];
    const counts: Partial<Record<Status, number>> = {};
    let removed = 0;
    let looked = 0;
    for (const row of rows.slice(0, most)) {
      if (removed >= mostRemoved) break;
      looked += 1;
      const age = olderThanMs[row.status];
      if (age === undefined || row.busy !== 0 || row.updated_at > at - age) continue;
      counts[row.status] = (counts[row.status] ?? 0) + 1;
      if (dry) continue;
      remove(database, row);
      removed += rowsOf(row);
    }
    const last = rows.length > looked ? rows[looked - 1] : undefined;
    return {
      counts,
      cursor: last === undefined ? null : cursorOf({ createdAt: last.created_at, sequence: last.sequence }),
    };
  };
  // To count it waits for nobody who writes.
  return dry ? database.read(look) : database.transaction(look);
}

const owned = ["stepwell_mailbox", "stepwell_subscriptions", "stepwell_states", "stepwell_inputs"];

function remove(database: Database, { sequence, created_at, tags }: Row): void {
  removeHistory(database, sequence);
  for (const table of owned) database.statement(`DELETE FROM ${table} WHERE execution = ?`).run(sequence);
  for (const tag of JSON.parse(tags) as string[]) {
    database
      .statement("DELETE FROM stepwell_tags WHERE tag = ? AND created_at = ? AND execution = ?")
      .run(tag, created_at, sequence);
  }
  database.statement("DELETE FROM stepwell_executions WHERE sequence = ?").run(sequence);
}
