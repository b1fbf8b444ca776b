/** How requests to go back are judged before they are stored: by the list of steps that the execution has, as far as that is known here. */
import { shapeOf } from "../execution/definition-change.js";
import type { Shape } from "../execution/router.js";
import type { ClientHost } from "../session/client-host.js";
import { registryKey, type Registered } from "../session/registry.js";
import { missing } from "../session/not-found.js";
import type { StepwellError } from "../errors.js";
import type { ListedExecution, Store } from "../stores/contract.js";

/** The shape of a workflow that this process does not know. */
export const unknownShape: Shape = { count: Infinity, pivot: -1 };

/** The shape of the execution's workflow. Undefined: it is not registered here, and the store does not have its list of steps. */
export async function shapeFor(
  { workflow, version, fingerprint }: ListedExecution,
  registry: ReadonlyMap<string, Registered>,
  host: ClientHost,
): Promise<Shape | undefined> {
  const registered = registry.get(registryKey(workflow, version));
  if (registered !== undefined || fingerprint === null) return registered?.shape;
  const steps = await host.stepLists.find(workflow, version, fingerprint);
  return steps && shapeOf(steps);
}

/** How often a request is judged anew, of an execution that moves on meanwhile, before it is stored all the same. */
export const judgedTries = 3;

/** The filter for pending requests, without messages. */
export const requestsOnly = { status: "pending", limit: 0 } as const;

/** The answer where there is no such execution, or not yet. */
export async function absent(
  store: Store,
  id: string,
): Promise<{ readonly accepted: false; readonly why: "not-found" | "not-begun"; readonly error: StepwellError }> {
  const error = await missing(store, id);
  return { accepted: false, why: error.code === "STEPWELL_CHILD_NOT_BEGUN" ? "not-begun" : "not-found", error };
}
