import { deathsAfter, keepBurials, launcherOf, ownersIn, type LauncherRow } from "../sql/rows.js";
import type { Death, Fate, LauncherRecord } from "../records.js";
import type { Database } from "./database.js";

export function register(
  database: Database,
  host: string,
  pid: number,
  formerly: number | undefined,
  now: number,
): number {
  return database.transaction(() => {
    if (formerly !== undefined) forget(database, formerly);
    database.statement("DELETE FROM stepwell_burials WHERE at < ?").run(now - keepBurials);
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

const freeOwned = "UPDATE stepwell_executions SET owner = NULL, due_at = ? WHERE owner = ?";
const freeCounted = `UPDATE stepwell_executions SET owner = NULL, due_at = ?, deaths = ${deathsAfter} WHERE owner = ?`;

function forget(database: Database, owner: number): void {
  database.statement("DELETE FROM stepwell_burials WHERE owner = ?").run(owner);
}

export function begin(database: Database, id: string, owner: number): boolean {
  return database.transaction(() => {
    const { changes } = database
      .statement("UPDATE stepwell_executions SET begun = owner WHERE id = ? AND owner = ?")
      .run(id, owner);
    return Number(changes) > 0;
  });
}

export function deaths(database: Database, id: string, now: number): readonly Death[] {
  return database.read(() => {
    const row = database.statement("SELECT deaths, revision FROM stepwell_executions WHERE id = ?").get(id) as
      { readonly deaths: string | null; readonly revision: number } | undefined;
    if (row === undefined) return [];
    const burial = database.statement("SELECT fate, at FROM stepwell_burials WHERE owner = ?");
    return ownersIn(row.deaths, row.revision).flatMap((owner) => {
      const found = burial.get(owner) as { readonly fate: Death["fate"]; readonly at: number } | undefined;
      return found === undefined ? [] : { fate: found.fate, sinceMs: Math.max(0, now - found.at) };
    });
  });
}

/** What they owned is due at once; says how many that were. */
export function bury(database: Database, owners: readonly number[], fate: Fate | undefined, now: number): number {
  return database.transaction(() => {
    let freed = 0;
    for (const owner of owners) {
      const gone = database.statement("DELETE FROM stepwell_launchers WHERE owner = ?").run(owner);
      const counts = fate !== undefined && fate !== "left" && Number(gone.changes) > 0;
      if (fate === "left") forget(database, owner);
      if (counts) {
        database.statement("INSERT INTO stepwell_burials (owner, at, fate) VALUES (?, ?, ?)").run(owner, now, fate);
      }
      const { changes } = database.statement(counts ? freeCounted : freeOwned).run(now, owner);
      freed += Number(changes);
    }
    return freed;
  });
}
