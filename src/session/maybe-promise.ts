import type { MaybePromise } from "../stores/contract.js";

/** Uses the value, at once where it is no promise: a store that answers at once costs no promise. */
export function andThen<T, U>(value: MaybePromise<T>, use: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** The value of `act`; where `act` fails, at once or later, what `otherwise` makes of the error. */
export function orElse<T>(act: () => MaybePromise<T>, otherwise: (error: unknown) => MaybePromise<T>): MaybePromise<T> {
  try {
    const value = act();
    return value instanceof Promise ? value.catch(otherwise) : value;
  } catch (error) {
    return otherwise(error);
  }
}
