/**
 * Observers: synchronous code around the steps of a workflow. A watcher only looks; a guard takes
 * part: it may give back a patch, or veto with `fail(reason)`.
 */

import type { StepwellError } from "../errors.js";
import type { AnyWorkflow, Bag, HalfDoneOf, StepsOf } from "./bag.js";
import type { Direction, Flow, Status, StepFunc } from "./flow.js";
import type { SerializedError } from "../values/serialize-error.js";
import type { Shown } from "./frozen.js";
import { checkName, invalidDefinition, refuseUnknownOptions, shown } from "../values/options.js";
import type { Fail } from "./outcome.js";

/** Which execution a step, an observer or an error belongs to. */
export interface ExecutionIdentity {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  /** The execution whose child it is. Left out: it is nobody's. */
  readonly parent?: string;
  /** The execution at the top of its tree. Left out: it is that itself. */
  readonly root?: string;
}

/** What every callback gets. `step`, `attempt`, `durationMs` and `error` are set where they mean something. */
export interface ObserverEvent<out State = unknown, out Steps extends string = string> {
  /** The same object from `wake` to `rest`, so it may be the key of a `WeakMap`. */
  readonly execution: ExecutionIdentity;
  readonly step?: { readonly name: Steps; readonly index: number };
  readonly flow: Flow;
  /** The state at that moment: in `beforeStep` as the step will see it, in `afterStep` with the step's patch merged. */
  readonly state: State;
  /** How many transitions have been committed. */
  readonly revision: number;
  readonly attempt?: number;
  /** In `afterStep`: how long the attempt took. */
  readonly durationMs?: number;
  /** The error that the step threw or failed with, or that turned the execution. */
  readonly error?: unknown;
  /** Why the execution turned or ended. */
  readonly reason?: string;
  /** In `afterStep` and `commit`: the message that a handler has answered. */
  readonly message?: MessageIdentity;
}

/** The message that was handled, with the texts that its sender's observers had stored with it. */
export interface MessageIdentity {
  readonly id: string;
  readonly name: string;
  readonly carried: Carried;
}

/** A few short texts that one observer hands to another across processes, such as the context of a trace. */
export type Carried = Readonly<Record<string, string>>;

/** One committed transition, as a row of the history. */
export interface CommittedTransition {
  readonly revision: number;
  readonly at: Date;
  readonly direction: Direction;
  readonly step: string;
  readonly stepIndex: number;
  readonly func: StepFunc;
  readonly attempt: number;
  /** `ok`, `continue`, `again`, `begins`, `passed-over`, `recovered`, `retried`, `skipped`, `patched`, `migrated`, `cut-off` (by a shutdown; does not count), a probe's answer, or a reason. */
  readonly result: string;
  readonly message?: { readonly id: string; readonly name: string };
  readonly error?: SerializedError;
  /** Errors of guards where no veto may stop the execution: on the way down, or beside a failed step. */
  readonly guardErrors?: readonly SerializedError[];
  readonly durationMs: number;
  /** Who did it, for an operator's act or a rollback request. */
  readonly by?: string;
  /** Why, for an operator's act or a rollback request: the reason that was given. */
  readonly why?: string;
  /** What came with the rollback request that turned the execution here. */
  readonly details?: unknown;
  /** With the result `migrated`: from which version to which. */
  readonly migration?: { readonly from: string; readonly to: string };
  /** The execution turned here, and the step is not undone: it is purely transactional, and its transaction was not committed. */
  readonly leftNothing?: true;
  /** In which round the step was begun that was worked on here. Left out: before any rewind. */
  readonly round?: number;
  /** A rewind was asked for: the step to which it goes back. */
  readonly backTo?: string;
  /** The last undo of a rewind: the execution goes up again from this step, in this round. */
  readonly upInto?: number;
}

export interface WakeEvent<out State = unknown, out Steps extends string = string> extends ObserverEvent<State, Steps> {
  /** The store's time. */
  readonly at: Date;
  readonly status: Status;
  /** How long the execution had been due, in milliseconds. 0 right after its launch. */
  readonly lateMs: number;
  /** How often the execution has been taken up since its last commit; more than 1: a launcher died with it. */
  readonly claims: number;
  /** The texts that were stored with the launch, or with the burst before. */
  readonly carried: Carried;
}

export interface CommitEvent<out State = unknown, out Steps extends string = string> extends ObserverEvent<
  State,
  Steps
> {
  readonly status: Status;
  /** Its step has failed five times or more and is tried again. */
  readonly struggling: boolean;
  /** The state before this transition. */
  readonly before: State;
  readonly transition: CommittedTransition;
  /** A function of the step was called. False for a request, a veto, a wait that timed out, and a step without a rollback. */
  readonly called: boolean;
}

export interface RestEvent<out State = unknown, out Steps extends string = string> extends ObserverEvent<State, Steps> {
  /** The store's time. */
  readonly at: Date;
  readonly status: Status;
  /** Another launcher owns the execution now: this one commits nothing more. */
  readonly lost: boolean;
  /** Messages in its mailbox that no step has taken. */
  readonly pending: number;
}

/** Something went wrong that no caller hears of. */
export interface ErrorEvent {
  readonly error: StepwellError;
  readonly workflow: string;
  /** The id of the execution that the error is about. Left out: it is about none. */
  readonly execution?: string;
  /** Where that is a child: the execution at the top of its tree. */
  readonly root?: string;
}

/** A launch, a message, a publication or a burst of work is about to be stored, and can have a few texts with it. */
export type CarryEvent =
  | {
      /**
       * A new execution, a message to one, or the first commit after it was taken up. `child`: the execution begins children, and
       * what is given is for all those of one workflow, whose observers are asked.
       */
      readonly what: "launch" | "message" | "burst" | "child";
      readonly execution: ExecutionIdentity;
      readonly topic?: undefined;
    }
  | {
      /** A message for all subscribers of the topic: which executions these are is not known yet. */
      readonly what: "publication";
      readonly topic: string;
      readonly execution?: undefined;
    };

export interface ObserverCallbacks<Returned, in State = unknown, in Steps extends string = string> {
  /** Before the first step. */
  readonly init?: (event: ObserverEvent<State, Steps>) => Returned;
  /** Before each attempt of `run` and `rollback`. A guard that fails here keeps a step from running. */
  readonly beforeStep?: (event: ObserverEvent<State, Steps>) => Returned;
  /** After each attempt that did not pause, whatever its result. */
  readonly afterStep?: (event: ObserverEvent<State, Steps>) => Returned;
  /** The execution has turned. */
  readonly startRollback?: (event: ObserverEvent<State, Steps>) => Returned;
  /** Completed, and committed. Called at least once. */
  readonly success?: (event: ObserverEvent<State, Steps>) => Returned;
  /** Rolled back, and committed. Called at least once. */
  readonly failure?: (event: ObserverEvent<State, Steps>) => Returned;
  /** Parked, and committed: it needs an operator. Called at least once, each time. */
  readonly stuck?: (event: ObserverEvent<State, Steps>) => Returned;
}

/**
 * Callbacks for watchers only: not about steps, but about the work of launchers on an execution. For tracing,
 * metrics and change logs.
 */
export interface EngineCallbacks<Returned, in State = unknown, in Steps extends string = string> {
  /** A launcher has taken the execution up: a burst of work begins, which ends when the launcher lets go of the execution. */
  readonly wake?: (event: WakeEvent<State, Steps>) => Returned;
  /** A transition has been committed. A crash right after the commit loses this call, never the row of the history. */
  readonly commit?: (event: CommitEvent<State, Steps>) => Returned;
  /** Called after `commit`, for the commits that say what became of a step in doubt: as its probe answered, or as an operator said. */
  readonly probed?: (event: CommitEvent<State, Steps>) => Returned;
  /** Called after `commit`, for the commits with which a rewind goes up again. */
  readonly rewound?: (event: CommitEvent<State, Steps>) => Returned;
  /** The launcher has let go of the execution: it ended, waits, is stuck, or another launcher owns it. */
  readonly rest?: (event: RestEvent<State, Steps>) => Returned;
  /** An error about this workflow or one of its executions was reported to `onError`. */
  readonly error?: (event: ErrorEvent) => Returned;
  /**
   * Gives texts to be stored with a launch, a message, a publication or a burst. They come back in `wake` and in `message`. At most
   * 4 KiB in all.
   */
  readonly carry?: (event: CarryEvent) => Carried | undefined;
}

/** What `observer(…)` makes: for any workflow, or for those whose state has what it reads. */
export interface Observer<in State = Readonly<Record<string, unknown>>, in Steps extends string = string>
  extends ObserverCallbacks<unknown, State, Steps>, EngineCallbacks<unknown, State, Steps> {
  readonly name: string;
  /** Its mark, for the compiler only, tells an observer from the options of one, whose answers are checked. */
  readonly guard: boolean & { readonly "~made": undefined };
}

/** Anything but a promise: observers are synchronous. */
export type Synchronous =
  void | null | undefined | string | number | bigint | boolean | symbol | (object & { readonly then?: never });

/** A patch of a guard: fields of the state keep their types, and it may add others. */
type GuardPatch<State> = object & NoInfer<Partial<State>> & { readonly then?: never };

export type GuardAnswer<State = unknown> = void | null | undefined | Fail | GuardPatch<State>;

export interface WatcherOptions<in State, in Steps extends string = string>
  extends ObserverCallbacks<Synchronous, State, Steps>, EngineCallbacks<Synchronous, State, Steps> {
  readonly name: string;
  readonly guard?: false;
}

type NoEngineCallbacks = { readonly [Callback in keyof EngineCallbacks<unknown>]?: never };

export interface GuardOptions<State, in Steps extends string = string>
  extends ObserverCallbacks<GuardAnswer<State>, State, Steps>, NoEngineCallbacks {
  readonly name: string;
  readonly guard: true;
}

/** What a workflow's `.observe(…)` takes: an observer, or the options of one. */
export type ObserverOf<B extends Bag> =
  | Observer<Shown<B["halfDone"]>, B["steps"]>
  | WatcherOptions<Shown<B["halfDone"]>, B["steps"]>
  | GuardOptions<Shown<B["halfDone"]>, B["steps"]>;

/** The event of a workflow's observers: its state, and the names of its steps. */
export type EventOf<W extends AnyWorkflow> = ObserverEvent<Shown<HalfDoneOf<W>>, StepsOf<W>>;

/** Shared over copies of this package, so that an observer may come from a module that has another one. */
const madeKey = Symbol.for("stepwell.observer");

const stepCallbacks = ["init", "beforeStep", "afterStep", "startRollback", "success", "failure", "stuck"] as const;

const engineCallbacks = ["wake", "commit", "probed", "rewound", "rest", "error", "carry"] as const;

/** The callbacks of a watcher; a guard has only those of the steps. */
export const callbacks = [...stepCallbacks, ...engineCallbacks] as const;

export type CallbackName = (typeof callbacks)[number];

/**
 * Makes an observer. A **watcher** (the default) only looks: what it gives back is ignored, what it
 * throws is reported and disturbs nothing. A **guard** takes part: it may give back a patch, or
 * `fail(reason)` (a throw counts as one) to veto. On the way down a guard's failure never stops an undo.
 *
 * @example
 * const spendingLimit = observer<{ cents: number }>({
 *   name: "spending-limit",
 *   guard: true,
 *   beforeStep: ({ step, state }) => (step?.name === "charge-card" && state.cents > 500_00 ? fail("too-expensive") : undefined),
 * });
 *
 * @throws STEPWELL_INVALID_DEFINITION, STEPWELL_UNKNOWN_OPTION
 */
export function observer<State extends object = Readonly<Record<string, unknown>>>(
  options: WatcherOptions<Shown<State>> | GuardOptions<Shown<State>>,
): Observer<Shown<State>> {
  return checkedObserver(options);
}

/** The same for any state. */
export function checkedObserver<State>(options: WatcherOptions<State> | GuardOptions<State>): Observer<State> {
  checkName(options?.name, "The name of an observer");
  const names = options.guard === true ? stepCallbacks : callbacks;
  refuseUnknownOptions(options, ["name", "guard", ...names], `Observer "${options.name}"`);
  const invalid = (problem: string): StepwellError => invalidDefinition(`Observer "${options.name}"${problem}`);
  for (const callback of callbacks) {
    const given: unknown = (options as WatcherOptions<State>)[callback];
    if (given !== undefined && typeof given !== "function")
      throw invalid(`: "${callback}" must be a function, not ${shown(given)}`);
  }
  const guard: unknown = options.guard;
  if (guard !== undefined && typeof guard !== "boolean")
    throw invalid(`: "guard" must be true or false, not ${shown(guard)}`);
  if (names.every((callback) => (options as WatcherOptions<State>)[callback] === undefined))
    throw invalid(" has no callback, so it would hear nothing");
  return Object.freeze({ ...options, guard: (options.guard ?? false) as Observer["guard"], [madeKey]: true });
}

/** An observer as it is, or made from its options. */
export function observerOf(given: ObserverOf<Bag>): Observer {
  return (given as { readonly [madeKey]?: true })[madeKey] === true
    ? (given as Observer)
    : checkedObserver(given as WatcherOptions<unknown>);
}

const probeAnswers: ReadonlySet<string> = new Set(["happened", "did-not-happen", "unknown", "again", "cut-off"]);

/** What a probe answered, for a label of metrics: one that threw or timed out has `failed`, whatever its reason was. */
export function probeResultOf({ result }: CommittedTransition): string {
  return probeAnswers.has(result) ? result : "failed";
}
