/** What is asked of the same thing at the same time, in the order in which it was asked. */
export class InTurn {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Resolves when all is over that is under way with these. */
  before(keys: readonly string[]): Promise<unknown> {
    return Promise.all(keys.flatMap((key) => this.#last.get(key) ?? []));
  }

  /** Who comes after this waits for it. */
  add(keys: readonly string[], work: Promise<unknown>): void {
    if (keys.length === 0) return;
    const over = (): void => {
      for (const key of keys) if (this.#last.get(key) === isOver) this.#last.delete(key);
    };
    const isOver = work.then(over, over);
    for (const key of keys) this.#last.set(key, isOver);
  }
}
