/**
 * Runs the function of a step that is due: the observers around it, its attempt while it does not
 * answer, its abort. What comes of it is a happening, for the drive to commit.
 */
import { isPolling } from "../execution/position.js";
import { isPastPivot } from "../execution/router.js";
import type { ErrorCode } from "../errors.js";
import { serializeError } from "../values/serialize-error.js";
import { Transacted } from "../definition/outcome.js";
import { Attempt, type Settled } from "./attempt.js";
import { attemptOf, bookmark, happened, type ActiveExecution, type Happening } from "../execution/execution.js";
import type { Host } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { isPromise } from "../values/promise.js";
import { errorAbout, lateError, stepDeadlineError, waitTimeoutError } from "./reports.js";
import { transactWithin, Within } from "./store-transaction.js";
import type { Conclusion } from "../execution/transition.js";
import { conclusionOf, elapsedOf, noteGuard, observe, prepare, type Call, type Delivery } from "./step-result.js";

export interface RunnerOwner {
  /** What did not answer at once has answered. `happen` says what happened, and may throw. */
  ran(happen: () => Happening | Within): void;
  /** For a step whose work commits in the store's own transaction. */
  conclude(happening: Happening): Conclusion;
}

export class Runner {
  /** The launcher stops: an attempt that it aborts does not count. */
  isStopping = false;
  readonly #course: ActiveExecution;
  readonly #registered: Registered;
  readonly #host: Host;
  readonly #owner: RunnerOwner;
  #attempt: Attempt | undefined;

  constructor(course: ActiveExecution, registered: Registered, host: Host, owner: RunnerOwner) {
    this.#course = course;
    this.#registered = registered;
    this.#host = host;
    this.#owner = owner;
  }

  get isRunning(): boolean {
    return this.#attempt !== undefined;
  }

  /** Calls the function that is due. Undefined: it has not answered yet. */
  run(message?: Delivery): Happening | undefined {
    const { position } = this.#course;
    // One that is asked again has begun, and the observers were told.
    if (message === undefined && position.stepFunc !== "runContinue" && !isPolling(position)) {
      const vetoed = this.#beforeStep();
      if (vetoed !== undefined) return vetoed;
    }
    const call = prepare(this.#course, this.#registered, this.#host, message);
    if (call.fn === undefined) return this.#settled(call, { kind: "returned", value: undefined });
    let value: unknown;
    let isPending: boolean;
    try {
      value = call.fn(call.context as never);
      isPending = isPromise(value);
    } catch (error) {
      void call.context.over();
      return this.#settled(call, { kind: "threw", error });
    }
    const asked = isPending ? undefined : call.context.over();
    if (!isPending && asked === undefined && !(value instanceof Transacted))
      return this.#settled(call, { kind: "returned", value });
    // Some other kind of promise may throw where it is asked to call back.
    const promise = value instanceof Promise ? value : new Promise((resolve) => resolve(value));
    this.#await(call, asked === undefined ? promise : asked.then(() => promise));
    return undefined;
  }

  /** Nobody came. On the way up the step fails; where nothing turns any more it is tried again from its beginning. */
  timedOut(): Happening {
    const course = this.#course;
    const call = prepare(course, this.#registered, this.#host);
    const error = waitTimeoutError(course);
    const isFinal = course.position.direction === "up" && !isPastPivot(course.position, this.#registered.shape);
    const concluded = conclusionOf(call, { kind: "timedOut", error, isFinal }, course, this.#registered, this.#host);
    const happening = { ...concluded, called: false };
    if (happening.event.type !== "retry") return happening;
    return { ...happening, event: { ...happening.event, afresh: true } };
  }

  /** The step's own deadline has passed while nothing of it ran. */
  overdue(): Happening {
    const course = this.#course;
    const { position } = course;
    const error = stepDeadlineError(course);
    // Of what waits, the observers were told that it began; of a try that failed, how it ended.
    if (position.stepFunc === "runContinue" || isPolling(position)) {
      const call = prepare(course, this.#registered, this.#host);
      const settled = { kind: "timedOut", error, isFinal: true } as const;
      return { ...conclusionOf(call, settled, course, this.#registered, this.#host), called: false };
    }
    const event = { type: "stepFailed", reason: "timeout" } as const;
    return happened(course, event, "timeout", { error: serializeError(error), failedItself: true });
  }

  /** Aborts what runs, if something does. */
  abort(code: ErrorCode, message: string): void {
    this.#attempt?.abort(errorAbout(this.#course, code, message));
  }

  /** What comes of it now is late. */
  abandon(): void {
    this.#attempt?.abandon();
    this.#attempt = undefined;
  }

  /** A guard said no, and the step does not run. Nothing may skip an undo. */
  #beforeStep(): Happening | undefined {
    const course = this.#course;
    if (!this.#registered.observing.hears("beforeStep")) return undefined;
    const { position } = course;
    const attempt = attemptOf(course);
    const step = { name: position.step, index: position.stepIndex };
    const veto = observe("beforeStep", course, this.#registered, this.#host, { flow: position, step, attempt });
    if (veto === undefined) return undefined;
    if (position.direction === "down") {
      noteGuard("beforeStep", veto.error, course, this.#host);
      return undefined;
    }
    const event = { type: "beforeStepVetoed", reason: veto.reason, begun: attempt > 1 } as const;
    return happened(course, event, veto.reason, { error: serializeError(veto.error) });
  }

  #await(call: Call, promise: Promise<unknown>): void {
    let back: (() => void) | undefined;
    const within = {
      judge: (value: unknown) => {
        attempt.hold();
        back = bookmark(this.#course);
        return this.#settled(call, { kind: "returned", value });
      },
      takeBack: () => {
        back?.();
        back = undefined;
      },
      conclude: (happening: Happening) => this.#owner.conclude(happening),
      isWanted: () => this.#attempt === attempt && !call.context.isAborted,
      waits: () => attempt.pause(),
      begins: () => attempt.resume(),
    };
    const given = (value: unknown): unknown =>
      value instanceof Transacted ? transactWithin(value, this.#course, this.#host, call.context, within) : value;
    const attempt: Attempt = new Attempt({
      context: call.context,
      promise: promise.then((value) => {
        // What it has subscribed to without waiting is stored before what it gives back.
        const asked = call.context.over();
        return asked === undefined ? given(value) : asked.then(() => given(value));
      }),
      clock: this.#host.clock,
      timeout: call.step.timeout,
      stepDeadline: this.#untilStepDeadline(call.step),
      deadline: this.#untilDeadline(),
      deadlinePassed: () => this.abort("STEPWELL_DEADLINE_EXCEEDED", "The workflow's deadline has passed."),
      grace: this.#host.grace,
      late: () => this.#host.report(lateError(this.#course, call.step.name)),
      settled: (settled) => {
        this.#attempt = undefined;
        // What was merged is part of a commit that nobody waits for any more.
        if (settled.kind === "timedOut") within.takeBack();
        back = undefined;
        this.#owner.ran(() => this.#outcome(call, settled));
      },
    });
    this.#attempt = attempt;
  }

  #outcome(call: Call, settled: Settled): Happening | Within {
    if (settled.kind === "returned" && settled.value instanceof Within) return settled.value;
    return this.#settled(call, settled);
  }

  #untilStepDeadline({ deadline }: Call["step"]): number | undefined {
    const { stepDeadlineAt, direction } = this.#course.position;
    if (deadline === undefined || stepDeadlineAt === undefined || direction === "down") return undefined;
    return Math.max(0, stepDeadlineAt - this.#host.storeNow());
  }

  /** As a request, a deadline that passes while the pivot runs waits for its end. */
  #untilDeadline(): number | undefined {
    const { deadlineAt, position } = this.#course;
    const { shape } = this.#registered;
    const mayTurn = position.direction === "up" && position.stepIndex !== shape.pivot && !isPastPivot(position, shape);
    return mayTurn && deadlineAt !== null ? Math.max(0, deadlineAt - this.#host.storeNow()) : undefined;
  }

  #settled(call: Call, settled: Settled): Happening {
    const cutOff =
      settled.kind === "threw" && this.isStopping && call.context.isAbortedBy("STEPWELL_LAUNCHER_STOPPING");
    // A shutdown is nobody's failure: the attempt does not count, and the next launcher begins it again.
    if (cutOff) {
      const durationMs = Math.round(elapsedOf(call, this.#host));
      return happened(this.#course, { type: "cutOff" }, "cut-off", { cause: call.cause, called: true, durationMs });
    }
    return conclusionOf(call, settled, this.#course, this.#registered, this.#host);
  }
}
