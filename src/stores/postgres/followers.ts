/**
 * Which executions are followed in which process. Who follows says so to the others, again and again, and these tell it of what they
 * commit: of what nobody follows nothing is sent.
 */
import type { Clock } from "../../clock.js";
import type { Wanted } from "../contract.js";

/** How often a process says what it follows, and for how long others believe it, in milliseconds. */
export const saidEvery = 5_000;
const believedFor = 3 * saidEvery;

interface Other {
  readonly wanted: ReadonlySet<string> | "all";
  readonly until: number;
}

/** What other processes follow. */
export class Followers {
  readonly #clock: Clock;
  readonly #others = new Map<string, Other>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#others.size === 0;
  }

  /** @param from who says it */
  heard(from: string, wanted: Wanted): void {
    if (wanted.length === 0) this.#others.delete(from);
    else {
      const until = this.#clock.monotonic() + believedFor;
      this.#others.set(from, { wanted: wanted === "all" ? wanted : new Set(wanted), until });
    }
  }

  /** Those of the executions that somebody else follows. */
  wantedOf(ids: readonly string[]): readonly string[] {
    const now = this.#clock.monotonic();
    for (const [from, { until }] of this.#others) if (until < now) this.#others.delete(from);
    const others = [...this.#others.values()].map(({ wanted }) => wanted);
    if (others.includes("all")) return ids;
    return ids.filter((id) => others.some((wanted) => wanted !== "all" && wanted.has(id)));
  }
}

/** What is said of what is followed here. */
export class Announcement {
  readonly #clock: Clock;
  #said: ReadonlySet<string> | "all" = new Set();
  #saidAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether others believe already that this is followed. */
  covers(wanted: Wanted): boolean {
    const said = this.#said;
    if (this.#clock.monotonic() - this.#saidAt >= saidEvery) return false;
    return said === "all" || (wanted !== "all" && wanted.every((id) => said.has(id)));
  }

  says(wanted: Wanted): void {
    this.#said = wanted === "all" ? wanted : new Set(wanted);
    this.#saidAt = this.#clock.monotonic();
  }

  /** Nobody may have heard it. */
  forget(): void {
    this.#saidAt = -Infinity;
  }
}
