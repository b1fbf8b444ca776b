/** A binary heap of what is due when; equal times come out in the order in which they went in. */
export interface Due<Item> {
  readonly at: number;
  readonly order: number;
  readonly item: Item;
}

export class DueQueue<Item> {
  readonly #heap: Due<Item>[] = [];
  #order = 0;

  get first(): Due<Item> | undefined {
    return this.#heap[0];
  }

  add(at: number, item: Item): void {
    const heap = this.#heap;
    const entry = { at, order: this.#order++, item };
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}

function isBefore<Item>(a: Due<Item>, b: Due<Item>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
