/** Lists of steps: those that a launcher has, and those that the store keeps of other launchers. A fingerprint tells them apart. */
import type { WorkflowDefinition } from "../definition/definition.js";
import { outlineOf, type StepOutline } from "../definition/outline.js";
import { StepwellError } from "../errors.js";
import { fingerprintOf } from "../ids.js";
import type { StoredDefinition } from "../stores/records.js";
import type { MaybePromise, Store } from "../stores/contract.js";

/** A list of steps: as it is compared, and as the store keeps it. */
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
export function outlineIn({ workflow, version, steps }: StoredDefinition): readonly StepOutline[] {
  try {
    const outline: unknown = JSON.parse(steps);
    if (Array.isArray(outline)) return outline as readonly StepOutline[];
    throw new Error("it is no list");
  } catch (cause) {
    const message = `A list of steps that is kept of workflow "${workflow}" version "${version}" can't be read back: ${(cause as Error).message}.`;
    throw new StepwellError("STEPWELL_NOT_DECODABLE", message, { workflow, cause });
  }
}

/** Lists that the store keeps, each read once. */
export class StoredStepLists {
  readonly #store: Store;
  readonly #known = new Map<string, readonly StepOutline[]>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Undefined: the store does not have it. */
  find(workflow: string, version: string, fingerprint: string): MaybePromise<readonly StepOutline[] | undefined> {
    // A name, a version and a fingerprint hold no line break.
    const key = (it: Pick<StoredDefinition, "version" | "fingerprint">): string =>
      `${workflow}\n${it.version}\n${it.fingerprint}`;
    const known = this.#known.get(key({ version, fingerprint }));
    if (known !== undefined) return known;
    const keep = (all: readonly StoredDefinition[]): readonly StepOutline[] | undefined => {
      // Another list may be damaged, which concerns only the executions that have it.
      const one = all.find((it) => key(it) === key({ version, fingerprint }));
      if (one === undefined) return undefined;
      const outline = outlineIn(one);
      this.#known.set(key(one), outline);
      return outline;
    };
    const found = this.#store.definitions?.of(workflow) ?? [];
    return found instanceof Promise ? found.then(keep) : keep(found);
  }
}
