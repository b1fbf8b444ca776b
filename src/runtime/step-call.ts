/** Calls the function of a step. One that does not answer at once has an attempt: its timeout, its deadlines, its abort. */
import type { ErrorCode } from "../errors.js";
import { Transacted } from "../definition/outcome.js";
import { isPastPivot } from "../execution/router.js";
import type { Settled } from "../execution/step-result.js";
import type { Host } from "../session/host.js";
import { isPromise } from "../values/promise.js";
import { Attempt } from "./attempt.js";
import type { Call } from "./call.js";
import { errorAbout, lateError } from "./reports.js";
import { runInTransaction, TransactionResult, type Proposal } from "./store-transaction.js";
import type { Work } from "./work.js";

/** The caller of a step function, which hears how the call ended. */
export interface Caller {
  settled(call: Call, settled: Settled | TransactionResult): void;
  /**
   * For work that commits in the store's own transaction: the event that its value means, and what is to be committed, on a copy of the
   * execution.
   */
  propose(copy: Work, call: Call, value: unknown): Proposal;
}

/** Gives back how the call has ended, or the call while it runs. */
export function startCall(work: Work, call: Call, caller: Caller): Settled | StepCall {
  if (call.fn === undefined) return { kind: "returned", value: undefined };
  let value: unknown;
  let isPending: boolean;
  try {
    value = call.fn(call.context as never);
    isPending = isPromise(value);
  } catch (error) {
    void call.context.over();
    return { kind: "threw", error };
  }
  const asked = isPending ? undefined : call.context.over();
  if (!isPending && asked === undefined && !(value instanceof Transacted)) return { kind: "returned", value };
  return new StepCall(work, call, promiseOf(value, asked), caller);
}

/** Some other kind of promise may throw where it is asked to call back. @param asked what is to be waited for first */
function promiseOf(value: unknown, asked: Promise<unknown> | undefined): Promise<unknown> {
  const promise = value instanceof Promise ? value : new Promise((resolve) => resolve(value));
  return asked === undefined ? promise : asked.then(() => promise);
}

/** A call that is under way. */
export class StepCall {
  readonly #work: Work;
  readonly #call: Call;
  readonly #caller: Caller;
  readonly #attempt: Attempt;
  #isOver = false;

  constructor(work: Work, call: Call, promise: Promise<unknown>, caller: Caller) {
    this.#work = work;
    this.#call = call;
    this.#caller = caller;
    const { host } = work;
    this.#attempt = new Attempt({
      context: call.context,
      promise: promise.then((value) => {
        // What it has subscribed to without waiting is stored before what it gives back.
        const asked = call.context.over();
        return asked === undefined ? this.#given(value) : asked.then(() => this.#given(value));
      }),
      clock: host.clock,
      timeout: call.step.timeout,
      stepDeadline: untilStepDeadline(work, call),
      deadline: untilDeadline(work),
      deadlinePassed: () => this.abort("STEPWELL_DEADLINE_EXCEEDED", "The workflow's deadline has passed."),
      grace: host.grace,
      givenUp: () => countGivenUp(host, call, 1),
      late: () => {
        countGivenUp(host, call, -1);
        host.report(lateError(work.execution, call.step.name));
      },
      settled: (settled) => this.#settled(settled),
    });
  }

  /** Whether the engine still waits for what it gives. */
  get isWanted(): boolean {
    return !this.#isOver && !this.#call.context.isAborted;
  }

  abort(code: ErrorCode, message: string): void {
    this.#attempt.abort(errorAbout(this.#work.execution, code, message));
  }

  /** The engine goes on without the call: what comes of it now is late. */
  abandon(): void {
    this.#isOver = true;
    this.#attempt.abandon();
  }

  waits(): void {
    this.#attempt.pause();
  }

  begins(): void {
    this.#attempt.resume();
  }

  /** What the work of a transaction gave, on a copy: it may be rolled back. */
  propose(value: unknown): Proposal {
    this.#attempt.hold();
    return this.#caller.propose(this.#work.fork(), this.#call, value);
  }

  #given(value: unknown): unknown {
    return value instanceof Transacted && this.#call.func !== "probe"
      ? runInTransaction(value, this.#work, this.#call.context, this)
      : value;
  }

  #settled(settled: Settled): void {
    this.#isOver = true;
    const { context } = this.#call;
    if (settled.kind === "returned" && settled.value instanceof TransactionResult)
      return this.#caller.settled(this.#call, settled.value);
    // An attempt that a launcher aborts since it stops does not count.
    const isCutOff =
      settled.kind === "threw" && this.#work.isStopping && context.isAbortedBy("STEPWELL_LAUNCHER_STOPPING");
    this.#caller.settled(this.#call, isCutOff ? { kind: "cutOff" } : settled);
  }
}

/** For each launcher: how many of its attempts were given up and have not settled, by their keys. */
const givenUp = new WeakMap<Host, Map<string, number>>();

function countGivenUp(host: Host, { context }: Call, change: 1 | -1): void {
  const counts = givenUp.get(host) ?? new Map<string, number>();
  givenUp.set(host, counts);
  const key = context.idempotencyKey;
  const count = (counts.get(key) ?? 0) + change;
  // What was dropped with its execution was not counted.
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}

/** Whether an attempt with this key was given up by this launcher and still runs. */
export function stillRuns(host: Host, key: string): boolean {
  return givenUp.get(host)?.has(key) === true;
}

/** Milliseconds until the step's own deadline. */
function untilStepDeadline({ execution, host }: Work, { step, func }: Call): number | undefined {
  const { stepDeadlineAt, direction } = execution.position;
  if (step.deadline === undefined || stepDeadlineAt === undefined || direction === "down" || func === "probe")
    return undefined;
  return Math.max(0, stepDeadlineAt - host.storeNow());
}

/** Milliseconds until the workflow's deadline. As a request, one that passes while the pivot runs waits for its end. */
function untilDeadline({ execution, registered, host }: Work): number | undefined {
  const { deadlineAt, position } = execution;
  const { shape } = registered;
  const mayTurn = position.direction === "up" && position.stepIndex !== shape.pivot && !isPastPivot(position, shape);
  return mayTurn && deadlineAt !== null ? Math.max(0, deadlineAt - host.storeNow()) : undefined;
}
