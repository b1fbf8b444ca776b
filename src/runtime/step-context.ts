/** What a step function is called with. Built lazily where building costs: most steps use two or three fields. */
import type { StepDefinition } from "../definition/definition.js";
import type { Logger } from "../definition/logger.js";
import type { ExecutionIdentity } from "../definition/observer.js";
import type { Direction, StepFunc } from "../definition/flow.js";
import type { StepClient } from "../definition/asking.js";
import type { SubscribeOptions, UndoRequest } from "../definition/contexts.js";
import { StepwellError, type ErrorCode } from "../errors.js";
import { doubtOf, type Doubt } from "../execution/doubt.js";
import { attemptOf, executionWith, isInDoubt, shownState } from "../execution/execution.js";
import { untilBits, type Until } from "../execution/records.js";
import type { AskingCall } from "../session/host.js";
import { checkTopic } from "../session/reasons.js";
import { Encoded } from "../values/encode.js";
import { merge } from "../values/isolate.js";
import { refuseUnknownOptions, shown } from "../values/options.js";
import { keyNameOf, roundOf, type TurnRequest, type Position } from "../execution/position.js";
import { idempotencyKey, type Cause } from "../ids.js";
import { errorAbout, lostError } from "./reports.js";
import type { Work } from "./work.js";

export interface StepIdentity {
  readonly name: string;
  readonly index: number;
}

export interface DeliveredMessage {
  readonly name: string;
  readonly payload: unknown;
  readonly id: string;
}

export class StepContext {
  readonly state: object;
  readonly attempt: number;
  readonly polls: number;
  /** In which round it is done, or was done what is undone. */
  readonly round: number;
  readonly execution: ExecutionIdentity;
  readonly step: StepIdentity;
  readonly direction: Direction;
  readonly message: DeliveredMessage | undefined;
  /** For a probe. */
  readonly since: Date | undefined;
  readonly given: object | undefined;
  readonly halfDone: boolean | undefined;
  readonly reason: string | undefined;
  readonly logger: Logger;
  readonly #func: StepFunc;
  /** When the wait was to end, where this is `onTimeout`. */
  readonly #timeout: number | null;
  readonly #keys: Position["keys"];
  readonly #work: Work;
  #controller: AbortController | undefined;
  /** Most steps ask for nothing. */
  #asking: Asking | undefined;
  #isOver = false;

  /** @param message what its handler is called with */
  constructor(work: Work, step: StepDefinition, func: StepFunc, message: DeliveredMessage | undefined) {
    const { execution, host } = work;
    const { position } = execution;
    const isDown = position.direction === "down";
    this.state = shownState(execution);
    const doubt = func === "probe" ? doubtOf(execution, step) : undefined;
    this.attempt = doubt === undefined ? attemptOf(execution) : timesAsked(doubt, execution);
    this.polls = (doubt ?? position).polls ?? 0;
    this.since = doubt && new Date(doubt.since);
    this.round = roundOf(position, position.stepIndex);
    this.execution = execution.identity;
    this.step = { name: step.name, index: position.stepIndex };
    this.direction = position.direction;
    this.message = message;
    this.given = isDown ? givenBy(work) : undefined;
    this.halfDone = isDown ? isInDoubt(execution, step) : undefined;
    this.reason = isDown ? position.reason : undefined;
    this.logger = host.logger;
    this.#func = func;
    this.#timeout = message === undefined ? position.waitUntil : null;
    this.#keys = position.keys;
    this.#work = work;
  }

  /** The same for all attempts. In a handler the message is part of it: it may be called for several. */
  get idempotencyKey(): string {
    const func = this.#func === "probe" ? "run" : this.#func;
    return idempotencyKey(this.execution.id, this.keyName, func, this.#cause, this.round);
  }

  get #cause(): Cause | undefined {
    if (this.message !== undefined) return { message: this.message.id };
    return this.#func === "runContinue" && this.#timeout !== null ? { timeout: this.#timeout } : undefined;
  }

  /** On the way down: the key that the step's `run` had. */
  get runKey(): string | undefined {
    return this.direction === "up"
      ? undefined
      : idempotencyKey(this.execution.id, this.keyName, "run", undefined, this.round);
  }

  /** On the way down: who asked for it. Undefined: nobody did. */
  get request(): UndoRequest | undefined {
    const { position } = this.#work.execution;
    return this.direction === "up" ? undefined : requestIn(position.request);
  }

  /** The name under which others know what the step did: it may have another one since a migration. */
  get keyName(): string {
    return keyNameOf(this.step.name, this.#keys);
  }

  /** Bound, so that it can be taken out of the context. */
  get subscribe(): Asking["subscribe"] {
    return (this.#asking ??= new Asking(this.#work, this)).subscribe;
  }

  /** A probe has none: it only asks what was done, under a key that is not its own. */
  get client(): StepClient | undefined {
    if (this.#func === "probe") return undefined;
    return (this.#asking ??= new Asking(this.#work, this)).client;
  }

  /** The function has settled, or is given up. What it has asked for is to be waited for; undefined: nothing. */
  over(): Promise<unknown> | undefined {
    this.#isOver = true;
    return this.#asking?.outstanding;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Aborted when the attempt times out, a rollback is requested, or the launcher stops or loses the execution. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: StepwellError): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  get isAborted(): boolean {
    return this.#controller?.signal.aborted ?? false;
  }

  isAbortedBy(code: ErrorCode): boolean {
    const reason: unknown = this.#controller?.signal.reason;
    return reason instanceof StepwellError && reason.code === code;
  }
}

function requestIn(asked: TurnRequest | undefined): UndoRequest | undefined {
  if (asked === undefined) return undefined;
  const { details, ...request } = asked;
  return details === undefined ? request : { ...request, details: Encoded.ofText(details).value };
}

/** This time included; also those that were lost with their launchers. */
function timesAsked({ asked = 0 }: Doubt, { position, claims }: Work["execution"]): number {
  return asked + (position.stepFunc === "probe" ? Math.max(1, claims) : 1);
}

/** What the step being undone gave on the way up. */
function givenBy({ given: all = [], execution }: Work): object {
  let given: object | undefined;
  for (const { step, patch } of all) {
    if (step !== execution.position.step || patch === null) continue;
    // Most steps give something once.
    const more = patch.value as object;
    given = given === undefined ? more : merge(given, more);
  }
  return given ?? {};
}

/**
 * What a step function asks the store for besides its own transition: subscriptions, and what goes to other executions. For as long as it
 * runs, and as long as its launcher has the execution.
 */
class Asking implements AskingCall {
  readonly #work: Work;
  readonly #call: StepContext;
  readonly #asked = new Set<Promise<unknown>>();
  #client: StepClient | undefined;

  constructor(work: Work, call: StepContext) {
    this.#work = work;
    this.#call = call;
  }

  get client(): StepClient {
    return (this.#client ??= this.#work.host.clientOf(this));
  }

  get idempotencyKey(): string {
    return this.#call.idempotencyKey;
  }

  get isWanted(): boolean {
    return !this.#call.isAborted;
  }

  /** What has been asked for and not answered. Undefined: nothing. */
  get outstanding(): Promise<unknown> | undefined {
    if (this.#asked.size === 0) return undefined;
    const all = Promise.all(this.#asked);
    // Where the function has failed already, nobody waits for it.
    all.catch(() => undefined);
    return all;
  }

  ask<Answer>(what: string, act: () => Promise<Answer>): Promise<Answer> {
    return this.#track(async () => {
      this.#refuseLate("STEPWELL_CLIENT_TOO_LATE", `client.${what} was called`, "nothing was changed");
      return act();
    });
  }

  readonly subscribe = (topic: string, options: SubscribeOptions = {}): Promise<void> =>
    this.#track(() => this.#subscribe(topic, options));

  /** Where the function does not wait for it, the engine does. */
  #track<Answer>(act: () => Promise<Answer>): Promise<Answer> {
    const asking = act();
    this.#asked.add(asking);
    asking.then(
      () => this.#asked.delete(asking),
      () => this.#asked.delete(asking),
    );
    return asking;
  }

  async #subscribe(topic: string, options: SubscribeOptions): Promise<void> {
    const work = this.#work;
    const { identity, owner, revision } = work.execution;
    checkTopic(topic, "subscribe");
    const until = untilOf(options);
    this.#refuseLate("STEPWELL_SUBSCRIBE_TOO_LATE", "subscribe was called", "nothing was subscribed");
    // Asked for, it may be there: from now on each transition sees to its end.
    work.execution = executionWith(work.execution, { subscribed: work.execution.subscribed | untilBits[until] });
    const row = { execution: identity.id, owner, revision, topic, until, step: this.#call.keyName };
    const result = await work.host.committer.subscribe(row);
    if (result === "lost") throw lostError(work.execution);
  }

  #refuseLate(code: ErrorCode, what: string, outcome: string): void {
    const { execution } = this.#work;
    if (this.#call.isAbortedBy("STEPWELL_OWNERSHIP_LOST")) throw lostError(execution);
    if (!this.#call.isOver) return;
    const message =
      `${what} when its step function had settled, or had been given up; ${outcome}. ` +
      "Call it before the function gives back what it gives, also before transaction(…), and await it.";
    throw errorAbout(execution, code, message);
  }
}

function untilOf(options: SubscribeOptions): Until {
  refuseUnknownOptions(options, ["until"], "subscribe");
  const { until = "step" } = options;
  if (until === "step" || until === "end") return until;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `subscribe: until must be "step" or "end", not ${shown(until)}.`,
  );
}
