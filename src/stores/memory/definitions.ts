import type { DefinitionStore } from "../contract.js";
import type { StoredDefinition } from "../records.js";
import type { MemoryData } from "./shared.js";

/** The lists of steps that launchers have had. */
export function definitions(data: MemoryData): DefinitionStore {
  const all = new Map<string, StoredDefinition>();
  return {
    keep(definitions) {
      data.mustBeOpen();
      for (const { workflow, version, fingerprint, steps } of definitions) {
        // Neither can hold a line break.
        const key = `${workflow}\n${version}\n${fingerprint}`;
        if (!all.has(key)) all.set(key, { workflow, version, fingerprint, steps });
      }
    },
    of(workflow) {
      data.mustBeOpen();
      return [...all.values()].filter((it) => workflow === undefined || it.workflow === workflow).toSorted(byVersion);
    },
  };
}

function byVersion(one: StoredDefinition, other: StoredDefinition): number {
  if (one.workflow !== other.workflow) return one.workflow < other.workflow ? -1 : 1;
  if (one.version !== other.version) return one.version < other.version ? -1 : 1;
  return one.fingerprint < other.fingerprint ? -1 : 1;
}
