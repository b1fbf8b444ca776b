import { launcherOf, type LauncherRow } from "../sql/rows.js";
import type { LauncherRecord } from "../records.js";
import type { Database } from "./database.js";

export function register(database: Database, host: string, pid: number, now: number): number {
  return database.transaction(() => {
    const { lastInsertRowid } = database
      .statement("INSERT INTO stepwell_launchers (host, pid, beat_at) VALUES (?, ?, ?)")
      .run(host, pid, now);
    return Number(lastInsertRowid);
  });
}

export function beat(
  database: Database,
  owner: number,
  now: number,
): { readonly alive: boolean; readonly others: readonly LauncherRecord[] } {
  return database.transaction(() => {
    const { changes } = database.statement("UPDATE stepwell_launchers SET beat_at = ? WHERE owner = ?").run(now, owner);
    const others = database
      .statement("SELECT owner, host, pid, beat_at FROM stepwell_launchers WHERE owner <> ? ORDER BY owner")
      .all(owner) as LauncherRow[];
    return { alive: Number(changes) > 0, others: others.map((row) => launcherOf(row, now)) };
  });
}

/** What they owned is due at once; says how many that were. */
export function bury(database: Database, owners: readonly number[], now: number): number {
  return database.transaction(() => {
    let freed = 0;
    for (const owner of owners) {
      database.statement("DELETE FROM stepwell_launchers WHERE owner = ?").run(owner);
      const { changes } = database
        .statement("UPDATE stepwell_executions SET owner = NULL, due_at = ? WHERE owner = ?")
        .run(now, owner);
      freed += Number(changes);
    }
    return freed;
  });
}
