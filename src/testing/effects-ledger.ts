/** The idea is from the tests of Sage for Elixir: effects are undone exactly once, the latest one first. */
import { AssertionError, deepStrictEqual } from "node:assert/strict";

export interface LedgerEntry {
  readonly kind: "do" | "undo";
  readonly effect: string;
  readonly key: string | undefined;
}

/**
 * Stands for the outside world in a test of a workflow: steps enter their effects, rollbacks take them
 * back. An undo of what was not done, or before a later effect is undone, is an error. It is thrown, and
 * kept for the asserts, since an engine turns what a step throws into a failure of that step.
 *
 * With a key, as with a good API, the same call again is the same effect.
 *
 * @example
 * const ledger = new EffectsLedger();
 * const order = workflow("order", { input }).step("charge", {
 *   run: ({ idempotencyKey }) => ledger.do("charge", idempotencyKey),
 *   rollback: ({ idempotencyKey }) => ledger.undo("charge", idempotencyKey),
 * });
 * …
 * ledger.assertClean();
 */
export class EffectsLedger {
  readonly #entries: LedgerEntry[] = [];
  readonly #done: string[] = [];
  readonly #keys = new Map<string, LedgerEntry>();
  #violation: AssertionError | undefined;

  /** Everything that happened, in order. */
  get entries(): readonly LedgerEntry[] {
    return [...this.#entries];
  }

  /** What is done and not undone, in order. */
  get done(): readonly string[] {
    return [...this.#done];
  }

  do(effect: string, key?: string): void {
    if (this.#isNew({ kind: "do", effect, key })) this.#done.push(effect);
  }

  /** @throws AssertionError unless `effect` is the latest that is done and not undone */
  undo(effect: string, key?: string): void {
    const latest = this.#done.at(-1);
    const isLatest = latest === effect;
    if (!this.#isNew({ kind: "undo", effect, key }, isLatest)) return;
    if (isLatest) return void this.#done.pop();
    const problem = this.#done.includes(effect)
      ? `Undo of "${effect}" out of order: expected the undo of "${latest}", which was done later`
      : `Undo of "${effect}", which is not done: expected ${latest === undefined ? "no undo" : `the undo of "${latest}"`}`;
    throw this.#violated(`${problem}. Done are: ${listed(this.#done)}.`, latest, effect);
  }

  /** @throws AssertionError if anything is done and not undone, or was undone wrongly */
  assertClean(): void {
    this.assertDone([]);
  }

  /** @throws AssertionError unless exactly these are done and not undone, in this order, and nothing was undone wrongly */
  assertDone(effects: readonly string[]): void {
    if (this.#violation !== undefined) throw this.#violation;
    deepStrictEqual(
      this.#done,
      effects,
      new AssertionError({
        message: `Expected to be done and not undone: ${listed(effects)}. Got: ${listed(this.#done)}.`,
        actual: this.#done,
        expected: effects,
        operator: "deepStrictEqual",
      }),
    );
  }

  /** Enters it if it may happen. False: its key is known, so it has happened already. */
  #isNew(entry: LedgerEntry, mayHappen = true): boolean {
    const { kind, effect, key } = entry;
    const known = key === undefined ? undefined : this.#keys.get(key);
    if (known === undefined) {
      if (mayHappen) this.#entries.push(entry);
      if (mayHappen && key !== undefined) this.#keys.set(key, entry);
      return true;
    }
    if (known.kind === kind && known.effect === effect) return false;
    const [expected, got] = [`${known.kind} "${known.effect}"`, `${kind} "${effect}"`];
    throw this.#violated(`One key for two effects: expected ${expected} for "${key}", got ${got}.`, expected, got);
  }

  #violated(message: string, expected: unknown, actual: unknown): AssertionError {
    const violation = new AssertionError({ message, expected, actual });
    this.#violation ??= violation;
    return violation;
  }
}

function listed(effects: readonly string[]): string {
  return effects.length === 0 ? "nothing" : effects.join(", ");
}
