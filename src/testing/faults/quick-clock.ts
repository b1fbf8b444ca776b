/** A virtual clock for worlds in which everything waits for this clock, for promises, or not at all: no turn of the real event loop is needed. */
import { VirtualClock } from "../virtual-clock.js";

export class QuickClock extends VirtualClock {
  readonly #turns: (() => void)[] = [];

  /** Where promises have settled: each in a turn of its own, as in the event loop. */
  protected override turn(callback: () => void): void {
    this.#turns.push(callback);
    if (this.#turns.length === 1) this.#next();
  }

  #next(): void {
    const take = (): void => {
      try {
        this.#turns[0]!();
      } finally {
        this.#turns.shift();
        if (this.#turns.length > 0) this.#next();
      }
    };
    void new Promise<void>(whenQuiet).then(take);
  }

  /** To let everything settle takes less here than to ask whether there is anything. */
  protected override settleLook(): Promise<void> {
    return this.settle();
  }

  override settle(): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        const wasQuiet = this.#turns.length === 0;
        whenQuiet(() => (wasQuiet && this.#turns.length === 0 ? resolve() : look()));
      };
      look();
    });
  }
}

const nothing = Promise.resolve();

/** What is queued from a promise's reaction comes when no other reaction is left. */
function whenQuiet(callback: () => void): void {
  void nothing.then(() => process.nextTick(callback));
}
