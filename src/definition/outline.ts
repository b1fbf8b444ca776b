/**
 * The outline of a list of steps: plain data that decides whether an execution can go on with the list. A store keeps outlines, so
 * that later code can compare its own list with the list that an execution began with.
 */
import type { StepDefinition } from "./definition.js";

/** Fields are set only where they are true or not empty, so that the same list always makes the same text. */
export interface StepOutline {
  readonly name: string;
  readonly when?: true;
  readonly rollback?: true;
  readonly pivot?: true;
  readonly transactional?: true;
  readonly onTimeout?: true;
  /** Names of messages, sorted. */
  readonly messages?: readonly string[];
  readonly rollbackMessages?: readonly string[];
}

export function outlineOf(steps: readonly StepDefinition[]): readonly StepOutline[] {
  return steps.map(({ name, when, rollback, pivot, transactional, onTimeout, messages, rollbackMessages }) => ({
    name,
    ...(when !== undefined && { when: true }),
    ...(rollback !== undefined && { rollback: true }),
    ...(pivot && { pivot: true }),
    ...(transactional && { transactional: true }),
    ...(onTimeout !== undefined && { onTimeout: true }),
    ...named("messages", messages),
    ...named("rollbackMessages", rollbackMessages),
  }));
}

function named(field: "messages" | "rollbackMessages", schemas: object): Partial<StepOutline> {
  const names = Object.keys(schemas).toSorted();
  return names.length === 0 ? {} : { [field]: names };
}
