/** Calls one function of a step and says what happened: observers around it, its result classified. */
import { encode } from "../values/encode.js";
import { isolate, merge } from "../values/isolate.js";
import type { Flow } from "../definition/flow.js";
import type { RetryDefinition, StepDefinition, StepFunction } from "../definition/definition.js";
import type { CallbackName, MessageIdentity, ObserverEvent } from "../definition/observer.js";
import { Again, Complete, Fail, Pause, patchProblem } from "../definition/outcome.js";
import { defaultRetry, defaultRollbackRetry } from "../definition/retry-policy.js";
import { StepwellError, type ErrorCode } from "../errors.js";
import { isPastPivot } from "../execution/router.js";
import { nextDelay } from "../execution/retry.js";
import { reasonOf, serializeError } from "../values/serialize-error.js";
import type { MailboxRecord } from "../execution/records.js";
import type { Settled } from "./attempt.js";
import { attemptOf, type ActiveExecution, type Happening, isInDoubt } from "../execution/execution.js";
import type { Host } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { carriedOf, type Veto } from "../session/observer-calls.js";
import { StepContext, type DeliveredMessage } from "./step-context.js";

/** A message that is to be handled, as it came and as its handler sees it. */
export interface Delivery {
  readonly arrival: MailboxRecord;
  readonly delivered: DeliveredMessage;
}

/** A call of a step function that is about to be made, or under way. */
export interface Call {
  readonly step: StepDefinition;
  readonly fn: StepFunction | undefined;
  readonly context: StepContext;
  readonly attempt: number;
  /** From the clock's `monotonic`. */
  readonly began: number;
  readonly cause: MailboxRecord | undefined;
}

export function prepare(course: ActiveExecution, registered: Registered, host: Host, message?: Delivery): Call {
  const { position, identity } = course;
  const step = registered.definition.steps[position.stepIndex]!;
  const { stepFunc, direction } = position;
  const down = direction === "down";
  const attempt = attemptOf(course);
  const context = new StepContext({
    state: shownState(course),
    attempt,
    polls: position.polls ?? 0,
    execution: identity,
    step: { name: step.name, index: position.stepIndex },
    func: stepFunc,
    message: message?.delivered,
    timeout: message === undefined ? position.waitUntil : null,
    keys: position.keys,
    given: down ? givenBy(course) : undefined,
    halfDone: down ? isInDoubt(course, step) : undefined,
    reason: down ? position.reason : undefined,
    logger: host.logger,
    course,
    host,
  });
  return {
    step,
    fn: functionOf(step, stepFunc, message !== undefined),
    context,
    attempt,
    began: host.clock.monotonic(),
    cause: message?.arrival,
  };
}

function functionOf(
  step: StepDefinition,
  func: ActiveExecution["position"]["stepFunc"],
  message: boolean,
): StepFunction | undefined {
  switch (func) {
    case "run":
      return step.run;
    case "runContinue":
      return message ? step.onMessage : step.onTimeout;
    case "rollback":
      return step.rollback;
    case "rollbackContinue":
      return step.onRollbackMessage;
  }
}

/** The flow as users see it, without what the engine remembers beside it. */
export function flowOf({ direction, reason, stepIndex, stepFunc, lifecycle, lastResult }: Flow): Flow {
  return { direction, reason, stepIndex, stepFunc, lifecycle, lastResult };
}

/** The state as users see it. What can't be frozen, a Map or a Date, is a copy that they may change for themselves. */
export function shownState({ state, isRich }: Pick<ActiveExecution, "state" | "isRich">): object {
  return isRich ? isolate(state) : state;
}

/** What the step being undone gave on the way up. */
function givenBy(course: ActiveExecution): object {
  let given = {};
  for (const { step, patch } of course.given ?? []) {
    if (step === course.position.step) given = merge(given, patch.value as object);
  }
  return given;
}

/** How long the call has taken so far, in milliseconds. */
export function elapsedOf({ began }: Call, { clock }: Host): number {
  return Math.max(0, clock.monotonic() - began);
}

/** What a settled call means, with its patch merged into the course's state and its observers called. */
export function conclusionOf(
  call: Call,
  settled: Settled,
  course: ActiveExecution,
  registered: Registered,
  host: Host,
): Happening {
  const happening = resultOf(call, settled, course, registered, host);
  const { type } = happening.event;
  // What is not done, and did not fail, is not after the step.
  if (type === "stepPaused" || type === "again" || !registered.observing.hears("afterStep")) return happening;
  return afterStep(happening, call, settled, course, registered, host);
}

function resultOf(
  call: Call,
  settled: Settled,
  course: ActiveExecution,
  registered: Registered,
  host: Host,
): Happening {
  const elapsed = elapsedOf(call, host);
  const read = keepPatch(readSafely(call, settled, course, registered, host, elapsed), call, course, host);
  return {
    event: read.event,
    func: course.position.stepFunc,
    attempt: call.attempt,
    durationMs: Math.round(elapsed),
    result: read.result,
    error: read.error,
    patch: read.patch,
    pause: read.pause,
    cause: call.cause,
    by: undefined,
    why: undefined,
    failedItself: read.event.type === "stepFailed",
    called: call.fn !== undefined,
    gave: settled.kind === "returned" && read.isKept,
    isUnexpected: read.isUnexpected ?? false,
  };
}

function afterStep(
  happening: Happening,
  call: Call,
  settled: Settled,
  course: ActiveExecution,
  registered: Registered,
  host: Host,
): Happening {
  const down = course.position.direction === "down";
  const flow = {
    ...course.position,
    lifecycle: down ? ("rollback" as const) : ("step" as const),
    lastResult: happening.result,
  };
  const thrown = settled.kind === "returned" ? (happening.error ?? undefined) : settled.error;
  const message = messageIdentity(call.cause);
  const veto = observe("afterStep", course, registered, host, {
    flow,
    step: call.context.step,
    attempt: call.attempt,
    durationMs: happening.durationMs,
    ...(message !== undefined && { message }),
    ...(thrown !== undefined && { error: thrown }),
    ...(happening.result !== "ok" && { reason: happening.result }),
  });
  if (veto === undefined) return happening;
  if (down || (happening.event.type !== "stepOk" && happening.event.type !== "stepCompleted")) {
    noteGuard("afterStep", veto.error, course, host);
    return happening;
  }
  return {
    ...happening,
    event: { type: "stepFailed", reason: veto.reason },
    result: veto.reason,
    error: serializeError(veto.error),
  };
}

/** `isKept`: not if what was given back is lost. */
type Read = Pick<Happening, "event" | "result" | "error" | "patch" | "pause" | "isUnexpected"> & {
  readonly isKept: boolean;
};

/** A value that can't even be looked at, such as a revoked proxy, is nonsense like any other. */
function readSafely(...parts: Parameters<typeof readSettled>): Read {
  try {
    return readSettled(...parts);
  } catch (error) {
    return invalid(parts[0], `something that can't be read (${error instanceof Error ? error.message : typeof error})`);
  }
}

function readSettled(
  call: Call,
  settled: Settled,
  course: ActiveExecution,
  registered: Registered,
  host: Host,
  elapsed: number,
): Read {
  if (settled.kind !== "returned") {
    if (settled.kind === "timedOut" && settled.isFinal)
      return failed("timeout", serializeError(settled.error), undefined);
    const reason = settled.kind === "timedOut" ? "timeout" : reasonOf(settled.error);
    return technicalFailure(settled.error, reason, call, course, registered, host, elapsed);
  }
  const { value } = settled;
  const down = course.position.direction === "down";
  if (value === undefined || value === null) return ok(undefined);
  const outcome =
    value instanceof Pause
      ? "pause"
      : value instanceof Again
        ? "again"
        : value instanceof Fail
          ? "fail"
          : value instanceof Complete
            ? "complete"
            : undefined;
  if (outcome !== undefined) {
    const { patch } = value as Pause;
    const problem = patch === undefined ? undefined : patchProblem(patch);
    if (problem !== undefined) return invalid(call, `${outcome}(…) with ${problem} as its patch`);
  }
  if (value instanceof Pause) {
    const problem = pauseProblem(call, value, down);
    if (problem !== undefined) return invalid(call, problem);
    return {
      event: { type: "stepPaused" },
      result: "continue",
      error: null,
      patch: value.patch,
      pause: value,
      isKept: true,
    };
  }
  if (value instanceof Again) {
    const { stepFunc } = course.position;
    if (stepFunc !== "run" && stepFunc !== "rollback")
      return invalid(call, "again(…) from a handler, and only run and rollback are called again");
    const { after: wait, patch } = value;
    return { event: { type: "again", wait }, result: "again", error: null, patch, pause: undefined, isKept: true };
  }
  if (value instanceof Fail) return failed(reasonOf(value), serializeError(value), value.patch);
  if (value instanceof Complete) {
    if (down) return invalid(call, "complete(…), which has a meaning on the way up only");
    return { ...ok(value.patch), event: { type: "stepCompleted" } };
  }
  const problem = patchProblem(value);
  return problem === undefined ? ok(value) : invalid(call, problem);
}

function ok(patch: object | undefined): Read {
  return { event: { type: "stepOk" }, result: "ok", error: null, patch, pause: undefined, isKept: true };
}

function failed(reason: string, error: Read["error"], patch: object | undefined): Read {
  return { event: { type: "stepFailed", reason }, result: reason, error, patch, pause: undefined, isKept: true };
}

function invalid({ step, context }: Call, problem: string): Read {
  const error = new StepwellError(
    "STEPWELL_INVALID_RETURN_VALUE",
    `Step "${step.name}" of workflow "${context.execution.workflow}" gave back ${problem}. ` +
      `Give back nothing, an object of fields to merge into the state, pause(…), again(…), complete(…) or fail(…).`,
    { workflow: context.execution.workflow, step: step.name, execution: context.execution.id },
  );
  return { ...failed("invalid-return-value", serializeError(error), undefined), isKept: false, isUnexpected: true };
}

/** A pause that nothing could ever end is a mistake of the definition, not a wait. */
function pauseProblem({ step }: Call, pause: Pause, down: boolean): string | undefined {
  const messages = down ? step.rollbackMessages : step.messages;
  if (Object.keys(messages).length > 0 || typeof pause.timeout === "number") return undefined;
  if (pause.until !== undefined) return undefined;
  return down
    ? "pause(…), but declares no rollbackMessages and gave no timeout"
    : "pause(…), but declares no messages and gave no timeout";
}

/** Mistakes of the program's: to try again would change nothing. */
const mistakes = new Set<string>(["STEPWELL_INVALID_RETURN_VALUE", "STEPWELL_WRONG_STORE"] satisfies ErrorCode[]);

/** Thrown errors and timeouts: another attempt if the policy has one left. */
function technicalFailure(
  thrown: unknown,
  reason: string,
  call: Call,
  course: ActiveExecution,
  registered: Registered,
  host: Host,
  duration: number,
): Read {
  const { position } = course;
  const policy = policyOf(call.step, position, registered);
  const elapsed = position.firstAttemptAt === null ? duration : host.storeNow() - position.firstAttemptAt;
  const wait = mistakes.has(reason)
    ? undefined
    : nextDelay(policy, position.attempts + 1, elapsed, host.clock.random());
  const read = { ...failed(reason, serializeError(thrown), undefined), isUnexpected: true };
  return wait === undefined ? read : { ...read, event: { type: "retry", reason, wait, afresh: false } };
}

/** What the direction that the step has now lets it try. */
function policyOf(
  { retry, rollbackRetry }: StepDefinition,
  position: ActiveExecution["position"],
  { shape }: Pick<Registered, "shape">,
): RetryDefinition {
  if (position.direction === "down") return rollbackRetry ?? defaultRollbackRetry;
  return retry ?? (isPastPivot(position, shape) ? defaultRollbackRetry : defaultRetry);
}

/** Whether a try that is due begins later than its policy allows. */
export function isTooLate(course: ActiveExecution, step: StepDefinition, registered: Registered, host: Host): boolean {
  const { attempts, firstAttemptAt, lastResult } = course.position;
  // After a pause it is no try that is due, but what the pause was for.
  if (attempts === 0 || firstAttemptAt === null || lastResult === "continue") return false;
  return host.storeNow() - firstAttemptAt > policyOf(step, course.position, registered).within;
}

/** Merges the patch; one that can't be stored is a failure, and the undo then works without it. */
function keepPatch(read: Read, { step }: Call, course: ActiveExecution, host: Host): Read {
  if (read.patch === undefined) return read;
  const kept = keptPatch(read.patch, step.name, course, host);
  if (kept instanceof StepwellError) return { ...failed(kept.code, serializeError(kept), undefined), isKept: false };
  const { event, result, error, pause } = read;
  return { event, result, error, patch: kept, pause, isKept: true };
}

/** Merges what a step gives into the state. Undefined: it is empty. An error: it can't be stored, and nothing was merged. */
export function keptPatch(
  given: object,
  step: string,
  course: ActiveExecution,
  host: Host,
): object | StepwellError | undefined {
  try {
    const patch = isolate(given);
    if (Object.keys(patch).length === 0) return undefined;
    adopt(course, patch, host);
    return patch;
  } catch (error) {
    const { id, workflow } = course.identity;
    return new StepwellError(
      error instanceof StepwellError ? error.code : "STEPWELL_NOT_ENCODABLE",
      `What step "${step}" of execution "${id}" gave back can't be stored: ${
        error instanceof Error ? error.message : String(error)
      }`,
      { workflow, step, execution: id, cause: error },
    );
  }
}

/** Merges an isolated patch into the state, or throws and leaves the state as it was. */
function adopt(course: ActiveExecution, patch: object, host: Host): void {
  const state = merge(course.state, patch);
  const encoded = encode(state, { what: "The state", limit: host.sizeLimit });
  course.unsaved = encoded;
  course.isRich = !encoded.isPlain;
  course.state = state;
}

/** As `adopt`, for what a guard or an operator gives: the history keeps it apart from what steps give. */
export function adoptOthers(course: ActiveExecution, patch: object, host: Host): void {
  adopt(course, patch, host);
  course.others ??= new Set();
  for (const key of Object.keys(patch)) course.others.add(key);
}

/** For observers: which message a handler answered. */
export function messageIdentity(cause: MailboxRecord | undefined): MessageIdentity | undefined {
  if (cause?.kind !== "message") return undefined;
  return { id: cause.messageId ?? cause.id, name: cause.name, carried: carriedOf(cause.carried) };
}

/** A guard failed where it may stop nothing: it is reported, and kept in the history. */
export function noteGuard(callback: CallbackName, error: unknown, course: ActiveExecution, host: Host): void {
  const { identity, position } = course;
  const kept = serializeError(error);
  course.guardErrors = [...course.guardErrors, kept];
  host.report(
    new StepwellError(
      "STEPWELL_OBSERVER_FAILED",
      `A guard failed in ${callback} where nothing may stop the execution; it goes on. The guard said: ${kept.message}`,
      { execution: identity.id, workflow: identity.workflow, step: position.step, cause: error },
    ),
  );
}

/**
 * Calls one observer callback: guards, then watchers. Guards' patches are merged into the course.
 * Gives back the veto, if there was one.
 */
export function observe(
  callback: CallbackName,
  course: ActiveExecution,
  { observing }: Registered,
  host: Host,
  event: Omit<ObserverEvent, "execution" | "state" | "revision">,
): Veto | undefined {
  if (!observing.hears(callback)) return undefined;
  const flow = flowOf(event.flow);
  const { identity, revision } = course;
  const make = (): ObserverEvent => eventOf(identity, event, flow, shownState(course), revision);
  const accept = (patch: object): void => adoptOthers(course, isolate(patch), host);
  const veto = observing.askGuards(callback, make, accept);
  observing.tellWatchers(callback, make, (error) => host.report(error));
  return veto;
}

/** Written out field by field: every step makes some, and spreading costs more than most observers do. */
function eventOf(
  execution: ObserverEvent["execution"],
  { step, attempt, durationMs, error, reason, message }: Omit<ObserverEvent, "execution" | "state" | "revision">,
  flow: Flow,
  state: object,
  revision: number,
): ObserverEvent {
  const event: { -readonly [Key in keyof ObserverEvent]: ObserverEvent[Key] } = { execution, flow, state, revision };
  if (step !== undefined) event.step = step;
  if (attempt !== undefined) event.attempt = attempt;
  if (durationMs !== undefined) event.durationMs = durationMs;
  if (error !== undefined) event.error = error;
  if (reason !== undefined) event.reason = reason;
  if (message !== undefined) event.message = message;
  return event;
}
