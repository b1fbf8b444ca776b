/** When a launcher looks for what is due: at the soonest time that was named, at intervals behind that, and one look at a time. */
import type { Clock, Timer } from "../clock.js";

export interface Poller {
  /** True: there was nothing to do, and the passing of time brings nothing before the time that was named. */
  look(): Promise<boolean>;
  /** A look is over. */
  looked(): void;
}

export class Polling {
  readonly #clock: Clock;
  /** The longest time between two looks, in milliseconds: hints may get lost. */
  readonly #interval: number;
  readonly #poller: Poller;
  #isOpen = false;
  #isLooking = false;
  #isSoon = false;
  #again = false;
  /** The soonest time that was named since the last look began. */
  #nextAt = Infinity;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  /** Set for the next look at the interval. */
  #intervalTimer: Timer | undefined;

  constructor(clock: Clock, interval: number, poller: Poller) {
    this.#clock = clock;
    this.#interval = interval;
    this.#poller = poller;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isLooking(): boolean {
    return this.#isLooking;
  }

  /** There is no look before this, and none after `end`. */
  begin(): void {
    this.#isOpen = true;
  }

  end(): void {
    this.#isOpen = false;
    this.#forgetTimer();
    this.#intervalTimer?.cancel();
  }

  /** Looks after so many milliseconds, if not sooner. */
  within(milliseconds: number): void {
    const at = this.#clock.now() + milliseconds;
    if (!this.#isOpen || at >= this.#nextAt) return;
    this.#nextAt = at;
    // A timer that is set for this time already is left alone: a virtual clock counts each new timer as work.
    if (this.#timer !== undefined && this.#timerAt === at) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.after(milliseconds, () => {
      this.#timer = undefined;
      return this.look();
    });
  }

  #forgetTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Looks at the end of this turn of the event loop. */
  soon(): void {
    if (this.#isSoon || !this.#isOpen) return;
    this.#isSoon = true;
    this.#clock.soon(() => {
      this.#isSoon = false;
      void this.look();
    });
  }

  async look(): Promise<void> {
    if (!this.#isOpen) return;
    // A hint that comes while the store is being asked may be about something that the answer does not hold.
    if (this.#isLooking) {
      this.#again = true;
      return;
    }
    this.#isLooking = true;
    this.#again = false;
    this.#nextAt = Infinity;
    this.#intervalTimer?.cancel();
    let isIdle = false;
    try {
      isIdle = await this.#poller.look();
    } finally {
      this.#isLooking = false;
      if (this.#isOpen)
        this.#intervalTimer = this.#clock.after(this.#interval, () => this.look(), isIdle ? "idle" : undefined);
      if (this.#nextAt === Infinity) this.#forgetTimer();
      if (this.#again) this.soon();
      this.#poller.looked();
    }
  }
}
