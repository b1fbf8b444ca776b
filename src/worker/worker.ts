/**
 * Drives the executions of one launcher, each by a loop of its own: takes up what is due, as far as there is room, and drops what
 * other launchers have taken over. An execution that waits has no loop, so it costs nothing here.
 */
import type { Clock } from "../clock.js";
import type { Logger } from "../definition/logger.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { definitionOf } from "../definition/definition-of.js";
import { StepwellError } from "../errors.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { Hint, Store } from "../stores/contract.js";
import type { ListStore } from "../stores/lists.js";
import { ErrorReporter, unlessLogged } from "../session/error-reporter.js";
import { Follows } from "../session/follows.js";
import type { ClientHost, Places } from "../session/client-host.js";
import { ArrivalListeners } from "../session/arrival-listeners.js";
import { needed } from "../session/capabilities.js";
import { Committer } from "../session/group-commit.js";
import { ExecutionLoop, type LoopOwner } from "../runtime/loop.js";
import type { Host, PendingMail } from "../session/host.js";
import { type Registered, registryKey, definitionsOf } from "../session/registry.js";
import { StoredStepLists } from "../session/step-lists.js";
import { inboxesOf } from "../runtime/mailroom.js";
import { migrationPathsOf, type MigrationPath } from "../runtime/upgrade.js";
import { OutcomeWaiters, type Waiter } from "../session/outcome-waiters.js";
import { answered, patiently } from "../session/patience.js";
import { Polling } from "./polling.js";
import { Heartbeat } from "./heartbeat.js";
import { hasChildren, ListKeeper } from "./list-keeper.js";
import { Loops } from "./loops.js";
import { Pruner } from "../session/retention.js";
import { LimitEnforcer } from "./limits.js";
import { mismatchOf } from "../runtime/definition-check.js";
import { ScheduleLoop } from "./schedule-loop.js";
import { holdStore } from "../session/shared-store.js";
import type { LauncherSettings } from "../session/options.js";
import { isUndecodable, Parking, stateOf, unreadableIn } from "../session/damaged-rows.js";
import { StoreTime } from "../session/store-time.js";
import { FairOrder, type WorkflowTurn } from "./fair-order.js";

/** How many executions one claim takes up, so that a claim never holds a store for long. */
const largestClaim = 256;

export class Worker implements Host, ClientHost, Places, LoopOwner {
  readonly clock: Clock;
  readonly store: Store;
  readonly logger: Logger;
  readonly committer: Committer;
  readonly grace: number;
  readonly sizeLimit: number;
  /** In milliseconds. */
  readonly keepPublications: number;
  readonly patience: number;
  readonly places = this;
  readonly waiters: OutcomeWaiters;
  readonly follows: Follows;
  readonly #settings: LauncherSettings;
  readonly #registry: ReadonlyMap<string, Registered>;
  /** How each execution that this launcher takes up comes to a registered version; most have it already. */
  readonly #paths: ReadonlyMap<string, MigrationPath>;
  readonly #loops = new Loops((loop) => (this.isRunning ? loop.go() : loop.stop()));
  readonly #fairOrder: FairOrder;
  readonly #limits: LimitEnforcer;
  readonly #heartbeat: Heartbeat;
  readonly #pruner: Pruner;
  readonly #polling: Polling;
  readonly #errors: ErrorReporter;
  /** Undefined: the store keeps no schedules. */
  readonly #schedules: ScheduleLoop | undefined;
  /** Undefined: no workflow has children. */
  #listKeeper: ListKeeper | undefined;
  readonly #stepLists: StoredStepLists;
  readonly #time: StoreTime;
  /** Executions that are being created, and for which room is kept. */
  #reserved = 0;
  #phase: "new" | "running" | "stopping" | "stopped" = "new";
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #releaseStore: (() => Promise<void>) | undefined;
  /** More is due than this launcher had room for. */
  #hasBacklog = false;
  /** More executions could be admitted under their limits than this launcher had room for. */
  #hasQueued = false;
  readonly #arrivalListeners = new ArrivalListeners();
  #unwatch: (() => void) | undefined;
  #emptied: (() => void) | undefined;
  /** This launcher is being registered under a new number. */
  #registering: Promise<void> | undefined;

  constructor(settings: LauncherSettings, registry: ReadonlyMap<string, Registered>) {
    this.#settings = settings;
    this.#registry = registry;
    this.#paths = migrationPathsOf(registry);
    this.#fairOrder = new FairOrder(this.#paths);
    this.store = settings.store;
    this.#limits = new LimitEnforcer(settings.store, this.#paths);
    this.clock = settings.clock;
    this.logger = settings.logger;
    this.#stepLists = new StoredStepLists(settings.store);
    this.#time = new StoreTime(settings.clock, settings.store.clock === settings.clock);
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
    if (settings.store.lists !== undefined && hasChildren(registry)) {
      const load: Store["load"] = (ids, only) => this.store.load(ids, only);
      this.#listKeeper = new ListKeeper(this.lists, load, settings.clock, settings.pollInterval, this);
    }
    this.#polling = new Polling(settings.clock, settings.pollInterval, {
      look: () => this.#takeUp(),
      looked: () => this.#tellEmptied(),
    });
    this.#pruner = new Pruner(settings.store, settings.clock, settings.retention, {
      storeFailed: (doing, error) => this.#errors.storeFailed(doing, error),
    });
    this.#heartbeat = new Heartbeat(settings, this.#paths, {
      report: (error) => this.report(error),
      storeFailed: (doing, error) => this.#errors.storeFailed(doing, error),
      freed: () => this.#polling.soon(),
      wasBuried: (owner) => this.#wasBuried(owner),
      unadmitted: () => this.#limits.unadmitted(),
      hasLimits: () => this.#limits.isNeeded,
      waitedAt: (gates) => {
        if (this.#limits.lookForRemovedLimits(gates)) this.#polling.soon();
      },
    });
  }

  get isRunning(): boolean {
    return this.#phase === "running";
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
    this.#unwatch = this.store.watch((hint) => this.#hinted(hint));
    this.#phase = "running";
    this.#polling.begin();
    await this.#heartbeat.begin();
    this.#pruner.begin();
    await this.#polling.look();
    this.#listKeeper?.begin();
    this.#schedules?.lookIn(0);
  }

  /** Drains, then aborts; gives back what this launcher holds; closes the store if it opened the store. */
  async #stop(): Promise<void> {
    // The caller of a start that fails has heard of it.
    await this.#started?.catch(() => undefined);
    if (this.#phase !== "running") return;
    this.#phase = "stopping";
    this.#polling.end();
    const listsLeft = this.#listKeeper?.end();
    this.#pruner.end();
    this.#unwatch?.();
    for (const loop of this.#loops.all()) loop.stop();
    if (!(await this.#emptyWithin(this.#settings.drainTimeout))) {
      for (const loop of this.#loops.all()) loop.abort();
      await this.#emptyWithin(this.grace);
    }
    this.#phase = "stopped";
    this.#heartbeat.end();
    this.#loops.dropAll();
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

  /**
   * The launcher's number if it can drive one more execution now; the room is kept until `take` or `giveUp`. Where other
   * executions are due already, or could be admitted, a new one waits for its turn as they do.
   */
  reserve(): number | null {
    if (!this.isRunning || !this.#time.isKnown || this.#hasBacklog || this.#hasQueued || this.#room <= 0) return null;
    this.#reserved++;
    return this.#heartbeat.owner;
  }

  giveUp(): void {
    this.#reserved--;
    this.#tellEmptied();
  }

  /** Begins to drive an execution for which room was reserved. */
  take(record: ExecutionRecord, state: object, registered: Registered): void {
    this.#reserved--;
    this.#loops.add(new ExecutionLoop(record, state, this.#heartbeat.owner, registered, this, this));
  }

  isDriving(id: string): boolean {
    return this.#loops.has(id);
  }

  left(loop: ExecutionLoop): void {
    if (loop.isAtRest) this.waiters.rested(loop.id, loop.execution);
    this.#loops.remove(loop);
    if (this.#hasBacklog || this.#hasQueued) this.#polling.soon();
    this.#tellEmptied();
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

  listMoved(list: string): void {
    this.#listKeeper?.moved(list);
  }

  listOf(workflow: string, version: string, fingerprint: string): ReturnType<StoredStepLists["find"]> {
    return this.#stepLists.find(workflow, version, fingerprint);
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

  get #room(): number {
    return this.#settings.concurrency - this.#loops.size - this.#reserved;
  }

  #hinted(hint: Hint): void {
    if (hint.type === "signalled") this.#loops.get(hint.execution)?.notice();
    else if (hint.inMs === 0) this.#polling.soon();
    else this.#polling.within(hint.inMs);
  }

  /** Takes up what is due, as far as there is room. True: nothing was to be done. */
  async #takeUp(): Promise<boolean> {
    try {
      const workflows = this.#fairOrder.order(this.#loops.all());
      const moreIn = this.#limits.isNeeded ? await this.#admit(workflows) : null;
      const limit = Math.max(0, Math.min(this.#room, largestClaim));
      const { owner } = this.#heartbeat;
      const answered = this.#time.ask();
      const claimed = await this.store.claim({ owner, limit, workflows });
      answered(claimed.at);
      if (!claimed.alive) {
        await this.#wasBuried(owner);
        return false;
      }
      const inboxes = await this.#inboxesOf(claimed.records);
      // This launcher was buried meanwhile: what it claimed is due for others.
      if (this.#heartbeat.owner !== owner) return false;
      this.#fairOrder.tookUp(workflows, claimed.records);
      for (const [index, record] of claimed.records.entries()) {
        const lateMs = Math.max(0, claimed.at - claimed.dueSince[index]!);
        this.#resume(record, owner, lateMs, inboxes.get(record.id));
      }
      for (const id of claimed.signalled) this.#loops.get(id)?.notice();
      this.#hasBacklog = claimed.nextDueInMs === 0;
      this.#hasQueued = moreIn === 0;
      if ((this.#hasBacklog || this.#hasQueued) && this.#room > 0) this.#polling.soon();
      else if (claimed.nextDueInMs !== null && !this.#hasBacklog) this.#polling.within(claimed.nextDueInMs);
      if (moreIn !== null && moreIn > 0) this.#polling.within(moreIn);
      const hasAsked = await this.waiters.ask(this.store, (id) => this.#loops.has(id));
      const found = claimed.records.length + claimed.signalled.length;
      return found === 0 && hasAsked && !this.#hasBacklog && !this.#hasQueued;
    } catch (error) {
      this.#errors.storeFailed("take up due executions", error);
      return false;
    }
  }

  /** The mailboxes of all claimed executions, by one read. Where that fails, each loop reads the mailbox of its execution, and waits for a store that is away. */
  async #inboxesOf(records: readonly ExecutionRecord[]): Promise<ReadonlyMap<string, PendingMail>> {
    try {
      return await inboxesOf(this.store, records);
    } catch {
      return new Map();
    }
  }

  /** Admissions that fail must not hold up what is due. */
  async #admit(workflows: readonly WorkflowTurn[]): Promise<number | null> {
    try {
      return await this.#limits.admit(this.#room, this.#hasBacklog ? workflows : undefined);
    } catch (error) {
      this.#errors.storeFailed("let waiting executions begin", error);
      return null;
    }
  }

  #resume(record: ExecutionRecord, owner: number, lateMs: number, inbox: PendingMail | undefined): void {
    const path = this.#paths.get(registryKey(record.workflow, record.version))!;
    const { registered } = path;
    const unreadable = unreadableIn(record);
    if (unreadable !== undefined) {
      const requests =
        record.signals === 0 ? [] : this.store.mail({ executions: [record.id], status: "pending", limit: 0 });
      return new Parking(record, owner, this, unreadable).begin(requests);
    }
    let state: object = {};
    let problem: StepwellError | undefined;
    try {
      state = stateOf(record);
    } catch (error) {
      if (!isUndecodable(error)) throw error;
      problem = error;
    }
    const loop = new ExecutionLoop(record, state, owner, registered, this, this, {
      lateMs,
      mismatch: mismatchOf(record, path),
      mail: inbox,
    });
    if (problem !== undefined) loop.park(problem, true);
    this.#loops.add(loop);
  }

  /** Another launcher took this one for dead: it owns none of its executions any more. A claim and a beat may both find out. */
  #wasBuried(owner: number): Promise<void> {
    if (this.#heartbeat.owner !== owner) return Promise.resolve();
    this.#registering ??= this.#register().finally(() => {
      this.#registering = undefined;
    });
    return this.#registering;
  }

  async #register(): Promise<void> {
    this.#loops.dropAll();
    await this.#heartbeat.register();
    this.#polling.soon();
  }

  /** No execution is worked on, or about to be. */
  get #isEmpty(): boolean {
    return this.#loops.size === 0 && this.#reserved === 0 && !this.#polling.isLooking;
  }

  #tellEmptied(): void {
    if (this.#emptied !== undefined && this.#isEmpty) this.#emptied();
  }

  /** False: the time was over first. */
  #emptyWithin(milliseconds: number): Promise<boolean> {
    if (this.#isEmpty) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = this.clock.after(milliseconds, () => {
        this.#emptied = undefined;
        resolve(false);
      });
      this.#emptied = () => {
        timer.cancel();
        resolve(true);
      };
    });
  }
}
