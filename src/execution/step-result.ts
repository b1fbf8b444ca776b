/** What a settled call of a step's function means: which event it is, with what it gave merged into the state. */
import { positionOf } from "./position.js";
import { encode, type Encoded } from "../values/encode.js";
import { isEmpty, isolate } from "../values/isolate.js";
import type { StepDefinition } from "../definition/definition.js";
import { Again, Complete, Fail, Pause, patchProblem } from "../definition/outcome.js";
import { StepwellError, type ErrorCode } from "../errors.js";
import { reasonOf, serializeError } from "../values/serialize-error.js";
import { eventWith, type Event, type Happened } from "./events.js";
import { patchOptions, withPatch, withPosition, type ActiveExecution } from "./execution.js";
import type { MailboxRecord } from "./records.js";
import { nextDelay, policyOf } from "./retry.js";
import { isPastPivot, type Shape } from "./router.js";
import type { StoreTime } from "./time.js";

/** How a call came to its end. */
export type Settled =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly error: unknown }
  /** `isFinal`: no other attempt may follow. */
  | { readonly kind: "timedOut"; readonly error: StepwellError; readonly isFinal: boolean }
  /** The attempt has failed for good. */
  | { readonly kind: "failed"; readonly reason: string; readonly error: unknown }
  /** The launcher stops, and aborted it. */
  | { readonly kind: "cutOff" };

/** A call that was made. */
export interface SettledCall {
  readonly step: StepDefinition;
  /** A function was called. False: the step has none for this case, or its wait was over. */
  readonly called: boolean;
  readonly attempt: number;
  /** The message that was handled. */
  readonly cause: MailboxRecord | undefined;
  /** How long it took, in milliseconds. */
  readonly elapsed: number;
}

/** What a result depends on beside the execution and the call: the same for all calls of a workflow. */
export interface CallFacts {
  readonly shape: Shape;
  readonly time: StoreTime;
  /** Gives numbers from 0 to 1. */
  readonly clock: { random(): number };
  /** The largest encoded state, in bytes. */
  readonly limit: number;
}

export function resultOf(execution: ActiveExecution, settled: Settled, call: SettledCall, facts: CallFacts): Happened {
  const given = readSafely(execution, settled, call, facts);
  // A patch that can't be stored is a failure, and the undo then works without it.
  const kept = given.patch === undefined ? undefined : keptPatch(given.patch, call.step.name, execution, facts.limit);
  const result = kept instanceof StepwellError ? lost(kept) : given;
  const isMerged = kept !== undefined && !(kept instanceof StepwellError);
  const event: Event = {
    what: result.what,
    func: execution.position.stepFunc,
    attempt: call.attempt,
    durationMs: Math.round(call.elapsed),
    result: result.result,
    error: result.error,
    patch: isMerged ? kept.patch : undefined,
    pause: result.pause,
    cause: call.cause,
    by: undefined,
    why: undefined,
    failedItself: result.what.type === "stepFailed",
    called: call.called,
    gave: settled.kind === "returned" && result.isKept,
    isUnexpected: result.isUnexpected,
    asked: undefined,
    backTo: undefined,
    patchThen: undefined,
    lost: isLost(settled, call),
    answered: undefined,
    list: undefined,
    failing: undefined,
  };
  return {
    execution: isMerged ? kept.execution : execution,
    event: event.lost ? lostEvent(event, call) : event,
  };
}

/** Whether the attempt may have begun and gave nothing back. */
function isLost({ kind }: Settled, { called }: SettledCall): boolean {
  return called && (kind === "threw" || kind === "timedOut" || kind === "cutOff");
}

/** Before `run` fails for good, it is asked what became of it; or nobody can be asked, and the execution is parked. */
function lostEvent(event: Event, { step }: SettledCall): Event {
  const { what, func } = event;
  const isAsked = func === "run" && (step.probe !== undefined || step.inDoubt === "park");
  if (!isAsked || what.type !== "stepFailed") return event;
  return eventWith(event, { what: { type: "doubted", reason: what.reason }, failedItself: false });
}

/** The step's wait timed out. On the way up the step fails; where nothing turns any more it is tried again from its beginning. */
export function waitTimedOut(
  execution: ActiveExecution,
  error: StepwellError,
  call: SettledCall,
  facts: CallFacts,
): Happened {
  const isFinal = execution.position.direction === "up" && !isPastPivot(execution.position, facts.shape);
  const happened = resultOf(execution, { kind: "timedOut", error, isFinal }, call, facts);
  const { what } = happened.event;
  if (what.type !== "retry") return happened;
  return { ...happened, event: eventWith(happened.event, { what: { ...what, afresh: true } }) };
}

/** `isKept`: not if what was given back is lost. */
type Result = Pick<Event, "what" | "result" | "error" | "pause"> & {
  readonly patch: object | undefined;
  readonly isKept: boolean;
  readonly isUnexpected: boolean;
};

/** What `run` would have come to with this result, of which its probe says that it happened. */
export function happenedOf(execution: ActiveExecution, result: unknown, call: SettledCall, facts: CallFacts): Happened {
  const position = positionOf({ ...execution.position, direction: "up", stepFunc: "run" });
  const asRun = withPosition(execution, position);
  const happened = resultOf(asRun, { kind: "returned", value: result }, call, facts);
  return { ...happened, execution: withPosition(happened.execution, execution.position) };
}

/** A value that can't even be looked at, such as a revoked proxy, is nonsense like any other. */
function readSafely(execution: ActiveExecution, settled: Settled, call: SettledCall, facts: CallFacts): Result {
  try {
    return read(execution, settled, call, facts);
  } catch (error) {
    const kind = error instanceof Error ? error.message : typeof error;
    return invalid(execution, call, `something that can't be read (${kind})`);
  }
}

function read(execution: ActiveExecution, settled: Settled, call: SettledCall, facts: CallFacts): Result {
  switch (settled.kind) {
    case "returned":
      return outcomeOf(settled.value, execution, call);
    case "threw":
      return unexpected(settled.error, reasonOf(settled.error), execution, call, facts);
    case "timedOut":
      if (settled.isFinal) return failed("timeout", serializeError(settled.error), undefined);
      return unexpected(settled.error, "timeout", execution, call, facts);
    case "failed":
      return failed(settled.reason, serializeError(settled.error), undefined);
    case "cutOff":
      // A shutdown is nobody's failure: the attempt does not count, and the next launcher begins it again.
      return { ...ok(undefined), what: { type: "cutOff" }, result: "cut-off" };
  }
}

function outcomeOf(value: unknown, execution: ActiveExecution, call: SettledCall): Result {
  const { direction, stepFunc } = execution.position;
  if (value === undefined || value === null) return ok(undefined);
  const name = nameOf(value);
  const patch = name === undefined ? value : (value as Pause).patch;
  const wrong = patch === undefined ? undefined : patchProblem(patch);
  if (wrong !== undefined)
    return invalid(execution, call, name === undefined ? wrong : `${name}(…) with ${wrong} as its patch`);
  if (value instanceof Pause) {
    const problem = pauseProblem(call, value, direction === "down");
    if (problem !== undefined) return invalid(execution, call, problem);
    return { ...ok(value.patch), what: { type: "stepPaused" }, result: "continue", pause: value };
  }
  if (value instanceof Again) {
    if (stepFunc !== "run" && stepFunc !== "rollback")
      return invalid(execution, call, "again(…) from a handler, and only run and rollback are called again");
    return { ...ok(value.patch), what: { type: "again", wait: value.after }, result: "again" };
  }
  if (value instanceof Fail) return failed(reasonOf(value), serializeError(value), value.patch);
  if (value instanceof Complete) {
    if (direction === "down") return invalid(execution, call, "complete(…), which has a meaning on the way up only");
    return { ...ok(value.patch), what: { type: "stepCompleted" } };
  }
  return ok(value);
}

function nameOf(value: unknown): string | undefined {
  if (value instanceof Pause) return "pause";
  if (value instanceof Again) return "again";
  if (value instanceof Fail) return "fail";
  return value instanceof Complete ? "complete" : undefined;
}

const stepOk = { type: "stepOk" } as const;

function ok(patch: object | undefined): Result {
  return { what: stepOk, result: "ok", error: null, patch, pause: undefined, isKept: true, isUnexpected: false };
}

function failed(reason: string, error: Result["error"], patch: object | undefined): Result {
  const what = { type: "stepFailed", reason } as const;
  return { what, result: reason, error, patch, pause: undefined, isKept: true, isUnexpected: false };
}

function invalid({ identity }: ActiveExecution, { step }: SettledCall, problem: string): Result {
  const { id, workflow } = identity;
  const error = new StepwellError(
    "STEPWELL_INVALID_RETURN_VALUE",
    `Step "${step.name}" of workflow "${workflow}" gave back ${problem}. ` +
      `Give back nothing, an object of fields to merge into the state, pause(…), again(…), complete(…) or fail(…).`,
    { workflow, step: step.name, execution: id },
  );
  return { ...failed("invalid-return-value", serializeError(error), undefined), isKept: false, isUnexpected: true };
}

/** A pause that nothing could ever end is a mistake of the definition, not a wait. */
function pauseProblem({ step }: SettledCall, pause: Pause, down: boolean): string | undefined {
  const messages = down ? step.rollbackMessages : step.messages;
  if (Object.keys(messages).length > 0 || typeof pause.timeout === "number" || pause.until !== undefined)
    return undefined;
  return `pause(…), but declares no ${down ? "rollbackMessages" : "messages"} and gave no timeout`;
}

/** Mistakes of the program: to try again would change nothing. */
export const mistakes = new Set<string>([
  "STEPWELL_INVALID_RETURN_VALUE",
  "STEPWELL_WRONG_STORE",
  "STEPWELL_CAPABILITY_MISSING",
] satisfies ErrorCode[]);

/** Thrown errors and timeouts: another attempt follows if the policy has one left. */
function unexpected(
  thrown: unknown,
  reason: string,
  execution: ActiveExecution,
  call: SettledCall,
  { shape, time, clock }: CallFacts,
): Result {
  const { position } = execution;
  const { firstAttemptAt, attempts } = position;
  const elapsed = firstAttemptAt === null ? call.elapsed : time.storeNow() - firstAttemptAt;
  const policy = policyOf(call.step, position, shape);
  const wait = mistakes.has(reason) ? undefined : nextDelay(policy, attempts + 1, elapsed, clock.random());
  const result = { ...failed(reason, serializeError(thrown), undefined), isUnexpected: true };
  return wait === undefined ? result : { ...result, what: { type: "retry", reason, wait, afresh: false } };
}

function lost(error: StepwellError): Result {
  return { ...failed(error.code, serializeError(error), undefined), isKept: false };
}

/** A patch that was merged into the state. Undefined: it was empty. */
export interface KeptPatch {
  readonly patch: Encoded | undefined;
  readonly execution: ActiveExecution;
}

/** Merges what a step gives into the state. An error: it can't be stored. */
export function keptPatch(
  given: object,
  step: string,
  execution: ActiveExecution,
  limit: number,
): KeptPatch | StepwellError {
  try {
    const isolated = isolate(given);
    if (isEmpty(isolated)) return { patch: undefined, execution };
    const patch = encode(isolated, patchOptions);
    return { patch, execution: withPatch(execution, isolated, limit, patch.sizeAtMost) };
  } catch (error) {
    const { id, workflow } = execution.identity;
    const problem = error instanceof Error ? error.message : String(error);
    return new StepwellError(
      error instanceof StepwellError ? error.code : "STEPWELL_NOT_ENCODABLE",
      `What step "${step}" of execution "${id}" gave back can't be stored: ${problem}`,
      { workflow, step, execution: id, cause: error },
    );
  }
}
