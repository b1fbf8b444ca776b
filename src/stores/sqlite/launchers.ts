import { deathsAfter, keepBurials, launcherOf, ownersIn, type LauncherRow } from "../sql/rows.js";
import type { Beat, Hint, Store } from "../contract.js";
import type { Death, Fate } from "../records.js";
import { overdue } from "./due.js";
import type { Database } from "./database.js";
import { waitedAt } from "./gates.js";
import { launcherFormat } from "./migrations.js";
import type { SqliteFile } from "./shared.js";

export function launchers(file: SqliteFile): Pick<Store, "register" | "beat" | "removeLaunchers" | "begin" | "deaths"> {
  return {
    register: ({ host, pid }, formerly) =>
      file.patiently((database, at) =>
        database.transaction(() => {
          if (formerly !== undefined) forget(database, formerly);
          database.statement("DELETE FROM stepwell_burials WHERE at < ?").run(at - keepBurials);
          const { lastInsertRowid } = database
            .statement("INSERT INTO stepwell_launchers (host, pid, beat_at, format) VALUES (?, ?, ?, ?)")
            .run(host, pid, at, launcherFormat);
          return Number(lastInsertRowid);
        }),
      ),
    beat: (owner, overdueForMs) =>
      file.patiently((database, at) => {
        const { alive, others } = database.transaction(() => beat(database, owner, at));
        if (overdueForMs === undefined) return { alive, others };
        const waiting = { overdue: overdue(database, at - overdueForMs), gates: waitedAt(database) };
        return { alive, others, waiting };
      }),
    removeLaunchers: (owners, fate) =>
      file.patiently((database, at, hints) =>
        database.transaction(() => {
          const freed = owners.reduce((sum, owner) => sum + remove(database, owner, fate, at), 0);
          if (freed > 0) hints.push(dueNow);
          return freed;
        }),
      ),
    begin: (id, owner) =>
      file.patiently((database) =>
        database.transaction(() => {
          const { changes } = database
            .statement("UPDATE stepwell_executions SET begun = owner WHERE id = ? AND owner = ?")
            .run(id, owner);
          return Number(changes) > 0;
        }),
      ),
    deaths: (id) => file.patiently((database, at) => database.read(() => deaths(database, id, at))),
  };
}

const dueNow: Hint = { type: "due", inMs: 0 };

function beat(database: Database, owner: number, at: number): Beat {
  const { changes } = database.statement("UPDATE stepwell_launchers SET beat_at = ? WHERE owner = ?").run(at, owner);
  const others = database
    .statement("SELECT owner, host, pid, beat_at FROM stepwell_launchers WHERE owner <> ? ORDER BY owner")
    .all(owner) as LauncherRow[];
  return { alive: Number(changes) > 0, others: others.map((row) => launcherOf(row, at)) };
}

const freeOwned = "UPDATE stepwell_executions SET owner = NULL, due_at = ? WHERE owner = ?";
const freeCounted = `UPDATE stepwell_executions SET owner = NULL, due_at = ?, deaths = ${deathsAfter} WHERE owner = ?`;

function forget(database: Database, owner: number): void {
  database.statement("DELETE FROM stepwell_burials WHERE owner = ?").run(owner);
}

/** What it owned is due at once; says how many that were. */
function remove(database: Database, owner: number, fate: Fate | undefined, at: number): number {
  const gone = database.statement("DELETE FROM stepwell_launchers WHERE owner = ?").run(owner);
  const counts = fate !== undefined && fate !== "left" && Number(gone.changes) > 0;
  if (fate === "left") forget(database, owner);
  if (counts) {
    database.statement("INSERT INTO stepwell_burials (owner, at, fate) VALUES (?, ?, ?)").run(owner, at, fate);
  }
  return Number(database.statement(counts ? freeCounted : freeOwned).run(at, owner).changes);
}

function deaths(database: Database, id: string, at: number): readonly Death[] {
  const row = database.statement("SELECT deaths, revision FROM stepwell_executions WHERE id = ?").get(id) as
    { readonly deaths: string | null; readonly revision: number } | undefined;
  if (row === undefined) return [];
  const burial = database.statement("SELECT fate, at FROM stepwell_burials WHERE owner = ?");
  return ownersIn(row.deaths, row.revision).flatMap((owner) => {
    const found = burial.get(owner) as { readonly fate: Death["fate"]; readonly at: number } | undefined;
    return found === undefined ? [] : { fate: found.fate, sinceMs: Math.max(0, at - found.at) };
  });
}
