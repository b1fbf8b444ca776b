/** What an execution that has turned can't undo. */
import type { WorkflowDefinition } from "../definition/definition.js";
import type { Irreversible } from "../flow/flow.js";

/** The steps up to that one that are marked; undefined: none is. */
export function irreversibleUpTo(index: number, { steps }: WorkflowDefinition): readonly Irreversible[] | undefined {
  const found = steps
    .slice(0, index + 1)
    .flatMap(({ name: step, irreversible: reason }) => (reason === undefined ? [] : [{ step, reason }]));
  return found.length === 0 ? undefined : found;
}
