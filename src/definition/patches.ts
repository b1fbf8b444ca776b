/** What functions of a step give back, by kind, and what a step adds to the state by it. */
import type { Flatten, Grow, IsAny, Over } from "./objects.js";
import type { Again, Complete, DidNotHappen, Fail, Happened, outcome, Pause, Transacted, Unknown } from "./outcome.js";

export type Nothing = void | undefined | null;

/**
 * What the compiler infers for an option that was not written. It is not the default of the type parameter: a default would
 * be used as a contextual type, and change what is inferred.
 */
export type IsUnwritten<T> = IsAny<T> extends true ? false : unknown extends T ? true : false;
export type Written<T> = IsUnwritten<T> extends true ? never : T;
export type Either<A, B> = Written<A> | Written<B>;

// ---- By kind ----------------------------------------------------------------------------------

export type AnyOutcome = { readonly [outcome]: string };
/** The result of a step: where that is a transaction, the result of its work. */
export type Unwrapped<R> = R extends Transacted<never, infer Result> ? Awaited<Result> : R;
/** `any`, as of `JSON.parse`, adds nothing: it would make every field of the state `any`. */
export type Settled<R> = NoAny<Unwrapped<Awaited<Written<R>>>>;
type NoAny<T> = IsAny<T> extends true ? undefined : T;
export type DonePatch<R> = R extends AnyOutcome ? never : R extends Nothing ? {} : R;
export type PausePatch<R> = R extends Pause<infer P> ? P : never;
export type CompletePatch<R> = R extends Complete<infer P> ? P : never;
export type AgainPatch<R> = R extends Again<infer P> ? P : never;
export type FailPatch<R> = R extends Fail<infer P> ? P : never;
type AnyPatch<R> = DonePatch<R> | PausePatch<R> | CompletePatch<R> | AgainPatch<R> | FailPatch<R>;

/**
 * What `run` may give back, as its probe says it. Where the compiler has not read `run` yet, it tries a probe that takes no context: then
 * anything will do.
 */
type RunResult<Run> = IsUnwritten<Run> extends true ? unknown : Plain<Unwrapped<Awaited<Run>>>;
type Plain<R> = IsAny<R> extends true ? unknown : R extends Nothing ? Nothing : R;

/** What `probe` may give back. */
export type ProbeAnswer<Run> =
  Happened<RunResult<Run>> | DidNotHappen | Unknown | Again<Readonly<Record<string, never>>>;

// ---- What a step adds -------------------------------------------------------------------------

/** The state that a handler on the way up sees: `Run` is what `run` gives back. */
export type Waiting<S, Run> = Grow<S, Flatten<PausePatch<Settled<Run>>>>;

/** All ways in which a step can be done: `run` at once, or a handler after a pause. */
type Done<Run, Handler> =
  | DonePatch<Run>
  | ([PausePatch<Run>] extends [never]
      ? never
      : Over<Over<Flatten<PausePatch<Run>>, Partial<Flatten<PausePatch<Handler>>>>, Flatten<DonePatch<Handler>>>);

type DoneAfterAgain<Run, Handler> = [AgainPatch<Run>] extends [never]
  ? Flatten<Done<Run, Handler>>
  : Over<Partial<Flatten<AgainPatch<Run>>>, Flatten<Done<Run, Handler>>>;

/** What `run` and its handlers have given for certain when the step is done by them. */
type RunGives<Run, Handler> = DoneAfterAgain<Settled<Run>, Settled<Handler>>;

/** What a step has given for certain when it is done, also where it may have been passed over (`When` is `true`) or recovered. */
export type Gives<Run, Handler, When = never, Otherwise = unknown, Recover = unknown> = [
  When,
  Written<Recover>,
] extends [never, never]
  ? RunGives<Run, Handler>
  : Flatten<
      | RunGives<Run, Handler>
      | DonePatch<Settled<Recover>>
      | ([When] extends [never] ? never : IsUnwritten<Otherwise> extends true ? {} : DonePatch<Settled<Otherwise>>)
    >;

/** `Keys` are the options that were written. */
export type IfWhen<Keys> = "when" extends Keys ? true : never;

/** What functions may have given, by any way: all of it optional. */
export type MayGive<Run, Handler = never, Recover = never, Rollback = never> = Partial<
  Flatten<
    AnyPatch<Settled<Run>> | AnyPatch<Settled<Handler>> | AnyPatch<Settled<Recover>> | AnyPatch<Settled<Rollback>>
  >
>;

/** All that an execution may hold of a step at any moment. */
export type Leaves<Run, Handler, Otherwise, Recover, Rollback, RollbackHandler> = MayGive<
  Run,
  Handler,
  Either<Otherwise, Recover>,
  Either<Rollback, RollbackHandler>
>;

/** The state after the early end of a workflow at this step; never, if it can't end there. */
export type Completes<S, Run, Handler> =
  | ([CompletePatch<Settled<Run>>] extends [never] ? never : Grow<S, Flatten<CompletePatch<Settled<Run>>>>)
  | ([CompletePatch<Settled<Handler>>] extends [never]
      ? never
      : Grow<Waiting<S, Run>, Flatten<CompletePatch<Settled<Handler>>>>);
