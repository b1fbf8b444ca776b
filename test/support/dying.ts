/** A launcher that dies at the worst moment. */
import type { Store } from "../../src/stores/contract.js";
import { through } from "../../src/testing/faults/through.js";

type Batch = Parameters<Store["write"]>[0];

/** The store as seen by a process that dies when it is about to write such a batch, or has just written it. */
export function dying(store: Store, when: "before" | "after", fatal: (batch: Batch) => boolean): Store {
  const never = new Promise<never>(() => undefined);
  let isDead = false;
  const write = (batch: Batch): ReturnType<Store["write"]> => {
    if (isDead) return never;
    isDead = fatal(batch);
    if (isDead && when === "before") return never;
    const written = store.write(batch);
    return isDead ? never : written;
  };
  return through(
    store,
    (call) =>
      (...given) =>
        isDead ? never : call(...given),
    { write },
  );
}

const changes = new Set(["write", "lists.stage", "lists.advance"]);

/** The store as seen by a process that dies right after its change number `last`, from 1, or when it is about to make it. */
export function mortal(
  store: Store,
  last: number,
  when: "before" | "after" = "after",
): { readonly store: Store; readonly isDead: () => boolean; readonly made: () => number } {
  const never = new Promise<never>(() => undefined);
  let made = 0;
  const isDead = (): boolean => made >= last;
  const wrapped = through(store, (call, name) => (...given) => {
    if (isDead()) return never;
    if (!changes.has(name)) return call(...given);
    made++;
    if (isDead() && when === "before") return never;
    const answer = call(...given);
    return isDead() ? never : answer;
  });
  return { store: wrapped, isDead, made: () => made };
}
