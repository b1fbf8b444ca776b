/** Changes for the worse: what somebody might have written in the place of a workflow that is right. */
import type { StepDefinition, StepFunction, WorkflowDefinition } from "../../definition/definition.js";
import { didNotHappen, happened } from "../../definition/outcome.js";

export interface Change {
  readonly what: string;
  readonly change: (definition: WorkflowDefinition) => WorkflowDefinition;
}

export function mutantsOf(definition: WorkflowDefinition): readonly Change[] {
  const { steps } = definition;
  return steps.flatMap((step, index) => [
    ...(step.rollback === undefined || step.children !== undefined ? [] : undoMutants(step)),
    ...(step.probe === undefined ? [] : probeMutants(step.name)),
    ...(step.timeout === undefined
      ? []
      : [changed(`${step.name} has no timeout`, step.name, () => ({ timeout: undefined }))]),
    ...swaps(steps, index),
  ]);
}

function changed(what: string, name: string, change: (step: StepDefinition) => Partial<StepDefinition>): Change {
  return {
    what,
    change: (definition) => ({
      ...definition,
      steps: definition.steps.map((step) => (step.name === name ? { ...step, ...change(step) } : step)),
    }),
  };
}

interface UndoContext {
  readonly runKey: string;
  readonly idempotencyKey: string;
  readonly halfDone: boolean;
}

function undoMutants({ name, inDoubt }: StepDefinition): readonly Change[] {
  type Undo = (context: UndoContext) => unknown;
  const undo = (what: string, change: (written: Undo) => Undo): Change =>
    changed(`the undo of ${name} ${what}`, name, ({ rollback }) => ({
      rollback: change(rollback as Undo),
    }));
  const forgetful = undo(
    "does nothing where its answer was lost",
    (written) => (context) => (context.halfDone ? undefined : written(context)),
  );
  return [
    undo("does nothing", () => () => undefined),
    // Where a doubt is settled before anything goes on, an undo never meets one.
    ...(inDoubt === "park" ? [] : [forgetful]),
    undo(
      "uses another key",
      (written) => (context) =>
        written({ ...context, runKey: `${context.runKey}x`, idempotencyKey: `${context.idempotencyKey}x` }),
    ),
  ];
}

function probeMutants(name: string): readonly Change[] {
  const answers = (what: string, answer: () => unknown): Change => changed(what, name, () => ({ probe: answer }));
  return [
    answers(`the probe of ${name} says that it did not happen`, didNotHappen),
    answers(`the probe of ${name} says that it happened`, () => happened({})),
  ];
}

/** The undos of two steps, one after the other, are taken for each other. */
function swaps(steps: readonly StepDefinition[], index: number): readonly Change[] {
  const [one, other] = [steps[index]!, steps[index + 1]];
  if (one.rollback === undefined || other?.rollback === undefined) return [];
  const what = `the undos of ${one.name} and ${other.name} are swapped`;
  const undos = new Map([
    [one.name, (definition: WorkflowDefinition) => undoOf(definition, other.name)],
    [other.name, (definition: WorkflowDefinition) => undoOf(definition, one.name)],
  ]);
  return [
    {
      what,
      change: (definition) => ({
        ...definition,
        steps: definition.steps.map((step) => {
          const undo = undos.get(step.name);
          return undo === undefined ? step : { ...step, rollback: undo(definition) };
        }),
      }),
    },
  ];
}

function undoOf({ steps }: WorkflowDefinition, name: string): StepFunction | undefined {
  return steps.find((step) => step.name === name)?.rollback;
}
