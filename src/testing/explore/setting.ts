/** What is played, and what is around it. */
import type { StepDefinition, WorkflowDefinition } from "../../definition/definition.js";
import type { Fault } from "./course.js";

/** A workflow and all that is around it, the same for each history. */
export interface Setting<World> {
  readonly definition: (world: World) => WorkflowDefinition;
  /** The version that takes over. */
  readonly next: ((world: World) => WorkflowDefinition) | undefined;
  readonly input: unknown;
  readonly world: () => World;
  readonly snapshot: (world: World) => unknown;
  /** Payloads by the names of messages. */
  readonly messages: Readonly<Record<string, unknown>>;
  readonly isLeftOut: (fault: Fault) => boolean;
  /** Whether a function of this step may give no answer: something has to end it. */
  readonly mayHang: (step: StepDefinition) => boolean;
}
