/** How long an answer of the store is waited for, and when a call is tried again. */
import { sleep, type Clock } from "../clock.js";
import { isRetryable, StepwellError } from "../errors.js";
import type { MaybePromise } from "../stores/contract.js";

/** How long a launch or a send waits for a store that is away or does not answer, in milliseconds. */
export const callerPatience = 5_000;

/** The longest pause between two tries, in milliseconds. */
const longestPause = 500;

/** @param doubt whether the store may have done it all the same */
export function unanswered(milliseconds: number, doubt: boolean): StepwellError {
  const outcome = doubt
    ? "Whether it did what it was asked for is not known; that may be asked for again as it is."
    : "Nothing was changed.";
  return new StepwellError(
    "STEPWELL_STORE_UNREACHABLE",
    `The store has not answered for ${milliseconds} ms. ${outcome}`,
    { retryable: true },
  );
}

/** @throws STEPWELL_STORE_UNREACHABLE where the answer has not come in that time; a later answer is dropped */
export async function answered<Answer>(
  clock: Clock,
  asked: MaybePromise<Answer>,
  milliseconds: number = callerPatience,
): Promise<Answer> {
  if (!(asked instanceof Promise)) return asked;
  return new Promise<Answer>((resolve, reject) => {
    const timer = clock.after(milliseconds, () => reject(unanswered(milliseconds, true)));
    asked.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** Tries again, while `goesOn` and for so many milliseconds, what a store that is not reachable yet, or is busy, can't do. */
export async function patiently<Result>(
  clock: Clock,
  milliseconds: number,
  goesOn: () => boolean,
  act: () => Promise<Result>,
): Promise<Result> {
  const began = clock.monotonic();
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (error) {
      const left = began + milliseconds - clock.monotonic();
      if (!isRetryable(error) || left <= 0 || !goesOn()) throw error;
      await sleep(clock, Math.min(left, (0.5 + clock.random()) * Math.min(25 * 2 ** tries, longestPause)));
    }
  }
}
