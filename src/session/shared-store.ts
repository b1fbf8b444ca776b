/** A store that several launchers and clients of one process share: the first one opens it, the last one closes it. */
import type { Store } from "../stores/contract.js";

interface Shared {
  holders: number;
  readonly opened: Promise<void>;
  closed?: Promise<void>;
}

/** The stores that were opened here. */
const shared = new WeakMap<Store, Shared>();

/**
 * Opens a store that is not open. Gives back a function that lets go of the store: the last holder to do so closes it. A store that
 * its user has opened stays open.
 */
export async function holdStore(store: Store): Promise<() => Promise<void>> {
  const found = shared.get(store);
  if (found?.closed !== undefined) {
    // A failure to close is told to the holder that closes.
    await found.closed.catch(() => undefined);
    return holdStore(store);
  }
  if (found === undefined && store.isOpen) return () => Promise.resolve();
  const it = found ?? { holders: 0, opened: opened(store) };
  shared.set(store, it);
  it.holders += 1;
  try {
    await it.opened;
  } catch (error) {
    if (shared.get(store) === it) shared.delete(store);
    throw error;
  }
  return () => letGo(store, it);
}

async function opened(store: Store): Promise<void> {
  await store.open();
}

async function letGo(store: Store, it: Shared): Promise<void> {
  it.holders -= 1;
  if (it.holders > 0) return;
  it.closed = closed(store);
  try {
    await it.closed;
  } finally {
    shared.delete(store);
  }
}

async function closed(store: Store): Promise<void> {
  if (store.isOpen) await store.close();
}
