/**
 * An outbox for observers that hand items over by an asynchronous function of the user: for each execution one item after the other,
 * no promise lost, every failure reported. Observers are synchronous, so no execution waits for it.
 */
import { ignoreRejection, isPromise } from "../values/promise.js";
import { systemClock, type Clock, type Timer } from "../clock.js";
import { StepwellError } from "../errors.js";

/** How long the delivery of one item may take, in milliseconds. Then it has failed, and the next item of the execution has its turn. */
const patience = 60_000;

/** An item, as the report of its failure names it. */
export interface Posted {
  /** Such as `Message "order-1/2/success"`. */
  readonly what: string;
  readonly execution: string;
  readonly workflow: string;
}

export class Outbox {
  /** By execution: the end of the last delivery that is under way. */
  readonly #last = new Map<string, Promise<void>>();
  readonly #onError: (error: StepwellError) => void;
  readonly #clock: Clock;

  constructor(onError: (error: StepwellError) => unknown = onConsole(), clock: Clock = systemClock) {
    this.#clock = clock;
    this.#onError = (error) => {
      try {
        ignored(onError(error));
      } catch {
        // `onError` itself failed; there is nobody left to tell.
      }
    };
  }

  /** Calls `deliver` at once, or when the deliveries of this execution that are under way have ended. Never throws. */
  post(posted: Posted, deliver: () => unknown): void {
    const { execution } = posted;
    const before = this.#last.get(execution);
    const failed = (error: unknown): void => this.#onError(failureOf(posted, error));
    let result: Promise<unknown>;
    if (before === undefined) {
      try {
        const given = deliver();
        if (!isPromise(given)) return;
        result = this.#within(given);
      } catch (error) {
        return failed(error);
      }
    } else {
      result = before.then(() => {
        const given = deliver();
        return isPromise(given) ? this.#within(given) : given;
      });
    }
    const settled = result
      .then(() => undefined, failed)
      .then(() => {
        if (this.#last.get(execution) === settled) this.#last.delete(execution);
      });
    this.#last.set(execution, settled);
  }

  async #within(given: PromiseLike<unknown>): Promise<unknown> {
    let timer: Timer | undefined;
    const late = new Promise((_, reject) => {
      const error = new Error(`it has not been settled for ${patience / 1000} seconds`);
      timer = this.#clock.after(patience, () => reject(error));
    });
    try {
      return await Promise.race([given, late]);
    } finally {
      timer?.cancel();
    }
  }

  /** Resolves when no delivery is under way. */
  async settled(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }
}

function failureOf({ what, execution, workflow }: Posted, cause: unknown): StepwellError {
  const about = cause instanceof Error ? cause.message : typeof cause === "string" ? cause : "no error was given";
  return new StepwellError("STEPWELL_OBSERVER_FAILED", `${what} was not taken: ${about}. It is not tried again.`, {
    execution,
    workflow,
    cause,
  });
}

/** Prints the first error, the tenth, the hundredth: an outage must not bury everything else on the console. */
function onConsole(): (error: StepwellError) => void {
  let count = 0;
  return (error) => {
    count += 1;
    if (/^10*$/.test(String(count))) console.error(count === 1 ? error : `${error.message} (the ${count}th failure)`);
  };
}

function ignored(value: unknown): void {
  if (isPromise(value)) ignoreRejection(value);
}
