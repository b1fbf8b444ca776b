/** The steps that are made of other executions, as users write them. */
import type { AnyWorkflow, Bag } from "./bag.js";
import type { Next } from "./growth.js";
import type { Free } from "./verdicts.js";

export interface ChildrenSteps<B extends Bag> {
  child<const N extends string>(
    name: Free<N, B["steps"]>,
    workflow: AnyWorkflow,
    options: Readonly<Record<string, unknown>>,
  ): Next<B, N, {}, {}, never, {}>;

  parallel<const N extends string>(
    name: Free<N, B["steps"]>,
    workflows: Readonly<Record<string, AnyWorkflow>>,
    options: Readonly<Record<string, unknown>>,
  ): Next<B, N, {}, {}, never, {}>;

  forEach<const N extends string>(
    name: Free<N, B["steps"]>,
    workflow: AnyWorkflow,
    options: Readonly<Record<string, unknown>>,
  ): Next<B, N, {}, {}, never, {}>;
}
