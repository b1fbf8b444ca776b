import type { StoredDefinition } from "../records.js";
import type { Database } from "./database.js";

const insert =
  "INSERT INTO stepwell_definitions (workflow, version, fingerprint, steps) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";

export function define(database: Database, all: readonly StoredDefinition[]): void {
  // Mostly they are there, and then nobody's write is waited for.
  const known = new Map<string, readonly StoredDefinition[]>();
  const missing = all.filter(({ workflow, version, fingerprint }) => {
    if (!known.has(workflow)) known.set(workflow, definitions(database, workflow));
    return !known.get(workflow)!.some((it) => it.version === version && it.fingerprint === fingerprint);
  });
  if (missing.length === 0) return;
  database.transaction(() => {
    for (const { workflow, version, fingerprint, steps } of missing) {
      database.statement(insert).run(workflow, version, fingerprint, steps);
    }
  });
}

const query =
  "SELECT workflow, version, fingerprint, steps FROM stepwell_definitions WHERE workflow = ? ORDER BY version, fingerprint";

export function definitions(database: Database, workflow: string): readonly StoredDefinition[] {
  const rows = database.read(() => database.statement(query).all(workflow)) as StoredDefinition[];
  // A driver may give rows without a prototype.
  return rows.map((row) => ({ ...row }));
}
