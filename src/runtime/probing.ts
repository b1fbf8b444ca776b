/** Asks the probe of a step that is in doubt. The observers around steps are told nothing of it: they are about `run` and its undo. */
import { inDoubtReason, answerOf } from "../execution/probe-answer.js";
import { eventAt, type Event } from "../execution/events.js";
import { attemptOf } from "../execution/execution.js";
import type { Settled } from "../execution/step-result.js";
import { serializeError } from "../values/serialize-error.js";
import { callOf, settledEvent, type Call } from "./call.js";
import { inDoubtError } from "./reports.js";
import { startCall, StepCall, stillRuns, type Caller } from "./step-call.js";
import type { Work } from "./work.js";

/** Gives the event that came of it, or the call while it runs. */
export function askProbe(work: Work, caller: Caller): Event | StepCall {
  const call = callOf(work, undefined, "probe");
  const started = startCall(work, call, caller);
  return started instanceof StepCall ? started : eventOf(work, call, started);
}

/** What a settled call means, of a probe or of a step's other functions. */
export function eventOf(work: Work, call: Call, settled: Settled): Event {
  if (call.func !== "probe") return settledEvent(work, call, settled);
  call.elapsed = Math.max(0, work.host.clock.monotonic() - call.began);
  const { execution, event } = answerOf(work.execution, settled, call, {
    ...work.callFacts,
    stillRuns: stillRuns(work.host, call.context.idempotencyKey),
    inDoubtError: () => inDoubtError(work.execution, call.context.idempotencyKey, call.step),
  });
  work.execution = execution;
  return event;
}

/** There is no probe, and nobody runs the step again. */
export function parkedInDoubt(work: Work): Event {
  const { context, step } = callOf(work, undefined, "probe");
  const error = serializeError(inDoubtError(work.execution, context.idempotencyKey, step));
  const what = { type: "probed", reason: inDoubtReason, wait: null, parks: true } as const;
  return eventAt(work.execution, what, inDoubtReason, { error });
}

/** The attempt at hand has failed for good, as `reason` says, and nothing more is to be learnt of it. */
export function failedForGood(work: Work, reason: string, error: Event["error"]): Event {
  const { execution } = work;
  const attempt = Math.max(1, attemptOf(execution) - 1);
  return eventAt(execution, { type: "stepFailed", reason }, reason, { attempt, error, failedItself: true });
}
