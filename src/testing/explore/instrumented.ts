/** A workflow whose functions are called through somebody else: what they do stays what it was. */
import type { RetryDefinition, StepDefinition, StepFunction, WorkflowDefinition } from "../../definition/definition.js";
import { defaultRetry, defaultRollbackRetry } from "../../definition/retry-policy.js";

export const calledFunctions = [
  "run",
  "onMessage",
  "onTimeout",
  "probe",
  "rollback",
  "onRollbackMessage",
] as const satisfies readonly (keyof StepDefinition)[];

export type CalledFunction = (typeof calledFunctions)[number];

/** What all functions of steps are called with, as far as an exploration looks. */
export interface CalledContext {
  readonly execution: { readonly id: string };
  readonly idempotencyKey: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly state: unknown;
  readonly runKey?: string;
  readonly halfDone?: boolean;
  readonly message?: { readonly name: string };
}

export interface Called {
  readonly workflow: WorkflowDefinition;
  readonly step: StepDefinition;
  readonly func: CalledFunction;
  readonly context: CalledContext;
}

/** @param go calls the function as it was written */
export type Caller = (called: Called, go: () => unknown) => unknown;

/** So many attempts are made of each function, so that a failure for good comes to its end. */
const mostAttempts = 3;

/** @param known those of a tree: a workflow that stands in it twice is one */
export function instrumented(
  definition: WorkflowDefinition,
  caller: Caller,
  known = new Map<WorkflowDefinition, WorkflowDefinition>(),
): WorkflowDefinition {
  const made = known.get(definition) ?? {
    ...definition,
    steps: definition.steps.map((step) => stepOf(step, definition, caller, known)),
  };
  known.set(definition, made);
  return made;
}

function stepOf(
  step: StepDefinition,
  workflow: WorkflowDefinition,
  caller: Caller,
  known: Map<WorkflowDefinition, WorkflowDefinition>,
): StepDefinition {
  const { children } = step;
  if (children !== undefined) {
    const inside = Object.entries(children.workflows).map(([key, child]) => [key, instrumented(child, caller, known)]);
    return { ...step, children: { ...children, workflows: Object.fromEntries(inside) as typeof children.workflows } };
  }
  const functions = calledFunctions.map((func) => {
    const written = step[func];
    // To begin to wait has no effect that could be lost.
    if (written === undefined || (step.waits !== undefined && func === "run")) return [func, written];
    const called: StepFunction = (context: CalledContext) =>
      caller({ workflow, step, func, context }, () => (written as (context: CalledContext) => unknown)(context));
    return [func, called];
  });
  return {
    ...step,
    ...(Object.fromEntries(functions) as Pick<StepDefinition, CalledFunction>),
    retry: shortened(step.retry ?? defaultRetry),
    rollbackRetry: shortened(step.rollbackRetry ?? defaultRollbackRetry),
  };
}

function shortened(retry: RetryDefinition): RetryDefinition {
  return { ...retry, attempts: Math.min(retry.attempts, mostAttempts), jitter: false };
}
