/** What an execution that has turned can't undo. */
import type { WorkflowDefinition } from "../definition/definition.js";
import type { Irreversible } from "./position.js";

/** The steps up to that one that are marked; undefined: none is. */
export function irreversibleUpTo(index: number, { steps }: WorkflowDefinition): readonly Irreversible[] | undefined {
  let found: Irreversible[] | undefined;
  for (let i = 0; i <= index; i++) {
    const { name: step, irreversible: reason } = steps[i]!;
    if (reason !== undefined) (found ??= []).push({ step, reason });
  }
  return found;
}
