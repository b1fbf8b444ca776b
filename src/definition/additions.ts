/** What is added to the definition of a workflow: the definition with it, or why it can't stand there. */
import { StepwellError } from "../errors.js";
import { shown } from "../values/options.js";
import type { AnyWorkflow, Bag } from "./bag.js";
import { inTree } from "./children.js";
import type { StepDefinition, WorkflowDefinition } from "./definition.js";
import { definitionOf } from "./definition-of.js";
import { migrationDefinition } from "./migration.js";
import { observerOf, type ObserverOf } from "./observer.js";
import { definitionOfStep, optionsGiven, stepDefinition } from "./step.js";

/** The step that `.step(…)` was given: one from a module of its own, or a name and options, with `run` among them or before them. */
export function stepGiven(given: readonly unknown[], workflow: string): StepDefinition {
  const [first, ...options] = given;
  if (typeof first === "string") return stepDefinition(first, optionsGiven(first, options, { workflow }), { workflow });
  const definition = definitionOfStep(first);
  if (definition !== undefined && options.length === 0) return definition;
  const shownGiven =
    definition === undefined ? shown(first) : `step "${definition.name}" with options, which it has already`;
  throw new StepwellError(
    "STEPWELL_INVALID_DEFINITION",
    `Workflow "${workflow}": .step(…) takes a name and options, or a step made with step<…>()("name", { run, … }), not ${shownGiven}.`,
    { workflow, step: definition?.name },
  );
}

export function withStep(definition: WorkflowDefinition, given: StepDefinition): WorkflowDefinition {
  const about = { workflow: definition.name, step: given.name };
  const refuse = (message: string): never => {
    throw new StepwellError("STEPWELL_INVALID_DEFINITION", message, about);
  };
  if (definition.migrations.length > 0) {
    refuse(
      `Workflow "${definition.name}": step "${given.name}" comes after .migrate(…), which is about all steps. Move it up.`,
    );
  }
  if (definition.steps.some(({ name }) => name === given.name)) {
    refuse(`Workflow "${definition.name}" has two steps named "${given.name}". Give each its own name: it is stored.`);
  }
  if (given.pivot && definition.pivot >= 0) {
    const first = definition.steps[definition.pivot]!.name;
    refuse(
      `Workflow "${definition.name}" has a pivot already, "${first}"; after it nothing turns, so a second one means nothing.`,
    );
  }
  const step = given.children === undefined ? given : inTree(definition, given, given.children);
  return {
    ...definition,
    steps: [...definition.steps, step],
    pivot: step.pivot ? definition.steps.length : definition.pivot,
  };
}

export function withMigration(definition: WorkflowDefinition, older: unknown, options: unknown): WorkflowDefinition {
  const what = `Workflow "${definition.name}": what .migrate(…) was given`;
  const from = typeof older === "string" ? older : definitionOf(older as AnyWorkflow, what);
  const migration = migrationDefinition(definition, from, options as Parameters<typeof migrationDefinition>[2]);
  return { ...definition, migrations: [...definition.migrations, migration] };
}

export function withObservers(definition: WorkflowDefinition, given: readonly ObserverOf<Bag>[]): WorkflowDefinition {
  const observers = given.map((one) => {
    if (typeof one === "object" && one !== null) return observerOf(one);
    throw new StepwellError(
      "STEPWELL_INVALID_DEFINITION",
      `Workflow "${definition.name}": .observe(…) takes observers, made with observer({ name, … }), or their options.`,
      { workflow: definition.name },
    );
  });
  return {
    ...definition,
    guards: [...definition.guards, ...observers.filter(({ guard }) => guard)],
    watchers: [...definition.watchers, ...observers.filter(({ guard }) => !guard)],
  };
}
