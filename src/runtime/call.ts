/** One call of a step's function: what it is called with, and what its result is with the observers around it. */
import { serializeError } from "../values/serialize-error.js";
import type { Flow, StepFunc } from "../definition/flow.js";
import type { StepDefinition, StepFunction } from "../definition/definition.js";
import { eventWith, eventAt, type Event } from "../execution/events.js";
import { openDoubt } from "../execution/doubt.js";
import { attemptOf, executionWith } from "../execution/execution.js";
import { flowOf, isPolling } from "../execution/position.js";
import type { MailboxRecord } from "../execution/records.js";
import { resultOf, waitTimedOut, type Settled, type SettledCall } from "../execution/step-result.js";
import { messageIdentity, noteGuard, observe, type Told } from "./observing.js";
import { stepDeadlineError, waitTimeoutError } from "./reports.js";
import { StepContext, type DeliveredMessage } from "./step-context.js";
import type { Work } from "./work.js";

/** A message that is to be handled, as it came and as its handler sees it. */
export interface Delivery {
  readonly arrival: MailboxRecord;
  readonly delivered: DeliveredMessage;
}

/** A call of a step function that is about to be made, or under way. */
export interface Call extends SettledCall {
  readonly func: StepFunc;
  readonly fn: StepFunction | undefined;
  readonly context: StepContext;
  /** From the clock's `monotonic`. */
  readonly began: number;
  /** How long the call took, in milliseconds; 0 until it has settled. */
  elapsed: number;
}

/** @param func Default: the one that is due */
export function callOf(work: Work, message?: Delivery, func: StepFunc = work.execution.position.stepFunc): Call {
  const { position } = work.execution;
  const step = work.registered.definition.steps[position.stepIndex]!;
  const fn = functionOf(step, func, message !== undefined);
  const context = new StepContext(work, step, func, message?.delivered);
  return {
    func,
    step,
    called: fn !== undefined,
    attempt: context.attempt,
    cause: message?.arrival,
    elapsed: 0,
    fn,
    context,
    began: work.host.clock.monotonic(),
  };
}

/** The step's function is not called, since its time is over. */
function uncalled(work: Work): Call {
  return { ...callOf(work), fn: undefined, called: false };
}

function functionOf(step: StepDefinition, func: StepFunc, message: boolean): StepFunction | undefined {
  switch (func) {
    case "run":
      return step.run;
    case "runContinue":
      return message ? step.onMessage : step.onTimeout;
    case "probe":
      return step.probe;
    case "rollback":
      return step.rollback;
    case "rollbackContinue":
      return step.onRollbackMessage;
  }
}

/**
 * A guard's word before the function is called; undefined: the step runs. Nothing may skip an undo, and a function that is
 * asked again has begun, of which the observers were told.
 */
export function beforeStep(work: Work): Event | undefined {
  const { position } = work.execution;
  if (position.stepFunc === "runContinue" || isPolling(position) || !work.registered.observing.hears("beforeStep"))
    return undefined;
  const attempt = attemptOf(work.execution);
  const step = { name: position.step, index: position.stepIndex };
  const veto = observe(work, "beforeStep", { flow: position, step, attempt });
  if (veto === undefined) return undefined;
  if (position.direction === "down") {
    noteGuard(work, "beforeStep", veto.error);
    return undefined;
  }
  const what = { type: "beforeStepVetoed", reason: veto.reason, begun: attempt > 1 } as const;
  return eventAt(work.execution, what, veto.reason, { error: serializeError(veto.error) });
}

/** What a settled call means, with its patch merged into the state and its observers called. */
export function settledEvent(work: Work, call: Call, settled: Settled): Event {
  call.elapsed = Math.max(0, work.host.clock.monotonic() - call.began);
  const { execution, event } = resultOf(work.execution, settled, call, work.callFacts);
  work.execution = execution;
  return afterStep(work, event, call, settled);
}

/** The wait timed out, and the step has no `onTimeout`. */
export function waitTimedOutEvent(work: Work): Event {
  const call = uncalled(work);
  const error = waitTimeoutError(work.execution);
  const { execution, event } = waitTimedOut(work.execution, error, call, work.callFacts);
  work.execution = execution;
  return afterStep(work, event, call, { kind: "timedOut", error, isFinal: event.what.type === "stepFailed" });
}

/** The launcher stops: commits that an attempt was begun, so that the next launcher knows of it. */
export function cutOffEvent(work: Work): Event {
  work.execution = executionWith(work.execution, { uncommittedAttempts: work.execution.uncommittedAttempts - 1 });
  return eventAt(work.execution, { type: "cutOff" }, "cut-off");
}

/** The step's own deadline has passed while nothing of it ran. */
export function stepOverdueEvent(work: Work): Event {
  const { position } = work.execution;
  const error = stepDeadlineError(work.execution);
  const doubt = openDoubt(work.execution, work.step);
  if (doubt !== undefined) {
    const doubted = { type: "doubted", reason: "timeout" } as const;
    return eventAt(work.execution, doubted, "timeout", { error: serializeError(error), func: "run" });
  }
  // Of what waits, the observers were told that it began; of an attempt that failed, how it ended.
  if (position.stepFunc === "runContinue" || isPolling(position))
    return settledEvent(work, uncalled(work), { kind: "timedOut", error, isFinal: true });
  const what = { type: "stepFailed", reason: "timeout" } as const;
  return eventAt(work.execution, what, "timeout", { error: serializeError(error), failedItself: true });
}

function afterStep(work: Work, event: Event, call: Call, settled: Settled): Event {
  const { type } = event.what;
  // What is not done, and did not fail, is not after the step.
  if (type === "stepPaused" || type === "again" || type === "cutOff") return event;
  // The look at its children has ended after it was let go of: nobody is told any more.
  if (work.isLeft || !work.registered.observing.hears("afterStep")) return event;
  const { position } = work.execution;
  const down = position.direction === "down";
  const thrown = "error" in settled ? settled.error : (event.error ?? undefined);
  const message = messageIdentity(call.cause);
  // Field by field: each step makes one, and spreading costs.
  const flow: Flow = { ...flowOf(position), lifecycle: down ? "rollback" : "step", lastResult: event.result };
  const seen: Told = { flow, step: call.context.step, attempt: call.attempt, durationMs: event.durationMs };
  if (message !== undefined) seen.message = message;
  if (thrown !== undefined) seen.error = thrown;
  if (event.result !== "ok") seen.reason = event.result;
  const veto = observe(work, "afterStep", seen);
  if (veto === undefined) return event;
  if (down || (type !== "stepOk" && type !== "stepCompleted")) {
    noteGuard(work, "afterStep", veto.error);
    return event;
  }
  const what = { type: "stepFailed", reason: veto.reason } as const;
  return eventWith(event, { what, result: veto.reason, error: serializeError(veto.error) });
}
