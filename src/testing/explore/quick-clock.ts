/** A virtual clock for an engine whose functions are watched: it knows whether anything is still to come of them in this turn. */
import { systemClock } from "../../clock.js";
import { VirtualClock } from "../virtual-clock.js";

export class QuickClock extends VirtualClock {
  #coming = 0;

  override soon(callback: () => void): void {
    this.#coming++;
    super.soon(() => {
      this.#coming--;
      callback();
    });
  }

  /** All promises that need no I/O settle in one turn; what such a turn begins needs another one. */
  override async settle(): Promise<void> {
    do await new Promise<void>((resolve) => systemClock.soon(resolve));
    while (this.#coming > 0);
  }
}
