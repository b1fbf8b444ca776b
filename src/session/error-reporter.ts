/** Reports errors that no caller hears: to the watchers of the workflow that the error is about, and to `onError`. */
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
      // `onError` itself failed; there is nobody left to tell.
    }
  }

  /** A store that fails goes on failing, so that is reported once in a while: an outage once for all calls, another failure once for each. */
  storeFailed(doing: string, error: unknown): void {
    if (this.#storeFailures.pass(isRetryable(error) ? error.code : doing) === undefined) return;
    const message = `The store failed when asked to ${doing}. It is asked again.`;
    this.raise(
      error instanceof StepwellError
        ? error
        : new StepwellError("STEPWELL_STORE_FAILED", message, { cause: error, retryable: true }),
    );
  }

  /** An error of a watcher that is being told of an error is not told to watchers. */
  #tellWatchers(error: StepwellError): void {
    const { workflow, execution, root } = error;
    if (workflow === undefined || this.#tellingWatchers) return;
    this.#tellingWatchers = true;
    for (const { definition, observing } of this.#registry.values()) {
      if (definition.name !== workflow || !observing.hears("error")) continue;
      const make = (): ErrorEvent => ({
        error,
        workflow,
        ...(execution !== undefined && { execution }),
        ...(root !== undefined && { root }),
      });
      observing.tellWatchers("error", make, (failure) => this.raise(failure));
      // The observers of one version are enough: other versions mostly have the same.
      break;
    }
    this.#tellingWatchers = false;
  }
}

/** `onError`, but for errors that an observer of their workflow logs. */
export function unlessLogged(
  onError: (error: StepwellError) => unknown,
  registry: ReadonlyMap<string, Registered>,
): (error: StepwellError) => unknown {
  return (error) => {
    const watching = [...registry.values()].find(({ definition }) => definition.name === error.workflow);
    return watching?.observing.logs === true ? undefined : onError(error);
  };
}
