import type { Clock } from "../clock.js";

/** How long one kind of report passes only once, in milliseconds. */
const period = 60_000;

/** Lets each kind of report pass once in a while, and counts what it held back. */
export class Throttle {
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { until: number; heldBack: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many reports of this kind were held back since the last one that passed; undefined: this one is held back too. */
  pass(kind: string): number | undefined {
    const now = this.#clock.monotonic();
    const known = this.#kinds.get(kind);
    if (known !== undefined && now < known.until) {
      known.heldBack += 1;
      return undefined;
    }
    this.#kinds.set(kind, { until: now + period, heldBack: 0 });
    return known?.heldBack ?? 0;
  }
}
