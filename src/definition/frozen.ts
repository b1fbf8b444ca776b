/** The state as functions see it: nothing in it can be changed in place, since such a change would be lost, or throws. */
import type { IsAny } from "./objects.js";

export type Scalar = string | number | bigint | boolean | symbol | null | undefined;
export type AnyFunction = (...args: never[]) => unknown;

/** Arrays, Map, Set and plain objects, at any depth, as readonly; what has methods of its own (Date, URL, a class) as it is. */
export type Frozen<T> =
  IsAny<T> extends true
    ? T
    : T extends Scalar
      ? T
      : T extends ReadonlyMap<infer K, infer V>
        ? ReadonlyMap<Frozen<K>, Frozen<V>>
        : T extends ReadonlySet<infer V>
          ? ReadonlySet<Frozen<V>>
          : T extends readonly unknown[]
            ? // Not mapped, as tuples are: the compiler would work out the elements at once, and those of `Json` have no end.
              number extends T["length"]
              ? readonly Frozen<T[number]>[]
              : { readonly [I in keyof T]: Frozen<T[I]> }
            : T extends object
              ? HasMethods<T> extends true
                ? T
                : { readonly [K in keyof T]: Frozen<T[K]> }
              : T;

export type HasMethods<T> = true extends {
  [K in keyof T]-?: NonNullable<T[K]> extends AnyFunction ? true : never;
}[keyof T]
  ? true
  : false;

export type Shown<S> = { readonly [K in keyof S]: Frozen<S[K]> } & {};
