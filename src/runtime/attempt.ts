/**
 * One call of a step function that did not answer at once: its timeout, its abort, its settling.
 * It settles exactly once for the engine; what comes after it was given up is reported as late.
 */
import type { Clock, Timer } from "../clock.js";
import { StepwellError } from "../errors.js";
import type { Settled } from "../execution/step-result.js";
import type { StepContext } from "./step-context.js";

export interface AttemptOptions {
  readonly context: StepContext;
  readonly promise: Promise<unknown>;
  readonly clock: Clock;
  /** In milliseconds. Undefined: none. */
  readonly timeout: number | undefined;
  /** Milliseconds until the step's own deadline. Undefined: it has none. */
  readonly stepDeadline: number | undefined;
  /** Milliseconds until the workflow's deadline, where it turns this step. Undefined: it does not. */
  readonly deadline: number | undefined;
  /** How long a timed-out attempt is waited for before the engine goes on without it, in milliseconds. */
  readonly grace: number;
  settled(settled: Settled): void;
  /** The workflow's deadline passed; the attempt goes on unless it is aborted. */
  deadlinePassed(): void;
  /** The engine goes on without it, and it has not settled. */
  givenUp(): void;
  /** The attempt settled after it had been given up. */
  late(): void;
}

export class Attempt {
  readonly #options: AttemptOptions;
  #timer: Timer | undefined;
  readonly #stepDeadline: Timer | undefined;
  readonly #deadline: Timer | undefined;
  #timedOut: Extract<Settled, { kind: "timedOut" }> | undefined;
  #over = false;
  /** How much of the timeout is left, and since when that runs, from the clock's `monotonic`. */
  #left: number | undefined;
  #since = 0;

  constructor(options: AttemptOptions) {
    this.#options = options;
    // Where both pass at the same time, no other attempt may follow.
    if (options.stepDeadline !== undefined) {
      this.#stepDeadline = options.clock.after(options.stepDeadline, () => this.#timeOut(true));
    }
    this.#left = options.timeout;
    this.resume();
    if (options.deadline !== undefined) {
      this.#deadline = options.clock.after(options.deadline, () => options.deadlinePassed());
    }
    options.promise.then(
      (value) => this.#settle({ kind: "returned", value }),
      (error: unknown) => this.#settle({ kind: "threw", error }),
    );
  }

  abort(reason: StepwellError): void {
    this.#options.context.abort(reason);
  }

  /** The attempt waits for its turn, which does not count against its timeout. */
  pause(): void {
    if (this.#left === undefined || this.#timedOut !== undefined) return;
    this.#timer?.cancel();
    this.#left -= this.#options.clock.monotonic() - this.#since;
  }

  resume(): void {
    if (this.#left === undefined || this.#timedOut !== undefined || this.#over) return;
    this.#since = this.#options.clock.monotonic();
    this.#timer = this.#options.clock.after(Math.max(0, this.#left), () => this.#timeOut(false));
  }

  /** The function of the attempt is done: nothing ends the attempt but its settling, however long the store takes. */
  hold(): void {
    this.#timer?.cancel();
    this.#stepDeadline?.cancel();
    this.#deadline?.cancel();
  }

  /** The engine goes on without it: whatever comes is late. */
  abandon(): void {
    this.#over = true;
    void this.#options.context.over();
    this.hold();
  }

  #timeOut(isFinal: boolean): void {
    const { execution, step } = this.#options.context;
    const what = isFinal
      ? "is not done, and its deadline has passed. Raise the step's deadline"
      : `ran longer than its timeout of ${this.#options.timeout} ms. Raise the step's timeout`;
    const error = new StepwellError(
      "STEPWELL_ATTEMPT_TIMEOUT",
      `Step "${step.name}" of execution "${execution.id}" (${execution.workflow}) ${what}, or make it stop sooner when its signal is aborted.`,
      { workflow: execution.workflow, step: step.name, execution: execution.id },
    );
    this.hold();
    this.#timedOut = { kind: "timedOut", error, isFinal };
    this.#timer = this.#options.clock.after(this.#options.grace, () => {
      this.#options.givenUp();
      this.#finish();
    });
    this.abort(error);
  }

  #settle(settled: Settled): void {
    if (this.#over) return this.#options.late();
    if (this.#timedOut === undefined) {
      this.abandon();
      return this.#options.settled(settled);
    }
    if (settled.kind === "returned") this.#options.late();
    this.#finish();
  }

  #finish(): void {
    this.abandon();
    this.#options.settled(this.#timedOut!);
  }
}
