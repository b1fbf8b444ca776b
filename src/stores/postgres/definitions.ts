import type { DefinitionStore } from "../contract.js";
import type { StoredDefinition } from "../records.js";
import { textArray } from "./arrays.js";
import type { Statement } from "./database.js";
import type { Server } from "./shared.js";

/** In the order of the key, so that two launchers that start at once do not wait for each other in turn. */
const insert: Statement = {
  name: "define",
  text: `
INSERT INTO stepwell_definitions (workflow, version, fingerprint, steps)
SELECT g.workflow, g.version, g.fingerprint, g.steps
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS g (workflow, version, fingerprint, steps)
ORDER BY g.workflow COLLATE "C", g.version COLLATE "C", g.fingerprint COLLATE "C"
ON CONFLICT (workflow, version, fingerprint) DO NOTHING`,
};

const query: Statement = {
  name: "definitions",
  text:
    "SELECT workflow, version, fingerprint, steps FROM stepwell_definitions WHERE workflow = $1::text " +
    "ORDER BY version, fingerprint",
};

const allQuery: Statement = {
  name: "all_definitions",
  text:
    "SELECT workflow, version, fingerprint, steps FROM stepwell_definitions " +
    'ORDER BY workflow COLLATE "C", version, fingerprint',
};

export function definitions(server: Server): DefinitionStore {
  return {
    keep: (all) =>
      server.ask(async (database) => {
        if (all.length === 0) return;
        await database.rows(insert, [
          textArray(all.map(({ workflow }) => workflow)),
          textArray(all.map(({ version }) => version)),
          textArray(all.map(({ fingerprint }) => fingerprint)),
          textArray(all.map(({ steps }) => steps)),
        ]);
      }),
    of: (workflow) =>
      server.ask((database) =>
        workflow === undefined
          ? database.rows<StoredDefinition>(allQuery, [])
          : database.rows<StoredDefinition>(query, [workflow]),
      ),
  };
}
