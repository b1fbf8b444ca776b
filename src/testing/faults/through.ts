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
    const known = new Map<string | symbol, unknown>();
    const of = (key: string | symbol): unknown => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value === "function") return wrap(value.bind(target) as Call, `${prefix}${String(key)}`);
      return parts.has(String(key)) && value !== undefined ? wrapped(value as object, `${String(key)}.`) : undefined;
    };
    return new Proxy(target, {
      get(_, key) {
        if (prefix === "" && Object.hasOwn(instead, key)) return Reflect.get(instead, key);
        let found = known.get(key);
        if (found === undefined) known.set(key, (found = of(key)));
        return found ?? Reflect.get(target, key);
      },
      set(_, key, value) {
        known.delete(key);
        return Reflect.set(target, key, value);
      },
    });
  };
  return wrapped(store, "");
}
