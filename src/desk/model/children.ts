/** What a step of children waits for. */
import type { ChildGroup } from "../../index.js";
import type { ExecutionFacts } from "./facts.js";

export interface WaitedFor extends ChildGroup {
  /** How many are not settled; going down, how many are still to undo. */
  readonly left: number;
}

/** The children of the step at which it stands, as it goes. Undefined: that is no step of children, or it has begun none. */
export function waitedFor({ flow, steps, children }: ExecutionFacts): WaitedFor | undefined {
  if (steps?.[flow.stepIndex]?.children === undefined) return undefined;
  const group = children.findLast(({ step }) => step === flow.step);
  if (group === undefined) return undefined;
  const { notBegun, underWay, stuck, completed } = group;
  return { ...group, left: underWay + stuck + (flow.direction === "down" ? completed : notBegun) };
}
