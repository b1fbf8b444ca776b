import { systemClock, type Clock, type Timer } from "../clock.js";
import { milliseconds, type Duration } from "../definition/duration.js";

export interface VirtualClockOptions {
  /** Milliseconds since 1970. Default: 2026-01-01, noon, UTC. */
  readonly start?: number;
  /** Makes `random` give other numbers; the same seed gives the same. Default: 1. */
  readonly seed?: number;
}

interface Pending {
  readonly at: number;
  readonly callback: () => void;
}

/** Turns of the real event loop after which nothing that runs in this process is still on its way. */
const turnsToSettle = 10;

/**
 * A clock that stands still until a test moves it, so that five minutes of retries take no time and go
 * the same way each time.
 *
 * @example
 * const clock = new VirtualClock();
 * const launcher = new Launcher({ store: memoryStore(), workflows: [fulfilOrder], clock });
 * const execution = await launcher.launch(fulfilOrder, input);
 * await clock.advance("5m");
 */
export class VirtualClock implements Clock {
  readonly #start: number;
  #now: number;
  #seed: number;
  /** In the order in which they fire: by time, then by registration. */
  #timers: Pending[] = [];

  constructor(options: VirtualClockOptions = {}) {
    this.#start = options.start ?? Date.UTC(2026, 0, 1, 12);
    this.#now = this.#start;
    this.#seed = options.seed ?? 1;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  after(length: number, callback: () => void): Timer {
    const timer: Pending = { at: this.#now + Math.max(0, length), callback };
    const later = this.#timers.findIndex(({ at }) => at > timer.at);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    return {
      cancel: () => {
        const index = this.#timers.indexOf(timer);
        if (index !== -1) this.#timers.splice(index, 1);
      },
    };
  }

  /** A real turn of the event loop: virtual time does not pass in it. */
  soon(callback: () => void): void {
    systemClock.soon(callback);
  }

  /** Mulberry32: small, and good enough to spread retries. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /**
   * Moves the time on. Timers that fall due fire in order, each at its own time, and what one of them
   * sets off settles before the next: also timers that are set on the way.
   *
   * @throws STEPWELL_INVALID_DURATION
   */
  async advance(length: Duration): Promise<void> {
    const end = this.#now + milliseconds(length, "advance(…)");
    await this.settle();
    while (this.#timers[0] !== undefined && this.#timers[0].at <= end) await this.#fireNext();
    this.#now = Math.max(this.#now, end);
    await this.settle();
  }

  /** Moves the time to the next timer and fires it. False: none waits. */
  async advanceToNext(): Promise<boolean> {
    await this.settle();
    if (this.#timers.length === 0) return false;
    await this.#fireNext();
    return true;
  }

  /** Time passes within a call, as where code keeps the process busy: no timer fires before the next `advance`. */
  skip(length: Duration): void {
    this.#now += milliseconds(length, "skip(…)");
  }

  /** Lets everything that needs no time come to rest. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < turnsToSettle; turn += 1) {
      await new Promise<void>((resolve) => systemClock.soon(resolve));
    }
  }

  async #fireNext(): Promise<void> {
    const timer = this.#timers.shift()!;
    this.#now = Math.max(this.#now, timer.at);
    timer.callback();
    await this.settle();
  }
}
