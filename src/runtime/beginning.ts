/**
 * What is committed before anything of a step begins: that it is passed over, or that it begins. And what becomes of a step
 * that has failed for good.
 */
import { encode } from "../values/encode.js";
import { merge } from "../values/isolate.js";
import type { StateFunction, StepDefinition } from "../definition/definition.js";
import { Fail, patchProblem } from "../definition/outcome.js";
import { StepwellError } from "../errors.js";
import { reasonOf, serializeError } from "../values/serialize-error.js";
import { eventAt, type Event } from "../execution/events.js";
import { leftNothing, patchOptions, shownState } from "../execution/execution.js";
import type { RoutedEvent } from "../execution/router.js";
import { keptPatch } from "../execution/step-result.js";
import { forgotten, isPromise } from "../values/promise.js";
import { decidingError } from "./reports.js";
import type { Work } from "./work.js";

/** What is committed before the step begins. Undefined: nothing, and the function that is due can be called. */
export function beginning(work: Work, step: StepDefinition): Event | undefined {
  const { direction, stepFunc, stepIndex, passed, begins, stepDeadlineAt } = work.execution.position;
  if (direction === "down")
    return passed?.includes(stepIndex) === true
      ? eventAt(work.execution, { type: "stepPassedOver" }, "passed-over")
      : undefined;
  if (stepFunc !== "run") return undefined;
  const asks = step.when !== undefined && begins !== true;
  if (asks) {
    const answer = asked(work, "when", step.when, { state: shownState(work.execution) });
    if (answer instanceof Failure) return answer.event;
    if (typeof answer.given !== "boolean") return wrong(work, "when", `gave ${named(answer.given)}, not true or false`);
    if (!answer.given) return passedOver(work, step);
  }
  const isLimited = step.deadline !== undefined && stepDeadlineAt === undefined;
  // A launcher that dies before has put nothing in doubt.
  const mayPark = step.inDoubt === "park" && begins !== true;
  return asks || isLimited || mayPark ? eventAt(work.execution, { type: "begins" }, "begins") : undefined;
}

function passedOver(work: Work, { name, otherwise }: StepDefinition): Event {
  const event = { type: "stepPassedOver" } as const;
  if (otherwise === undefined) return eventAt(work.execution, event, "passed-over");
  const answer = asked(work, "otherwise", otherwise, { state: shownState(work.execution) });
  if (answer instanceof Failure) return answer.event;
  const { given } = answer;
  if (given === undefined || given === null) return eventAt(work.execution, event, "passed-over");
  const problem = patchProblem(given);
  if (problem !== undefined) return wrong(work, "otherwise", `gave ${problem}, not a patch`);
  const kept = keptPatch(given, name, work.execution, work.host.sizeLimit);
  if (kept instanceof StepwellError) return unbegun(work, kept, kept.code);
  work.execution = kept.execution;
  return eventAt(work.execution, event, "passed-over", { patch: kept.patch });
}

class Failure {
  readonly event: Event;

  constructor(event: Event) {
    this.event = event;
  }
}

function asked(
  work: Work,
  option: string,
  ask: StateFunction | undefined,
  context: object,
): Failure | { given: unknown } {
  try {
    const given = ask!(context as never);
    return isPromise(given) ? new Failure(wrong(work, option, `gave back ${forgotten(given)}`)) : { given };
  } catch (error) {
    return new Failure(unbegun(work, error, reasonOf(error)));
  }
}

function wrong(work: Work, option: string, problem: string): Event {
  return unbegun(work, decidingError(work.execution, option, problem), "invalid-return-value");
}

/** The step fails before anything of it has begun. */
function unbegun(work: Work, error: unknown, reason: string): Event {
  const event = { type: "beforeStepVetoed", reason, begun: false } as const;
  return eventAt(work.execution, event, reason, { error: serializeError(error), failedItself: true });
}

/** The step gave the one before it failed; the other one is what it recovers with. */
function bothOf(first: Event["patch"], second: Event["patch"]): Event["patch"] {
  if (first === undefined || second === undefined) return first ?? second;
  return encode(merge(first.value as object, second.value as object), patchOptions);
}

function named(value: unknown): string {
  return value === null ? "null" : typeof value;
}

/** What `recover` makes of a step that has failed for good on its way up. */
export function recovered(work: Work, failed: Event, step: StepDefinition | undefined): Event {
  const isAsked = step?.recover !== undefined && failed.failedItself && work.execution.position.direction === "up";
  return isAsked ? recoveredBy(step, work, failed) : failed;
}

function recoveredBy(step: StepDefinition, work: Work, failed: Event): Event {
  const { what, error } = failed;
  const asIs = { ...failed, failedItself: false };
  const reported = (problem: string, cause?: unknown): Event => {
    work.host.report(decidingError(work.execution, "recover", `${problem}, so the step has failed as it was`, cause));
    return asIs;
  };
  let given: unknown;
  try {
    const context = {
      state: shownState(work.execution),
      reason: "reason" in what ? what.reason : failed.result,
      execution: work.execution.identity,
      ...(error !== null && { error }),
    };
    given = step.recover!(context as never);
  } catch (thrown) {
    return reported(`threw ${thrown instanceof Error ? thrown.message : String(thrown)}`, thrown);
  }
  if (isPromise(given)) return reported(`gave back ${forgotten(given)}`);
  const patch = given instanceof Fail ? given.patch : (given ?? {});
  const problem = patch === undefined ? undefined : patchProblem(patch);
  if (problem !== undefined) return reported(`gave ${problem}, not a patch or fail(…)`);
  const kept = keptPatch((patch as object | undefined) ?? {}, step.name, work.execution, work.host.sizeLimit);
  if (kept instanceof StepwellError) return reported(kept.message, kept);
  work.execution = kept.execution;
  const all = bothOf(failed.patch, kept.patch);
  if (given instanceof Fail) {
    const reason = reasonOf(given);
    const said = serializeError(given);
    const because = error === null ? said : { ...said, cause: error };
    return { ...asIs, what: { ...(what as Failing), reason }, result: reason, error: because, patch: all };
  }
  // What was not begun, or not committed, is nothing that could be undone.
  const isNothing = what.type === "beforeStepVetoed" || leftNothing(work.execution, step);
  const type = isNothing ? "stepPassedOver" : "stepOk";
  return { ...asIs, what: { type }, result: "recovered", patch: all };
}

type Failing = Extract<RoutedEvent, { type: "beforeStepVetoed" | "stepFailed" }>;
