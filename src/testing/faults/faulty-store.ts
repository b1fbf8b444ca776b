/** The store as one process reaches it: each of its calls may be refused, wait, lose its answer, or be the last of its process. */
import { StepwellError } from "../../errors.js";
import type { Batch, NewExecution } from "../../stores/batch.js";
import type { ClaimOptions, Hint, Store } from "../../stores/contract.js";
import { LostAnswers } from "./lost-answers.js";
import type { ProcessClock } from "./process-clock.js";
import { through, type Call } from "./through.js";
import { never } from "./never.js";

export interface StoreCall {
  /** As `write`, or `lists.advance` of a capability. */
  readonly name: string;
  readonly given: readonly unknown[];
}

/**
 * What becomes of a call before it is done.
 *
 * - `goes`: it is done
 * - `refused`: it is not, and the error allows to try again
 * - `dies`: it is not, and its process is gone
 * - a promise: it is on its way until that resolves, then it is done
 */
export type BeforeCall = "goes" | "refused" | "dies" | Promise<void>;

/**
 * What becomes of its answer.
 *
 * - `answers`: it comes
 * - `lost`: an error comes in its place, which allows to try again
 * - `dies`: its process is gone
 */
export type AfterCall = "answers" | "lost" | "dies";

export interface Faults {
  before?(call: StoreCall): BeforeCall;
  after?(call: StoreCall, answer: unknown): AfterCall | Promise<AfterCall>;
  /** False: this hint gets lost. */
  hears?(hint: Hint): boolean;
  /** The process dies of a call. */
  dies(): void;
}

export interface FaultyStoreOptions {
  readonly clock: ProcessClock;
  readonly faults: Faults;
  /** Milliseconds there and back. Null: the store is in the process. */
  readonly latency?: readonly [there: number, back: number] | null;
  /** Default: as the store. One that does not gather is not given the same rows again, so no answer of a write may get lost there. */
  readonly gathers?: boolean;
}

export function faultyStore(base: Store, options: FaultyStoreOptions): Store {
  const { clock, latency = null, gathers, faults } = options;
  const line = new Line(base, options);
  return through(base, (call, name) => line.through(call, name), {
    gathers: gathers ?? base.gathers,
    abandon: (create: NewExecution) => line.lost.abandon(create),
    watch: (listener) => {
      const tell = (hint: Hint): void => {
        if (clock.life === "goes" && (faults.hears?.(hint) ?? true)) listener(hint);
      };
      return base.watch((hint) => (latency === null ? tell(hint) : void clock.after(latency[1], () => tell(hint))));
    },
  });
}

class Line {
  readonly lost: LostAnswers;
  readonly #clock: ProcessClock;
  readonly #faults: Faults;
  readonly #latency: readonly [there: number, back: number] | null;
  /** What is not asked of the store as it is. */
  readonly #own: Readonly<Record<string, Call>>;

  constructor(base: Store, { clock, faults, latency = null }: FaultyStoreOptions) {
    this.lost = new LostAnswers(base);
    this.#clock = clock;
    this.#faults = faults;
    this.#latency = latency;
    this.#own = {
      write: (batch) => this.lost.write(batch as Batch),
      claim: (options) => this.lost.claim(options as ClaimOptions),
    };
  }

  through(call: Call, name: string): Call {
    if (inProcess.has(name)) return call;
    const known = Object.hasOwn(this.#own, name) ? this.#own[name]! : call;
    const latency = this.#latency;
    // The work of a transaction runs in this process: it can't be under way.
    if (latency === null || name === "transactions.run") return (...given) => this.#ask(name, known, given);
    return (...given) => this.#underWay(latency, () => this.#ask(name, known, given));
  }

  #ask(name: string, call: Call, given: readonly unknown[]): unknown {
    if (this.#clock.life === "gone") return never();
    const asked: StoreCall = { name, given };
    const fate = this.#faults.before?.(asked) ?? "goes";
    if (fate instanceof Promise) return fate.then(() => this.#done(asked, call));
    if (fate === "goes") return this.#done(asked, call);
    if (fate === "dies") return this.#die();
    return name === "transactions.run" ? rolledBack(call, given) : refuse();
  }

  #done(asked: StoreCall, call: Call): unknown {
    const answer = call(...asked.given);
    return answer instanceof Promise ? answer.then((it) => this.#answered(asked, it)) : this.#answered(asked, answer);
  }

  #answered(asked: StoreCall, answer: unknown): unknown {
    if (this.#clock.life === "gone") return never();
    const fate = this.#faults.after?.(asked, answer) ?? "answers";
    return fate instanceof Promise ? fate.then((it) => this.#told(asked, answer, it)) : this.#told(asked, answer, fate);
  }

  #told(asked: StoreCall, answer: unknown, fate: AfterCall): unknown {
    if (fate === "answers") return answer;
    if (fate === "dies") return this.#die();
    this.lost.lost(asked.name, asked.given, answer);
    return refuse();
  }

  #die(): Promise<never> {
    this.#faults.dies();
    return never();
  }

  #underWay([there, back]: readonly [number, number], ask: () => unknown): Promise<unknown> {
    if (this.#clock.life === "gone") return never();
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => void this.#clock.after(back, end);
      this.#clock.world.after(there, async () => {
        try {
          const value = await ask();
          settle(() => resolve(value));
        } catch (error) {
          settle(() => reject(error));
        }
      });
    });
  }
}

/** What asks nobody. */
const inProcess = new Set(["open", "close", "follow", "transactions.within", "transactions.waitsForNothing"]);

function refuse(): never {
  throw new StepwellError("STEPWELL_STORE_BUSY", "A fault that a test plays.", { retryable: true });
}

/** The work is done, and rolled back. */
function rolledBack(transact: Call, [work]: readonly unknown[]): unknown {
  return transact((connection: unknown) => {
    const done = (work as (connection: unknown) => unknown)(connection);
    return done instanceof Promise ? done.then(refuse) : refuse();
  });
}
