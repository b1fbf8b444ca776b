/**
 * What is committed before anything of a step begins: that it is passed over, or that it begins. And what becomes of a step
 * that has failed for good.
 */
import { merge } from "../values/isolate.js";
import type { StateFunction, StepDefinition } from "../definition/definition.js";
import { Fail, patchProblem } from "../definition/outcome.js";
import { StepwellError } from "../errors.js";
import { reasonOf, serializeError } from "../values/serialize-error.js";
import { happened, leftNothing, type ActiveExecution, type Happening } from "../execution/execution.js";
import type { Host } from "../session/host.js";
import { forgotten } from "../session/observer-calls.js";
import { isPromise } from "../values/promise.js";
import { decidingError } from "./reports.js";
import { keptPatch, shownState } from "./step-result.js";

/** Undefined: nothing, and the function that is due can be called. */
export function beginning(course: ActiveExecution, step: StepDefinition, host: Host): Happening | undefined {
  const { direction, stepFunc, stepIndex, passed, begins, stepDeadlineAt } = course.position;
  if (direction === "down")
    return passed?.includes(stepIndex) === true
      ? happened(course, { type: "stepPassedOver" }, "passed-over")
      : undefined;
  if (stepFunc !== "run") return undefined;
  const asks = step.when !== undefined && begins !== true;
  if (asks) {
    const answer = asked(course, "when", step.when, { state: shownState(course) });
    if (answer instanceof Failure) return answer.happening;
    if (typeof answer.given !== "boolean")
      return wrong(course, "when", `gave ${named(answer.given)}, not true or false`);
    if (!answer.given) return passedOver(course, step, host);
  }
  const isLimited = step.deadline !== undefined && stepDeadlineAt === undefined;
  return asks || isLimited ? happened(course, { type: "begins" }, "begins") : undefined;
}

function passedOver(course: ActiveExecution, { name, otherwise }: StepDefinition, host: Host): Happening {
  const event = { type: "stepPassedOver" } as const;
  if (otherwise === undefined) return happened(course, event, "passed-over");
  const answer = asked(course, "otherwise", otherwise, { state: shownState(course) });
  if (answer instanceof Failure) return answer.happening;
  const { given } = answer;
  if (given === undefined || given === null) return happened(course, event, "passed-over");
  const problem = patchProblem(given);
  if (problem !== undefined) return wrong(course, "otherwise", `gave ${problem}, not a patch`);
  const patch = keptPatch(given, name, course, host);
  if (patch instanceof StepwellError) return unbegun(course, patch, patch.code);
  return happened(course, event, "passed-over", { patch });
}

class Failure {
  readonly happening: Happening;

  constructor(happening: Happening) {
    this.happening = happening;
  }
}

function asked(
  course: ActiveExecution,
  option: string,
  ask: StateFunction | undefined,
  context: object,
): Failure | { given: unknown } {
  try {
    const given = ask!(context as never);
    return isPromise(given) ? new Failure(wrong(course, option, `gave back ${forgotten(given)}`)) : { given };
  } catch (error) {
    return new Failure(unbegun(course, error, reasonOf(error)));
  }
}

function wrong(course: ActiveExecution, option: string, problem: string): Happening {
  return unbegun(course, decidingError(course, option, problem), "invalid-return-value");
}

/** The step fails before anything of it has begun. */
function unbegun(course: ActiveExecution, error: unknown, reason: string): Happening {
  const event = { type: "beforeStepVetoed", reason, begun: false } as const;
  return happened(course, event, reason, { error: serializeError(error), failedItself: true });
}

function named(value: unknown): string {
  return value === null ? "null" : typeof value;
}

/** What `recover` makes of a step that has failed for good on its way up. */
export function recovered(
  failed: Happening,
  course: ActiveExecution,
  step: StepDefinition | undefined,
  host: Host,
): Happening {
  if (step?.recover === undefined || failed.failedItself !== true || course.position.direction === "down")
    return failed;
  const { event, error } = failed;
  const asIs = { ...failed, failedItself: false };
  const reported = (problem: string, cause?: unknown): Happening => {
    host.report(decidingError(course, "recover", `${problem}, so the step has failed as it was`, cause));
    return asIs;
  };
  let given: unknown;
  try {
    const context = {
      state: shownState(course),
      reason: failed.result,
      execution: course.identity,
      ...(error !== null && { error }),
    };
    given = step.recover(context as never);
  } catch (thrown) {
    return reported(`threw ${thrown instanceof Error ? thrown.message : String(thrown)}`, thrown);
  }
  if (isPromise(given)) return reported(`gave back ${forgotten(given)}`);
  const patch = given instanceof Fail ? given.patch : (given ?? {});
  const problem = patch === undefined ? undefined : patchProblem(patch);
  if (problem !== undefined) return reported(`gave ${problem}, not a patch or fail(…)`);
  const kept = patch === undefined ? undefined : keptPatch(patch as object, step.name, course, host);
  if (kept instanceof StepwellError) return reported(kept.message, kept);
  const all = kept === undefined ? failed.patch : merge(failed.patch ?? {}, kept);
  if (given instanceof Fail) {
    const reason = reasonOf(given);
    const said = serializeError(given);
    const because = error === null ? said : { ...said, cause: error };
    return { ...asIs, event: { ...(event as Failing), reason }, result: reason, error: because, patch: all };
  }
  // What was not begun, or not committed, is nothing that could be undone.
  const isNothing = event.type === "beforeStepVetoed" || leftNothing(course, step);
  const type = isNothing ? "stepPassedOver" : "stepOk";
  return { ...asIs, event: { type }, result: "recovered", patch: all };
}

type Failing = Extract<Happening["event"], { type: "beforeStepVetoed" | "stepFailed" }>;
