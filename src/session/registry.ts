/** The workflows of a launcher or a client, each prepared once. */
import type { WorkflowDefinition } from "../definition/definition.js";
import type { Shape } from "../execution/router.js";
import type { StoredDefinition } from "../stores/records.js";
import type { ObserverCalls } from "./observer-calls.js";
import type { StepList } from "./step-lists.js";

/** A workflow as a launcher has prepared it. */
export interface Registered {
  readonly definition: WorkflowDefinition;
  readonly stepList: StepList;
  readonly shape: Shape;
  readonly observing: ObserverCalls;
}

/** The key under which a version of a workflow is registered: executions keep the version that they started with. */
export function registryKey(workflow: string, version: string): string {
  // Neither can hold a line break.
  return `${workflow}\n${version}`;
}

/** What the engine brings: a user's workflow has no such name. */
const ownNames = "stepwell:";

/** The lists of steps of all workflows that were registered by users, as the store keeps them. */
export function definitionsOf(registry: ReadonlyMap<string, Registered>): StoredDefinition[] {
  return [...registry.values()].filter(({ definition }) => !definition.name.startsWith(ownNames)).map(definitionIn);
}

export function definitionIn({ definition, stepList: { fingerprint, steps } }: Registered): StoredDefinition {
  return { workflow: definition.name, version: definition.version, fingerprint, steps };
}
