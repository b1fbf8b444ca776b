/**
 * A launcher at work: how it starts and stops, and what its parts need of each other in between. To the loops of its executions and to
 * the parts of its client it is their host.
 */
import type { Clock } from "../clock.js";
import type { Logger } from "../definition/logger.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { definitionOf } from "../definition/definition-of.js";
import { StepwellError } from "../errors.js";
import type { Store } from "../stores/contract.js";
import type { ListStore } from "../stores/lists.js";
import type { StepClient } from "../definition/asking.js";
import { ErrorReporter, unlessLogged } from "../session/error-reporter.js";
import { Follows } from "../session/follows.js";
import type { ClientHost, Places } from "../session/client-host.js";
import { ArrivalListeners } from "../session/arrival-listeners.js";
import { needed } from "../session/capabilities.js";
import { Committer } from "../session/group-commit.js";
import type { AskingCall, Host, OpenedList } from "../session/host.js";
import { type Registered, registryKey, definitionsOf } from "../session/registry.js";
import { StoredStepLists } from "../session/step-lists.js";
import { specimens } from "../runtime/specimens.js";
import { migrationPathsOf } from "../runtime/upgrade.js";
import { OutcomeWaiters, type Waiter } from "../session/outcome-waiters.js";
import { answered, patiently } from "../session/patience.js";
import { Heartbeat } from "./heartbeat.js";
import { hasChildren, ListKeeper } from "./list-keeper.js";
import { Intake } from "./intake.js";
import { Pruner } from "../session/retention.js";
import { LimitEnforcer } from "./limits.js";
import { ScheduleLoop } from "./schedule-loop.js";
import { holdStore } from "../session/shared-store.js";
import type { LauncherSettings } from "../session/options.js";
import { StoreTimeEstimate } from "../session/store-time.js";

export class Worker implements Host, ClientHost {
  /** For as long as the process lives. */
  static readonly specimens = specimens;

  readonly clock: Clock;
  readonly store: Store;
  readonly logger: Logger;
  readonly committer: Committer;
  readonly grace: number;
  readonly sizeLimit: number;
  /** In milliseconds. */
  readonly keepPublications: number;
  readonly patience: number;
  readonly stepLists: StoredStepLists;
  readonly clientOf: (call: AskingCall) => StepClient;
  readonly waiters: OutcomeWaiters;
  readonly follows: Follows;
  readonly #settings: LauncherSettings;
  readonly #registry: ReadonlyMap<string, Registered>;
  readonly #heartbeat: Heartbeat;
  readonly #intake: Intake;
  readonly #pruner: Pruner;
  readonly #errors: ErrorReporter;
  /** Undefined: the store keeps no schedules. */
  readonly #schedules: ScheduleLoop | undefined;
  /** Undefined: no workflow has children. */
  #listKeeper: ListKeeper | undefined;
  readonly #time: StoreTimeEstimate;
  #phase: "new" | "running" | "stopping" | "stopped" = "new";
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #releaseStore: (() => Promise<void>) | undefined;
  readonly #arrivalListeners = new ArrivalListeners();
  #unwatch: (() => void) | undefined;

  /** @param clientOf makes the `client` of a step function */
  constructor(
    settings: LauncherSettings,
    registry: ReadonlyMap<string, Registered>,
    clientOf: (worker: Worker) => (call: AskingCall) => StepClient,
  ) {
    this.#settings = settings;
    this.#registry = registry;
    this.store = settings.store;
    this.clock = settings.clock;
    this.logger = settings.logger;
    this.stepLists = new StoredStepLists(settings.store);
    this.#time = new StoreTimeEstimate(settings.clock, settings.store.clock === settings.clock);
    this.grace = settings.grace;
    this.sizeLimit = settings.sizeLimit;
    this.patience = settings.patience;
    this.keepPublications = settings.keepPublications;
    this.committer = new Committer(settings.store, settings.clock);
    this.waiters = new OutcomeWaiters(settings.clock, settings.pollInterval);
    this.#errors = new ErrorReporter(
      settings.onErrorIsDefault ? unlessLogged(settings.onError, registry) : settings.onError,
      registry,
      settings.clock,
    );
    this.follows = new Follows(settings.store, settings.clock, this);
    const { schedules } = settings.store;
    this.#schedules = schedules && new ScheduleLoop(schedules, settings.clock, this, registry, settings.pollInterval);
    if (settings.store.lists !== undefined && hasChildren(registry))
      this.#listKeeper = new ListKeeper(this.lists, settings.clock, settings.pollInterval, this);
    this.#pruner = new Pruner(settings.store, settings.clock, settings.retention, this);
    const paths = migrationPathsOf(registry);
    const limits = new LimitEnforcer(settings.store, paths);
    this.#heartbeat = new Heartbeat(settings, paths, limits, {
      report: (error) => this.report(error),
      storeFailed: (doing, error) => this.#errors.storeFailed(doing, error),
      freed: () => this.#intake.polling.soon(),
      buried: () => this.#intake.dropAll(),
    });
    this.#intake = new Intake(settings, paths, limits, this.#time, this.#heartbeat, this);
    this.clientOf = clientOf(this);
  }

  get places(): Places {
    return this.#intake;
  }

  get isRunning(): boolean {
    return this.#phase === "running";
  }

  /** Nothing is driven here any more. While it drains it is not yet. */
  get isStopped(): boolean {
    return this.#phase === "stopped";
  }

  /** @throws STEPWELL_LAUNCHER_NOT_RUNNING */
  mustRun(what: string): void {
    if (this.#phase !== "running") throw this.#notRunning(what);
  }

  ready(what: string): void {
    this.mustRun(what);
  }

  /** Nothing to do: `start` opens the store. */
  opened(): void {}

  registered(workflow: AnyWorkflow): Registered {
    const { name, version } = definitionOf(workflow);
    const registered = this.#registry.get(registryKey(name, version));
    if (registered !== undefined) return registered;
    throw new StepwellError(
      "STEPWELL_UNKNOWN_WORKFLOW",
      `Workflow "${name}" version "${version}" is not registered with this launcher. List it in "workflows".`,
      { workflow: name },
    );
  }

  start(): Promise<void> {
    if (this.#stopped !== undefined) return Promise.reject(this.#notRunning("start"));
    this.#started ??= this.#start().catch(async (error: unknown) => {
      this.#started = undefined;
      await this.#closeStore();
      throw error;
    });
    return this.#started;
  }

  stop(): Promise<void> {
    this.#schedules?.stop();
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #start(): Promise<void> {
    const goesOn = (): boolean => this.#stopped === undefined;
    await patiently(this.clock, this.#settings.startTimeout, goesOn, async () => {
      this.#releaseStore ??= await holdStore(this.store);
      // Kept before the first execution has one of these lists of steps.
      await this.store.definitions?.keep(definitionsOf(this.#registry));
      await this.#heartbeat.register();
    });
    this.#unwatch = this.store.watch((hint) => this.#intake.hinted(hint));
    this.#phase = "running";
    this.#intake.polling.begin();
    await this.#heartbeat.begin();
    this.#pruner.begin();
    await this.#intake.polling.look();
    this.#listKeeper?.begin();
    this.#schedules?.lookIn(0);
  }

  /** Drains, then aborts; gives back what this launcher holds; closes the store if it opened the store. */
  async #stop(): Promise<void> {
    // The caller of a start that fails has heard of it.
    await this.#started?.catch(() => undefined);
    if (this.#phase !== "running") return;
    this.#phase = "stopping";
    const listsLeft = this.#listKeeper?.end();
    this.#pruner.end();
    this.#unwatch?.();
    await this.#intake.drain();
    this.#phase = "stopped";
    this.#heartbeat.end();
    this.#intake.dropAll();
    await this.#giveBackAll(listsLeft);
    this.waiters.failAll(() => this.#notRunning("outcome"));
    this.follows.close(() => this.#notRunning("follow"));
  }

  /** Where the store is away, other launchers find out by the heartbeat that this one is gone. */
  async #giveBackAll(listsLeft: Promise<void> | undefined): Promise<void> {
    const patience = this.clock.after(this.grace, () => this.committer.close());
    await this.committer.drained();
    patience.cancel();
    await answered(this.clock, listsLeft, this.grace).catch(() => undefined);
    try {
      await answered(this.clock, this.store.removeLaunchers([this.#heartbeat.owner], "left"), this.grace);
    } catch (error) {
      this.#errors.storeFailed("give back what this launcher held", error);
    }
    try {
      await this.#closeStore();
    } catch (error) {
      this.#errors.storeFailed("close", error);
    }
  }

  async #closeStore(): Promise<void> {
    const letGo = this.#releaseStore;
    this.#releaseStore = undefined;
    await letGo?.();
  }

  #notRunning(what: string): StepwellError {
    return new StepwellError(
      "STEPWELL_LAUNCHER_NOT_RUNNING",
      `${what} needs a launcher that is running. Call start() first; after stop() make a new launcher.`,
    );
  }

  storeNow(): number {
    return this.#time.atLeast;
  }

  storeNowAtMost(): number {
    return this.#time.atMost;
  }

  get lists(): ListStore {
    return needed(this.store, "lists", "A step of children");
  }

  registeredAs(name: string, version: string): Registered | undefined {
    return this.#registry.get(registryKey(name, version));
  }

  listMoved(list: string, opened?: OpenedList): void {
    this.#listKeeper?.moved(list, opened);
  }

  storeFailed(doing: string, error: unknown): void {
    this.#errors.storeFailed(doing, error);
  }

  report(error: StepwellError): void {
    this.#errors.raise(error);
  }

  warn(fields: object, message: string): void {
    try {
      this.#settings.warn(fields, message);
    } catch (cause) {
      this.report(new StepwellError("STEPWELL_OBSERVER_FAILED", "The launcher's logger failed.", { cause }));
    }
  }

  settled(arrivals: readonly string[]): void {
    this.#arrivalListeners.settled(arrivals);
  }

  whenAtRest(id: string, waiter: Waiter): () => void {
    return this.waiters.add(id, waiter);
  }

  scheduled(inMs: number): void {
    this.#schedules?.lookIn(inMs);
  }

  onSettled(arrival: string, tell: () => void): () => void {
    return this.#arrivalListeners.add(arrival, tell);
  }
}
