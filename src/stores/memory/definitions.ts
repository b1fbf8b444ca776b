import type { StoredDefinition } from "../records.js";

/** The lists of steps that launchers have had. */
export class Definitions {
  readonly #all = new Map<string, StoredDefinition>();

  add(definitions: readonly StoredDefinition[]): void {
    for (const { workflow, version, fingerprint, steps } of definitions) {
      // Neither can hold a line break.
      const key = `${workflow}\n${version}\n${fingerprint}`;
      if (!this.#all.has(key)) this.#all.set(key, { workflow, version, fingerprint, steps });
    }
  }

  of(workflow: string): StoredDefinition[] {
    return [...this.#all.values()].filter((it) => it.workflow === workflow).toSorted(byVersion);
  }
}

function byVersion(one: StoredDefinition, other: StoredDefinition): number {
  if (one.version !== other.version) return one.version < other.version ? -1 : 1;
  return one.fingerprint < other.fingerprint ? -1 : 1;
}
