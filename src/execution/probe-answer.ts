/** What a probe has answered, as an event: what becomes of the attempt of `run` that is in doubt. */
import { Again, DidNotHappen, Happened as ItHappened, Unknown } from "../definition/outcome.js";
import { defaultRollbackRetry } from "../definition/retry-policy.js";
import { StepwellError } from "../errors.js";
import { isEmpty } from "../values/isolate.js";
import { reasonOf, serializeError } from "../values/serialize-error.js";
import { doubtOf, type Doubt } from "./doubt.js";
import { newEvent, eventWith, type Event, type Happened } from "./events.js";
import type { ActiveExecution } from "./execution.js";
import type { OperatorAct } from "./mail.js";
import { nextDelay } from "./retry.js";
import { happenedOf, mistakes, type CallFacts, type Settled, type SettledCall } from "./step-result.js";

/** Why an execution is parked whose step is in doubt. */
export const inDoubtReason = "in-doubt";

/** What an answer depends on beside the execution and the call. */
export interface AskedFacts extends CallFacts {
  /** The attempt in doubt was given up, and has not settled. */
  readonly stillRuns: boolean;
  /** What is said of an execution that is parked in doubt. */
  inDoubtError(): StepwellError;
}

export function answerOf(execution: ActiveExecution, settled: Settled, call: SettledCall, facts: AskedFacts): Happened {
  const doubt = doubtOf(execution, call.step)!;
  if (settled.kind !== "returned") return { execution, event: failedToAnswer(settled, call, doubt, facts) };
  const { value } = settled;
  if (value instanceof ItHappened) return happened(execution, value.result, call, facts);
  if (value instanceof DidNotHappen && doubt.partly === undefined && !facts.stillRuns)
    return { execution, event: didNotHappen(call) };
  if (value instanceof Unknown || value instanceof DidNotHappen) {
    const parks = call.step.inDoubt === "park";
    const what = { type: "probed", reason: inDoubtReason, wait: null, parks } as const;
    const error = parks ? serializeError(facts.inDoubtError()) : null;
    return { execution, event: answered(call, what, "unknown", { error, answered: "unknown" }) };
  }
  if (value instanceof Again && isEmpty(value.patch)) {
    const what = { type: "probed", reason: "again", wait: value.after, parks: false } as const;
    return { execution, event: answered(call, what, "again", { answered: "again" }) };
  }
  const error = nonsenseError(execution, call);
  return { execution, event: failedToAnswer({ kind: "threw", error }, call, doubt, facts) };
}

/** The attempt happened, and `result` is what `run` would have given back. */
function happened(execution: ActiveExecution, result: unknown, call: SettledCall, facts: CallFacts): Happened {
  const as = happenedOf(execution, result, call, facts);
  const event = eventWith(as.event, { func: "probe", result: "happened", answered: "happened" });
  if (execution.position.direction === "up") return { ...as, event };
  // On the way down only the patch counts: the step is undone next.
  return { ...as, event: eventWith(event, { what: { type: "probeHappened" }, pause: undefined, failedItself: false }) };
}

/**
 * What an operator says of it, in the place of the probe. Where something that the step did before was committed, only the last attempt
 * did not happen: on the way down the step is undone, as it is known.
 */
export function resolved(
  execution: ActiveExecution,
  { resolved: what, patch }: OperatorAct,
  call: SettledCall,
  facts: CallFacts,
): Happened {
  if (what === "happened") return happened(execution, patch, call, facts);
  const event = didNotHappen(call);
  const isPartly = doubtOf(execution, call.step)?.partly === true && execution.position.direction === "down";
  return { execution, event: isPartly ? eventWith(event, { what: { type: "probeHappened" } }) : event };
}

function didNotHappen(call: SettledCall): Event {
  return answered(call, { type: "probeDidNotHappen" }, "did-not-happen", { answered: "did-not-happen" });
}

function answered(call: SettledCall, what: Event["what"], result: string, details?: Partial<Event>): Event {
  const { attempt, cause, called, elapsed } = call;
  const durationMs = Math.round(elapsed);
  return newEvent({ what, func: "probe", attempt, durationMs, result, cause, called, gave: true, ...details });
}

/** Tried again as an undo is, then parked: that it failed is no answer. */
function failedToAnswer(
  settled: Exclude<Settled, { kind: "returned" }>,
  call: SettledCall,
  doubt: Doubt,
  { time, clock }: CallFacts,
): Event {
  if (settled.kind === "cutOff") return answered(call, { type: "cutOff" }, "cut-off");
  const reason = settled.kind === "timedOut" ? "timeout" : reasonOf(settled.error);
  const { attempts = 0, firstAttemptAt } = doubt;
  const elapsed = firstAttemptAt === undefined ? call.elapsed : time.storeNow() - firstAttemptAt;
  const policy = call.step.rollbackRetry ?? defaultRollbackRetry;
  const wait = mistakes.has(reason) ? undefined : nextDelay(policy, attempts + 1, elapsed, clock.random());
  const what = { type: "probed", reason, wait: wait ?? null, parks: wait === undefined } as const;
  const error = serializeError(settled.error);
  return answered(call, what, reason, { error, answered: "failed", isUnexpected: true });
}

function nonsenseError({ identity }: ActiveExecution, { step }: SettledCall): StepwellError {
  const { id, workflow } = identity;
  return new StepwellError(
    "STEPWELL_INVALID_RETURN_VALUE",
    `The probe of step "${step.name}" of workflow "${workflow}" gave back something else than an answer. ` +
      `Give back happened(…), didNotHappen(), unknown() or again({ after }).`,
    { workflow, step: step.name, execution: id },
  );
}
