/** A launcher that dies at the worst moment. */
import type { MaybePromise, Store } from "../../src/stores/contract.js";

type Batch = Parameters<Store["write"]>[0];

/** The store as seen by a process that dies when it is about to write such a batch, or has just written it. */
export function dying(store: Store, when: "before" | "after", fatal: (batch: Batch) => boolean): Store {
  const never = new Promise<never>(() => undefined);
  let isDead = false;
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key !== "write") return (...parts: unknown[]) => (isDead ? never : (value.apply(target, parts) as unknown));
      return (batch: Batch): MaybePromise<unknown> => {
        if (isDead) return never;
        isDead = fatal(batch);
        if (isDead && when === "before") return never;
        const written = target.write(batch);
        return isDead ? never : written;
      };
    },
  });
}
