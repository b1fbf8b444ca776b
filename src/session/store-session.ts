/**
 * What a client alone asks a store with. It opens the store when it is first asked, and looks there for what launchers have
 * done: nothing comes to it by itself, for it is registered nowhere and owns nothing.
 */
import type { Clock, Timer } from "../clock.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { definitionOf } from "../definition/workflow.js";
import { StepwellError } from "../errors.js";
import type { HistoryRecord } from "../execution/records.js";
import type { MaybePromise, Within } from "../stores/contract.js";
import { ErrorReporter } from "./error-reporter.js";
import { callerTransaction } from "./caller-transaction.js";
import type { ClientHost } from "./client-host.js";
import { Committer } from "./group-commit.js";
import { type Registered, registryKey, registryOf, definitionsOf } from "./registry.js";
import { StoredStepLists } from "./step-lists.js";
import { OutcomeWaiters, type Waiter } from "./outcome-waiters.js";
import type { ClientSettings } from "./options.js";
import { holdStore } from "./shared-store.js";
import { StoreTime } from "./store-time.js";

/** How long between two looks at executions whose outcome somebody waits for, in milliseconds. */
const shortestPause = 20;
const longestPause = 1_000;

/** For how long what the store said of its time is good: clocks differ, and drift. In milliseconds. */
const timeIsGood = 60_000;

/** How long `stop` waits for a store that does not answer, in milliseconds. */
const stopPatience = 5_000;

/** As the default of a launcher, in milliseconds. */
const keepPublications = 3 * 24 * 60 * 60 * 1000;

export class StoreSession implements ClientHost {
  readonly clock: Clock;
  readonly committer: Committer;
  readonly sizeLimit: number;
  readonly keepPublications = keepPublications;
  readonly patience: number;
  readonly places = undefined;
  readonly registry: Map<string, Registered>;
  readonly #settings: ClientSettings;
  readonly #workflows: AnyWorkflow[];
  /** The keys of those whose lists of steps the store has. */
  readonly #defined = new Set<string>();
  readonly #waiters: OutcomeWaiters;
  readonly #lists: StoredStepLists;
  readonly #alarms: ErrorReporter;
  #letGo: (() => Promise<void>) | undefined;
  #opening: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  readonly #time: StoreTime;
  /** When the store said its time. */
  #timeAt = -Infinity;
  /** Until the next look for outcomes; undefined: nobody waits, or it looks now. */
  #nextLook: Timer | undefined;
  #isLooking = false;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.#workflows = [...settings.workflows];
    this.clock = settings.clock;
    this.sizeLimit = settings.sizeLimit;
    this.patience = settings.patience;
    this.registry = this.#workflows.length === 0 ? new Map() : registryOf(this.#workflows, this.clock, "new Client(…)");
    this.committer = new Committer(settings.store, settings.clock);
    this.#waiters = new OutcomeWaiters(settings.clock, longestPause);
    this.#lists = new StoredStepLists(settings.store);
    this.#time = new StoreTime(settings.clock, settings.store.clock === settings.clock);
    this.#alarms = new ErrorReporter(settings.onError, this.registry, settings.clock);
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
    const { store } = this.#settings;
    // What was closed by `stop` is not opened again.
    this.mustRun("This call");
    const knowsTime = store.clock === this.clock || this.clock.monotonic() - this.#timeAt < timeIsGood;
    if (store.isOpen && this.#letGo !== undefined && knowsTime) return undefined;
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #open(): Promise<void> {
    const { store } = this.#settings;
    this.#letGo ??= await holdStore(store);
    if (store.clock === this.clock) return;
    const answered = this.#time.ask();
    // All that is wanted is the time: there is nothing to be due of no workflow.
    const { at } = await store.dueSchedules({ workflows: [], limit: 1 });
    answered(at);
    this.#timeAt = this.clock.monotonic();
  }

  storeNow(): number {
    return this.#time.atLeast;
  }

  storeNowAtMost(): number {
    return this.#time.atMost;
  }

  /** What is launched here need not have been listed, and its list of steps is kept before the first execution has it. */
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
    const kept = (): Registered => (this.#defined.add(key), registered);
    const keeping = this.#settings.store.define(definitionsOf(new Map([[key, registered]])));
    return keeping instanceof Promise ? keeping.then(kept) : kept();
  }

  history(id: string): MaybePromise<readonly HistoryRecord[]> {
    return this.#settings.store.history(id);
  }

  listOf(workflow: string, version: string, fingerprint: string): ReturnType<StoredStepLists["find"]> {
    return this.#lists.find(workflow, version, fingerprint);
  }

  within(tx: unknown, where: string): Within {
    return callerTransaction(this.#settings.store, tx, where);
  }

  isDriving(): boolean {
    return false;
  }

  /** Nothing is committed here that settles one. */
  onSettled(): () => void {
    return () => undefined;
  }

  /** The launchers find out by themselves. */
  scheduled(): void {}

  report(error: StepwellError): void {
    this.#alarms.raise(error);
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
      await this.#waiters.ask(this.#settings.store, () => false);
    } catch (error) {
      // An outage delays an answer; a caller who can't wait has given a timeout.
      if (this.isRunning) this.#alarms.storeFailed("look for outcomes", error);
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
    await this.#opening?.catch(() => undefined);
    const patience = this.clock.after(stopPatience, () => this.committer.close());
    await this.committer.drained();
    patience.cancel();
    await this.#letGo?.();
  }
}

function stopped(what: string): StepwellError {
  return new StepwellError(
    "STEPWELL_CLIENT_STOPPED",
    `${what} needs a client that has not been stopped. Make a new one.`,
  );
}
