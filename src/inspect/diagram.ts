import { diagrammed } from "../definition/printing.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { definitionOf } from "../definition/workflow.js";

/**
 * A workflow as Mermaid text, for a README or a page: the way up, the way down, and where it can get stuck.
 *
 * @example
 * console.log(diagram(fulfilOrder));
 */
export function diagram(workflow: AnyWorkflow): string {
  return diagrammed(definitionOf(workflow));
}
