/** The options of a step. Each depends on what those above it give, so their order counts: see `StepOptions`. */
import type {
  MessageContext,
  ProbeContext,
  RecoverContext,
  RollbackContext,
  RollbackMessageContext,
  StateContext,
  StepContext,
  Undoing,
} from "./contexts.js";
import type { Duration } from "./duration.js";
import type { Messages } from "./messages.js";
import type { Transacted } from "./outcome.js";
import type { Either, MayGive, ProbeAnswer, Waiting } from "./patches.js";
import type { RetryPolicy } from "./retry-policy.js";
import type { FirstOf, Late, Lonely, Problem, Right } from "./verdicts.js";

/** Options of every kind of step that say when it applies. */
export interface Conditions<S, Otherwise, Keys> {
  /**
   * Whether the step applies to this execution. Synchronous and without effects; called once, and the answer is stored. False: the
   * step is passed over, and has nothing to undo. Default: it applies.
   */
  readonly when?: (context: StateContext<S>) => boolean;
  /** The patch of a step that is passed over. Synchronous and without effects. Default: nothing. */
  readonly otherwise?: (
    context: StateContext<S>,
  ) => Right<FirstOf<Lonely<Keys, "when", "otherwise">, Problem<Otherwise, S>>, Otherwise>;
  /**
   * Limits the whole step on the way up, from its first beginning: attempts, waits and polls together. Then the step fails with
   * reason `timeout`. Default: no limit.
   */
  readonly deadline?: Duration;
}

/** Options whose types depend on no other option. */
export interface PlainOptions {
  /** For errors thrown on the way up. Default: one attempt; after a pivot the same as on the way down. */
  readonly retry?: RetryPolicy;
  /** For errors thrown on the way down. Default: again and again for a day, from 200 ms, doubled up to 5 minutes. */
  readonly rollbackRetry?: RetryPolicy;
  /** Limits each attempt: after this time its signal is aborted and it counts as failed. Default: none. */
  readonly timeout?: Duration;
  /** A point of no return: once this step is done, nothing turns the execution. At most one in a workflow. */
  readonly pivot?: boolean;
  /** Why this step can't be undone; instead of a `rollback`. For readers, printing and diagrams. */
  readonly irreversible?: string;
  /**
   * What follows where the last attempt of `run` may have begun and gave nothing back, and nobody can say what became of it. `"rerun"`:
   * `run` is called again; on the way down, the undo, with `halfDone`. `"park"`: the execution is stuck, in both directions, until an
   * operator resolves it. Default: `"park"` with a `probe`, else `"rerun"`.
   */
  readonly inDoubt?: "rerun" | "park";
}

export type ConditionOption = "when" | "otherwise" | "deadline";
export type ExtraOption =
  | ConditionOption
  | keyof PlainOptions
  | "messages"
  | "onMessage"
  | "onTimeout"
  | "probe"
  | "recover"
  | "rollback"
  | "rollbackMessages"
  | "onRollbackMessage";

/**
 * All options but `run`. A handler's own type must not be conditional, or the compiler works its context out before it has read `run`:
 * so the text of a mistake stands in the type of what the handler gives back.
 */
export interface StepExtras<
  S,
  Run,
  OnMessage,
  OnTimeout,
  Rollback,
  OnRollbackMessage,
  Otherwise,
  Recover,
  M extends Messages,
  RM extends Messages,
  Keys,
>
  extends Conditions<S, Otherwise, Keys>, PlainOptions {
  /**
   * Says what became of the last attempt of `run`, where that may have begun and gave nothing back: it threw, timed out, was aborted or
   * lost its launcher. Asked before `run` is called again, before the failure of the step turns the execution, and before the step is
   * undone. It changes nothing, but may `subscribe`. Answers `happened(…)` with what `run` would have given back, `didNotHappen()`,
   * `unknown()` or `again({ after })`. One that throws or times out is tried again as a `rollback` is.
   */
  readonly probe?: (
    context: ProbeContext<Undoing<S, Run, never>>,
  ) => ProbeAnswer<NoInfer<Run>> | PromiseLike<ProbeAnswer<NoInfer<Run>>>;
  /** The messages that `onMessage` takes, by name, each with a schema of any Standard Schema library. */
  readonly messages?: "onMessage" extends Keys ? M : `"messages" goes with "onMessage", which is missing`;
  /** Goes on after a pause, with the oldest message that is declared. */
  readonly onMessage?: (
    context: MessageContext<Waiting<S, Run>, M>,
  ) => Right<
    FirstOf<
      Lonely<Keys, "messages", "onMessage">,
      FirstOf<Late<OnMessage, "onMessage", "recover and rollback">, Problem<OnMessage, S>>
    >,
    OnMessage
  >;
  /** Decides when a pause on the way up has timed out. Default: the step fails with reason `timeout`. */
  readonly onTimeout?: (
    context: StepContext<Waiting<S, Run>>,
  ) => Right<FirstOf<Late<OnTimeout, "onTimeout", "recover and rollback">, Problem<OnTimeout, S>>, OnTimeout>;
  /**
   * Called when the step has failed for good on the way up, before the execution turns. With a patch the execution goes on, and the
   * step is undone like any other, should the execution turn later. With `fail(…)` it turns for this reason. Synchronous and without
   * effects.
   */
  readonly recover?: (
    context: RecoverContext<Undoing<S, Run, Either<OnMessage, OnTimeout>>>,
  ) => Right<FirstOf<Late<Recover, "recover", "rollback">, Problem<Recover, S>>, Recover>;
  /**
   * Undoes the step's work, whether it was done, half done, or begun without an effect. Where it is a `transaction(…)` itself, it sees
   * what its own `run` gives only in the form `.step(name, run, { rollback })`.
   */
  readonly rollback?:
    | ((
        context: RollbackContext<
          Undoing<S, Run, Either<OnMessage, OnTimeout>, Recover>,
          MayGive<Run, Either<OnMessage, OnTimeout>, Recover>
        >,
      ) => Right<Problem<Rollback, S, "down">, Rollback>)
    | Transacted<
        RollbackContext<
          Undoing<S, Run, Either<OnMessage, OnTimeout>, Recover>,
          MayGive<Run, Either<OnMessage, OnTimeout>, Recover>
        >,
        Rollback
      >;
  /** The messages that `onRollbackMessage` takes, by name, as in `messages`. */
  readonly rollbackMessages?: "onRollbackMessage" extends Keys
    ? RM
    : `"rollbackMessages" goes with "onRollbackMessage", which is missing`;
  /** Goes on after a pause in `rollback`. */
  readonly onRollbackMessage?: (
    context: RollbackMessageContext<
      Undoing<S, Run, Either<OnMessage, OnTimeout>, Recover, Rollback>,
      MayGive<Run, Either<OnMessage, OnTimeout>, Recover>,
      RM
    >,
  ) => Right<
    FirstOf<Lonely<Keys, "rollbackMessages", "onRollbackMessage">, Problem<OnRollbackMessage, S, "down">>,
    OnRollbackMessage
  >;
}

/**
 * The options of a step. Write `run` first, then its handlers, then `rollback`: the compiler takes the type of the state from
 * what stands above. In the form `.step(name, run, options)` the order is free.
 */
export interface StepOptions<
  S,
  Run,
  OnMessage,
  OnTimeout,
  Rollback,
  OnRollbackMessage,
  Otherwise,
  Recover,
  M extends Messages,
  RM extends Messages,
  Keys,
> extends StepExtras<S, Run, OnMessage, OnTimeout, Rollback, OnRollbackMessage, Otherwise, Recover, M, RM, Keys> {
  /** Does the step's work. Gives back nothing, a patch, `pause(…)`, `again(…)`, `complete(…)` or `fail(…)`. */
  readonly run?:
    | ((
        context: StepContext<S>,
      ) => Right<FirstOf<Late<Run, "run", "its handlers, recover and rollback">, Problem<Run, S>>, Run>)
    | Transacted<StepContext<S>, Run>;
}

/** `run` as an argument of its own. */
export type RunArgument<S, Run> =
  ((context: StepContext<S>) => Right<Problem<Run, S>, Run>) | Transacted<StepContext<S>, Run>;
