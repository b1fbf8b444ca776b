/** Who is told of an error of a launcher: those who watch its workflow, and `onError`. */
import type { Clock } from "../clock.js";
import type { ErrorEvent } from "../definition/observer.js";
import { isRetryable, StepwellError } from "../errors.js";
import type { Registered } from "./registry.js";
import { ignoreRejection, isPromise } from "../values/promise.js";
import { Throttle } from "./throttle.js";

export class ErrorReporter {
  readonly #onError: (error: StepwellError) => unknown;
  readonly #registry: ReadonlyMap<string, Registered>;
  readonly #storeFailures: Throttle;
  #tellingWatchers = false;

  constructor(onError: (error: StepwellError) => unknown, registry: ReadonlyMap<string, Registered>, clock: Clock) {
    this.#onError = onError;
    this.#registry = registry;
    this.#storeFailures = new Throttle(clock);
  }

  raise(error: StepwellError): void {
    this.#tellWatchers(error);
    try {
      const heard = this.#onError(error);
      if (isPromise(heard)) ignoreRejection(heard);
    } catch {
      // Who listens for errors has one of their own; there is nobody left to tell.
    }
  }

  /** What fails goes on failing, and is told once in a while: an outage as one, whatever was asked; anything else by what was asked. */
  storeFailed(doing: string, error: unknown): void {
    if (this.#storeFailures.pass(isRetryable(error) ? error.code : doing) === undefined) return;
    const message = `The store failed when asked to ${doing}. It is asked again.`;
    this.raise(
      error instanceof StepwellError
        ? error
        : new StepwellError("STEPWELL_STORE_FAILED", message, { cause: error, retryable: true }),
    );
  }

  /** What a watcher fails with when it is told of an error is told to no watcher. */
  #tellWatchers(error: StepwellError): void {
    const { workflow, execution } = error;
    if (workflow === undefined || this.#tellingWatchers) return;
    this.#tellingWatchers = true;
    for (const { definition, observing } of this.#registry.values()) {
      if (definition.name !== workflow || !observing.hears("error")) continue;
      const make = (): ErrorEvent => ({ error, workflow, ...(execution !== undefined && { execution }) });
      observing.tellWatchers("error", make, (failure) => this.raise(failure));
      // One version's observers are enough: they are mostly the same.
      break;
    }
    this.#tellingWatchers = false;
  }
}

/** What an observer of the error's workflow has logged is not told again. */
export function unlessLogged(
  onError: (error: StepwellError) => unknown,
  registry: ReadonlyMap<string, Registered>,
): (error: StepwellError) => unknown {
  return (error) => {
    const watching = [...registry.values()].find(({ definition }) => definition.name === error.workflow);
    return watching?.observing.logs === true ? undefined : onError(error);
  };
}
