/** Prepares the workflows of a launcher or a client, with those of their children: checked that they fit together. */
import type { Clock } from "../clock.js";
import type { AnyWorkflow } from "../definition/bag.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import type { LimitsDefinition } from "../definition/limits.js";
import { definitionOf } from "../definition/definition-of.js";
import { StepwellError } from "../errors.js";
import { outlineOf } from "../definition/outline.js";
import { shapeOf } from "../execution/definition-change.js";
import { ObserverCalls } from "./observer-calls.js";
import { type Registered, registryKey } from "./registry.js";
import { stepList } from "./step-lists.js";

export const ofLauncher = "new Launcher(…)";

/**
 * @param place where the workflows were given, for an error's message
 * @param own workflows of the engine
 */
export function registryOf(
  workflows: readonly AnyWorkflow[],
  clock: Clock,
  place: string,
  own: readonly AnyWorkflow[] = [],
): Map<string, Registered> {
  const registry = new Map<string, Registered>();
  if (!Array.isArray(workflows) || workflows.length === 0) {
    const instead = place === ofLauncher ? " To ask without driving, make a Client." : "";
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `${place}: "workflows" must list at least one workflow.${instead}`,
    );
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
    registry.set(key, registeredOf(definition, clock));
  }
  for (const workflow of own) {
    const definition = definitionOf(workflow);
    registry.set(registryKey(definition.name, definition.version), registeredOf(definition, clock));
  }
  for (const { definition } of [...registry.values()]) addChildren(definition, registry, clock, place);
  checkSameLimits(registry, place);
  return registry;
}

function registeredOf(definition: WorkflowDefinition, clock: Clock): Registered {
  return {
    definition,
    stepList: stepList(definition),
    shape: shapeOf(outlineOf(definition.steps)),
    observing: new ObserverCalls(definition, clock),
  };
}

/** Registers the workflows of the children that a workflow may have. */
function addChildren(
  { name, steps }: WorkflowDefinition,
  registry: Map<string, Registered>,
  clock: Clock,
  place: string,
): void {
  for (const { children } of steps) {
    for (const child of Object.values(children?.workflows ?? {})) {
      const key = registryKey(child.name, child.version);
      const known = registry.get(key)?.definition;
      if (known === child) continue;
      if (known !== undefined) {
        throw new StepwellError(
          "STEPWELL_INVALID_ARGUMENT",
          `${place}: workflow "${child.name}" version "${child.version}" is there twice, with different code: one of them is a ` +
            `child of "${name}". Use the same object, or give a changed one a new version.`,
          { workflow: child.name },
        );
      }
      registry.set(key, registeredOf(child, clock));
      addChildren(child, registry, clock, place);
    }
  }
}

/** All versions of a workflow share its limits, so these can't differ. */
function checkSameLimits(registry: ReadonlyMap<string, Registered>, place: string): void {
  const numbers = new Map<string, string>();
  for (const { definition } of registry.values()) {
    const { name } = definition;
    const own = numbersOf(definition.limits);
    if ((numbers.get(name) ?? own) === own) {
      numbers.set(name, own);
      continue;
    }
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
