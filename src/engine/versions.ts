/** The lists of steps that a launcher has, and those that others have had: how they are told apart and kept. */
import type { WorkflowDefinition } from "../definition/definition.js";
import { outlineOf, type StepOutline } from "../definition/outline.js";
import { fingerprintOf } from "../ids.js";
import type { StoredDefinition } from "../stores/records.js";
import type { MaybePromise, Store } from "../stores/store.js";
import type { Registered } from "./host.js";

/** A list of steps, as it is compared and as it is kept. */
export interface Listed {
  readonly outline: readonly StepOutline[];
  readonly fingerprint: string;
  readonly steps: string;
}

export function listed({ steps }: WorkflowDefinition): Listed {
  const outline = outlineOf(steps);
  const text = JSON.stringify(outline);
  return { outline, fingerprint: fingerprintOf(text), steps: text };
}

export function definitionsOf(registry: ReadonlyMap<string, Registered>): StoredDefinition[] {
  return [...registry.values()].map(({ definition: { name, version }, listed: { fingerprint, steps } }) => ({
    workflow: name,
    version,
    fingerprint,
    steps,
  }));
}

function outlineIn({ steps }: StoredDefinition): readonly StepOutline[] {
  return JSON.parse(steps) as readonly StepOutline[];
}

/** What others have had, asked of the store once for each list. */
export class KnownLists {
  readonly #store: Store;
  readonly #known = new Map<string, readonly StepOutline[]>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Undefined: nobody has kept it. */
  find(workflow: string, version: string, fingerprint: string): MaybePromise<readonly StepOutline[] | undefined> {
    // None of them can hold a line break.
    const key = (it: Pick<StoredDefinition, "version" | "fingerprint">): string =>
      `${workflow}\n${it.version}\n${it.fingerprint}`;
    const known = this.#known.get(key({ version, fingerprint }));
    if (known !== undefined) return known;
    const keep = (all: readonly StoredDefinition[]): readonly StepOutline[] | undefined => {
      for (const one of all) this.#known.set(key(one), outlineIn(one));
      return this.#known.get(key({ version, fingerprint }));
    };
    const found = this.#store.definitions(workflow);
    return found instanceof Promise ? found.then(keep) : keep(found);
  }
}
