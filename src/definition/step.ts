/** What users write for a step, checked and frozen into a `StepDefinition`. */
import { StepwellError, type ErrorDetails } from "../errors.js";
import type { MessageSchemas, StepDefinition, StepFunction } from "./definition.js";
import { milliseconds, type Duration } from "./duration.js";
import type { Direction } from "./flow.js";
import type { Logger } from "./logger.js";
import type { ExecutionIdentity } from "./observer.js";
import { checkName, refuseUnknownOptions, shown } from "./options.js";
import { defaultRetry, defaultRollbackRetry, retryDefinition, type RetryPolicy } from "./retry-policy.js";
import { isSchema } from "./schema.js";
import type {
  Completes,
  DownResult,
  Gives,
  MaybePromise,
  MayGive,
  Merge,
  MessageOf,
  Messages,
  Simplify,
  Undoes,
  UpResult,
  Waiting,
} from "./types.js";

/** What every step function is called with. */
export interface StepContext<State> {
  /** Read-only; what is to change goes into the patch that the function gives back. */
  readonly state: Readonly<State>;
  /**
   * The same over all attempts of this function for this execution, and different from every other:
   * give it to the other side, so that a second attempt has no second effect.
   */
  readonly idempotencyKey: string;
  /** From 1; grows with each attempt, also after a crash. */
  readonly attempt: number;
  /** Aborted when the attempt times out, a rollback is requested, or the launcher stops or loses the execution. */
  readonly signal: AbortSignal;
  readonly execution: ExecutionIdentity;
  readonly step: { readonly name: string; readonly index: number };
  readonly direction: Direction;
  /**
   * Wants the messages of a topic: those that are kept, at once, and those to come. It is stored when this resolves.
   * They come as those that were sent: to a handler that declares their names. Again, also by a later attempt, it
   * changes nothing.
   *
   * @param topic 1 to 255 characters, without control characters
   * @throws (rejects) STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION; STEPWELL_OWNERSHIP_LOST;
   * STEPWELL_SUBSCRIBE_TOO_LATE once the function has given back what it gives
   * @example
   * await subscribe(`payment:${id}`);
   * return pause({ paymentId: id }, { timeout: "30m" });
   */
  readonly subscribe: (topic: string, options?: SubscribeOptions) => Promise<void>;
  readonly logger: Logger;
}

export interface SubscribeOptions {
  /** When it ends: when this step is done, or left, in this direction; or with the execution. Default: "step". */
  readonly until?: "step" | "end";
}

export interface MessageContext<State, M extends Messages> extends StepContext<State> {
  readonly message: MessageOf<M>;
}

export interface RollbackContext<State, Given> extends StepContext<State> {
  /** What this step itself gave on the way up, even where a later step has overwritten a field. */
  readonly given: Readonly<Given>;
  /** The key that this step's `run` had: names what is to be undone where its answer was lost. */
  readonly runKey: string;
  /** Why the execution turned. */
  readonly reason: string;
}

export interface RollbackMessageContext<State, Given, M extends Messages> extends RollbackContext<State, Given> {
  readonly message: MessageOf<M>;
}

/** The state in a step's own undo: what the step itself gives may be missing. */
type Undoing<State, Run, Handler> = Merge<State, MayGive<Run, Handler>>;

/**
 * The options of a step. Write `run` first, then its handlers, then `rollback`: the compiler takes
 * the type of the state from what stands above.
 */
export interface StepOptions<
  State,
  Run extends MaybePromise<UpResult>,
  M extends Messages,
  OnMessage extends MaybePromise<UpResult>,
  OnTimeout extends MaybePromise<UpResult>,
  Rollback extends MaybePromise<DownResult>,
  RM extends Messages,
> {
  /** The messages that `onMessage` takes, by name, each with a schema of any Standard Schema library. */
  readonly messages?: M;
  /** The same for `onRollbackMessage`. */
  readonly rollbackMessages?: RM;
  /** Does the step's work. Gives back nothing, a patch, `pause(…)`, `complete(…)` or `fail(…)`. */
  readonly run?: (context: StepContext<State>) => Run;
  /** Goes on after a pause, with the oldest declared message. */
  readonly onMessage?: (context: MessageContext<Waiting<State, Run>, M>) => OnMessage;
  /** Decides when a pause on the way up has timed out. Default: the step fails with reason `timeout`. */
  readonly onTimeout?: (context: StepContext<Waiting<State, Run>>) => OnTimeout;
  /** Undoes the step's work, whether it was done, half done or never begun in earnest. */
  readonly rollback?: (
    context: RollbackContext<Undoing<State, Run, OnMessage | OnTimeout>, MayGive<Run, OnMessage | OnTimeout>>,
  ) => Rollback;
  /** Goes on after a pause in `rollback`. */
  readonly onRollbackMessage?: (
    context: RollbackMessageContext<
      Merge<Undoing<State, Run, OnMessage | OnTimeout>, Undoes<Rollback>>,
      MayGive<Run, OnMessage | OnTimeout>,
      RM
    >,
  ) => MaybePromise<DownResult>;
  /** For errors thrown on the way up. Default: one attempt; after a pivot, as on the way down. */
  readonly retry?: RetryPolicy;
  /** For errors thrown on the way down. Default: again and again for a day, from 200 ms, doubled up to 5 minutes. */
  readonly rollbackRetry?: RetryPolicy;
  /** For each attempt; then its signal is aborted and it counts as failed. Default: none. */
  readonly timeout?: Duration;
  /** A point of no return: once this step is done, nothing turns the execution. At most one in a workflow. */
  readonly pivot?: boolean;
  /** Why this step can't be undone; instead of a `rollback`. For readers, printing and diagrams. */
  readonly irreversible?: string;
}

declare const types: unique symbol;

/** Shared over copies of this package, so that a step may come from a module that has another one. */
const stepKey = Symbol.for("stepwell.step");

/** A step in a module of its own: what it needs of the state, and what it adds. */
export interface Step<Needs, Given, May, Early> {
  readonly name: string;
  readonly definition: StepDefinition;
  readonly [types]?: {
    readonly needs: (needs: Needs) => void;
    readonly gives: Given;
    readonly mayGive: May;
    readonly completes: Early;
  };
}

/**
 * Defines a step apart from a workflow. The first call says what it needs of the state.
 *
 * @example
 * export const shipParcel = step<{ reservationId: string }>()("ship-parcel", {
 *   run: async ({ state, idempotencyKey }) => ({ parcelId: await carrier.book(state.reservationId, { idempotencyKey }) }),
 *   rollback: async ({ state }) => { if (state.parcelId) await carrier.cancel(state.parcelId); },
 * });
 *
 * @throws STEPWELL_INVALID_DEFINITION, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_DURATION, STEPWELL_INVALID_RETRY_POLICY
 */
export function step<Needs extends object = object>() {
  return <
    Run extends MaybePromise<UpResult> = void,
    M extends Messages = Messages,
    OnMessage extends MaybePromise<UpResult> = never,
    OnTimeout extends MaybePromise<UpResult> = never,
    Rollback extends MaybePromise<DownResult> = void,
    RM extends Messages = Messages,
  >(
    name: string,
    options: StepOptions<Needs, Run, M, OnMessage, OnTimeout, Rollback, RM>,
  ): Step<
    Needs,
    Gives<Run, OnMessage | OnTimeout>,
    Simplify<MayGive<Run, OnMessage | OnTimeout> & Undoes<Rollback>>,
    Completes<Run, OnMessage | OnTimeout>
  > => {
    const definition = stepDefinition(name, options, {});
    return Object.freeze({ name, definition, [stepKey]: definition });
  };
}

/** The data of a step that `step<…>()(…)` has made; undefined for anything else. */
export function definitionOfStep(step: unknown): StepDefinition | undefined {
  return (step as { readonly [stepKey]?: StepDefinition } | null | undefined)?.[stepKey];
}

const optionNames = [
  "run",
  "messages",
  "onMessage",
  "onTimeout",
  "rollback",
  "rollbackMessages",
  "onRollbackMessage",
  "retry",
  "rollbackRetry",
  "timeout",
  "pivot",
  "irreversible",
];

type Functions = "run" | "onMessage" | "onTimeout" | "rollback" | "onRollbackMessage";

/** The options without their types, which the compiler has dealt with. */
type Untyped = Readonly<
  Partial<
    Record<Functions, StepFunction> & { messages: MessageSchemas; rollbackMessages: MessageSchemas } & Pick<
        StepOptions<never, never, Messages, never, never, never, Messages>,
        "retry" | "rollbackRetry" | "timeout" | "pivot" | "irreversible"
      >
  >
>;

/** Checks a step as its author wrote it. */
export function stepDefinition(name: unknown, options: unknown, about: ErrorDetails): StepDefinition {
  checkName(name, "The name of a step", about);
  const here = { ...about, step: name };
  const where = `Step "${name}"`;
  refuseUnknownOptions(options, optionNames, where, here);
  const given = options as Untyped;
  checkKinds(given, where, here);
  const messages = messageSchemas(given.messages, `${where}, messages`, here);
  const rollbackMessages = messageSchemas(given.rollbackMessages, `${where}, rollbackMessages`, here);
  checkSense({ ...given, messages, rollbackMessages }, where, here);
  return Object.freeze({
    name,
    run: given.run,
    messages,
    onMessage: given.onMessage,
    onTimeout: given.onTimeout,
    rollback: given.rollback,
    rollbackMessages,
    onRollbackMessage: given.onRollbackMessage,
    retry: retryDefinition(given.retry, defaultRetry, `${where}, retry`, here),
    rollbackRetry: retryDefinition(given.rollbackRetry, defaultRollbackRetry, `${where}, rollbackRetry`, here),
    timeout: attemptTimeout(given.timeout, where, here),
    pivot: given.pivot ?? false,
    irreversible: given.irreversible,
  });
}

/** Each option by itself. */
function checkKinds(given: Untyped, where: string, about: ErrorDetails): void {
  for (const key of ["run", "onMessage", "onTimeout", "rollback", "onRollbackMessage"] as const) {
    if (given[key] !== undefined && typeof given[key] !== "function") {
      throw invalid(`${where}: "${key}" must be a function, not ${shown(given[key])}`, about);
    }
  }
  if (given.pivot !== undefined && typeof given.pivot !== "boolean") {
    throw invalid(`${where}: "pivot" must be true or false, not ${shown(given.pivot)}`, about);
  }
  const { irreversible } = given;
  if (irreversible !== undefined && (typeof irreversible !== "string" || irreversible.trim() === "")) {
    throw invalid(
      `${where}: "irreversible" must say in a text why the step can't be undone, not ${shown(irreversible)}`,
      about,
    );
  }
}

type Checked = Untyped & { readonly messages: MessageSchemas; readonly rollbackMessages: MessageSchemas };

/** The options together: what could never happen is a mistake. */
function checkSense(given: Checked, where: string, about: ErrorDetails): void {
  if (given.run === undefined && given.rollback === undefined) {
    throw invalid(`${where} has neither a "run" nor a "rollback", so it would do nothing`, about);
  }
  if (isEmpty(given.messages) !== (given.onMessage === undefined)) {
    throw invalid(`${where}: "messages" and "onMessage" belong together; one of them is missing`, about);
  }
  if (isEmpty(given.rollbackMessages) !== (given.onRollbackMessage === undefined)) {
    throw invalid(
      `${where}: "rollbackMessages" and "onRollbackMessage" belong together; one of them is missing`,
      about,
    );
  }
  checkReachable(given, where, about);
}

/** A handler goes on after a pause of the step's own function: without that it would never be called. */
function checkReachable(given: Checked, where: string, about: ErrorDetails): void {
  if (given.irreversible !== undefined) {
    const undo = (["rollback", "onRollbackMessage"] as const).find((key) => given[key] !== undefined);
    if (undo === undefined) return;
    throw invalid(`${where} has "${undo}" and says that it is "irreversible"; only one of them can be true`, about);
  }
  for (const [handler, beginning] of [
    ["onMessage", "run"],
    ["onTimeout", "run"],
    ["onRollbackMessage", "rollback"],
  ] as const) {
    if (given[handler] === undefined || given[beginning] !== undefined) continue;
    throw invalid(
      `${where}: "${handler}" goes on after a pause in "${beginning}", which is missing, so it would never be called`,
      about,
    );
  }
}

function isEmpty(messages: MessageSchemas): boolean {
  return Object.keys(messages).length === 0;
}

function messageSchemas(messages: MessageSchemas | undefined, where: string, about: ErrorDetails): MessageSchemas {
  if (messages === undefined) return Object.freeze({});
  if (typeof messages !== "object" || messages === null || Array.isArray(messages) || isSchema(messages)) {
    const given = isSchema(messages) ? "a schema itself" : shown(messages);
    throw invalid(`${where} must be an object of schemas by the messages' names, not ${given}`, about);
  }
  for (const [name, schema] of Object.entries(messages)) {
    checkName(name, `${where}: a message's name`, about);
    if (isSchema(schema)) continue;
    throw invalid(`${where}: "${name}" is not a schema. Give one of a Standard Schema library, such as zod`, about);
  }
  return Object.freeze({ ...messages });
}

function attemptTimeout(timeout: Duration | undefined, where: string, about: ErrorDetails): number | undefined {
  if (timeout === undefined) return undefined;
  const length = milliseconds(timeout, `${where}, timeout`);
  if (length === 0) throw invalid(`${where}: "timeout" must be longer than 0`, about);
  return length;
}

function invalid(message: string, about: ErrorDetails): StepwellError {
  return new StepwellError("STEPWELL_INVALID_DEFINITION", `${message}.`, about);
}
