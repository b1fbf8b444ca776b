/**
 * The outline of a list of steps: plain data that decides whether an execution can go on with the list. A store keeps outlines, so
 * that later code can compare its own list with the list that an execution began with.
 */
import type { ChildrenDefinition, StepDefinition } from "./definition.js";

/** Fields are set only where they are true or not empty, so that the same list always makes the same text. */
export interface StepOutline {
  readonly name: string;
  readonly when?: true;
  readonly rollback?: true;
  readonly pivot?: true;
  readonly transactional?: true;
  /** Why it can't be undone. */
  readonly irreversible?: string;
  /** The step only waits, for a time or for messages. */
  readonly waits?: true;
  readonly onTimeout?: true;
  readonly probe?: true;
  /** Nobody runs it again while it is not known what became of its last attempt. */
  readonly inDoubt?: "park";
  /** Names of messages, sorted. */
  readonly messages?: readonly string[];
  readonly rollbackMessages?: readonly string[];
  readonly children?: ChildrenOutline;
}

/** What a step of children is made of, without the versions. */
export interface ChildrenOutline {
  readonly kind: ChildrenDefinition["kind"];
  /** The names of the workflows by key, sorted by key; one that stands alone is under "". */
  readonly workflows: Readonly<Record<string, string>>;
}

export function outlineOf(steps: readonly StepDefinition[]): readonly StepOutline[] {
  return steps.map(
    ({
      name,
      when,
      rollback,
      pivot,
      transactional,
      irreversible,
      waits,
      onTimeout,
      probe,
      inDoubt,
      messages,
      rollbackMessages,
      children,
    }) => ({
      name,
      ...(when !== undefined && { when: true }),
      ...(rollback !== undefined && { rollback: true }),
      ...(pivot && { pivot: true }),
      ...(transactional && { transactional: true }),
      ...(irreversible !== undefined && { irreversible }),
      ...(waits !== undefined && { waits: true }),
      ...(onTimeout !== undefined && { onTimeout: true }),
      ...(probe !== undefined && { probe: true }),
      ...(inDoubt === "park" && { inDoubt }),
      ...named("messages", messages),
      ...named("rollbackMessages", rollbackMessages),
      ...(children !== undefined && { children: childrenOutline(children) }),
    }),
  );
}

function childrenOutline({ kind, workflows }: ChildrenDefinition): ChildrenOutline {
  const names = Object.entries(workflows).map(([key, { name }]): [string, string] => [key, name]);
  return { kind, workflows: Object.fromEntries(names.toSorted(([a], [b]) => (a < b ? -1 : 1))) };
}

/**
 * The part of a change that keeps children that may have begun from being undone or waited for; undefined: none does. Others may join them, and
 * each keeps the version that it began with.
 *
 * @param name of the step
 */
export function childrenChange(
  name: string,
  was: ChildrenOutline | undefined,
  is: ChildrenOutline | undefined,
): string | undefined {
  if (was === undefined && is === undefined) return undefined;
  if (was === undefined) return `step "${name}" was a step of its own and is made of children now`;
  if (is === undefined) return `step "${name}" was made of children and is a step of its own now`;
  if (was.kind !== is.kind) return `step "${name}" was a .${was.kind} and is a .${is.kind} now`;
  const lost = Object.entries(was.workflows).find(([key, workflow]) => is.workflows[key] !== workflow);
  if (lost === undefined) return undefined;
  const [key, workflow] = lost;
  return Object.hasOwn(is.workflows, key)
    ? `step "${name}" was made of workflow "${workflow}", and "${is.workflows[key]!}" is in its place now`
    : `step "${name}" had a child "${key}" of workflow "${workflow}", which has no place in it any more`;
}

/** Going down, something of it is to be done. */
export function isUndone({ rollback, children }: StepOutline): boolean {
  return rollback === true || children !== undefined;
}

function named(field: "messages" | "rollbackMessages", schemas: object): Partial<StepOutline> {
  const names = Object.keys(schemas).toSorted();
  return names.length === 0 ? {} : { [field]: names };
}
