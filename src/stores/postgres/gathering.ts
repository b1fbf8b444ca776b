import type { Clock, Timer } from "../../clock.js";

/** Sends the first of what comes at once, and what comes in the moment after it as one. */
export class Gathering {
  readonly #clock: Clock;
  readonly #moment: number;
  readonly #send: () => void;
  #timer: Timer | undefined;
  #isMore = false;

  /** @param moment in milliseconds: it sends once in that time at most */
  constructor(clock: Clock, moment: number, send: () => void) {
    this.#clock = clock;
    this.#moment = moment;
    this.#send = send;
  }

  /** There is something to send. */
  add(): void {
    if (this.#timer === undefined) this.#go();
    else this.#isMore = true;
  }

  close(): void {
    this.#timer?.cancel();
  }

  #go(): void {
    this.#timer = this.#clock.after(this.#moment, () => {
      this.#timer = undefined;
      if (this.#isMore) this.#go();
    });
    this.#isMore = false;
    this.#send();
  }
}
