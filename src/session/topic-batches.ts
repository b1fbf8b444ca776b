/**
 * Subscriptions and publications, where a store writes several batches at once. A batch waits for the locks of its
 * topics, which somebody may keep for long. So what is about other topics goes ahead in a batch of its own, as long as
 * there are few of them; what is about the same topic keeps its order.
 */
interface Entry {
  readonly row: { readonly topic: string };
}

export class TopicBatches<E extends Entry> {
  /** How many batches may be on their way. */
  readonly #most: number;
  /** Of one batch. */
  readonly #largest: number;
  #queue: E[] = [];
  /** Topics of those that are on their way. */
  readonly #busy = new Set<string>();
  #onTheirWay = 0;

  constructor(most: number, largest: number) {
    this.#most = most;
    this.#largest = largest;
  }

  push(entry: E): void {
    this.#queue.push(entry);
  }

  /** How many wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** @param keep gives back an entry that is to wait on */
  sweep(keep: (entry: E) => readonly E[]): void {
    this.#queue = this.#queue.flatMap(keep);
  }

  /** Whether any are on their way. */
  get isWriting(): boolean {
    return this.#onTheirWay > 0;
  }

  /** Whether one more may go. */
  get isReady(): boolean {
    return this.#onTheirWay < this.#most && this.#queue.some(({ row }) => !this.#busy.has(row.topic));
  }

  /** The next batch, and what is to be called once it was written. */
  take(): { readonly entries: E[]; readonly done: () => void } {
    const entries: E[] = [];
    const left: E[] = [];
    for (const entry of this.#queue) {
      const goes = entries.length < this.#largest && !this.#busy.has(entry.row.topic);
      (goes ? entries : left).push(entry);
    }
    this.#queue = left;
    const topics = new Set(entries.map(({ row }) => row.topic));
    for (const topic of topics) this.#busy.add(topic);
    this.#onTheirWay++;
    const done = (): void => {
      for (const topic of topics) this.#busy.delete(topic);
      this.#onTheirWay--;
    };
    return { entries, done };
  }
}
