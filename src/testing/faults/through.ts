/** A store whose calls go through something else. */
import type { Store } from "../../stores/contract.js";

export type Call = (...given: unknown[]) => unknown;

/** The names of the objects of a store that have methods of their own. */
const parts = new Set(["definitions", "limits", "lists", "schedules", "topics", "transactions"]);

/**
 * A store each of whose methods goes through `wrap`, those of its capabilities too: they have names such as `schedules.due`.
 *
 * @param instead what it has in the place of its own
 */
export function through(store: Store, wrap: (call: Call, name: string) => Call, instead: Partial<Store> = {}): Store {
  const wrapped = <Target extends object>(target: Target, prefix: string): Target => {
    /** What does not change is wrapped once. */
    const known = new Map<string | symbol, { readonly own: unknown; readonly seen: unknown }>();
    const of = (key: string | symbol, own: unknown): unknown => {
      if (typeof own === "function") return wrap(own.bind(target) as Call, `${prefix}${String(key)}`);
      return parts.has(String(key)) && own !== undefined ? wrapped(own as object, `${String(key)}.`) : own;
    };
    return new Proxy(target, {
      get(_, key) {
        if (prefix === "" && Object.hasOwn(instead, key)) return Reflect.get(instead, key);
        const own: unknown = Reflect.get(target, key);
        if (typeof own !== "function" && typeof own !== "object") return own;
        const before = known.get(key);
        if (before?.own === own) return before.seen;
        const seen = of(key, own);
        known.set(key, { own, seen });
        return seen;
      },
      set: (_, key, value) => Reflect.set(target, key, value),
    });
  };
  return wrapped(store, "");
}
