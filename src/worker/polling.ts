/** When a launcher looks for what is due: at the soonest time that was named, and one look after the other. */
import type { Clock, Timer } from "../clock.js";

export interface Poller {
  /** True: there was nothing to do, and time alone brings nothing before the time that was named. */
  look(): Promise<boolean>;
  /** A look is over. */
  looked(): void;
}

export class Polling {
  readonly #clock: Clock;
  /** In milliseconds: it looks at least so often, since hints may get lost. */
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
  /** For the next look at the interval. */
  #idle: Timer | undefined;

  constructor(clock: Clock, interval: number, poller: Poller) {
    this.#clock = clock;
    this.#interval = interval;
    this.#poller = poller;
  }

  get isLooking(): boolean {
    return this.#isLooking;
  }

  /** Before this, and after `end`, it does not look. */
  begin(): void {
    this.#isOpen = true;
  }

  end(): void {
    this.#isOpen = false;
    this.#forgetTimer();
    this.#idle?.cancel();
  }

  /** Looks after that time, if not sooner. */
  within(milliseconds: number): void {
    const at = this.#clock.now() + milliseconds;
    if (!this.#isOpen || at >= this.#nextAt) return;
    this.#nextAt = at;
    // What is named again is left as it is: to set a timer is to do something.
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

  /** Looks after what is being done now. */
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
    // A hint that comes while the store is being asked may be about something that it did not see.
    if (this.#isLooking) {
      this.#again = true;
      return;
    }
    this.#isLooking = true;
    this.#again = false;
    this.#nextAt = Infinity;
    this.#idle?.cancel();
    let isIdle = false;
    try {
      isIdle = await this.#poller.look();
    } finally {
      this.#isLooking = false;
      if (this.#isOpen) this.#idle = this.#clock.after(this.#interval, () => this.look(), isIdle ? "idle" : undefined);
      if (this.#nextAt === Infinity) this.#forgetTimer();
      if (this.#again) this.soon();
      this.#poller.looked();
    }
  }
}
