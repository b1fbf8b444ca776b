/**
 * Whether an execution that is taken up can go on with the list of steps that is registered: seen to before anything of it
 * runs. It may know another list of the same version, or be of an older version from which there is a way.
 */
import type { StepOutline } from "../definition/outline.js";
import { StepwellError } from "../errors.js";
import { changeInTheWay } from "../execution/definition-change.js";
import type { Transition, ExecutionRecord } from "../execution/records.js";
import type { MaybePromise } from "../stores/contract.js";
import {
  happened,
  hasBegun,
  isBegun,
  withItsDoubt,
  type Attempts,
  type ActiveExecution,
  type Happening,
} from "../execution/execution.js";
import type { Host } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { moved, type MigrationPath } from "./upgrade.js";
import { changedError, migrationError, missingStepError } from "./reports.js";

/** It began, or last went on, with another list than the one that is registered. */
export interface DefinitionMismatch {
  /** Null: with which one is not known. */
  readonly fingerprint: string | null;
  readonly way: MigrationPath;
}

export function misfitOf({ fingerprint }: ExecutionRecord, way: MigrationPath): DefinitionMismatch | undefined {
  const isKnown = way.hops.length === 0 && fingerprint === way.registered.stepList.fingerprint;
  return isKnown ? undefined : { fingerprint, way };
}

/** It goes on: with the list that the next transition takes over; and with `happening`, if that is to be committed first. */
export interface DefinitionCheck {
  readonly definition: NonNullable<Transition["definition"]>;
  readonly happening: Happening | undefined;
}

/** An error: it can't go on. */
export function checkDefinition(
  course: ActiveExecution,
  { fingerprint, way }: DefinitionMismatch,
  host: Host,
): MaybePromise<DefinitionCheck | StepwellError> {
  const { workflow, version } = course.identity;
  const fit = (before: readonly StepOutline[] | undefined): DefinitionCheck | StepwellError => {
    const { definition, stepList } = way.registered;
    const list = { version: definition.version, fingerprint: stepList.fingerprint };
    if (way.hops.length > 0) {
      const happening = migrated(course, way, before, host);
      return happening instanceof StepwellError ? happening : { definition: list, happening };
    }
    const problem = problemOf(course, before, way.registered);
    if (problem !== undefined) return problem;
    course.position = withItsDoubt(course, before?.[course.position.stepIndex]);
    // What has not begun begins with whatever is the first step.
    if (!hasBegun(course)) course.position = { ...course.position, step: definition.steps[0]!.name };
    else if (isBegun(course, before?.[course.position.stepIndex]))
      course.position = { ...course.position, begins: true };
    return { definition: list, happening: undefined };
  };
  const before = fingerprint === null ? undefined : host.listOf(workflow, version, fingerprint);
  return before instanceof Promise ? before.then(fit) : fit(before);
}

/** Its new state is taken over with the commit. */
function migrated(
  course: ActiveExecution,
  way: MigrationPath,
  before: readonly StepOutline[] | undefined,
  host: Host,
): Happening | StepwellError {
  const it = moved(course, way, before, host.sizeLimit);
  if ("problem" in it) return migrationError(course, it);
  const { status, position, state, migration, stays } = it;
  if (state !== undefined) {
    course.state = state.value;
    course.unsaved = state.encoded;
    course.isRich = !state.encoded.isPlain;
  }
  return happened(course, { type: "migrated", status, position, migration, stays }, "migrated");
}

/** @param before the list that it knows; undefined: it was not kept, and all that can be compared is the name of its step */
function problemOf(
  course: Attempts & Pick<ActiveExecution, "identity">,
  before: readonly StepOutline[] | undefined,
  { definition, stepList }: Registered,
): StepwellError | undefined {
  const { position } = course;
  if (!hasBegun(course)) return undefined;
  if (before === undefined) {
    return definition.steps[position.stepIndex]?.name === position.step ? undefined : missingStepError(course);
  }
  const change = changeInTheWay(before, stepList.outline, position);
  return change === undefined ? undefined : changedError(course, change);
}
