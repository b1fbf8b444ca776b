/** The types of a workflow, in one bag that is there for the compiler only. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Frozen, Shown } from "./frozen.js";
import type { Messages } from "./messages.js";
import type { Flatten, Simplify } from "./objects.js";

export type FieldEntry = readonly [PropertyKey, unknown];

/** The tuples behind the flat types. A bag that a user writes out has no tuples. */
export interface Entries {
  base: object;
  half: object;
  given: FieldEntry;
  maybe: FieldEntry;
  left: FieldEntry;
}

export interface Bag {
  /** What `launch` takes. */
  input: unknown;
  /** The state after all steps. */
  state: object;
  /** The state at any other moment: what steps give is optional. */
  halfDone: object;
  /** The state after early ends. */
  early: unknown;
  /** The names of the steps. */
  steps: string;
  /** All messages that steps declare, in both directions. */
  messages: Messages;
  "~entries"?: Entries;
}

/** Any workflow, whatever its types. */
export interface AnyWorkflow {
  readonly name: string;
  readonly version: string;
  /** For the compiler only: always undefined. */
  readonly types?: Bag;
}

export type BagOf<W extends AnyWorkflow> = NonNullable<W["types"]>;
/** What `launch` takes: the input of the workflow's schema, before it is checked. */
export type InputOf<W extends AnyWorkflow> = BagOf<W>["input"];
/** The state of a completed execution. */
export type StateOf<W extends AnyWorkflow> = [BagOf<W>["early"]] extends [never]
  ? Simplify<BagOf<W>["state"]>
  : Flatten<Simplify<BagOf<W>["state"]> | BagOf<W>["early"]>;
/** The state of an execution that is under way, undone or stuck: what steps give is optional. */
export type HalfDoneOf<W extends AnyWorkflow> = Simplify<BagOf<W>["halfDone"]>;
/** The names of a workflow's steps. */
export type StepsOf<W extends AnyWorkflow> = BagOf<W>["steps"];
/** The messages that a workflow's steps declare: schemas by name. */
export type MessagesOf<W extends AnyWorkflow> = BagOf<W>["messages"];

/** The names of the messages that a workflow's steps declare. */
export type MessageName<W extends AnyWorkflow> = keyof MessagesOf<W> & string;
/** The payload that is sent under this name: what its schema takes. */
export type PayloadOf<W extends AnyWorkflow, Name extends MessageName<W>> = Frozen<
  StandardSchemaV1.InferInput<MessagesOf<W>[Name]>
>;
/** The patch of an operator: fields of the state, with their types. */
export type StatePatch<W extends AnyWorkflow> = Shown<Partial<HalfDoneOf<W>>>;

/** An older workflow whose code is gone. */
export interface Unseen extends AnyWorkflow {
  readonly types?: Bag & { halfDone: Readonly<Record<string, unknown>> };
}
