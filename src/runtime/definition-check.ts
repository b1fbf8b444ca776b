/**
 * Whether an execution that is taken up can go on with the list of steps that is registered: seen to before anything of it
 * runs. It may know another list of the same version, or be of an older version from which there is a way.
 */
import type { StepOutline } from "../definition/outline.js";
import { StepwellError } from "../errors.js";
import { changeInTheWay } from "../execution/definition-change.js";
import type { Transition, ExecutionRecord } from "../execution/records.js";
import type { MaybePromise } from "../stores/contract.js";
import { eventAt, type Event } from "../execution/events.js";
import { withDoubtRecorded, withoutProbe } from "../execution/doubt.js";
import {
  executionWith,
  hasBegun,
  isBegun,
  withPosition,
  type ActiveExecution,
  type Attempts,
} from "../execution/execution.js";
import { keyNameOf, positionOf } from "../execution/position.js";
import type { Registered } from "../session/registry.js";
import { letGoOf } from "./let-go.js";
import { moved, olderOutline, type MigrationPath } from "./upgrade.js";
import { changedError, migrationError, missingStepError } from "./reports.js";
import type { Work } from "./work.js";

/** The execution began, or last went on, with another list of steps than the registered one. */
export interface DefinitionMismatch {
  /** The fingerprint of that other list. Null: it is not known. */
  readonly fingerprint: string | null;
  readonly way: MigrationPath;
}

export function mismatchOf(
  { fingerprint }: Pick<ExecutionRecord, "fingerprint">,
  way: MigrationPath,
): DefinitionMismatch | undefined {
  const isKnown = way.hops.length === 0 && fingerprint === way.registered.stepList.fingerprint;
  return isKnown ? undefined : { fingerprint, way };
}

/** The execution goes on: with the list that the next transition takes over, and with `event`, if that is to be committed first. */
export interface DefinitionCheck {
  readonly definition: NonNullable<Transition["definition"]>;
  readonly event: Event | undefined;
}

/** An error: it can't go on. */
export function checkDefinition(
  work: Work,
  { fingerprint, way }: DefinitionMismatch,
): MaybePromise<DefinitionCheck | StepwellError> {
  const { workflow, version } = work.execution.identity;
  const check = (before: readonly StepOutline[] | undefined): MaybePromise<DefinitionCheck | StepwellError> => {
    const checked = way.hops.length > 0 ? migrated(work, way, before) : taken(work, way.registered, before);
    if (checked instanceof StepwellError) keepDoubt(work, before ?? olderOutline(way));
    return checked;
  };
  const before = fingerprint === null ? undefined : work.host.stepLists.find(workflow, version, fingerprint);
  return before instanceof Promise ? before.then(check) : check(before);
}

/** Keeps the doubt of an execution that is parked with a list of steps that it does not know: its own list says what a lost attempt means. */
function keepDoubt(work: Work, before: readonly StepOutline[] | undefined): void {
  const { execution } = work;
  const position = withDoubtRecorded(execution, before?.[execution.position.stepIndex]);
  if (before !== undefined && position !== execution.position) work.execution = withPosition(execution, position);
}

/** A changed list of the same version. */
function taken(
  work: Work,
  registered: Registered,
  before: readonly StepOutline[] | undefined,
): DefinitionCheck | StepwellError {
  const { definition, stepList } = registered;
  const { execution } = work;
  const was = before?.[execution.position.stepIndex];
  const problem = problemOf(execution, before, registered);
  if (problem !== undefined) return problem;
  const position = withoutProbe(withDoubtRecorded(execution, was), definition.steps[execution.position.stepIndex]);
  // What has not begun begins with whatever is the first step.
  if (!hasBegun(execution))
    work.execution = executionWith(execution, {
      position: positionOf({ ...position, step: definition.steps[0]!.name }),
    });
  else if (isBegun(execution, was)) work.execution = withPosition(execution, positionOf({ ...position, begins: true }));
  else if (position !== execution.position) work.execution = withPosition(execution, position);
  return { definition: { version: definition.version, fingerprint: stepList.fingerprint }, event: undefined };
}

/** An older version: its new state is taken over with the commit. */
function migrated(
  work: Work,
  way: MigrationPath,
  before: readonly StepOutline[] | undefined,
): MaybePromise<DefinitionCheck | StepwellError> {
  const { definition, stepList } = way.registered;
  const { keys } = work.execution.position;
  const it = moved(work.execution, way, before, work.host.sizeLimit);
  if ("problem" in it) return migrationError(work.execution, it);
  const { status, position, state, migration, stays } = it;
  if (state !== undefined) {
    const { value, encoded } = state;
    work.execution = executionWith(work.execution, {
      state: value,
      unsaved: encoded,
      changed: null,
      sizeAtMost: encoded.sizeAtMost,
    });
  }
  const event = eventAt(work.execution, { type: "migrated", status, position, migration, stays }, "migrated");
  const check = { definition: { version: definition.version, fingerprint: stepList.fingerprint }, event };
  const dropped = (before ?? olderOutline(way) ?? []).filter(
    ({ name, children }) => children !== undefined && migration.steps?.[name] === null,
  );
  if (dropped.length === 0) return check;
  const names = dropped.map(({ name }) => keyNameOf(name, keys));
  return letGoOf(work.host.lists, work.id, names).then(() => check);
}

/** @param before the list that it knows; undefined: it was not kept, and all that can be compared is the name of its step */
function problemOf(
  execution: Attempts & Pick<ActiveExecution, "identity">,
  before: readonly StepOutline[] | undefined,
  { definition, stepList }: Registered,
): StepwellError | undefined {
  const { position } = execution;
  if (!hasBegun(execution)) return undefined;
  if (before === undefined) {
    return definition.steps[position.stepIndex]?.name === position.step ? undefined : missingStepError(execution);
  }
  const change = changeInTheWay(before, stepList.outline, position);
  return change === undefined ? undefined : changedError(execution, change);
}
