/**
 * Works on items side by side, at most `count` at a time; takes the next item only when a lane is free. Ends early, and drops further
 * errors, once the signal is aborted.
 */
export async function inLanes<Item>(
  count: number,
  items: Iterable<Item> | AsyncIterable<Item>,
  work: (item: Item) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = taken(items);
  const lane = async (): Promise<void> => {
    while (!signal.aborted) {
      const next = await iterator.next();
      if (next.done === true || signal.aborted) return;
      await work(next.value);
    }
  };
  try {
    await Promise.all(Array.from({ length: count }, lane));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    // Ends the other lanes too: there is no next item.
    await iterator.return();
  }
}

/** A generator answers in turn, however many ask at once. */
async function* taken<Item>(items: Iterable<Item> | AsyncIterable<Item>): AsyncGenerator<Item, void> {
  yield* items;
}
