/**
 * A virtual clock for an engine whose functions are watched. Unlike the one in `faults/`, it takes a real turn of the event loop for each of
 * its own: functions of users may do so, too.
 */
import { systemClock } from "../../clock.js";
import { VirtualClock } from "../virtual-clock.js";

export class WatchedClock extends VirtualClock {
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
