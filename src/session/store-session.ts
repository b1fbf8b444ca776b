/**
 * The session of a client without a worker. The first call opens the store. A session is registered nowhere and owns no execution, so
 * nothing is told to it: it looks into the store for what launchers have done.
 */
import type { Clock, Timer } from "../clock.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { definitionOf } from "../definition/definition-of.js";
import { StepwellError } from "../errors.js";
import type { MaybePromise, Store } from "../stores/contract.js";
import { ErrorReporter } from "./error-reporter.js";
import { checkCapabilities } from "./capabilities.js";
import { Follows } from "./follows.js";
import type { ClientHost } from "./client-host.js";
import { Committer } from "./group-commit.js";
import { registryOf } from "./registration.js";
import { type Registered, registryKey, definitionsOf } from "./registry.js";
import { StoredStepLists } from "./step-lists.js";
import { OutcomeWaiters, type Waiter } from "./outcome-waiters.js";
import type { ClientSettings } from "./options.js";
import { holdStore } from "./shared-store.js";
import { StoreTimeEstimate } from "./store-time.js";

/** How long between two looks at executions whose outcome a caller waits for, in milliseconds. */
const shortestPause = 20;
const longestPause = 1_000;

/** How long an answer of the store about its time is good, in milliseconds: clocks drift. */
const timeIsGood = 60_000;

/** How long `stop` waits for a store that does not answer, in milliseconds. */
const stopPatience = 5_000;

/** The same as the default of a launcher, in milliseconds. */
const keepPublications = 3 * 24 * 60 * 60 * 1000;

export class StoreSession implements ClientHost {
  readonly clock: Clock;
  readonly store: Store;
  readonly committer: Committer;
  readonly sizeLimit: number;
  readonly keepPublications = keepPublications;
  readonly patience: number;
  readonly places = undefined;
  readonly stepLists: StoredStepLists;
  readonly follows: Follows;
  readonly registry: Map<string, Registered>;
  readonly #workflows: AnyWorkflow[];
  /** Keys of registered workflows whose lists of steps the store has. */
  readonly #defined = new Set<string>();
  readonly #waiters: OutcomeWaiters;
  readonly #errors: ErrorReporter;
  #releaseStore: (() => Promise<void>) | undefined;
  #opening: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  readonly #time: StoreTimeEstimate;
  /** When the store said its time, by the clock's `monotonic`. */
  #timeAt = -Infinity;
  /** Set for the next look for outcomes; undefined: no caller waits, or a look is being made. */
  #nextLook: Timer | undefined;
  #isLooking = false;

  constructor(settings: ClientSettings) {
    this.#workflows = [...settings.workflows];
    this.clock = settings.clock;
    this.store = settings.store;
    this.sizeLimit = settings.sizeLimit;
    this.patience = settings.patience;
    this.registry = this.#workflows.length === 0 ? new Map() : registryOf(this.#workflows, this.clock, "new Client(…)");
    this.committer = new Committer(settings.store, settings.clock);
    this.#waiters = new OutcomeWaiters(settings.clock, longestPause);
    this.stepLists = new StoredStepLists(settings.store);
    this.#time = new StoreTimeEstimate(settings.clock, settings.store.clock === settings.clock);
    this.#errors = new ErrorReporter(settings.onError, this.registry, settings.clock);
    this.follows = new Follows(settings.store, settings.clock, this);
  }

  get isRunning(): boolean {
    return this.#stopped === undefined;
  }

  mustRun(what: string): void {
    if (!this.isRunning) throw stopped(what);
  }

  ready(what: string): MaybePromise<void> {
    this.mustRun(what);
    return this.opened();
  }

  opened(): MaybePromise<void> {
    // A store that `stop` has closed is not opened again.
    this.mustRun("This call");
    const knowsTime = this.store.clock === this.clock || this.clock.monotonic() - this.#timeAt < timeIsGood;
    if (this.store.isOpen && this.#releaseStore !== undefined && knowsTime) return undefined;
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #open(): Promise<void> {
    this.#releaseStore ??= await holdStore(this.store);
    if (this.store.clock === this.clock) return;
    const answered = this.#time.ask();
    // All that is wanted is the time: nothing is taken of no workflow, and nobody has this number.
    const { at } = await this.store.claim({ owner: 0, limit: 0, workflows: [] });
    answered(at);
    this.#timeAt = this.clock.monotonic();
  }

  storeNow(): number {
    return this.#time.atLeast;
  }

  storeNowAtMost(): number {
    return this.#time.atMost;
  }

  /** A workflow that is launched need not be listed. Its list of steps is stored before the first execution has it. */
  registered(workflow: AnyWorkflow): MaybePromise<Registered> {
    const { name, version } = definitionOf(workflow);
    const key = registryKey(name, version);
    if (!this.registry.has(key)) {
      this.#workflows.push(workflow);
      try {
        this.registry.set(key, registryOf(this.#workflows, this.clock, "launch").get(key)!);
      } catch (error) {
        this.#workflows.pop();
        throw error;
      }
    }
    const registered = this.registry.get(key)!;
    if (this.#defined.has(key)) return registered;
    checkCapabilities(registered.definition, this.store);
    const kept = (): Registered => (this.#defined.add(key), registered);
    const keeping = this.store.definitions?.keep(definitionsOf(new Map([[key, registered]])));
    return keeping instanceof Promise ? keeping.then(kept) : kept();
  }

  /** No commit of a session settles an arrival. */
  onSettled(): () => void {
    return () => undefined;
  }

  /** Launchers find the change by polling. */
  scheduled(): void {}

  storeFailed(doing: string, error: unknown): void {
    this.#errors.storeFailed(doing, error);
  }

  report(error: StepwellError): void {
    this.#errors.raise(error);
  }

  whenAtRest(id: string, waiter: Waiter): () => void {
    const forget = this.#waiters.add(id, waiter);
    if (!this.#isLooking && this.#nextLook === undefined) this.#lookIn(shortestPause);
    return () => {
      forget();
      if (this.#waiters.isEmpty) this.#lookNoMore();
    };
  }

  #lookIn(milliseconds: number): void {
    this.#nextLook = this.clock.after(milliseconds, () => {
      this.#nextLook = undefined;
      void this.#look(milliseconds);
    });
  }

  #lookNoMore(): void {
    this.#nextLook?.cancel();
    this.#nextLook = undefined;
  }

  async #look(pause: number): Promise<void> {
    this.#isLooking = true;
    try {
      await this.#waiters.ask(this.store, () => false);
    } catch (error) {
      // An outage delays an answer; a caller that can't wait has given a timeout.
      if (this.isRunning) this.#errors.storeFailed("look for outcomes", error);
    }
    this.#isLooking = false;
    if (this.isRunning && !this.#waiters.isEmpty) this.#lookIn(Math.min(2 * pause, longestPause));
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#lookNoMore();
    this.#waiters.failAll(() => stopped("outcome"));
    this.follows.close(() => stopped("follow"));
    await this.#opening?.catch(() => undefined);
    const patience = this.clock.after(stopPatience, () => this.committer.close());
    await this.committer.drained();
    patience.cancel();
    await this.#releaseStore?.();
  }
}

function stopped(what: string): StepwellError {
  return new StepwellError(
    "STEPWELL_CLIENT_STOPPED",
    `${what} needs a client that has not been stopped. Make a new one.`,
  );
}
