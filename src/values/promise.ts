/** Whether a value is a promise. Libraries may have promises of their own. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** A promise whose outcome nobody waits for must not end the process when it rejects. */
export function ignoreRejection(promise: PromiseLike<unknown>): void {
  void Promise.resolve(promise).then(undefined, () => undefined);
}

/** What a function gave back that is a promise, and should have answered at once, in words. */
export function forgotten(promise: PromiseLike<unknown>): string {
  ignoreRejection(promise);
  return "a promise that nobody waits for";
}

/** What is there at once, or later. */
export type MaybePromise<T> = T | Promise<T>;
