/** What a launch brings to the limits of its workflow: its keys, and its priority. */
import { isolate } from "../values/isolate.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import { longestName, shown } from "../values/options.js";
import { isLine } from "../values/text.js";
import { StepwellError } from "../errors.js";
import type { Queueing } from "../stores/batch.js";

/** The options of a launch on which its place in the queue depends. */
interface LimitedLaunch {
  readonly id?: string;
  readonly priority?: number;
  readonly rollback?: object;
}

/** One more of priority counts as so long a wait, in milliseconds: an execution that has waited for longer goes first after all. */
const worthOfPriority = 60_000;

const highestPriority = 1_000_000;

/**
 * Undefined: it need not wait for anything. A launch in rollback never does: the way down is not limited.
 *
 * @throws STEPWELL_INVALID_LIMIT_KEY
 */
export function queueingOf(
  { name, limits }: WorkflowDefinition,
  launch: LimitedLaunch,
  state: object,
): Queueing | undefined {
  return limits === undefined || launch.rollback !== undefined ? undefined : queueingIn(name, limits, launch, state);
}

function queueingIn(
  name: string,
  limits: NonNullable<WorkflowDefinition["limits"]>,
  { id, priority }: LimitedLaunch,
  state: object,
): Queueing {
  const keyOf = (key: ((state: never) => string) | null | undefined, of: string): string | null =>
    key === null || key === undefined ? null : checkedKey(key, state, `${of} of workflow "${name}"`, name, id);
  return {
    gate: name,
    key: keyOf(limits.perKey?.key, "concurrency"),
    rateKey: keyOf(limits.rate?.key, "rate"),
    leadMs: (priority ?? 0) * worthOfPriority,
  };
}

/** @throws STEPWELL_INVALID_ARGUMENT */
export function checkPriority(definition: WorkflowDefinition, { priority, rollback }: LimitedLaunch): void {
  if (priority === undefined) return;
  const workflow = definition.name;
  if (!(Number.isInteger(priority) && priority >= 0 && priority <= highestPriority)) {
    const message = `launch: "priority" must be a whole number from 0 to ${highestPriority}, not ${shown(priority)}.`;
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message, { workflow });
  }
  if (rollback === undefined && mayWait(definition)) return;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `launch: "priority" means nothing here, since this launch waits for no other one: it is a launch in rollback, or workflow ` +
      `"${workflow}" has neither "concurrency" nor "rate", nor has any workflow of its children. Leave it out.`,
    { workflow },
  );
}

/** By itself, or in its children. */
function mayWait({ limits, steps }: WorkflowDefinition): boolean {
  return limits !== undefined || steps.some(({ children }) => Object.values(children?.workflows ?? {}).some(mayWait));
}

function checkedKey(
  key: (state: never) => string,
  state: object,
  where: string,
  workflow: string,
  execution: string | undefined,
): string {
  let given: unknown;
  try {
    // A copy: what it does to it must not become the state.
    given = key(isolate(state) as never);
  } catch (cause) {
    const message = `The key function in the ${where} threw. Nothing was launched.`;
    throw new StepwellError("STEPWELL_INVALID_LIMIT_KEY", message, { workflow, execution, cause });
  }
  if (isLine(given, longestName)) return given;
  throw new StepwellError(
    "STEPWELL_INVALID_LIMIT_KEY",
    `The key function in the ${where} must give a text of 1 to ${longestName} characters without control characters, ` +
      `not ${shown(given)}. Nothing was launched.`,
    { workflow, execution },
  );
}
