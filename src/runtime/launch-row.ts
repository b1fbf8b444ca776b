/** From an input, and the options of its launch, to the row of a new execution: everything is checked, and nothing is written. */
import { encode } from "../values/encode.js";
import { isolate, merge } from "../values/isolate.js";
import type { LaunchOptions } from "../definition/asking.js";
import { milliseconds } from "../definition/duration.js";
import { refuseUnknownOptions, shown } from "../values/options.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import { patchProblem } from "../definition/outcome.js";
import { validate } from "../definition/schema.js";
import { StepwellError } from "../errors.js";
import { initialFlow, irreversibleIn, positionAt, type Position, positionOf } from "../execution/position.js";
import { startedInRollback } from "../execution/router.js";
import { checkExecutionId, newId } from "../ids.js";
import type { NewExecution } from "../stores/batch.js";
import type { MaybePromise } from "../stores/contract.js";
import type { ClientHost } from "../session/client-host.js";
import { andThen } from "../session/maybe-promise.js";
import { checkRollbackReason } from "../session/reasons.js";
import type { Registered } from "../session/registry.js";
import { queueingOf } from "./queueing.js";
import { checkedTags } from "./tags.js";

/** The row that is written. The launcher that owns the execution from the start is known last. */
export type LaunchRow = Omit<NewExecution, "owner" | "carried"> & { owner: number | null; carried: string | null };

/** What the schema of the workflow said of the input. */
export type CheckedInput = Awaited<ReturnType<typeof validate>>;

type LaunchHost = Pick<ClientHost, "sizeLimit" | "storeNow" | "storeNowAtMost">;

/** A child, as it will be created. @param priority its parent's @throws as `launch` */
export function prepareChild(
  registered: Registered,
  input: unknown,
  { id, priority = 0 }: { readonly id: string; readonly priority: number | undefined },
  host: LaunchHost,
): MaybePromise<Omit<NewExecution, "owner">> {
  return andThen(
    validate(registered.definition.input, input),
    (checked) => checkedRow(registered, input, checked, { id, priority }, host).row,
  );
}

const noTags: readonly string[] = [];

/** What is written, but for what observers give it to carry. */
export function checkedRow(
  registered: Registered,
  input: unknown,
  checked: CheckedInput,
  options: LaunchOptions,
  host: LaunchHost,
): { readonly row: LaunchRow; readonly state: object } {
  const { definition, stepList } = registered;
  if (!checked.ok) throw invalidInput(definition, options, `was refused by its schema: ${checked.problem}`);
  if (typeof checked.value !== "object" || checked.value === null || Array.isArray(checked.value))
    throw invalidInput(definition, options, "must be an object: its fields are the first fields of the state.");
  const id = options.id ?? newId();
  if (options.id !== undefined) checkExecutionId(options.id);
  const position = prioritized(firstPosition(registered, options), options);
  const limit = host.sizeLimit;
  const given = isolate(input);
  // A schema that only checks gives back what it was given.
  let state = checked.value === input ? (given as object) : isolate(checked.value);
  if (options.rollback?.state !== undefined) state = merge(state, isolate(options.rollback.state));
  const delay = delayOf(options, host);
  const resumeAt = delay > 0 ? host.storeNowAtMost() + delay : null;
  const queue = queueingOf(definition, options, state);
  const encoded = encode(given, { what: "The input", limit });
  return {
    state,
    row: {
      id,
      owner: null,
      workflow: definition.name,
      version: definition.version,
      fingerprint: stepList.fingerprint,
      tags: options.tags === undefined ? noTags : checkedTags(options.tags, "launch"),
      status: delay > 0 || queue !== undefined ? "scheduled" : "running",
      position: resumeAt === null ? position : positionOf({ ...position, resumeAt }),
      state: state === given ? encoded : encode(state, { what: "The state", limit }),
      input: encoded,
      dueInMs: resumeAt === null ? 0 : resumeAt - host.storeNow(),
      deadlineInMs: definition.deadline === undefined ? null : delay + definition.deadline,
      carried: null,
      queue,
    },
  };
}

/** The position with the priority of the launch. Without one it keeps the shape that most positions have. */
function prioritized(position: Position, { priority = 0 }: LaunchOptions): Position {
  return priority === 0 ? position : positionOf({ ...position, priority });
}

function invalidInput({ name }: WorkflowDefinition, { id }: LaunchOptions, problem: string): StepwellError {
  const about = { workflow: name, execution: id };
  return new StepwellError("STEPWELL_INVALID_INPUT", `The input of workflow "${name}" ${problem}`, about);
}

function firstPosition({ definition }: Registered, { id, rollback }: LaunchOptions): Position {
  if (rollback === undefined) return positionAt(initialFlow, definition.steps[0]!.name);
  return rollbackPosition(definition, id, rollback);
}

function rollbackPosition(
  definition: WorkflowDefinition,
  id: string | undefined,
  rollback: NonNullable<LaunchOptions["rollback"]>,
): Position {
  checkRollbackStart(rollback);
  const index = definition.steps.findIndex(({ name }) => name === rollback.from);
  if (index < 0) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `Workflow "${definition.name}" has no step ${shown(rollback.from)} to roll back from. ` +
        `It has: ${definition.steps.map(({ name }) => name).join(", ")}.`,
      { workflow: definition.name },
    );
  }
  if (definition.pivot >= 0 && index > definition.pivot) {
    const pivot = definition.steps[definition.pivot]!.name;
    throw new StepwellError(
      "STEPWELL_PAST_PIVOT",
      `Nothing was launched: step "${rollback.from}" of workflow "${definition.name}" comes after its pivot, step "${pivot}", and ` +
        `nothing is undone past that. Roll back from the pivot, where that may have half-happened, or from a step before it.`,
      { workflow: definition.name, step: rollback.from, execution: id },
    );
  }
  const position = positionAt(startedInRollback(index, rollback.reason), rollback.from);
  const irreversible = irreversibleIn(0, index, definition);
  const passed = withoutChildren(definition, index, rollback.without ?? []);
  return positionOf({
    ...position,
    request: { reason: rollback.reason },
    irreversible,
    passed: passed.length > 0 ? passed : undefined,
  });
}

/** The steps of children up to that one, by index: each must be named. */
function withoutChildren({ name, steps }: WorkflowDefinition, index: number, without: readonly string[]): number[] {
  const refuse = (step: string, problem: string): never => {
    const message = `launch of "${name}" in rollback: step ${shown(step)} ${problem}`;
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message, { workflow: name });
  };
  const parents = steps
    .slice(0, index + 1)
    .flatMap((step, at) => (step.children === undefined ? [] : { step: step.name, at }));
  for (const one of without)
    if (!parents.some(({ step }) => step === one))
      refuse(one, `is in "without", and is no step of children that would be undone.`);
  for (const { step } of parents)
    if (!without.includes(step))
      refuse(
        step,
        `is made of children, and this launch has none to undo. Name it in "without", and undo what they did by other means.`,
      );
  return parents.map(({ at }) => at);
}

function checkRollbackStart(rollback: NonNullable<LaunchOptions["rollback"]>): void {
  refuseUnknownOptions(rollback, ["from", "reason", "state", "without"], "launch, rollback,");
  checkRollbackReason(rollback.reason, "launch, rollback.reason");
  if (rollback.without !== undefined && !Array.isArray(rollback.without)) {
    const given = shown(rollback.without);
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `launch: "rollback.without" must be an array of steps, not ${given}.`,
    );
  }
  const problem = rollback.state === undefined ? undefined : patchProblem(rollback.state);
  if (problem === undefined) return;
  const message = `launch: "rollback.state" is ${problem}; give a plain object.`;
  throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message);
}

function delayOf({ delay, at }: LaunchOptions, host: LaunchHost): number {
  if (delay !== undefined && at !== undefined) {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `launch takes "delay" or "at", not both.`);
  }
  if (delay !== undefined) return milliseconds(delay, "launch, delay");
  if (at === undefined) return 0;
  const time = at instanceof Date ? at.getTime() : Number.NaN;
  if (Number.isNaN(time)) throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `launch: "at" must be a valid Date.`);
  return Math.max(0, time - host.storeNow());
}
