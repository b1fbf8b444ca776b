/** A process of a sweep: every call of its store has a number, and at some of these numbers something happens to it. */
import type { Clock } from "../../src/clock.js";
import type { Store } from "../../src/stores/contract.js";
import {
  faultyStore,
  type AfterCall,
  type BeforeCall,
  type Faults,
  type StoreCall,
} from "../../src/testing/faults/faulty-store.js";
import { never } from "../../src/testing/faults/never.js";
import { ProcessClock } from "../../src/testing/faults/process-clock.js";
import { through, type Call } from "../../src/testing/faults/through.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";

/**
 * What happens at a call of the store.
 *
 * - `dies before`, `dies after`: the process is gone, and the call is not done, or done
 * - `freezes before`, `freezes after`: the process stands until others have buried it and are at its work. Then the call is done, or heard of
 * - `sleeps before`: the same, and it comes back when the others have long finished
 * - `is buried`: others take it for dead, and it lives on
 * - `is refused`: the call is not done, and may be tried again
 * - `loses the answer`: the call is done, and the error says that it may be tried again
 */
export const faults = [
  "dies before",
  "dies after",
  "freezes before",
  "freezes after",
  "sleeps before",
  "is buried",
  "is refused",
  "loses the answer",
] as const;
export type Fault = (typeof faults)[number];

/** A fault at the call of that number, from 0, of all calls that all processes make. */
export interface Planned {
  readonly at: number;
  readonly fault: Fault;
}

/** A call that was made. */
export interface Made {
  readonly name: string;
  /** Its process was registered by then: before that there is nothing to bury. */
  readonly isRegistered: boolean;
}

/** How long after its burial a process comes back, in milliseconds; and when it does where nobody buries it. */
const soon = 150;
const late = 4_000;
const unburied = 8_000;

/** Numbers the calls of all processes, and knows what is to happen. */
export class Conductor {
  readonly made: Made[] = [];
  /** How many were taken for dead by others, and lived. */
  takenOver = 0;
  readonly sprung: { readonly name: string; readonly fault: Fault }[] = [];
  readonly #planned: Map<number, Fault>;
  readonly #processes = new Set<Process>();
  readonly #happened: (process: Process, fault: Fault) => void;

  constructor(planned: readonly Planned[], happened: (process: Process, fault: Fault) => void) {
    this.#planned = new Map(planned.map(({ at, fault }) => [at, fault]));
    this.#happened = happened;
  }

  add(process: Process): void {
    this.#processes.add(process);
  }

  /** The next call is made. */
  next(process: Process, name: string): Fault | undefined {
    const fault = this.#planned.get(this.made.length);
    this.made.push({ name, isRegistered: process.owner !== undefined });
    if (fault === undefined) return undefined;
    this.sprung.push({ name, fault });
    this.#happened(process, fault);
    return fault;
  }

  /** That process has buried these. */
  buried(owners: readonly number[], by: Process): void {
    for (const process of this.#processes) {
      if (process === by || !owners.includes(process.owner ?? 0)) continue;
      if (process.isAlive) this.takenOver++;
      process.wasBuried();
    }
  }
}

/** The store as a process reaches it when all is well, and what has to hear of its fate besides. */
export interface Reach {
  readonly store: Store;
  wasBuried?(): void;
  dies?(): void;
}

export interface ProcessParts {
  readonly conductor: Conductor;
  readonly world: VirtualClock;
  readonly reach: Reach;
  /** Others take it for dead. */
  readonly bury: (owner: number) => unknown;
}

export class Process implements Faults {
  readonly clock: ProcessClock;
  readonly store: Store;
  /** Under which number its launcher is registered. */
  owner: number | undefined;
  readonly #parts: ProcessParts;
  readonly #fates = new Map<StoreCall, Fault>();
  readonly #mourners = new Set<() => void>();
  /** How long after its burial it comes back. */
  #wakesAfter = soon;
  #awake: Promise<void> | undefined;

  constructor(parts: ProcessParts) {
    const { world, reach, conductor } = parts;
    this.#parts = parts;
    this.clock = new ProcessClock(world);
    // As on a network: what a batch has become may be lost on the way.
    const faulty = faultyStore(reach.store, { clock: this.clock, faults: this, gathers: true });
    this.store = through(faulty, (call, name) => (notHeld.has(name) ? call : this.#held(call)), {
      watch: (listener) => faulty.watch(listener),
    });
    conductor.add(this);
  }

  get isAlive(): boolean {
    return this.clock.life !== "gone";
  }

  get isFrozen(): boolean {
    return this.clock.life === "stands";
  }

  before(call: StoreCall): BeforeCall {
    const fault = this.#parts.conductor.next(this, call.name);
    if (fault === undefined) return "goes";
    switch (fault) {
      case "dies before":
        return "dies";
      case "is refused":
        return "refused";
      case "freezes before":
        return this.#freeze(soon);
      case "sleeps before":
        return this.#freeze(late);
      case "is buried": {
        const done = this.#parts.bury(this.owner ?? 0);
        return done instanceof Promise ? done.then(() => undefined) : "goes";
      }
      default:
        this.#fates.set(call, fault);
        return "goes";
    }
  }

  after(call: StoreCall, answer: unknown): AfterCall | Promise<AfterCall> {
    if (call.name === "register") this.owner = answer as number;
    if (call.name === "removeLaunchers") this.#parts.conductor.buried(call.given[0] as readonly number[], this);
    const fault = this.#fates.get(call);
    this.#fates.delete(call);
    if (fault === "dies after") return "dies";
    if (fault === "loses the answer") return "lost";
    return fault === "freezes after" ? this.#freeze(soon).then(() => "answers") : "answers";
  }

  dies(): void {
    this.clock.die();
    this.#parts.reach.dies?.();
    for (const tell of this.#mourners) tell();
  }

  onDeath(tell: () => void): void {
    this.#mourners.add(tell);
  }

  wasBuried(): void {
    this.#parts.reach.wasBuried?.();
    if (this.isFrozen) this.#parts.world.after(this.#wakesAfter, () => this.clock.goOn());
  }

  #freeze(wakesAfter: number): Promise<void> {
    const { world } = this.#parts;
    this.#wakesAfter = wakesAfter;
    this.clock.stand();
    world.after(unburied, () => this.clock.goOn());
    // What falls due while it stands comes when it goes on.
    this.#awake = new Promise((resolve) => void this.clock.after(0, resolve));
    return this.#awake;
  }

  /** Nothing goes on in a process that stands, nor does it hear of anything. */
  #held(call: Call): Call {
    const answered = <Answer>(answer: Answer): Answer | Promise<Answer> =>
      this.isFrozen ? this.#awake!.then(() => answer) : this.isAlive ? answer : never();
    return (...given) => {
      if (this.isFrozen) return this.#awake!.then(() => call(...given));
      const answer = call(...given);
      return answer instanceof Promise ? answer.then(answered) : answer;
    };
  }
}

/** What asks nobody. */
const notHeld = new Set([
  "open",
  "close",
  "watch",
  "follow",
  "abandon",
  "transactions.within",
  "transactions.waitsForNothing",
]);

/** Time passes in a step, if its process lives. */
export function takes(clock: Clock, milliseconds: number): Promise<void> {
  return new Promise((resolve) => void clock.after(milliseconds, resolve));
}
