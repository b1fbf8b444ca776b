/** A process with a launcher in it, as far as a simulation needs one: its clock may stand still, its store may fail, it may die. */
import type { Claimed, Store } from "../../src/stores/contract.js";
import {
  faultyStore,
  type AfterCall,
  type BeforeCall,
  type Faults,
  type StoreCall,
} from "../../src/testing/faults/faulty-store.js";
import { ProcessClock } from "../../src/testing/faults/process-clock.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import type { Advance } from "../../src/stores/lists.js";
import type { Batch, BatchResult } from "../../src/stores/batch.js";
import { shrunk } from "./buggify.js";
import type { Witness } from "./seen.js";
import type { Failing, LinePlan, MeetAct, Operation } from "./plan.js";

/** What the next requests of a kind meet with. */
interface Trap {
  readonly operation: Operation;
  left: number;
  readonly springs: Failing | "dies-before" | "dies-after";
}

/** What happens while a request of a kind is on its way. */
interface Meeting {
  readonly operation: MeetAct["operation"];
  left: number;
  readonly happens: () => void;
}

/** A request of a kind, or its answer, that takes long. */
interface Stall {
  readonly operation: Operation;
  left: number;
  readonly milliseconds: number;
  readonly isAnswer: boolean;
}

/** So long a request takes that meets something, in milliseconds: the other one is there before. */
const longWay = 250;

/** A store as one machine reaches it. */
export class Line implements Faults {
  readonly store: Store;
  readonly clock: ProcessClock;
  /** The numbers under which its launcher was registered, and heard of it. */
  readonly owners: number[] = [];
  /** Some answer of the store's was lost. */
  hasDoubts = false;
  isDeaf = false;
  readonly down = new Set<Operation>();
  readonly #traps: Trap[] = [];
  readonly #meetings: Meeting[] = [];
  readonly #stalls: Stall[] = [];
  /** Ends what is under way for long. */
  readonly #stalled = new Set<() => void>();
  readonly #dies: () => void;
  /** Of so many answers one gets lost. */
  #loses: number | null;
  #answers = 0;

  readonly #witness: Witness;

  constructor(base: Store, world: VirtualClock, plan: LinePlan, witness: Witness, dies: () => void) {
    const { skew, latency, gathers, loses, most } = plan;
    this.#witness = witness;
    this.#dies = dies;
    this.#loses = loses;
    this.clock = new ProcessClock(world, skew);
    this.store = faultyStore(most === null ? base : shrunk(base, most), {
      ...{ clock: this.clock, faults: this, latency, gathers: base.gathers || gathers },
    });
  }

  setTrap(trap: Trap): void {
    this.#traps.push(trap);
  }

  setMeeting(meeting: Meeting): void {
    this.#meetings.push(meeting);
  }

  setStall(stall: Stall): void {
    this.#stalls.push(stall);
  }

  heal(): void {
    this.#traps.length = this.#meetings.length = this.#stalls.length = 0;
    for (const end of this.#stalled) end();
    this.down.clear();
    this.#loses = null;
    this.isDeaf = false;
  }

  before({ name, given }: StoreCall): BeforeCall {
    const springs = this.down.has(name as Operation) ? "refused" : this.#sprung(name, isBefore);
    if (springs === undefined) return this.#meets(name) ?? this.#delayed(name, false) ?? "goes";
    this.#sprang(name, springs, given, undefined);
    return springs === "dies-before" ? "dies" : "refused";
  }

  after(call: StoreCall, answer: unknown): AfterCall | Promise<AfterCall> {
    return this.#delayed(call.name, true)?.then(() => this.#answered(call, answer)) ?? this.#answered(call, answer);
  }

  #answered({ name, given }: StoreCall, answer: unknown): AfterCall {
    // A claim that finds nothing leaves nothing behind: it is not worth a trap.
    const isIdle = name === "claim" && (answer as Claimed).records.length === 0;
    const springs =
      isIdle || (name === "write" && !this.store.gathers)
        ? undefined
        : (this.#sprung(name, isAfter) ?? this.#forgotten());
    if (springs !== undefined) this.#sprang(name, springs, given, answer);
    else this.#witness.seen.note("operation", name);
    if (springs === "unknown") {
      this.hasDoubts = true;
      return "lost";
    }
    if (springs !== undefined) return "dies";
    if (name === "register") this.owners.push(answer as number);
    return "answers";
  }

  hears(): boolean {
    return !this.isDeaf;
  }

  dies(): void {
    this.#dies();
  }

  #sprang(name: string, springs: Trap["springs"], [batch]: readonly unknown[], answer: unknown): void {
    const fault = springs === "unknown" ? "lost" : springs;
    this.#witness.seen.note("fault", `${name} ${fault}`);
    if (name === "lists.advance") this.#witness.metAdvance(batch as readonly Advance[], fault);
    if (name !== "write") return;
    const { transitions } = batch as Batch;
    const results = (answer as BatchResult | undefined)?.transitions;
    this.#witness.met(
      results === undefined ? transitions : transitions.filter((_, at) => results[at] === "taken"),
      fault,
    );
  }

  #meets(name: string): Promise<void> | undefined {
    const meeting = this.#meetings.find(({ operation }) => operation === name);
    if (meeting === undefined || --meeting.left > 0) return undefined;
    this.#meetings.splice(this.#meetings.indexOf(meeting), 1);
    meeting.happens();
    return new Promise((resolve) => void this.clock.world.after(longWay, resolve));
  }

  /** A request arrives whatever becomes of its process meanwhile; an answer comes to a process that goes. */
  #delayed(name: string, isAnswer: boolean): Promise<void> | undefined {
    const stall = this.#stalls.find((it) => it.operation === name && it.isAnswer === isAnswer);
    if (stall === undefined || --stall.left > 0) return undefined;
    this.#stalls.splice(this.#stalls.indexOf(stall), 1);
    this.#witness.seen.note("fault", `${name} ${isAnswer ? "is answered late" : "comes late"}`);
    const clock = isAnswer ? this.clock : this.clock.world;
    return new Promise((resolve) => {
      const timer = clock.after(stall.milliseconds, resolve);
      this.#stalled.add(() => {
        if (isAnswer && this.clock.life === "gone") return;
        timer.cancel();
        resolve();
      });
    });
  }

  #forgotten(): "unknown" | undefined {
    return this.#loses !== null && ++this.#answers % this.#loses === 0 ? "unknown" : undefined;
  }

  #sprung(name: string, fits: (trap: Trap) => boolean): Trap["springs"] | undefined {
    const trap = this.#traps.find((it) => it.operation === name && fits(it));
    if (trap === undefined || --trap.left > 0) return undefined;
    this.#traps.splice(this.#traps.indexOf(trap), 1);
    return trap.springs;
  }
}

const isAfter = ({ springs }: Trap): boolean => springs === "unknown" || springs === "dies-after";
const isBefore = (trap: Trap): boolean => !isAfter(trap);
