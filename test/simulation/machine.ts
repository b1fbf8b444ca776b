/** A process with a launcher in it, as far as a simulation needs one: its clock may stand still, its store may fail, it may die. */
import type { Clock, Timer } from "../../src/clock.js";
import { StepwellError } from "../../src/index.js";
import type { Claimed, Hint, Store } from "../../src/stores/contract.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import { operations, type Failing, type LauncherPlan, type Operation } from "./plan.js";
import { through } from "../../src/testing/faults/through.js";

export class MachineClock implements Clock {
  readonly #world: VirtualClock;
  readonly #skew: number;
  #life: "goes" | "stands" | "gone" = "goes";
  /** What has fallen due while it stood. */
  #held: (() => void)[] = [];
  pending = 0;

  constructor(world: VirtualClock, skew: number) {
    this.#world = world;
    this.#skew = skew;
  }

  get life(): "goes" | "stands" | "gone" {
    return this.#life;
  }

  now(): number {
    return this.#world.now() + this.#skew;
  }

  monotonic(): number {
    return this.#world.monotonic();
  }

  random(): number {
    return this.#world.random();
  }

  after(milliseconds: number, callback: () => void): Timer {
    let over = false;
    const end = (): boolean => {
      if (over) return false;
      this.pending--;
      return (over = true);
    };
    this.pending++;
    const timer = this.#world.after(milliseconds, () => this.#fire(() => end() && callback()));
    return { cancel: () => void (end() && timer.cancel()) };
  }

  soon(callback: () => void): void {
    this.#world.soon(() => this.#fire(callback));
  }

  stand(): void {
    if (this.#life === "goes") this.#life = "stands";
  }

  goOn(): void {
    if (this.#life !== "stands") return;
    this.#life = "goes";
    for (const callback of this.#held.splice(0)) this.#world.after(0, () => this.#fire(callback));
  }

  die(): void {
    this.#life = "gone";
    this.#held = [];
  }

  #fire(callback: () => void): void {
    if (this.#life === "goes") callback();
    else if (this.#life === "stands") this.#held.push(callback);
  }
}

/** What the next requests of a kind meet with. */
interface Trap {
  readonly operation: Operation;
  left: number;
  readonly springs: Failing | "dies-before" | "dies-after";
}

const never = new Promise<never>(() => undefined);

/** A store as one machine reaches it. */
export class Line {
  readonly store: Store;
  readonly clock: MachineClock;
  /** The numbers under which its launcher was registered, and heard of it. */
  readonly owners: number[] = [];
  /** Some answer of the store's was lost. */
  hasDoubts = false;
  isDeaf = false;
  readonly down = new Set<Operation>();
  readonly #base: Store;
  readonly #world: VirtualClock;
  readonly #plan: LauncherPlan;
  readonly #traps: Trap[] = [];
  readonly #dies: () => void;

  constructor(base: Store, world: VirtualClock, plan: LauncherPlan, dies: () => void) {
    this.#base = base;
    this.#world = world;
    this.#plan = plan;
    this.#dies = dies;
    this.clock = new MachineClock(world, plan.skew);
    this.store = this.#through();
  }

  setTrap(trap: Trap): void {
    this.#traps.push(trap);
  }

  heal(): void {
    this.#traps.length = 0;
    this.down.clear();
    this.isDeaf = false;
  }

  #through(): Store {
    const asked = (call: (...given: unknown[]) => unknown, name: string) =>
      (operations as readonly string[]).includes(name)
        ? (...given: unknown[]) => this.#ask(name as Operation, call, given)
        : call;
    return through(this.#base, asked, {
      watch: (listener) => this.#watch(listener),
      gathers: this.#base.gathers || this.#plan.gathers,
    });
  }

  #watch(listener: (hint: Hint) => void): () => void {
    const tell = (hint: Hint): void => {
      if (this.clock.life === "goes" && !this.isDeaf) listener(hint);
    };
    return this.#base.watch((hint) => {
      if (this.#plan.latency === null) tell(hint);
      else this.clock.after(this.#plan.latency[1], () => tell(hint));
    });
  }

  #ask(operation: Operation, call: (...given: unknown[]) => unknown, given: unknown[]): unknown {
    if (this.clock.life === "gone") return never;
    const answer = (): unknown => {
      const isDown = this.down.has(operation);
      const before = isDown ? "refused" : this.#sprung(operation, isBefore);
      if (before === "refused") return operation === "transactions.run" ? failedCommit(call, given) : refuse();
      if (before !== undefined) return this.#die();
      const value = call(...given);
      // A claim that finds nothing leaves nothing behind: it is not worth a trap.
      const isIdle = operation === "claim" && (value as Claimed).records.length === 0;
      const after = isDown || isIdle ? undefined : this.#sprung(operation, isAfter);
      if (after === "unknown") {
        this.hasDoubts = true;
        return refuse();
      }
      if (after !== undefined) return this.#die();
      if (operation === "register") this.owners.push(value as number);
      return value;
    };
    const { latency } = this.#plan;
    // The work of a transaction runs in this process: it can't be under way.
    if (latency === null || operation === "transactions.run") return answer();
    return new Promise((resolve, reject) => {
      this.#world.after(latency[0], () => {
        let settle: () => void;
        try {
          const value = answer();
          settle = () => resolve(value);
        } catch (error) {
          settle = () => reject(error);
        }
        this.clock.after(latency[1], settle);
      });
    });
  }

  #die(): Promise<never> {
    this.#dies();
    return never;
  }

  #sprung(operation: Operation, fits: (trap: Trap) => boolean): Trap["springs"] | undefined {
    const trap = this.#traps.find((it) => it.operation === operation && fits(it));
    if (trap === undefined || --trap.left > 0) return undefined;
    this.#traps.splice(this.#traps.indexOf(trap), 1);
    return trap.springs;
  }
}

const isAfter = ({ springs }: Trap): boolean => springs === "unknown" || springs === "dies-after";
const isBefore = (trap: Trap): boolean => !isAfter(trap);

function refuse(): never {
  throw new StepwellError("STEPWELL_STORE_BUSY", "The simulation says so.", { retryable: true });
}

/** The work is done, and taken back. */
function failedCommit(transact: (...given: unknown[]) => unknown, [work]: unknown[]): unknown {
  return transact((connection: unknown) => {
    (work as (connection: unknown) => unknown)(connection);
    refuse();
  });
}
