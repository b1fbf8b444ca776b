/** Calls what is due of a step: the observers before it, what is committed before it begins, its function. */
import { withLifecycle } from "../execution/position.js";
import { decode } from "../values/encode.js";
import { validate } from "../definition/schema.js";
import type { ErrorCode } from "../errors.js";
import { eventAt, type Event } from "../execution/events.js";
import { attemptOf, withPosition } from "../execution/execution.js";
import { awaitedMessage } from "../execution/mail.js";
import type { Task } from "../execution/next.js";
import { answerOf, inDoubtReason } from "../execution/probe-answer.js";
import type { HistoryRecord, MailboxRecord } from "../execution/records.js";
import { isTooLate } from "../execution/retry.js";
import type { Action } from "../execution/router.js";
import type { Settled } from "../execution/step-result.js";
import { serializeError } from "../values/serialize-error.js";
import type { MaybePromise } from "../stores/contract.js";
import { andThen } from "../session/maybe-promise.js";
import { beginning } from "./beginning.js";
import { beforeStep, callOf, cutOffEvent, settledEvent, waitTimedOutEvent, type Call, type Delivery } from "./call.js";
import { noteGuard, observe } from "./observing.js";
import { inDoubtError, messageOf, refusedMessageError } from "./reports.js";
import { startCall, StepCall, stillRuns, type Caller } from "./step-call.js";
import type { Work } from "./work.js";

/** The tasks that call a function of the step, or conclude a call that was made. */
type CallingTask = Extract<Task, { type: "probe" | "parkInDoubt" | "cutOff" | "fail" | "waitTimedOut" | "call" }>;

/** The owner of a runner: it has steps called, and acts itself where there is nothing to call. */
export interface RunnerOwner extends Caller {
  /** A step of children is due: it has no function of its own. */
  beginChildren(): Promise<Event>;
}

/** Calls the step's functions. Each method gives the event that came of the call. Undefined: there is none yet, or the call can't be made. */
export class StepRunner {
  readonly #work: Work;
  readonly #caller: RunnerOwner;
  #call: StepCall | undefined;
  #isInitialised = false;

  constructor(work: Work, caller: RunnerOwner) {
    this.#work = work;
    this.#caller = caller;
  }

  /** A call is under way; its caller will hear of it. */
  get isRunning(): boolean {
    return this.#call !== undefined;
  }

  /** The call that was under way is over. */
  ended(): void {
    this.#call = undefined;
  }

  abort(code: ErrorCode, message: string): void {
    this.#call?.abort(code, message);
  }

  /** The engine goes on without the call: what it gives now is late. */
  abandon(): void {
    this.#call?.abandon();
    this.#call = undefined;
  }

  act(task: CallingTask): MaybePromise<Event | undefined> {
    switch (task.type) {
      case "probe":
        return this.#probe(task.action);
      case "parkInDoubt":
        return parkedInDoubt(this.#work);
      case "cutOff":
        return cutOffEvent(this.#work);
      case "fail":
        return this.#failForGood(task.reason);
      case "waitTimedOut":
        return waitTimedOutEvent(this.#work);
      case "call":
        return task.action === "wait" ? this.call() : this.#begin(task.action);
    }
  }

  /** Begins with what is due: the function is called, unless a guard, its `when` or its retry policy says otherwise. */
  #begin(action: Action): MaybePromise<Event | undefined> {
    const work = this.#work;
    const vetoed = action === "init" ? this.#init() : undefined;
    if (vetoed !== undefined) return vetoed;
    if (action === "startRollback") this.#startRollback();
    const step = work.step!;
    const first = beginning(work, step);
    if (first !== undefined) return first;
    const { shape } = work.registered;
    return isTooLate(step, work.execution.position, shape, work.host) ? this.#giveUp() : this.call();
  }

  /** Asks the probe of the step that is in doubt. The observers around steps are told nothing of it: they are about `run` and its undo. */
  #probe(action: Action): Event | undefined {
    const vetoed = action === "init" ? this.#init() : undefined;
    if (vetoed !== undefined) return vetoed;
    if (action === "startRollback") this.#startRollback();
    return this.#started(callOf(this.#work, undefined, "probe"));
  }

  /** Calls the function that is due, with the message that it handles. */
  call(message?: Delivery): MaybePromise<Event | undefined> {
    const work = this.#work;
    const vetoed = message === undefined ? beforeStep(work) : undefined;
    if (vetoed !== undefined) return vetoed;
    if (work.step?.children !== undefined) return this.#caller.beginChildren();
    return this.#started(callOf(work, message));
  }

  /** Undefined: it did not answer at once, and is under way. */
  #started(call: Call): Event | undefined {
    const started = startCall(this.#work, call, this.#caller);
    if (!(started instanceof StepCall)) return eventOf(this.#work, call, started);
    this.#call = started;
    return undefined;
  }

  /** The message as its handler sees it. Undefined: it is refused, and dead. */
  checked(arrival: MailboxRecord): MaybePromise<Delivery | undefined> {
    const { messages, rollbackMessages } = this.#work.step!;
    const isUp = this.#work.execution.position.direction === "up";
    let payload: unknown;
    try {
      payload = decode(arrival.payload.text);
    } catch (error) {
      return this.#refuse(arrival, messageOf(error));
    }
    return andThen(validate((isUp ? messages : rollbackMessages)[arrival.name]!, payload), (checked) => {
      if (!checked.ok) return this.#refuse(arrival, checked.problem);
      const delivered = { name: arrival.name, payload: checked.value, id: arrival.messageId ?? arrival.id };
      return { arrival, delivered };
    });
  }

  #refuse(arrival: MailboxRecord, problem: string): undefined {
    this.#work.markDead([arrival.id]);
    this.#work.host.report(refusedMessageError(this.#work.execution, arrival, problem));
  }

  /** A guard's word before anything of the execution runs. */
  #init(): Event | undefined {
    if (this.#isInitialised) return undefined;
    this.#isInitialised = true;
    const veto = observe(this.#work, "init", { flow: this.#work.execution.position });
    if (veto === undefined) return undefined;
    const { execution } = this.#work;
    const what = { type: "initVetoed", reason: veto.reason, begun: attemptOf(execution) > 1 } as const;
    return eventAt(execution, what, veto.reason, { error: serializeError(veto.error) });
  }

  #startRollback(): void {
    const work = this.#work;
    if (work.registered.observing.hears("startRollback")) this.#tellStartRollback();
    const position = withLifecycle(work.execution.position, "startRollback");
    work.execution = withPosition(work.execution, position);
  }

  #tellStartRollback(): void {
    const work = this.#work;
    const { position } = work.execution;
    const veto = observe(work, "startRollback", {
      flow: position,
      step: { name: position.step, index: position.stepIndex },
      reason: position.reason,
      ...(position.error !== null && { error: position.error }),
    });
    if (veto !== undefined) noteGuard(work, "startRollback", veto.error);
  }

  #failForGood(reason: string): MaybePromise<Event> {
    return andThen(this.#lastError(), (error) => failedForGood(this.#work, reason, error));
  }

  /** The time for attempts is over before this one has begun: the step fails with what the last one failed with. */
  #giveUp(): MaybePromise<Event> {
    const { execution, mail, step } = this.#work;
    const { lastResult: reason, stepFunc } = execution.position;
    const isHandler = stepFunc === "runContinue" || stepFunc === "rollbackContinue";
    const cause = isHandler ? awaitedMessage(mail.pending, step!, execution.position) : undefined;
    return andThen(this.#lastError(), (error) =>
      eventAt(execution, { type: "stepFailed", reason }, reason, { error, cause, failedItself: true }),
    );
  }

  /** What the step failed with, rather than what asking about it came to. */
  #lastError(): MaybePromise<Event["error"]> {
    const { host, id } = this.#work;
    return andThen(host.store.history(id), (rows) => {
      const isOwn = (row: HistoryRecord): boolean => row.func !== "probe" && row.result !== inDoubtReason;
      return rows.findLast((row) => row.error !== undefined && isOwn(row))?.error ?? null;
    });
  }
}

/** What a settled call means, of a probe or of a step's other functions. */
export function eventOf(work: Work, call: Call, settled: Settled): Event {
  return call.func === "probe" ? probed(work, call, settled) : settledEvent(work, call, settled);
}

function probed(work: Work, call: Call, settled: Settled): Event {
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
function parkedInDoubt(work: Work): Event {
  const { context, step } = callOf(work, undefined, "probe");
  const error = serializeError(inDoubtError(work.execution, context.idempotencyKey, step));
  const what = { type: "probed", reason: inDoubtReason, wait: null, parks: true } as const;
  return eventAt(work.execution, what, inDoubtReason, { error });
}

/** The attempt at hand has failed for good, as `reason` says, and nothing more is to be learnt of it. */
function failedForGood(work: Work, reason: string, error: Event["error"]): Event {
  const { execution } = work;
  const attempt = Math.max(1, attemptOf(execution) - 1);
  return eventAt(execution, { type: "stepFailed", reason }, reason, { attempt, error, failedItself: true });
}
