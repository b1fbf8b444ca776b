import type { Hint } from "./contract.js";

/** Those who watch a store within its process. */
export class Hints {
  readonly #listeners = new Set<(hint: Hint) => void>();

  watch(listener: (hint: Hint) => void): () => void {
    // Its own function, so that the same listener may watch twice.
    const call = (hint: Hint): void => listener(hint);
    this.#listeners.add(call);
    return () => void this.#listeners.delete(call);
  }

  /** To be called after the commit: a listener may ask the store at once. */
  tell(hints: readonly Hint[]): void {
    for (const hint of hints) {
      for (const listener of [...this.#listeners]) {
        try {
          listener(hint);
        } catch (error) {
          // What is committed is committed: the mistake of a listener must not become the answer of the write.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
  }
}
