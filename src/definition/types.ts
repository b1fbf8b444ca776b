/**
 * How the type of the state grows from step to step. Three ideas:
 *
 * - After a step the state has what *every* way of being done gives; what only some ways give is optional.
 * - A later patch replaces a field, whatever type it had.
 * - What a step itself may have given, by any way, is optional in its own undo: it may have half-happened.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Complete, Fail, outcome, Pause, Transacted } from "./outcome.js";

export type Simplify<T> = { [K in keyof T]: T[K] } & {};

/** A patch is a plain object; functions, arrays, dates and promises are not. */
export type Patch = object & {
  readonly [Symbol.iterator]?: never;
  readonly [Symbol.toPrimitive]?: never;
  readonly then?: never;
  readonly [outcome]?: never;
};

type Nothing = void | undefined | null;

type UpOutcome = Nothing | Patch | Pause | Complete | Fail;
type DownOutcome = Nothing | Patch | Pause | Fail;

/** What a `run` or a handler on the way up may give back. */
export type UpResult = UpOutcome | Transacted<MaybePromise<UpOutcome>>;
/** What an undo or its handler may give back. */
export type DownResult = DownOutcome | Transacted<MaybePromise<DownOutcome>>;
export type MaybePromise<T> = T | PromiseLike<T>;

// ---- What a function gives back, by kind ------------------------------------------------------

type IsAny<T> = 0 extends 1 & T ? true : false;
type Settled<R> = IsAny<R> extends true ? undefined : Unwrapped<Awaited<R>>;
/** What the work in a transaction gives is what the step gives. */
type Unwrapped<R> = R extends Transacted<infer Result> ? Awaited<Result> : R;
type Outcome = { readonly [outcome]: string };

type DonePatch<R> = R extends Outcome ? never : R extends Nothing ? {} : R;
type PausePatch<R> = R extends Pause<infer P> ? P : never;
type CompletePatch<R> = R extends Complete<infer P> ? P : never;
type FailPatch<R> = R extends Fail<infer P> ? P : never;
type AnyPatch<R> = DonePatch<R> | PausePatch<R> | CompletePatch<R> | FailPatch<R>;

// ---- Putting object types together ------------------------------------------------------------

type KeyOfAny<U> = U extends unknown ? keyof U : never;
type OptionalKey<U> = U extends unknown ? { [K in keyof U]-?: {} extends Pick<U, K> ? K : never }[keyof U] : never;
type RequiredKey<U> = Exclude<keyof U, OptionalKey<U>>;
type FieldOf<U, K extends PropertyKey> = U extends unknown ? (K extends keyof U ? U[K] : never) : never;

/** One object type for a union of them: a field that not all of them have is optional. */
export type Flatten<U> = [U] extends [never]
  ? {}
  : Simplify<
      { [K in RequiredKey<U>]: FieldOf<U, K> } & {
        [K in Exclude<KeyOfAny<U>, RequiredKey<U>>]?: Exclude<FieldOf<U, K>, undefined>;
      }
    >;

/** The state after a patch: fields that it has for certain replace, fields that it may have join. */
export type Merge<State, P> = Simplify<
  {
    [K in keyof State as K extends RequiredKey<P> ? never : K]: K extends keyof P
      ? State[K] | Exclude<P[K], undefined>
      : State[K];
  } & { [K in keyof P as K extends RequiredKey<P> ? K : K extends keyof State ? never : K]: P[K] }
>;

// ---- What a step adds -------------------------------------------------------------------------

/** The state that a handler on the way up sees: `Run` is what `run` gives back. */
export type Waiting<State, Run> = Merge<State, Flatten<PausePatch<Settled<Run>>>>;

/** All ways in which a step can be done: `run` at once, or a handler after a pause. */
type Done<Run, Handler> =
  | DonePatch<Run>
  | ([PausePatch<Run>] extends [never]
      ? never
      : Merge<Merge<Flatten<PausePatch<Run>>, Partial<Flatten<PausePatch<Handler>>>>, Flatten<DonePatch<Handler>>>);

/** What a step has given for certain when it is done. `Handler` is what its handlers give back. */
export type Gives<Run, Handler> = Flatten<Done<Settled<Run>, Settled<Handler>>>;

/** What a step may have given, by any way: all of it optional. */
export type MayGive<Run, Handler> = Partial<Flatten<AnyPatch<Settled<Run>> | AnyPatch<Settled<Handler>>>>;

/** What the early end of a workflow at this step adds; never, if it can't end there. */
export type Completes<Run, Handler> =
  | CompletePatch<Settled<Run>>
  | ([CompletePatch<Settled<Handler>>] extends [never]
      ? never
      : Merge<Flatten<PausePatch<Settled<Run>>>, Flatten<CompletePatch<Settled<Handler>>>>);

/** What an undo may add on its own way; all of it optional. */
export type Undoes<Rollback> = Partial<Flatten<DonePatch<Settled<Rollback>> | PausePatch<Settled<Rollback>>>>;

/** The fields that a state lacks for a step that needs them, for the compiler's message. */
export type Lacks<State, Needs> = {
  [K in keyof Needs as State extends Pick<Needs, K> ? never : K]: Needs[K];
};

// ---- Messages ---------------------------------------------------------------------------------

export type Messages = Readonly<Record<string, StandardSchemaV1>>;

/** A union of the declared messages, by name, each with what its schema makes of the payload. */
export type MessageOf<M extends Messages> = {
  [K in keyof M & string]: {
    readonly name: K;
    readonly payload: StandardSchemaV1.InferOutput<M[K]>;
    /** The sender's `messageId`, else the engine's own id. */
    readonly id: string;
  };
}[keyof M & string];

// ---- Asking a workflow ------------------------------------------------------------------------

/** What a workflow carries for the compiler; there is nothing of it at run time. */
export interface WorkflowTypes {
  readonly input: unknown;
  /** After all steps, or an early end. */
  readonly state: unknown;
  /** At any other moment. */
  readonly halfDone: unknown;
}

interface Typed {
  readonly types?: WorkflowTypes;
}

type TypesOf<W extends Typed> = NonNullable<W["types"]>;

/** What `launch` takes: the input of the workflow's schema, before it is checked. */
export type InputOf<W extends Typed> = TypesOf<W>["input"];
/** The state of a completed execution. */
export type StateOf<W extends Typed> = TypesOf<W>["state"];
/** The state of an execution that is under way, undone or stuck: what steps give is optional. */
export type HalfDoneOf<W extends Typed> = TypesOf<W>["halfDone"];
