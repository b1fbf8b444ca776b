/** The other side of a sweep, one for all processes: effects by execution, which must be whole or without trace. */
import type { Direction } from "../../src/definition/flow.js";
import { EffectsLedger } from "../../src/testing/effects-ledger.js";

/** Whoever asks for an effect, as far as the other side looks. */
export interface Asker {
  readonly execution: { readonly id: string };
  readonly step: { readonly name: string };
  readonly direction: Direction;
  readonly idempotencyKey: string;
  readonly attempt: number;
}

export interface Undoer extends Asker {
  readonly runKey: string;
}

export class Outside {
  /** What should not have been. */
  readonly wrongs: string[] = [];
  readonly #ledgers = new Map<string, EffectsLedger>();
  /** Keys under which something stands: a step that is done a second time after a rewind has another one. */
  readonly #standing = new Set<string>();
  /** Keys of what was taken back: what comes later under one of these is turned away. */
  readonly #closed = new Set<string>();
  /** The latest attempt under a key. */
  readonly #attempts = new Map<string, number>();
  readonly #counts = new Map<string, number>();

  /** The same key again is the same effect. */
  do({ execution, step, idempotencyKey: key }: Asker): void {
    this.#mustBeOpen(key);
    this.#standing.add(key);
    this.#ledger(execution.id).do(step.name, key);
  }

  /** Knows no keys: what is asked for twice is done twice. An attempt that comes after a later one is turned away. */
  doAnew({ execution, step, idempotencyKey: key, attempt }: Asker): void {
    this.#mustBeOpen(key);
    if (attempt < (this.#attempts.get(key) ?? 0)) throw new Error("A later attempt has come.");
    this.#attempts.set(key, attempt);
    this.#standing.add(key);
    this.#ledger(execution.id).do(step.name);
  }

  has(runKey: string): boolean {
    return this.#standing.has(runKey);
  }

  /** Nothing of what was asked for under `runKey` stays, nor comes. */
  undo({ execution, step, runKey, idempotencyKey }: Undoer): void {
    this.#closed.add(runKey);
    if (this.#standing.delete(runKey)) this.#ledger(execution.id).undo(step.name, idempotencyKey);
  }

  /** On the way down: nothing has come, and nothing will. */
  close(runKey: string): void {
    this.#closed.add(runKey);
  }

  /** How often this was counted, with this time. */
  count(what: string): number {
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    return count;
  }

  /** Undefined: these effects stand, and no others, and none was undone wrongly. */
  problem(execution: string, effects: readonly string[]): string | undefined {
    try {
      this.#ledger(execution).assertDone(effects);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  #mustBeOpen(key: string): void {
    if (this.#closed.has(key)) throw new Error("It was taken back.");
  }

  #ledger(execution: string): EffectsLedger {
    const ledger = this.#ledgers.get(execution) ?? new EffectsLedger();
    this.#ledgers.set(execution, ledger);
    return ledger;
  }
}
