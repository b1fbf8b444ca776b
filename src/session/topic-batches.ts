/**
 * Subscriptions and publications, where a store writes several batches at once. A batch waits for the locks of its
 * topics, which a transaction of a caller may keep for long. So rows of other topics go ahead in another batch, as long as
 * few batches are being written; rows of the same topic keep their order.
 */
interface TopicRow {
  readonly row: { readonly topic: string };
}

export class TopicBatches<E extends TopicRow> {
  /** How many batches may be written at the same time. */
  readonly #most: number;
  /** How many rows a batch may have. */
  readonly #largest: number;
  #queue: E[] = [];
  /** Topics of the batches that are being written. */
  readonly #busy = new Set<string>();
  #writing = 0;

  constructor(most: number, largest: number) {
    this.#most = most;
    this.#largest = largest;
  }

  push(entry: E): void {
    this.#queue.push(entry);
  }

  /** How many rows wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** @param keep gives back a row that is to wait on */
  sweep(keep: (entry: E) => readonly E[]): void {
    this.#queue = this.#queue.flatMap(keep);
  }

  /** Whether any batch is being written. */
  get isWriting(): boolean {
    return this.#writing > 0;
  }

  /** Whether another batch may be written. */
  get isReady(): boolean {
    return this.#writing < this.#most && this.#queue.some(({ row }) => !this.#busy.has(row.topic));
  }

  /** The next batch, and what is to be called when it is written. */
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
    this.#writing++;
    const done = (): void => {
      for (const topic of topics) this.#busy.delete(topic);
      this.#writing--;
    };
    return { entries, done };
  }
}
