/** Object types put together: unions of them made one, one patch laid over another. */

export type Simplify<T> = { [K in keyof T]: T[K] } & {};
export type IsAny<T> = 0 extends 1 & T ? true : false;
export type IsUnion<U, All = U> = U extends unknown ? ([All] extends [U] ? false : true) : never;

export type KeyOfAny<U> = U extends unknown ? keyof U : never;
/** The keys that are names of their own, without those of an index signature. */
export type KnownKey<S> = string extends keyof S
  ? keyof { [K in keyof S as string extends K ? never : number extends K ? never : symbol extends K ? never : K]: 1 }
  : keyof S;
export type OptionalKey<U> = U extends unknown
  ? { [K in keyof U]-?: {} extends Pick<U, K> ? K : never }[keyof U]
  : never;
export type RequiredKey<U> = Exclude<keyof U, OptionalKey<U>>;
type FieldOf<U, K extends PropertyKey> = U extends unknown ? (K extends keyof U ? U[K] : never) : never;

/** One object type for a union of them: a field that not all of them have is optional. */
export type Flatten<U> = [U] extends [never]
  ? {}
  : IsUnion<U> extends false
    ? Simplify<U>
    : Simplify<
        { [K in RequiredKey<U>]: FieldOf<U, K> } & {
          [K in Exclude<KeyOfAny<U>, RequiredKey<U>>]?: Exclude<FieldOf<U, K>, undefined>;
        }
      >;

/** One patch after another: fields that the later one has for certain replace, fields that it may have join. For small objects only. */
export type Over<A, P> = Simplify<
  {
    [K in keyof A as K extends RequiredKey<P> ? never : K]: K extends keyof P ? A[K] | Exclude<P[K], undefined> : A[K];
  } & { [K in keyof P as K extends RequiredKey<P> ? K : K extends keyof A ? never : K]: P[K] }
>;

/**
 * The state after a patch. A patch that gives a field another type than before is refused, so a field keeps its type or
 * gets a narrower one: `&` is right where the patch has it for certain.
 */
export type Grow<S, P> = {} extends P
  ? [keyof P] extends [never]
    ? S
    : S & Added<S, P>
  : [OptionalKey<P>] extends [never]
    ? S & P
    : S & Added<S, P>;
type Added<S, P> = {
  [K in keyof P as K extends RequiredKey<P> ? K : K extends KnownKey<S> ? never : K]: P[K];
};

/** The state after a patch, at any moment: fields of the patch may be missing. */
export type GrowHalf<H, P> = [keyof P] extends [never]
  ? H
  : H & { [K in keyof P as K extends KnownKey<H> ? never : K]?: P[K] };
