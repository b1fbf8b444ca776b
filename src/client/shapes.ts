/** What a request is judged by: the list of steps that an execution has, as far as this process can know it. */
import { shapeOf } from "../execution/definition-change.js";
import type { Shape } from "../execution/router.js";
import type { ClientHost } from "../session/client-host.js";
import { registryKey, type Registered } from "../session/registry.js";
import type { ListedExecution } from "../stores/contract.js";

/** The shape of a workflow that this process does not know. */
export const unknownShape: Shape = { count: Infinity, pivot: -1 };

/** Undefined: it is not registered here, and the store does not have the list. */
export async function shapeFor(
  { workflow, version, fingerprint }: ListedExecution,
  registry: ReadonlyMap<string, Registered>,
  host: ClientHost,
): Promise<Shape | undefined> {
  const registered = registry.get(registryKey(workflow, version));
  if (registered !== undefined || fingerprint === null) return registered?.shape;
  const steps = await host.listOf(workflow, version, fingerprint);
  return steps && shapeOf(steps);
}
