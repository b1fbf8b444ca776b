/** The functions that were called and have not ended, so that it is known when nothing more comes of them. */
import { systemClock } from "../../clock.js";

/** For so long a function may do something that virtual time knows nothing of, in real milliseconds. */
const realPatience = 100;

export class Running {
  /** How many. */
  count = 0;
  /** Those that may end without virtual time. */
  readonly #inFlight = new Set<Promise<unknown>>();

  get hasSome(): boolean {
    return this.#inFlight.size > 0;
  }

  /** Calls the function, and gives back what it gives. */
  call(go: () => unknown): unknown {
    const given = go();
    if (!(given instanceof Promise)) return given;
    this.count++;
    const end = (): void => {
      this.count--;
      this.#inFlight.delete(settled);
    };
    const settled: Promise<unknown> = given.then(end, end);
    this.#inFlight.add(settled);
    return given;
  }

  /** Waits for one of them, for a moment of real time. Those that do not end wait for virtual time, or for ever. */
  async wait(): Promise<void> {
    const running = [...this.#inFlight];
    let timer: { cancel(): void } | undefined;
    const isOver = await Promise.race([
      Promise.race(running).then(() => false),
      new Promise<boolean>((resolve) => (timer = systemClock.after(realPatience, () => resolve(true)))),
    ]);
    timer?.cancel();
    if (isOver) for (const one of running) this.#inFlight.delete(one);
  }
}
