/** Outcomes of executions, and callers that wait for one. */
import type { Clock } from "../clock.js";
import type { AnyWorkflow, HalfDoneOf, StateOf, StepsOf } from "../definition/bag.js";
import type { Direction, Status } from "../definition/flow.js";
import type { Irreversible, Position } from "../execution/position.js";
import type { SerializedError } from "../values/serialize-error.js";
import type { Standing } from "../execution/records.js";
import type { MaybePromise, Store } from "../stores/contract.js";
import type { ActiveExecution } from "../execution/execution.js";
import { andThen } from "./maybe-promise.js";
import { notFound } from "./not-found.js";
import { stateOf } from "./damaged-rows.js";

/**
 * What `outcome()` resolves to. `reason` is `normal`, or what `onExit` made of it, for a completed
 * execution. In the state of one that did not complete, what its steps give is optional.
 */
export type Outcome<W extends AnyWorkflow = AnyWorkflow> =
  | { readonly status: "completed"; readonly reason: string; readonly state: StateOf<W> }
  | {
      readonly status: "rolledBack";
      readonly reason: string;
      readonly state: HalfDoneOf<W>;
      readonly error?: SerializedError;
      /** Steps that were begun and can't be undone, in their order. Left out: there is none. */
      readonly irreversible?: readonly Irreversible[];
    }
  | {
      readonly status: "stuck";
      readonly reason: string;
      readonly step: StepsOf<W>;
      readonly direction: Direction;
      readonly error: SerializedError;
      readonly state: HalfDoneOf<W>;
      /** As above, on the way down. */
      readonly irreversible?: readonly Irreversible[];
    };

/** The outcome of an execution in one of the three statuses at rest; undefined in any other. */
function outcomeOf(status: Status, position: Position, state: object): Outcome | undefined {
  const { reason, error, stuckBy, step, direction, irreversible } = position;
  const marked = irreversible !== undefined && { irreversible };
  switch (status) {
    case "completed":
      return { status, reason, state };
    case "rolledBack":
      return { status, reason, state, ...(error !== null && { error }), ...marked };
    case "stuck":
      return {
        status,
        reason: direction === "down" ? reason : position.lastResult,
        step,
        direction,
        error: stuckBy ?? { name: "Error", message: position.lastResult },
        state,
        ...marked,
      };
    default:
      return undefined;
  }
}

/** Whether the execution is at rest, and no request that was accepted is still to be followed. */
function isAtRest({ status, owner, dueAt }: Standing): boolean {
  const rests = status === "completed" || status === "rolledBack" || status === "stuck";
  return rests && owner === null && dueAt === null;
}

/**
 * The outcome of a stored execution, by one read of all of it; undefined: it is not at rest.
 *
 * @throws STEPWELL_EXECUTION_NOT_FOUND
 */
export function outcomeIn(store: Pick<Store, "load">, id: string): MaybePromise<Outcome | undefined> {
  return andThen(store.load([id]), ([record]) => {
    if (record === undefined) throw notFound(id);
    return isAtRest(record) ? outcomeOf(record.status, record.position, stateOf(record)) : undefined;
  });
}

export interface Waiter {
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

/**
 * How many executions are looked at in one interval: so many, or this part of all that callers wait for, whichever is more. Looks
 * come as often as work does, and their cost must not grow with the work and with the number of callers.
 */
const mostAsked = 100;
const partAsked = 1 / 8;

export class OutcomeWaiters {
  readonly #clock: Clock;
  readonly #interval: number;
  /** By execution; those that were not looked at for the longest come first. */
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** When the interval began, by the clock's `monotonic`, and how many executions were looked at in it. */
  #since = -Infinity;
  #asked = 0;

  /** @param interval how often `ask` is called at least, in milliseconds */
  constructor(clock: Clock, interval: number) {
    this.#clock = clock;
    this.#interval = interval;
  }

  get isEmpty(): boolean {
    return this.#waiters.size === 0;
  }

  /** Gives back a function that ends the wait. */
  add(id: string, waiter: Waiter): () => void {
    const waiters = this.#waiters.get(id) ?? new Set();
    waiters.add(waiter);
    this.#waiters.set(id, waiters);
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiters.get(id) === waiters) this.#waiters.delete(id);
    };
  }

  /** An execution came to rest in this process. */
  rested(id: string, { status, position, state }: Pick<ActiveExecution, "status" | "position" | "state">): void {
    if (this.#waiters.size === 0 || !this.#waiters.has(id)) return;
    const outcome = outcomeOf(status, position, state);
    if (outcome !== undefined) this.#settle(id, outcome);
  }

  /** Looks at executions that other processes drive. True: it looked at all of them, and none had come to rest. */
  async ask(store: Pick<Store, "load">, isDrivenHere: (id: string) => boolean): Promise<boolean> {
    const { ids, isAll } = this.#next(isDrivenHere);
    if (ids.length === 0) return isAll;
    let isIdle = isAll;
    const standings = await store.load(ids, "standing");
    for (const [index, id] of ids.entries()) {
      const standing = standings[index];
      if (isDrivenHere(id) || (standing !== undefined && !isAtRest(standing))) continue;
      isIdle = false;
      try {
        const outcome = await outcomeIn(store, id);
        if (outcome !== undefined) this.#settle(id, outcome);
      } catch (error) {
        // Callers that wait for another execution must not suffer.
        this.#fail(id, error);
      }
    }
    return isIdle;
  }

  #next(isDrivenHere: (id: string) => boolean): { readonly ids: readonly string[]; readonly isAll: boolean } {
    if (this.#waiters.size === 0) return { ids: [], isAll: true };
    const now = this.#clock.monotonic();
    if (now - this.#since >= this.#interval) {
      this.#since = now;
      this.#asked = 0;
    }
    const most = Math.max(mostAsked, Math.ceil(this.#waiters.size * partAsked)) - this.#asked;
    const ids: string[] = [];
    let isAll = true;
    for (const id of this.#waiters.keys()) {
      if (isDrivenHere(id)) continue;
      isAll = ids.length < most;
      if (!isAll) break;
      ids.push(id);
    }
    this.#asked += ids.length;
    for (const id of ids) {
      const waiters = this.#waiters.get(id)!;
      this.#waiters.delete(id);
      this.#waiters.set(id, waiters);
    }
    return { ids, isAll };
  }

  failAll(errorOf: () => unknown): void {
    for (const id of [...this.#waiters.keys()]) this.#fail(id, errorOf());
  }

  #settle(id: string, outcome: Outcome): void {
    for (const waiter of this.#take(id)) waiter.resolve(outcome);
  }

  #fail(id: string, error: unknown): void {
    for (const waiter of this.#take(id)) waiter.reject(error);
  }

  #take(id: string): Iterable<Waiter> {
    const waiters = this.#waiters.get(id) ?? [];
    this.#waiters.delete(id);
    return waiters;
  }
}
