/**
 * What is wrong with what was written, in words. The text becomes the type that was expected there, so that the compiler
 * shows it at the place: `Type '…' is not assignable to type '"this gives a number; give a patch, …"'`.
 */
import type { AnyFunction, Frozen, HasMethods, Scalar } from "./frozen.js";
import type { IsAny } from "./objects.js";
import type { Complete, DidNotHappen, Fail, Happened, Unknown } from "./outcome.js";
import type {
  AgainPatch,
  AnyOutcome,
  CompletePatch,
  FailPatch,
  IsUnwritten,
  Nothing,
  PausePatch,
  Unwrapped,
} from "./patches.js";

/** Nothing is wrong. Not `undefined`: without `strictNullChecks`, that is a text too. */
export type Fine = 1;
/** A text, or several; else `Fine`. */
export type Verdict<T> = [T] extends [never] ? Fine : T;

/**
 * The option's type, or what is wrong with what was written for it. Asked as `[…] extends [never]`: where it stays open, in
 * a generic function, the compiler tries it with a wildcard, which is no `never`; so only the type itself must fit.
 */
export type Right<Problem, Type> = [Problem extends string ? never : 1] extends [never] ? Problem : Type;

/** Which of two texts is said. */
export type FirstOf<A, B> = A extends string ? A : B;

// ---- What a function gives back ---------------------------------------------------------------

/** @typeParam S the state before, whose fields keep their types */
export type Problem<R, S, Way = "up"> = [R] extends [never]
  ? Fine
  : unknown extends R | Unwrapped<Awaited<R>>
    ? Fine
    : Verdict<ResultProblem<Unwrapped<Awaited<R>>, S, Way>>;

type NotAPatch<What extends string> = `this gives ${What}; give a patch, an object of fields, or nothing`;

type ResultProblem<R, S, Way> = R extends Nothing
  ? never
  : R extends AnyOutcome
    ? R extends Complete
      ? Way extends "up"
        ? FieldProblem<CompletePatch<R>, S>
        : "complete(…) means nothing here: only on the way up can a workflow end early"
      : R extends Happened | DidNotHappen | Unknown
        ? "happened(…), didNotHappen() and unknown() are answers of a probe: give what the step itself gives"
        : FieldProblem<PausePatch<R> | AgainPatch<R> | FailPatch<R>, S>
    : R extends string
      ? NotAPatch<"a text">
      : R extends number | bigint
        ? NotAPatch<"a number">
        : R extends boolean
          ? NotAPatch<"a boolean">
          : R extends symbol
            ? NotAPatch<"a symbol">
            : R extends readonly unknown[]
              ? NotAPatch<"an array">
              : R extends AnyFunction
                ? NotAPatch<"a function">
                : R extends BuiltIn | ThrownError<R>
                  ? NotAPatch<"an instance of a class">
                  : FieldProblem<R, S>;

/** @typeParam S as in `Problem` */
export type JoinProblem<R, S> = [R] extends [never]
  ? Fine
  : unknown extends R
    ? Fine
    : FirstOf<Verdict<NoJoin<R>>, Problem<R, S>>;

type NoJoin<R> =
  R extends PromiseLike<unknown>
    ? `"join" answers at once: it can't give a promise`
    : R extends AnyOutcome
      ? R extends Fail
        ? never
        : `"join" gives a patch, fail(…) or nothing: the step has nothing more to wait for`
      : never;

/** A class of the language: Map, Date, a generator, an ArrayBuffer. */
type BuiltIn =
  | { readonly [Symbol.iterator]: AnyFunction }
  | { readonly [Symbol.asyncIterator]: AnyFunction }
  | { readonly [Symbol.toPrimitive]: AnyFunction }
  | { readonly [Symbol.toStringTag]: string }
  | RegExp;
/** An object of the fields `name` and `message` looks like one, but for the stack. */
type ThrownError<R> = R extends Error ? ("stack" extends keyof R ? R : never) : never;
/** Classes outside of the language that can be stored: URL. */
type StorableClass = { readonly href: string; readonly toJSON: AnyFunction };

/** For each field of a patch. */
export type FieldProblem<P, S> = P extends unknown
  ? { [K in keyof P & string]-?: ValueProblem<K, P[K]> | Clash<K, P, S> }[keyof P & string]
  : never;

type ValueProblem<K extends string, T> = unknown extends T
  ? never
  : T extends Scalar
    ? T extends symbol
      ? `"${K}" is a symbol, which can't be stored`
      : never
    : T extends PromiseLike<unknown>
      ? `"${K}" is a promise: await it first`
      : T extends AnyFunction
        ? `"${K}" is a function, which can't be stored`
        : T extends readonly (infer E)[]
          ? unknown extends E
            ? never
            : E extends PromiseLike<unknown>
              ? `"${K}" holds promises: await Promise.all(…) first`
              : never
          : T extends BuiltIn | StorableClass
            ? never
            : [T] extends [ThrownError<T>]
              ? `"${K}" is an error, which can't be stored`
              : HasMethods<T> extends true
                ? `"${K}" is an instance of a class, or holds a function, which can't be stored`
                : HeldPromise<K, T>;

/** A promise in an object of a field. What lies deeper is found when it is stored. */
type HeldPromise<K extends string, T> = {
  [L in keyof T & string]-?: unknown extends T[L]
    ? never
    : [Extract<T[L], PromiseLike<unknown>>] extends [never]
      ? never
      : `"${K}.${L}" is a promise: await it first`;
}[keyof T & string];

/**
 * A field that is there already and would change its type: the rollbacks of earlier steps, compiled for the old type, would
 * be shown the new value. `infer`, not `K extends keyof S ? S[K]`: while K is open, that makes as many intersections as S
 * has fields, at each step.
 */
type Clash<K extends PropertyKey, P, S> = string extends keyof S
  ? never
  : [S] extends [{ readonly [X in K]?: infer V }]
    ? [{} extends Pick<P, K & keyof P> ? Exclude<P[K & keyof P], undefined> : P[K & keyof P]] extends [Frozen<V>]
      ? never
      : `"${K & string}" has another type in the state here, for which earlier rollbacks are written: use another name`
    : never;

// ---- Options together -------------------------------------------------------------------------

/** A function whose result is needed above it stands too low. */
export type Late<R, Name extends string, Before extends string> =
  IsUnwritten<R> extends true
    ? `"${Name}" comes too late: write it before ${Before}, or use .step(name, run, options)`
    : Fine;

/** What goes together. `Keys` are the options that were written. */
export type Lonely<Keys, Other extends string, Name extends string> = Other extends Keys
  ? Fine
  : `"${Name}" goes with "${Other}", which is missing`;

/** Infers which options were written, and refuses those that do not exist. */
export type Options<Keys extends string, Known extends string> = {
  readonly [K in Keys]?: K extends Known ? unknown : `there is no option "${K}"`;
};

// ---- Names ------------------------------------------------------------------------------------

type IsLiteral<N extends string> = {} extends Record<N, 1> ? false : true;
export type IsTaken<N extends string, Taken extends string> = Taken & N extends never
  ? false
  : [Extract<Taken, N>] extends [never]
    ? false
    : IsLiteral<N>;
export type NameProblem<N extends string, Taken extends string> =
  IsTaken<N, Taken> extends true ? `a step named "${N}" is there already` : Fine;
/** A name that no step has yet. */
export type Free<N extends string, Taken extends string> = Right<NameProblem<N, Taken>, N>;

// ---- The input --------------------------------------------------------------------------------

type Fields = object & {
  readonly [Symbol.iterator]?: never;
  readonly [Symbol.toPrimitive]?: never;
  readonly [Symbol.toStringTag]?: never;
};

/**
 * `Fine`: the schema's output can be the first state. In a generic function, where the schema is a type parameter, the
 * compiler asks with a wildcard, and that takes the first branch because it stands within an object.
 */
export type InputProblem<Output> = { readonly any: IsAny<Output>; readonly output: Output } extends {
  readonly any: false;
  readonly output: Fields;
}
  ? Fine
  : IsAny<Output> extends true
    ? "the input's schema must say what the fields are: this one gives any"
    : "the input's schema must give an object of fields, and this one gives none";

// ---- Needs ------------------------------------------------------------------------------------

/** Keeps a type whose fields are all optional from being refused because it shares none. */
export interface Mark {
  readonly "~mark": 1;
}
export type Meets<S, Needs> = unknown extends S ? true : S & Mark extends Needs & Mark ? true : false;
type MissingKey<S, Needs> = keyof { [K in keyof Needs as Meets<S, Pick<Needs, K>> extends true ? never : K]: 1 } &
  string;
export type Missing<S, Needs> =
  MissingKey<S, Needs> extends infer K extends string
    ? K extends keyof S
      ? `the state here lacks "${K}" of that type, which this step needs`
      : `the state here lacks "${K}", which this step needs`
    : never;
