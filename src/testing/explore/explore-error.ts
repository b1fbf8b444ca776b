import type { Transacted } from "../../definition/outcome.js";
import { StepwellError } from "../../errors.js";
import type { Counterexample } from "./counterexample.js";
import type { Called } from "./instrumented.js";
import type { NotReached } from "./search.js";

/** Why an exploration is not content. */
export class ExploreError extends StepwellError {
  /** The history that breaks what is asked of it. Undefined: none does, or it could not be said. */
  readonly counterexample: Counterexample | undefined;

  /** @internal */
  static of(counterexample: Counterexample, workflow: string): ExploreError {
    return new ExploreError("STEPWELL_COUNTEREXAMPLE", counterexample.text, { workflow }, counterexample);
  }

  /** @internal */
  static tooLittle(missing: readonly NotReached[], workflow: string): ExploreError {
    const list = missing.map(({ step, situation }) => `- ${step}: ${situation}`).join("\n");
    const message =
      `Workflow "${workflow}": nothing is wrong with what was seen, but no history has shown these:\n${list}\n` +
      `Give another input, "messages" that bring it there or a greater "depth"; or name the steps in "unreached".`;
    return new ExploreError("STEPWELL_EXPLORED_TOO_LITTLE", message, { workflow }, undefined);
  }

  private constructor(
    code: "STEPWELL_COUNTEREXAMPLE" | "STEPWELL_EXPLORED_TOO_LITTLE",
    message: string,
    details: { readonly workflow: string },
    counterexample: Counterexample | undefined,
  ) {
    super(code, message, details);
    this.counterexample = counterexample;
  }
}

/** A function has given back a transaction: on the memory store it could only fail, in each history. */
export function unplayable({ workflow, step }: Called, { store }: Transacted): StepwellError {
  const message =
    `Step "${step.name}" of workflow "${workflow.name}" gave back a transaction(…) of "stepwell/${store}". It can't be explored: ` +
    `histories are played on the memory store, which has none. So test such a step on the store that it is written for.`;
  return new StepwellError("STEPWELL_WRONG_STORE", message, { workflow: workflow.name, step: step.name });
}
