/** The errors that an execution in work gives: each says where it stands, and what to do. */
import { StepwellError, type ErrorCode } from "../errors.js";
import type { ExecutionIdentity } from "../definition/observer.js";
import type { StepDefinition } from "../definition/definition.js";
import type { SerializedError } from "../values/serialize-error.js";
import type { MailboxRecord, Transition } from "../execution/records.js";
import type { ActiveExecution } from "../execution/execution.js";
import type { MigrationRefusal } from "../execution/move.js";

/** The execution that an error is about, and where it stands. */
type Told = Pick<ActiveExecution, "identity" | "position">;

export function errorAbout(
  { identity, position }: Told,
  code: ErrorCode,
  message: string,
  cause?: unknown,
): StepwellError {
  const { id, workflow, root } = identity;
  return new StepwellError(code, message, { execution: id, workflow, step: position.step, root, cause });
}

/** For the message about a child: the execution at the top that is concerned too. */
function partOf({ root }: ExecutionIdentity): string {
  return root === undefined ? "" : ` It is part of execution "${root}", which waits for it.`;
}

export function stuckError(execution: Told): StepwellError {
  const { identity, position } = execution;
  return errorAbout(
    execution,
    "STEPWELL_EXECUTION_STUCK",
    `Execution "${identity.id}" is stuck at step "${position.step}" on the way ${position.direction}: ` +
      `${position.stuckBy?.message ?? position.lastResult}. Mend the cause, then retry or skip the step.` +
      partOf(identity),
  );
}

/** The warning about an execution's first attempt that failed unexpectedly, for programs without an observer that logs. */
export function failureWarning(
  { identity, position }: Told,
  { position: after, history }: Pick<Transition, "position" | "history">,
): { readonly fields: object; readonly message: string } {
  const { id: execution, workflow } = identity;
  const { step, direction } = position;
  const { error } = history;
  const what = `Step "${step}" of execution "${execution}" (workflow "${workflow}") failed on the way ${direction}: `;
  const isTried = after.stepFunc === "probe" ? "It is found out what became of it." : "It is tried again.";
  const isOver = history.result === "recovered" ? "The execution goes on without it." : isTried;
  const goesOn = after.direction === direction ? isOver : "The execution goes back.";
  const message = `${what}${error?.message ?? history.result}. ${goesOn} What else fails of it is in its history.`;
  return { fields: { execution, workflow, step, direction, attempt: history.attempt, error }, message };
}

/** A step fails again and again, and is still tried again: somebody may want to know before it is parked. */
export function strugglingError(execution: Told, last: SerializedError | null): StepwellError {
  const { identity, position } = execution;
  return errorAbout(
    execution,
    "STEPWELL_EXECUTION_STRUGGLING",
    `Step "${position.step}" of execution "${identity.id}" has failed ${position.attempts} times on the way ` +
      `${position.direction} and is tried again: ${last?.message ?? position.lastResult}. Mend the cause, or wait.` +
      partOf(identity),
  );
}

/** @param key the idempotency key of its `run` */
export function inDoubtError(execution: Told, key: string, { probe }: Pick<StepDefinition, "probe">): StepwellError {
  const { identity, position } = execution;
  const nobody = probe === undefined ? "it has no probe" : "its probe does not know";
  const retry = probe === undefined ? "to run the step again all the same" : "to ask the probe again";
  return errorAbout(
    execution,
    "STEPWELL_IN_DOUBT",
    `Nobody knows whether step "${position.step}" of execution "${identity.id}" was done: its last attempt, under the key "${key}", ` +
      `gave nothing back, and ${nobody}. Find out, then resolve it: it happened, or it did not. Or retry, ${retry}.`,
  );
}

export function missingStepError(execution: Told): StepwellError {
  const { identity, position } = execution;
  return errorAbout(
    execution,
    "STEPWELL_STEP_MISSING",
    `Execution "${identity.id}" stands at step "${position.step}" (number ${position.stepIndex}), which workflow ` +
      `"${identity.workflow}" version "${identity.version}" does not have there. Give a changed list of steps a new version.`,
  );
}

/** @param change what of it is in the way */
export function changedError(execution: Told, change: string): StepwellError {
  const { identity, position } = execution;
  return errorAbout(
    execution,
    "STEPWELL_DEFINITION_CHANGED",
    `Execution "${identity.id}" can't go on at step "${position.step}": the steps of workflow "${identity.workflow}" version ` +
      `"${identity.version}" were changed, and ${change}. Give the changed list a new version and register the old one ` +
      `beside it, or migrate from it; then retry.`,
  );
}

export function migrationError(execution: Told, { problem, from, to, cause }: MigrationRefusal): StepwellError {
  const { identity, position } = execution;
  return errorAbout(
    execution,
    "STEPWELL_MIGRATION_FAILED",
    `Execution "${identity.id}" could not be migrated from version "${from}" of workflow "${identity.workflow}" to "${to}", at ` +
      `step "${position.step}": ${problem}. It stays as it was. Mend the migration, or register the older version; then retry.`,
    cause,
  );
}

export function lostError(execution: Told): StepwellError {
  return errorAbout(
    execution,
    "STEPWELL_OWNERSHIP_LOST",
    `Execution "${execution.identity.id}" belongs to another launcher now.`,
  );
}

/** @param deaths how many */
export function killerError(execution: Told, deaths: number): StepwellError {
  return errorAbout(
    execution,
    "STEPWELL_CRASHES_LAUNCHER",
    `Step "${execution.position.step}" was begun ${deaths} times in a row and its process died each time. ` +
      `Find out what it does to the process, then retry or skip it.`,
  );
}

export function invariantError(execution: Told, broken: string): StepwellError {
  return errorAbout(
    execution,
    "STEPWELL_INVARIANT_VIOLATED",
    `Execution "${execution.identity.id}" is parked, since ${broken}. This is a mistake of Stepwell: please report it.`,
  );
}

export function waitTimeoutError(execution: Told): StepwellError {
  return errorAbout(
    execution,
    "STEPWELL_ATTEMPT_TIMEOUT",
    `Step "${execution.position.step}" waited for a message until its timeout.`,
  );
}

export function stepDeadlineError(execution: Told): StepwellError {
  return errorAbout(
    execution,
    "STEPWELL_ATTEMPT_TIMEOUT",
    `Step "${execution.position.step}" was not done when its deadline passed.`,
  );
}

/** A step's `when`, `otherwise` or `recover` did what it must not. */
export function decidingError(execution: Told, option: string, problem: string, cause?: unknown): StepwellError {
  return errorAbout(
    execution,
    "STEPWELL_INVALID_RETURN_VALUE",
    `"${option}" of step "${execution.position.step}" of workflow "${execution.identity.workflow}" ${problem}. ` +
      `It must answer at once, and without effects.`,
    cause,
  );
}

export function lateError(execution: Told, step: string): StepwellError {
  return errorAbout(
    execution,
    "STEPWELL_LATE_RESULT",
    `Step "${step}" settled after it had been given up; its result was discarded.`,
  );
}

export function refusedMessageError(execution: Told, arrival: MailboxRecord, problem: string): StepwellError {
  return errorAbout(
    execution,
    "STEPWELL_INVALID_MESSAGE",
    `Message "${arrival.name}" (${arrival.messageId ?? arrival.id}) was refused by step ` +
      `"${execution.position.step}" and is a dead letter: ${problem}. Send it again with a payload that fits.`,
  );
}

/** A request to the execution can't be read back. */
export function brokenRequestError(execution: Told, { kind }: MailboxRecord, problem: string): StepwellError {
  return errorAbout(
    execution,
    "STEPWELL_NOT_DECODABLE",
    `A request (${kind}) to execution "${execution.identity.id}" can't be read back: ${problem}. Ask for it again.`,
  );
}

/** What an operator said that a step gave can't be stored. */
export function patchLostError(execution: Told, error: SerializedError | null): StepwellError {
  const message = `What a step gave, as an operator has said, can't be stored: ${error?.message ?? "nobody knows why"}. It was not followed.`;
  return errorAbout(execution, "STEPWELL_INVALID_PATCH", message);
}

/** A store that fails for good, or a mistake of ours. */
export function brokenError(execution: Told, cause: unknown): StepwellError {
  if (cause instanceof StepwellError) return cause;
  const message = `Execution "${execution.identity.id}" could not go on: ${messageOf(cause)}`;
  return errorAbout(execution, "STEPWELL_STORE_FAILED", message, cause);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
