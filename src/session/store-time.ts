/**
 * The store's time as a launcher knows it. The store gave its answer at some moment between the question and the arrival of the
 * answer, so its time is known within bounds only. A timer that is set by the later bound and compared with the
 * earlier one is never early, however long answers take.
 */
import type { Clock } from "../clock.js";

/** What is to be added to the clocks of this process. */
interface Offset {
  readonly now: number;
  readonly monotonic: number;
}

const none: Offset = { now: 0, monotonic: 0 };

export class StoreTimeEstimate {
  readonly #clock: Clock;
  readonly #isOwn: boolean;
  /** For the lower and for the upper bound of the store's time. */
  #least = none;
  #most = none;
  #isKnown: boolean;

  /** @param isOwn whether the store has this very clock */
  constructor(clock: Clock, isOwn: boolean) {
    this.#clock = clock;
    this.#isOwn = isOwn;
    this.#isKnown = isOwn;
  }

  /** False: the store has not said its time yet. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** To be called when the store is asked. Gives back a function to be called with the store's answer. */
  ask(): (at: number) => void {
    if (this.#isOwn) return () => undefined;
    const asked = this.#read();
    return (at) => {
      this.#most = offsetOf(at, asked);
      this.#least = offsetOf(at, this.#read());
      this.#isKnown = true;
    };
  }

  /** The lower bound: for times that are compared. */
  get atLeast(): number {
    if (this.#isOwn || !this.#isKnown) return this.#clock.now();
    // The wall clock may have been set, and the other clock may not count while the machine sleeps: the safe one of both counts.
    return Math.min(this.#clock.now() + this.#least.now, this.#clock.monotonic() + this.#least.monotonic);
  }

  /** The upper bound: for timers that are set. */
  get atMost(): number {
    if (this.#isOwn || !this.#isKnown) return this.#clock.now();
    return Math.max(this.#clock.now() + this.#most.now, this.#clock.monotonic() + this.#most.monotonic);
  }

  #read(): Offset {
    return { now: this.#clock.now(), monotonic: this.#clock.monotonic() };
  }
}

function offsetOf(at: number, { now, monotonic }: Offset): Offset {
  return { now: at - now, monotonic: at - monotonic };
}
