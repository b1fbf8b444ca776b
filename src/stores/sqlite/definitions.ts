import type { DefinitionStore } from "../contract.js";
import type { StoredDefinition } from "../records.js";
import type { Database } from "./database.js";
import type { SqliteFile } from "./shared.js";

export function definitions(file: SqliteFile): DefinitionStore {
  return {
    keep: (all) => file.patiently((database) => keep(database, all)),
    of: (workflow) => file.patiently((database) => keptOf(database, workflow)),
  };
}

const insert =
  "INSERT INTO stepwell_definitions (workflow, version, fingerprint, steps) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";

function keep(database: Database, all: readonly StoredDefinition[]): void {
  // Mostly they are there, and then nobody's write is waited for.
  const known = new Map<string, readonly StoredDefinition[]>();
  const missing = all.filter(({ workflow, version, fingerprint }) => {
    if (!known.has(workflow)) known.set(workflow, keptOf(database, workflow));
    return !known.get(workflow)!.some((it) => it.version === version && it.fingerprint === fingerprint);
  });
  if (missing.length === 0) return;
  database.transaction(() => {
    for (const { workflow, version, fingerprint, steps } of missing) {
      database.statement(insert).run(workflow, version, fingerprint, steps);
    }
  });
}

const query = "SELECT workflow, version, fingerprint, steps FROM stepwell_definitions";
const ofOne = `${query} WHERE workflow = ? ORDER BY version, fingerprint`;
const ofAll = `${query} ORDER BY workflow, version, fingerprint`;

function keptOf(database: Database, workflow?: string): readonly StoredDefinition[] {
  const rows = database.read(() =>
    workflow === undefined ? database.statement(ofAll).all() : database.statement(ofOne).all(workflow),
  ) as StoredDefinition[];
  // A driver may give rows without a prototype.
  return rows.map((row) => ({ ...row }));
}
