/**
 * For observers that hand something over by a function of the user's that may take a while: one thing
 * after the other for each execution, no promise lost, every failure reported. Observers are synchronous,
 * so nothing waits for it.
 */
import { ignoreRejection, isPromise } from "../values/promise.js";
import { systemClock, type Clock, type Timer } from "../clock.js";
import { StepwellError } from "../errors.js";

/** How long one thing may take, in milliseconds. Then it counts as not taken, and the next one of its execution has its turn. */
const patience = 60_000;

/** What a thing is, for the report of its failure. */
export interface Posted {
  /** Such as `Message "order-1/2/success"`. */
  readonly what: string;
  readonly execution: string;
  readonly workflow: string;
}

export class Outbox {
  /** The last of what is under way, by execution. */
  readonly #last = new Map<string, Promise<void>>();
  readonly #onError: (error: StepwellError) => void;
  readonly #clock: Clock;

  constructor(onError: (error: StepwellError) => unknown = onConsole(), clock: Clock = systemClock) {
    this.#clock = clock;
    this.#onError = (error) => {
      try {
        ignored(onError(error));
      } catch {
        // Who listens for errors has one of their own; there is nobody left to tell.
      }
    };
  }

  /** Calls `deliver` at once, if nothing of this execution is under way; else when that is done. Never throws. */
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

  /** Resolves when nothing is under way. */
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

/** The first one, the tenth, the hundredth: an outage must not bury everything else on the console. */
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
