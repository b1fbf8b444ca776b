/** When a launcher looks for what is due: at the soonest time that was named, and one look after the other. */
import type { Clock, Timer } from "../clock.js";

export interface Poller {
  look(): Promise<void>;
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
  #timer: Timer | undefined;
  /** When the timer fires. */
  #nextAt = Infinity;

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
    this.#timer?.cancel();
  }

  /** Looks after that time, if not sooner. */
  within(milliseconds: number): void {
    const at = this.#clock.now() + milliseconds;
    if (!this.#isOpen || at >= this.#nextAt) return;
    this.#timer?.cancel();
    this.#nextAt = at;
    this.#timer = this.#clock.after(milliseconds, () => void this.look());
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
    this.within(this.#interval);
    try {
      await this.#poller.look();
    } finally {
      this.#isLooking = false;
      if (this.#again) this.soon();
      this.#poller.looked();
    }
  }
}
