/** Callers that wait until an arrival is settled by a commit of this process. */
export class ArrivalListeners {
  readonly #all = new Set<{ readonly arrival: string; readonly tell: () => void }>();

  /** Calls `tell` when that one is settled, until the returned function is called. */
  add(arrival: string, tell: () => void): () => void {
    const listener = { arrival, tell };
    this.#all.add(listener);
    return () => void this.#all.delete(listener);
  }

  settled(arrivals: readonly string[]): void {
    if (this.#all.size === 0) return;
    for (const listener of [...this.#all]) if (arrivals.includes(listener.arrival)) listener.tell();
  }
}
