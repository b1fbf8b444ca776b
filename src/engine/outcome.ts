/** How an execution came to rest, and those who wait to hear of it. */
import type { AnyWorkflow, HalfDoneOf, StateOf, StepsOf } from "../definition/bag.js";
import type { Direction } from "../definition/flow.js";
import type { Irreversible, Position, SerializedError, Status } from "../flow/flow.js";
import type { ExecutionRecord } from "../stores/records.js";
import type { Store } from "../stores/store.js";
import type { Course } from "./course.js";
import { notFound } from "./not-found.js";

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
      /** What was begun and can't be undone, in the order of the steps. Left out: nothing. */
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

/** The outcome of a stored execution, if it is at rest and nothing that was accepted is still to be done. */
export function outcomeOfRecord(record: ExecutionRecord): Outcome | undefined {
  if (record.owner !== null || record.dueAt !== null) return undefined;
  if (record.status !== "completed" && record.status !== "rolledBack" && record.status !== "stuck") return undefined;
  return outcomeOf(record.status, record.position, record.state.value as object);
}

export interface Waiter {
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

export class OutcomeWaiters {
  readonly #waiters = new Map<string, Set<Waiter>>();

  get isEmpty(): boolean {
    return this.#waiters.size === 0;
  }

  /** Gives back how to stop waiting. */
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
  rested(id: string, { status, position, state }: Pick<Course, "status" | "position" | "state">): void {
    if (this.#waiters.size === 0 || !this.#waiters.has(id)) return;
    const outcome = outcomeOf(status, position, state);
    if (outcome !== undefined) this.#settle(id, outcome);
  }

  /** Looks for those executions that other processes drive. */
  async ask(store: Pick<Store, "load">, isDrivenHere: (id: string) => boolean): Promise<void> {
    const ids = [...this.#waiters.keys()].filter((id) => !isDrivenHere(id));
    if (ids.length === 0) return;
    const records = await store.load(ids);
    for (const [index, id] of ids.entries()) {
      const record = records[index];
      if (isDrivenHere(id)) continue;
      try {
        if (record === undefined) throw notFound(id);
        const outcome = outcomeOfRecord(record);
        if (outcome !== undefined) this.#settle(id, outcome);
      } catch (error) {
        // Those who wait for another one must not suffer.
        this.#fail(id, error);
      }
    }
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
