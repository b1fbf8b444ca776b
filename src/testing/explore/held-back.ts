/** What is still to come, and no state of the store tells of: effects that are late, processes that stand still. */
import type { Clock } from "../../clock.js";

export class HeldBack {
  readonly #clock: Pick<Clock, "after">;
  #all: (() => void)[] = [];

  constructor(clock: Pick<Clock, "after">) {
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /** @param after it comes then; it comes before where all else is over. Left out: only then */
  add(comes: () => void, after?: number): void {
    const once = (): void => {
      if (!this.#all.includes(once)) return;
      this.#all = this.#all.filter((one) => one !== once);
      comes();
    };
    this.#all.push(once);
    if (after !== undefined) this.#clock.after(after, once);
  }

  /** All of it comes. False: there was nothing. */
  release(): boolean {
    if (this.isEmpty) return false;
    for (const comes of [...this.#all]) comes();
    return true;
  }
}
