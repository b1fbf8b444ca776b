import type { MaybePromise } from "../stores/store.js";

/** Goes on at once where the value is there: a store that answers at once costs no promise. */
export function andThen<T, U>(value: MaybePromise<T>, use: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}
