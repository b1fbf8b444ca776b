/** The workflows of a launcher or a client, each prepared once. */
import type { Clock } from "../clock.js";
import type { AnyWorkflow } from "../definition/bag.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import type { LimitsDefinition } from "../definition/limits.js";
import { definitionOf } from "../definition/definition-of.js";
import { StepwellError } from "../errors.js";
import type { Shape } from "../execution/router.js";
import type { StoredDefinition } from "../stores/records.js";
import { ObserverCalls } from "./observer-calls.js";
import { stepList, type StepList } from "./step-lists.js";

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

/** @param place where the workflows were given, for an error's message */
export function registryOf(
  workflows: readonly AnyWorkflow[],
  clock: Clock,
  place = "new Launcher(…)",
): Map<string, Registered> {
  const registry = new Map<string, Registered>();
  if (!Array.isArray(workflows) || workflows.length === 0) {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `${place}: "workflows" must list at least one workflow.`);
  }
  for (const [index, workflow] of workflows.entries()) {
    const definition = definitionOf(workflow, `${place}: "workflows[${index}]"`);
    const key = registryKey(definition.name, definition.version);
    if (registry.has(key)) {
      throw new StepwellError(
        "STEPWELL_INVALID_ARGUMENT",
        `${place}: workflow "${definition.name}" version "${definition.version}" is listed twice. Give a changed one a new version.`,
        { workflow: definition.name },
      );
    }
    checkSameLimits(definition, workflows, place);
    const shape = { count: definition.steps.length, pivot: definition.pivot };
    registry.set(key, {
      definition,
      stepList: stepList(definition),
      shape,
      observing: new ObserverCalls(definition, clock),
    });
  }
  return registry;
}

/** All versions of a workflow share its limits, so these can't differ. */
function checkSameLimits({ name, limits }: WorkflowDefinition, workflows: readonly AnyWorkflow[], place: string): void {
  const numbers = numbersOf(limits);
  for (const other of workflows) {
    if (other.name !== name || numbersOf(definitionOf(other).limits) === numbers) continue;
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `${place}: the versions of workflow "${name}" have different limits. "concurrency" and "rate" count for all ` +
        `versions together: give each of them the same ones.`,
      { workflow: name },
    );
  }
}

function numbersOf(limits: LimitsDefinition | undefined): string {
  if (limits === undefined) return "";
  const { concurrency, perKey, rate } = limits;
  return JSON.stringify([concurrency, perKey?.limit, rate?.limit, rate?.per, rate !== null && rate.key !== null]);
}

/** The lists of steps of all registered workflows, as the store keeps them. */
export function definitionsOf(registry: ReadonlyMap<string, Registered>): StoredDefinition[] {
  return [...registry.values()].map(({ definition: { name, version }, stepList: { fingerprint, steps } }) => ({
    workflow: name,
    version,
    fingerprint,
    steps,
  }));
}
