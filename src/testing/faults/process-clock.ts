/** The clock of one process of several that share a virtual one: it may be wrong, stand still, or be gone. */
import type { Clock, Look, Timer } from "../../clock.js";
import type { VirtualClock } from "../virtual-clock.js";

export class ProcessClock implements Clock {
  readonly skips = true;
  /** How many timers wait. */
  pending = 0;
  /** That of all. */
  readonly world: VirtualClock;
  readonly #skew: number;
  #life: "goes" | "stands" | "gone" = "goes";
  /** What has fallen due while it stood. */
  #held: (() => unknown)[] = [];

  /** @param skew by so many milliseconds it is wrong */
  constructor(world: VirtualClock, skew = 0) {
    this.world = world;
    this.#skew = skew;
  }

  get life(): "goes" | "stands" | "gone" {
    return this.#life;
  }

  now(): number {
    return this.world.now() + this.#skew;
  }

  monotonic(): number {
    return this.world.monotonic();
  }

  random(): number {
    return this.world.random();
  }

  after(milliseconds: number, callback: () => unknown, look?: Look): Timer {
    let over = false;
    const end = (): boolean => {
      if (over) return false;
      this.pending--;
      return (over = true);
    };
    this.pending++;
    const timer = this.world.after(milliseconds, () => this.#fire(() => end() && callback()), look);
    return { cancel: () => void (end() && timer.cancel()) };
  }

  soon(callback: () => void): void {
    this.world.soon(() => this.#fire(callback));
  }

  /** The process is frozen: nothing of it goes on. */
  stand(): void {
    if (this.#life === "goes") this.#life = "stands";
  }

  goOn(): void {
    if (this.#life !== "stands") return;
    this.#life = "goes";
    for (const callback of this.#held.splice(0)) this.world.after(0, () => this.#fire(callback));
  }

  die(): void {
    this.#life = "gone";
    this.#held = [];
  }

  #fire(callback: () => unknown): unknown {
    if (this.#life === "goes") return callback();
    if (this.#life === "stands") this.#held.push(callback);
    return undefined;
  }
}
