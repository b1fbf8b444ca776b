/**
 * The one door to time and randomness. Nothing else in `src/` reads a clock, sets a timer or draws
 * a random number, so a test can replace all of it by a virtual clock.
 */
export interface Timer {
  cancel(): void;
}

/**
 * What is known of the next look, where something looks again and again and mostly finds nothing to do.
 * - `watch`: the last look found nothing to do. The next one is needed all the same, since time alone may bring something.
 * - `idle`: the last look found nothing, and the next one finds nothing unless something else happens before.
 */
export type Look = "watch" | "idle";

export interface Clock {
  /** Wall-clock time in milliseconds since 1970. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. For durations. */
  monotonic(): number;
  /**
   * Calls `callback` once, not before `milliseconds` have passed. Any finite length is allowed.
   *
   * @param look set: this is the next of looks at an interval. A virtual clock may leave out idle looks while nothing happens.
   */
  after(milliseconds: number, callback: () => unknown, look?: Look): Timer;
  /** Set: this clock leaves out idle looks, so it is worth finding out whether a look is idle. */
  readonly skips?: true;
  /** Calls `callback` at the end of this turn of the event loop. */
  soon(callback: () => void): void;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  random(): number;
}

/** `setTimeout` fires at once for anything longer. */
const longestTimeout = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, callback) {
    let left = milliseconds;
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const part = Math.min(left, longestTimeout);
      left -= part;
      handle = setTimeout(() => (left > 0 ? arm() : void callback()), part);
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
  soon: (callback) => void setImmediate(callback),
  random: () => Math.random(),
};

/** Resolves after `milliseconds` of the clock's time, or as soon as the signal is aborted: then nothing of it is left. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = clock.after(milliseconds, done);
    signal?.addEventListener("abort", done);
  });
}

/** Bytes that nobody can guess, for identifiers. */
export function fillRandom(bytes: Uint8Array<ArrayBuffer>): void {
  crypto.getRandomValues(bytes);
}
