import { systemClock, type Clock, type Look, type Timer } from "../clock.js";
import { milliseconds, type Duration } from "../definition/duration.js";

export interface VirtualClockOptions {
  /** Milliseconds since 1970. Default: 2026-01-01, noon, UTC. */
  readonly start?: number;
  /** Makes `random` give other numbers; the same seed gives the same numbers. Default: 1. */
  readonly seed?: number;
}

interface Pending {
  readonly at: number;
  readonly callback: () => unknown;
  readonly look: Look | undefined;
  /** The order of registration. */
  readonly number: number;
  /** Of a look: its interval, and the value of `#happened` when it was set. */
  readonly interval: number;
  readonly since: number;
}

/** How many promises, one after the other, a look with nothing to do may take. */
const shortLook = 60;

/** After so many turns of the real event loop, work of this process that needs no timer has settled. */
const turnsToSettle = 10;

/**
 * A clock that stands still until a test moves it, so that five minutes of retries take no time and go
 * the same way each time.
 *
 * @example
 * const clock = new VirtualClock();
 * const launcher = new Launcher({ store: memoryStore(), workflows: [fulfilOrder], clock });
 * const execution = await launcher.launch(fulfilOrder, input);
 * await clock.advance("5m");
 */
export class VirtualClock implements Clock {
  readonly skips = true;
  readonly #start: number;
  #now: number;
  #seed: number;
  /** By time, then by registration. */
  #timers: Pending[] = [];
  /** Idle looks: few, and each may fire later than it was set for. */
  readonly #idle = new Set<Pending>();
  #registered = 0;
  /** Grows with everything that may give an idle look something to find. */
  #happened = 0;

  constructor(options: VirtualClockOptions = {}) {
    this.#start = options.start ?? Date.UTC(2026, 0, 1, 12);
    this.#now = this.#start;
    this.#seed = options.seed ?? 1;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.length + this.#idle.size;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  after(length: number, callback: () => unknown, look?: Look): Timer {
    if (look === undefined) this.#happened++;
    const interval = Math.max(0, length);
    const at = this.#now + interval;
    const timer: Pending = { at, callback, look, number: ++this.#registered, interval, since: this.#happened };
    if (look === "idle" && interval > 0) {
      this.#idle.add(timer);
      return { cancel: () => void this.#idle.delete(timer) };
    }
    const later = this.#timers.findIndex((other) => other.at > timer.at);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    return {
      cancel: () => {
        const index = this.#timers.indexOf(timer);
        if (index !== -1) this.#timers.splice(index, 1);
      },
    };
  }

  /** A real turn of the event loop: virtual time does not pass in it. */
  soon(callback: () => void): void {
    this.#happened++;
    this.turn(callback);
  }

  /** Calls it in a turn of its own. */
  protected turn(callback: () => void): void {
    systemClock.soon(callback);
  }

  /** Mulberry32: small, and good enough to spread retries. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /**
   * Moves the time on. Timers that fall due fire in order, each at its own time, and what one of them
   * sets off settles before the next: also timers that are set on the way. Looks of a launcher that has nothing to do are
   * left out while nothing happens, but for the last one of them: a month takes no longer than what happens in it.
   *
   * @throws STEPWELL_INVALID_DURATION
   */
  async advance(length: Duration): Promise<void> {
    const end = this.#now + milliseconds(length, "advance(…)");
    await this.settle();
    // Whoever calls may have done something.
    this.#happened++;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) await this.#fire(next);
    this.#now = Math.max(this.#now, end);
    await this.settle();
  }

  /** Moves the time to the next timer and fires it. False: none waits. */
  async advanceToNext(): Promise<boolean> {
    await this.settle();
    this.#happened++;
    const next = this.#next(Infinity);
    if (next === undefined) return false;
    await this.#fire(next);
    await this.settle();
    return true;
  }

  /** Time passes within a call, as where code keeps the process busy: no timer fires before the next `advance`. */
  skip(length: Duration): void {
    this.#now += milliseconds(length, "skip(…)");
  }

  /** Lets everything that needs no time come to rest. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < turnsToSettle; turn += 1) {
      await new Promise<void>((resolve) => systemClock.soon(resolve));
    }
  }

  /** Which timer fires next, and when; none after `end`. */
  #next(end: number): { readonly timer: Pending; readonly at: number } | undefined {
    const [first] = this.#timers;
    // Until then nothing happens by itself.
    const until = Math.min(end, this.#timers.find(({ look }) => look === undefined)?.at ?? end);
    let next = first === undefined || first.at > end ? undefined : { timer: first, at: first.at };
    for (const timer of this.#idle) {
      const at = this.#timeOf(timer, until);
      if (at > end) continue;
      const isSooner = next === undefined || at < next.at || (at === next.at && timer.number < next.timer.number);
      if (isSooner) next = { timer, at };
    }
    return next;
  }

  /** An idle look fires at one of its times: at the next one where something has happened, else at the last one that is left. */
  #timeOf({ at, interval, since }: Pending, until: number): number {
    const soonest = at + Math.max(0, Math.ceil((this.#now - at) / interval)) * interval;
    if (since < this.#happened || soonest > until || until === Infinity) return soonest;
    return soonest + Math.floor((until - soonest) / interval) * interval;
  }

  #fire({ timer, at }: { readonly timer: Pending; readonly at: number }): Promise<void> {
    if (!this.#idle.delete(timer)) this.#timers.splice(this.#timers.indexOf(timer), 1);
    this.#now = Math.max(this.#now, at);
    if (timer.look === undefined) this.#happened++;
    const happened = this.#happened;
    const done = timer.callback();
    return timer.look === undefined ? this.settle() : this.settleLook(done, () => happened !== this.#happened);
  }

  /** Lets what a look has set off come to rest. One that had nothing to do has set off nothing. */
  protected async settleLook(done: unknown, hasFound: () => boolean): Promise<void> {
    if (!(await isDoneSoon(done)) || hasFound()) await this.settle();
  }
}

/** Whether a look had nothing to do. */
async function isDoneSoon(done: unknown): Promise<boolean> {
  if (!(done instanceof Promise)) return true;
  const is = { done: false };
  const note = (): void => void (is.done = true);
  done.then(note, note);
  for (let turn = 0; turn < shortLook && !is.done; turn++) await Promise.resolve();
  return is.done;
}
