/** What a store must be able to do for what is asked of it: refused before anything is written. */
import type { WorkflowDefinition } from "../definition/definition.js";
import { StepwellError } from "../errors.js";
import type { Capabilities, Store } from "../stores/contract.js";

const abilities: Readonly<Record<keyof Capabilities, string>> = {
  definitions: "keeps lists of steps",
  limits: "keeps queues and places",
  lists: "keeps lists of executions",
  schedules: "keeps schedules",
  topics: "keeps topics",
  transactions: "has transactions that others can join",
};

/** @param what needs it @throws STEPWELL_CAPABILITY_MISSING */
export function needed<Name extends keyof Capabilities>(
  store: Store,
  name: Name,
  what: string,
): NonNullable<Store[Name]> {
  const capability = store[name];
  if (capability !== undefined) return capability;
  throw new StepwellError(
    "STEPWELL_CAPABILITY_MISSING",
    `${what} needs a store that ${abilities[name]}, and the ${store.name} store does not: it has no "${name}". ` +
      `Nothing was changed. Use a store that has it; docs/stores.md says which do.`,
  );
}

/** @throws STEPWELL_CAPABILITY_MISSING */
export function checkCapabilities({ name, limits, steps }: WorkflowDefinition, store: Store): void {
  const parent = steps.find(({ children }) => children !== undefined);
  if (parent !== undefined) needed(store, "lists", `Step "${parent.name}" of workflow "${name}", which has children,`);
  if (limits !== undefined) needed(store, "limits", `Workflow "${name}", which has "concurrency" or "rate",`);
}
