/** From the workflow that a user holds to its definition. */
import type { AnyWorkflow } from "./bag.js";
import { StepwellError } from "../errors.js";
import type { WorkflowDefinition } from "./definition.js";
import { shown } from "../values/options.js";

/** Where a workflow keeps its definition. Shared over copies of this package. */
export const definitionKey = Symbol.for("stepwell.definition");

/**
 * The definition of a workflow. `what` says for the error's message where the workflow was given.
 *
 * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_INVALID_DEFINITION for a workflow without steps
 */
export function definitionOf(workflow: AnyWorkflow, what = "What was given"): WorkflowDefinition {
  const definition = (workflow as { [definitionKey]?: WorkflowDefinition } | null | undefined)?.[definitionKey];
  if (definition === undefined) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `${what} is not a workflow but ${shown(workflow)}. Make one with workflow("name", { input }).`,
    );
  }
  if (definition.steps.length === 0) {
    throw new StepwellError(
      "STEPWELL_INVALID_DEFINITION",
      `Workflow "${definition.name}" has no steps. Add at least one with .step(…).`,
      { workflow: definition.name },
    );
  }
  return definition;
}
