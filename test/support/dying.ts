/** A launcher that dies at the worst moment. */
import type { Store } from "../../src/stores/contract.js";
import { through } from "./through.js";

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
