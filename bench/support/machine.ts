/** Machines that are not there: processors and a log that take their time, by a virtual clock. */
import type { VirtualClock } from "stepwell/testing";

/** Places where one may work at a time each; who comes when all are taken waits, first come, first served. */
export class Station {
  readonly #clock: VirtualClock;
  #free: number;
  readonly #waiting: (() => void)[] = [];
  /** For how long its places were taken in all, in milliseconds. */
  taken = 0;

  constructor(clock: VirtualClock, places: number) {
    this.#clock = clock;
    this.#free = places;
  }

  /** Works for so many milliseconds. */
  spend(milliseconds: number): Promise<void> {
    return this.hold(() => sleep(this.#clock, milliseconds));
  }

  /** Keeps a place until the work is done. */
  async hold(work: () => Promise<void>): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const began = this.#clock.now();
    await work();
    this.taken += this.#clock.now() - began;
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

/** What is written while a flush is under way is flushed together by the next one. */
export class Log {
  readonly #clock: VirtualClock;
  readonly #delay: number;
  readonly #bytesPerMs: number;
  #bytes = 0;
  #next: Promise<void> | undefined;
  #flushing: Promise<void> = Promise.resolve();

  /** @param delay of a flush, in milliseconds */
  constructor(clock: VirtualClock, delay: number, bytesPerMs: number) {
    this.#clock = clock;
    this.#delay = delay;
    this.#bytesPerMs = bytesPerMs;
  }

  flush(bytes: number): Promise<void> {
    this.#bytes += bytes;
    this.#next ??= this.#flushing.then(() => {
      const length = this.#delay + this.#bytes / this.#bytesPerMs;
      this.#bytes = 0;
      this.#next = undefined;
      return (this.#flushing = sleep(this.#clock, length));
    });
    return this.#next;
  }
}

export function sleep(clock: VirtualClock, milliseconds: number): Promise<void> {
  return new Promise((resolve) => void clock.after(milliseconds, resolve));
}

/** Moves the clock on until all of it is done. */
export async function passed(clock: VirtualClock, work: readonly Promise<unknown>[]): Promise<void> {
  const state = { isOver: false };
  const all = Promise.all(work).finally(() => (state.isOver = true));
  while (!state.isOver) await clock.advanceToNext();
  await all;
}
