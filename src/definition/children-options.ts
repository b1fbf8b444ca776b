/**
 * The steps that are made of other executions, as users write them. As in a step's options, those below see what those above give:
 * write `input` before `join`.
 */
import type { AnyWorkflow, Bag, HalfDoneOf, InputOf, StateOf } from "./bag.js";
import type { RecoverContext, StateContext } from "./contexts.js";
import type { Frozen, Shown } from "./frozen.js";
import type { Next } from "./growth.js";
import type { Either, Gives, IfWhen, MayGive } from "./patches.js";
import type { ConditionOption, Conditions, PlainOptions } from "./step-options.js";
import type { Fine, Free, JoinProblem, Lonely, Options, Problem, Right } from "./verdicts.js";

/** @typeParam State its final state */
export interface CompletedChild<State, Key extends string = string> {
  readonly id: string;
  readonly key: Key;
  readonly status: "completed";
  readonly reason: string;
  readonly state: State;
}

/** @typeParam State what was left of its state: what its steps give may be missing */
export interface RolledBackChild<State, Key extends string = string> {
  readonly id: string;
  readonly key: Key;
  readonly status: "rolledBack";
  readonly reason: string;
  readonly state: State;
}

/** A child of the workflow, as `join` gets it. Only with `onFailure: "settle"` one that was rolled back gets there. */
export type Child<W extends AnyWorkflow, Key extends string = string, OnFailure extends ChildFailure = ChildFailure> =
  | CompletedChild<Shown<StateOf<W>>, Key>
  | (OnFailure extends "settle" ? RolledBackChild<Shown<HalfDoneOf<W>>, Key> : never);

export type ChildFailure = "turn" | "settle";

export interface JoinContext<S, Children> extends StateContext<S> {
  /** In the order of the list. */
  readonly children: Children;
}

/** What all three kinds of steps of children take. `Joining` is what `join` is called with. */
export interface ChildrenOptions<S, Joining, Join, OnFailure extends ChildFailure, Otherwise, Recover, Keys>
  extends Conditions<S, Otherwise, Keys>, Pick<PlainOptions, "pivot" | "irreversible"> {
  /**
   * - `"turn"`: once a child is rolled back the step fails, for the reason of that child, and the others are undone too
   * - `"settle"`: when all are completed or rolled back, `join` decides
   *
   * Default: `"turn"`.
   */
  readonly onFailure?: Right<OnFailure extends "settle" ? Lonely<Keys, "join", "onFailure"> : Fine, OnFailure>;
  /**
   * Makes of the children what the step gives: a patch, `fail(…)` or nothing. Synchronous and without effects. Default: the step
   * gives nothing, and no child's state is read.
   */
  readonly join?: (context: Joining) => Right<JoinProblem<Join, S>, Join>;
  /** As `recover` of other steps. All children are undone before it is called. */
  readonly recover?: (context: RecoverContext<S>) => Right<Problem<Recover, S>, Recover>;
}

/** How completed children are undone. */
export interface UndoOption {
  /** Completed children are undone in reverse order: one after the other, or, without this option, together. */
  readonly undo?: "one-by-one";
}

export interface ItemContext<S, Item> extends StateContext<S> {
  readonly item: Item;
  readonly index: number;
  readonly key: string;
}

export type ChildrenOption = ConditionOption | "pivot" | "irreversible" | "recover" | "onFailure" | "join" | "input";

/** The workflow after a step of children. */
export type StepAfterChildren<B extends Bag, N extends string, Join, Otherwise, Recover, Keys> = Next<
  B,
  N,
  Gives<Join, never, IfWhen<Keys>, Otherwise, Recover>,
  MayGive<Join, never, Either<Otherwise, Recover>>,
  never,
  {}
>;

/** One child, or none where its input was undefined. */
export type TheChild<C, Input> = undefined extends Input ? readonly [C?] : readonly [C];

export type ChildrenWorkflows = Readonly<Record<string, AnyWorkflow>>;
type KeyOf<Ws extends ChildrenWorkflows> = keyof Ws & string;

export interface JoinByKeyContext<
  S,
  Ws extends ChildrenWorkflows,
  Inputs,
  OnFailure extends ChildFailure,
> extends JoinContext<S, readonly { [K in KeyOf<Ws>]: Child<Ws[K], K, OnFailure> }[KeyOf<Ws>][]> {
  /** The same, by their keys. */
  readonly byKey: {
    readonly [K in KeyOf<Ws>]:
      Child<Ws[K], K, OnFailure> | (undefined extends Inputs[K & keyof Inputs] ? undefined : never);
  };
}

export type KeyProblem<Inputs, Ws> =
  Exclude<keyof Inputs, keyof Ws> extends infer K extends string
    ? [K] extends [never]
      ? Fine
      : `there is no workflow under the key "${K}"`
    : Fine;

/** Without `input` the items themselves are the inputs. */
export type ItemProblem<Item, W extends AnyWorkflow, Keys> = "input" extends Keys
  ? Fine
  : [Item] extends [InputOf<W> | Frozen<InputOf<W>>]
    ? Fine
    : `an item is no input of the workflow: give "input", which makes one of it`;

export interface ChildrenSteps<B extends Bag> {
  /**
   * Adds a step that is an execution of another workflow: it is done when that one is completed, and undone by undoing it.
   *
   * @example
   * .child("ship", shipParcel, {
   *   input: ({ state }) => ({ orderId: state.id, address: state.address }),
   *   join: ({ children: [parcel] }) => ({ trackingId: parcel.state.trackingId }),
   * })
   *
   * @throws STEPWELL_INVALID_DEFINITION (a workflow below itself, more than 16 generations, a pivot where the parent may
   * have to be undone …), STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_DURATION
   */
  child<
    const N extends string,
    W extends AnyWorkflow,
    const Input extends InputOf<W> | Frozen<InputOf<W>> | undefined,
    Join,
    Otherwise,
    Recover,
    OnFailure extends ChildFailure = "turn",
    Keys extends string = never,
  >(
    name: Free<N, B["steps"]>,
    workflow: W,
    options: {
      /** What the child begins with; undefined: there is none. Synchronous and without effects. */
      readonly input: (context: StateContext<B["state"]>) => Input;
    } & ChildrenOptions<
      B["state"],
      JoinContext<B["state"], TheChild<Child<W, "0", OnFailure>, Input>>,
      Join,
      OnFailure,
      Otherwise,
      Recover,
      Keys
    > &
      Options<Keys, ChildrenOption>,
  ): StepAfterChildren<B, N, Join, Otherwise, Recover, Keys>;

  /**
   * Adds a step that is several executions at once, each of a workflow of its own. It is done when all are completed.
   *
   * @example
   * .parallel("book", { flight: bookFlight, hotel: bookHotel }, {
   *   input: ({ state }) => ({ flight: { to: state.city }, hotel: state.nights > 0 ? { city: state.city } : undefined }),
   *   join: ({ byKey: { flight, hotel } }) => ({ ticket: flight.state.ticket, room: hotel?.state.room ?? null }),
   * })
   *
   * @throws as `child`
   */
  parallel<
    const N extends string,
    Ws extends ChildrenWorkflows,
    const Inputs extends { readonly [K in keyof Ws]: InputOf<Ws[K]> | Frozen<InputOf<Ws[K]>> | undefined },
    Join,
    Otherwise,
    Recover,
    OnFailure extends ChildFailure = "turn",
    Keys extends string = never,
  >(
    name: Free<N, B["steps"]>,
    workflows: Ws,
    options: {
      /** What each child begins with, by key; undefined: there is none of that key. Synchronous and without effects. */
      readonly input: (context: StateContext<B["state"]>) => Right<KeyProblem<Inputs, Ws>, Inputs>;
    } & ChildrenOptions<
      B["state"],
      JoinByKeyContext<B["state"], Ws, Inputs, OnFailure>,
      Join,
      OnFailure,
      Otherwise,
      Recover,
      Keys
    > &
      UndoOption &
      Options<Keys, ChildrenOption | "undo">,
  ): StepAfterChildren<B, N, Join, Otherwise, Recover, Keys>;

  /**
   * Adds a step that is one execution for each item of a list. It is done when all are completed.
   *
   * @example
   * .forEach("items", fulfilItem, {
   *   items: ({ state }) => state.lines,
   *   input: ({ item, state }) => ({ sku: item.sku, orderId: state.id }),
   *   key: ({ item }) => item.sku,
   *   concurrency: 20,
   *   join: ({ children }) => ({ parcels: children.map(({ state }) => state.parcelId) }),
   * })
   *
   * @throws as `child`
   */
  forEach<
    const N extends string,
    W extends AnyWorkflow,
    const Item,
    const Input extends InputOf<W> | Frozen<InputOf<W>>,
    Join,
    Otherwise,
    Recover,
    OnFailure extends ChildFailure = "turn",
    Keys extends string = never,
  >(
    name: Free<N, B["steps"]>,
    workflow: W,
    options: {
      /** The items, at most 100,000. Synchronous and without effects. */
      readonly items: (context: StateContext<B["state"]>) => Right<ItemProblem<Item, W, Keys>, readonly Item[]>;
      /** What the child of an item begins with. Synchronous and without effects. Default: the item. */
      readonly input?: (context: ItemContext<B["state"], Item>) => Input;
      /** The name of a child in this list, of which its id is made. No two may have the same. Default: the position, from 0. */
      readonly key?: (context: { readonly item: Item; readonly index: number }) => string;
      /** How many may be unsettled at a time, going up, and how many are undone at a time. Default: all. */
      readonly concurrency?: number;
    } & ChildrenOptions<
      B["state"],
      JoinContext<B["state"], readonly Child<W, string, OnFailure>[]>,
      Join,
      OnFailure,
      Otherwise,
      Recover,
      Keys
    > &
      UndoOption &
      Options<Keys, ChildrenOption | "undo" | "items" | "key" | "concurrency">,
  ): StepAfterChildren<B, N, Join, Otherwise, Recover, Keys>;
}
