/**
 * What a step function may give back beside a patch: `pause`, `again`, `complete`, `fail`; and what a probe answers. Values, not
 * exceptions, so that no `catch` can swallow them.
 */
import { StepwellError } from "../errors.js";
import { milliseconds, type Duration } from "./duration.js";
import { refuseUnknownOptions, shown } from "../values/options.js";
import { meansSuccess } from "../values/text.js";

/** Tells outcomes apart from patches, and from one another, for the compiler. */
export declare const outcome: unique symbol;

export class Pause<Patch extends object = object> {
  declare readonly [outcome]: "pause";
  readonly patch: Patch | undefined;
  /** In milliseconds; null: clear the timeout that runs; undefined: leave it as it is. */
  readonly timeout: number | null | undefined;
  /** The time at which the wait ends, in milliseconds since 1970, in place of its length. */
  readonly until: number | undefined;

  constructor(patch: Patch | undefined, timeout: number | null | undefined, until?: number) {
    this.patch = patch;
    this.timeout = timeout;
    this.until = until;
  }
}

export class Again<Patch extends object = object> {
  declare readonly [outcome]: "again";
  readonly patch: Patch | undefined;
  /** Milliseconds. */
  readonly after: number;

  constructor(patch: Patch | undefined, after: number) {
    this.patch = patch;
    this.after = after;
  }
}

export class Complete<Patch extends object = object> {
  declare readonly [outcome]: "complete";
  readonly patch: Patch | undefined;

  constructor(patch: Patch | undefined) {
    this.patch = patch;
  }
}

export class Fail<Patch extends object = object> {
  declare readonly [outcome]: "fail";
  readonly reason: string;
  readonly patch: Patch | undefined;
  readonly details: unknown;

  constructor(reason: string, patch: Patch | undefined, details: unknown) {
    this.reason = reason;
    this.patch = patch;
    this.details = details;
  }
}

/** The answer of a probe: what it asks about happened, and this is what `run` would have given back. */
export class Happened<out Result = unknown> {
  declare readonly [outcome]: "happened";
  readonly result: Result;

  constructor(result: Result) {
    this.result = result;
  }
}

/** The answer of a probe: nothing of it happened, and nothing of it will. */
export class DidNotHappen {
  declare readonly [outcome]: "did-not-happen";
}

/** The answer of a probe: nobody can say. */
export class Unknown {
  declare readonly [outcome]: "unknown";
}

/**
 * Work within the store's own database transaction: what it writes and the transition that it leads to
 * commit together, or not at all. Made by `transaction` of the store's entry point.
 */
export class Transacted<in Context = never, out Result = unknown> {
  declare readonly [outcome]: "transaction";
  /** The kind of store whose transaction it needs: its `name`. */
  readonly store: string;
  /** Called with the store's own connection, and what the step's function is called with. */
  readonly work: (connection: never, context: Context) => Result;

  constructor(store: string, work: (connection: never, context: Context) => Result) {
    this.store = store;
    this.work = work;
  }
}

/** Checks what the entry points of the stores are given. */
export function transacted<Connection, Result, Context>(
  store: string,
  work: (connection: Connection, context: Context) => Result,
): Transacted<Context, Result> {
  if (typeof work !== "function") {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `transaction(…) takes a function, not ${shown(work)}.`);
  }
  return Object.freeze(new Transacted<Context, Result>(store, work as (connection: never, context: Context) => Result));
}

export interface PauseOptions {
  /**
   * How long to wait for a message. Then, on the way up, the step fails with reason `timeout`, or its `onTimeout` decides; on the way
   * down the rollback is tried again within its retry policy. In a handler: left out, the timeout that runs is kept; null clears it.
   * Default: none.
   */
  readonly timeout?: Duration | null;
}

/**
 * Merge the patch, commit, and wait for a message that the step declares. A waiting execution holds
 * no memory and no connection.
 *
 * A field that a handler adds and reads at a later message is declared where the wait begins:
 * `pause<{ paymentId: string; parts?: string[] }>({ paymentId })`.
 *
 * @example
 * return pause({ paymentId: payment.id }, { timeout: "30m" });
 */
export function pause<Patch extends object = object>(patch?: Patch, options: PauseOptions = {}): Pause<Patch> {
  refuseUnknownOptions(options, ["timeout"], "pause(…)");
  const { timeout } = options;
  const length = timeout === undefined || timeout === null ? timeout : milliseconds(timeout, "pause(…), timeout");
  return Object.freeze(new Pause(patch, length));
}

export interface AgainOptions {
  /** How long to wait before the function is called again. */
  readonly after: Duration;
}

/**
 * Not yet: merge the patch, commit, wait without memory, and call the same function from its beginning, with the same
 * idempotency key. For polling another system until its work is done. From `run` and `rollback` only; and, without a patch, from
 * a `probe`: it can't be known yet.
 *
 * The retry policy counts anew. No message ends the wait; a rollback request or a deadline does. However often `again` is given in a
 * row, the history gets one row, unless `again` brings a patch.
 *
 * @example
 * const { isReady } = await kitchen.ask(state.orderId);
 * return isReady ? { ready: true } : again({ after: "30s" });
 *
 * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_INVALID_DURATION, STEPWELL_UNKNOWN_OPTION
 */
export function again<Patch extends object = object>(patch: Patch | undefined, options: AgainOptions): Again<Patch>;
export function again(options: AgainOptions): Again<{}>;
export function again(...given: readonly unknown[]): Again {
  const [patch, options] = (given.length === 1 ? [undefined, given[0]] : given) as [object | undefined, AgainOptions];
  if (typeof options !== "object" || options === null) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `again(patch, { after }) needs to know how long to wait, such as again({ after: "30s" }). Got ${shown(options)}.`,
    );
  }
  refuseUnknownOptions(options, ["after"], "again(…)");
  return Object.freeze(new Again(patch, milliseconds(options.after, "again(…), after")));
}

/**
 * On the way up: done early. The steps after this one are not needed; the execution succeeds.
 *
 * @example
 * if (stock.isReservedAlready) return complete({ reservationId: stock.id });
 */
export function complete<Patch extends object = object>(patch?: Patch): Complete<Patch> {
  return Object.freeze(new Complete(patch));
}

/**
 * The answer of a probe: it happened.
 *
 * @param result what `run` would have given back: a patch, `pause(…)`, `complete(…)` …; left out where `run` gives nothing
 * @example
 * const transfer = await bank.find({ memo: idempotencyKey });
 * return transfer ? happened({ transferId: transfer.id }) : didNotHappen();
 */
export function happened(): Happened<undefined>;
export function happened<Result>(result: Result): Happened<Result>;
export function happened(result?: unknown): Happened {
  return Object.freeze(new Happened(result));
}

/**
 * The answer of a probe: it did not happen, and it will not happen any more. Where the other system may only be late, answer
 * `again({ after })`.
 */
export function didNotHappen(): DidNotHappen {
  return Object.freeze(new DidNotHappen());
}

/** The answer of a probe: nobody can say. The step's `inDoubt` says what follows. */
export function unknown(): Unknown {
  return Object.freeze(new Unknown());
}

export interface FailOptions<Patch extends object> {
  /** Merged into the state before the execution turns, so that the undo sees it. */
  readonly patch?: Patch;
  /**
   * Kept with the error in the history and the outcome, as JSON of up to 64 KiB. Details that JSON can't
   * give back as they are (a Date, a bigint, a Map, an `undefined` anywhere in them), or that are larger,
   * are replaced by a text that describes them, of up to 1024 characters. Values that a program will read
   * later belong into the patch.
   */
  readonly details?: unknown;
}

/**
 * A business failure, never retried: merge the patch, then turn (on the way up) or park (on the way down).
 *
 * @param reason a short, stable word such as `card-declined`: it becomes the execution's reason
 * @example
 * return fail("card-declined", { details: { code } });
 */
export function fail<Patch extends object = object>(reason: string, options: FailOptions<Patch> = {}): Fail<Patch> {
  refuseUnknownOptions(options, ["patch", "details"], "fail(…)");
  if (typeof reason !== "string" || reason.trim() === "" || meansSuccess(reason)) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `fail(…) needs a reason: a short text such as "card-declined", and neither "normal" nor "ok". Got ${shown(reason)}.`,
    );
  }
  return Object.freeze(new Fail(reason, options.patch, options.details));
}

/** Why a value can't be merged into the state; undefined: it can. */
export function patchProblem(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return `a ${value === null ? "null" : typeof value}`;
  if (Array.isArray(value)) return "an array";
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
  if (!isPlain) return `an instance of ${value.constructor?.name || "a class"}`;
  return Object.hasOwn(value, "__proto__") ? `a patch with the reserved key "__proto__"` : undefined;
}
