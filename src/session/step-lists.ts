/** The lists of steps that a launcher has, and those that others have had: how they are told apart and kept. */
import type { WorkflowDefinition } from "../definition/definition.js";
import { outlineOf, type StepOutline } from "../definition/outline.js";
import { StepwellError } from "../errors.js";
import { fingerprintOf } from "../ids.js";
import type { StoredDefinition } from "../stores/records.js";
import type { MaybePromise, Store } from "../stores/contract.js";

/** A list of steps, as it is compared and as it is kept. */
export interface StepList {
  readonly outline: readonly StepOutline[];
  readonly fingerprint: string;
  readonly steps: string;
}

export function stepList({ steps }: WorkflowDefinition): StepList {
  const outline = outlineOf(steps);
  const text = JSON.stringify(outline);
  return { outline, fingerprint: fingerprintOf(text), steps: text };
}

/** @throws STEPWELL_NOT_DECODABLE */
function outlineIn({ workflow, version, steps }: StoredDefinition): readonly StepOutline[] {
  try {
    const outline: unknown = JSON.parse(steps);
    if (Array.isArray(outline)) return outline as readonly StepOutline[];
    throw new Error("it is no list");
  } catch (cause) {
    const message = `A list of steps that is kept of workflow "${workflow}" version "${version}" can't be read back: ${(cause as Error).message}.`;
    throw new StepwellError("STEPWELL_NOT_DECODABLE", message, { workflow, cause });
  }
}

/** What others have had, asked of the store once for each list. */
export class StoredStepLists {
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
      // Of the others one may be damaged, which concerns only those who know it.
      const one = all.find((it) => key(it) === key({ version, fingerprint }));
      if (one === undefined) return undefined;
      const outline = outlineIn(one);
      this.#known.set(key(one), outline);
      return outline;
    };
    const found = this.#store.definitions(workflow);
    return found instanceof Promise ? found.then(keep) : keep(found);
  }
}
