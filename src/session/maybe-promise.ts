import type { MaybePromise } from "../stores/contract.js";

/** Goes on at once where the value is there: a store that answers at once costs no promise. */
export function andThen<T, U>(value: MaybePromise<T>, use: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** What `otherwise` makes of a failure, at once or later. */
export function orElse<T>(act: () => MaybePromise<T>, otherwise: (error: unknown) => MaybePromise<T>): MaybePromise<T> {
  try {
    const value = act();
    return value instanceof Promise ? value.catch(otherwise) : value;
  } catch (error) {
    return otherwise(error);
  }
}
