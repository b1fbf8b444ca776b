/**
 * How a step makes the next workflow of one.
 *
 * The state is carried from step to step as a union of tuples `[key, type]`, and shown as one flat object that is made of
 * them. So nothing nests, however many steps there are, and the compiler need not look into tuples of plain types again.
 */
import type { Bag, Entries, FieldEntry } from "./bag.js";
import type { Messages } from "./messages.js";
import type { KnownKey, OptionalKey, RequiredKey, Simplify } from "./objects.js";
import type { Workflow } from "./workflow.js";

type RequiredEntry<P> = { [K in RequiredKey<P>]: readonly [K, P[K]] }[RequiredKey<P>];
type OptionalEntry<P, Known> = {
  [K in Exclude<keyof P, Known>]-?: readonly [K, Exclude<P[K], undefined>];
}[Exclude<keyof P, Known>];

type EntriesOf<B extends Bag> = "~entries" extends keyof B
  ? NonNullable<B["~entries"]>
  : { base: B["state"]; half: B["halfDone"]; given: never; maybe: never; left: never };

type Rebuilt<Base, E extends FieldEntry, O extends FieldEntry> = Simplify<
  Without<Base, E[0]> & { [X in E as X[0]]: X[1] } & { [X in O as X[0]]?: X[1] }
>;

type Without<Base, Keys> = [keyof Base & Keys] extends [never]
  ? Base
  : { [K in keyof Base as K extends Keys ? never : K]: Base[K] };

/**
 * A workflow made of the parts of its bag. They are worked out with each step, so that none of them nests. `& {}`: it is shown as
 * the workflow that it is, not by the name of this type and what went into it.
 */
type Made<
  Input,
  Base extends object,
  Half extends object,
  Given extends FieldEntry,
  Maybe extends FieldEntry,
  Left extends FieldEntry,
  Early,
  Steps extends string,
  M extends Messages,
> = Workflow<{
  input: Input;
  state: Rebuilt<Base, Given, Maybe>;
  halfDone: Rebuilt<Half, never, Left>;
  early: Early;
  steps: Steps;
  messages: M;
  "~entries"?: { base: Base; half: Half; given: Given; maybe: Maybe; left: Left };
}> & {};

/** What a workflow begins with. */
export type First<Input, Output extends object> = Made<
  Input,
  NoEmptyRecord<Output>,
  NoEmptyRecord<Output>,
  never,
  never,
  never,
  never,
  never,
  {}
>;
/** A schema without fields gives `Record<string, never>`, in which no field could ever join. */
type NoEmptyRecord<Output extends object> = [string] extends [keyof Output]
  ? [Output[string & keyof Output]] extends [never]
    ? {}
    : Output
  : Output;

type MoreGiven<E extends FieldEntry, P> = [RequiredKey<P> & E[0]] extends [never]
  ? E | RequiredEntry<P>
  : Exclude<E, readonly [RequiredKey<P>, unknown]> | RequiredEntry<P>;

type Grown<B extends Bag, C extends Entries, N extends string, Given, Left, Early, M extends Messages> = Made<
  B["input"],
  C["base"],
  C["half"],
  MoreGiven<C["given"], Given>,
  C["maybe"] | OptionalEntry<Given, (OptionalKey<Given> & (KnownKey<C["base"]> | C["given"][0])) | RequiredKey<Given>>,
  C["left"] | OptionalEntry<Left, KnownKey<C["half"]>>,
  B["early"] | Early,
  B["steps"] | N,
  Gathered<B["messages"], M>
>;

/** The workflow after one step more. `Given`: what it gives for certain; `Left`: what it may leave, by any way. */
export type Next<B extends Bag, N extends string, Given, Left, Early, M extends Messages> = Grown<
  B,
  EntriesOf<B>,
  N,
  Given,
  Left,
  Early,
  M
>;

/** A payload is accepted where one of the steps that declare its name takes it. */
type Gathered<A extends Messages, M extends Messages> = [keyof A & keyof M] extends [never]
  ? A & M
  : { [K in keyof A | keyof M]: (K extends keyof A ? A[K] : never) | (K extends keyof M ? M[K] : never) };
