/**
 * The store's time as a launcher knows it. An answer was given some time between the question and its arrival, so
 * the store's time is known within bounds only. A timer that is set by the later bound and compared with the
 * earlier one is never early, however long answers take.
 */
import type { Clock } from "../clock.js";

/** What is to be added to a clock of this process. */
interface Offset {
  readonly now: number;
  readonly monotonic: number;
}

const none: Offset = { now: 0, monotonic: 0 };

export class StoreTime {
  readonly #clock: Clock;
  readonly #isOwn: boolean;
  /** For the time that it is at least, and for the one that it is at most. */
  #least = none;
  #most = none;
  #isKnown: boolean;

  /** @param isOwn the store keeps the time of this very clock */
  constructor(clock: Clock, isOwn: boolean) {
    this.#clock = clock;
    this.#isOwn = isOwn;
    this.#isKnown = isOwn;
  }

  /** False: the store has not said it yet. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** To be called when the store is asked; gives back what is to be told what it has answered. */
  ask(): (at: number) => void {
    if (this.#isOwn) return () => undefined;
    const asked = this.#read();
    return (at) => {
      this.#most = offsetOf(at, asked);
      this.#least = offsetOf(at, this.#read());
      this.#isKnown = true;
    };
  }

  /** It is not earlier than this: for what is compared. */
  get atLeast(): number {
    if (this.#isOwn || !this.#isKnown) return this.#clock.now();
    // The clock may have been set, and a machine that slept may not have counted: of both ways the safe one.
    return Math.min(this.#clock.now() + this.#least.now, this.#clock.monotonic() + this.#least.monotonic);
  }

  /** It is not later than this: for what is set. */
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
