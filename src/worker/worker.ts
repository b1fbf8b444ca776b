/**
 * Keeps the drives of one launcher going: registers it, takes up what is due, beats its heart, frees
 * what dead launchers owned, and drops what this one lost. A parked execution is nothing here: only
 * what is being worked on has a drive.
 */
import type { Clock } from "../clock.js";
import type { Logger } from "../definition/logger.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { definitionOf } from "../definition/workflow.js";
import { StepwellError } from "../errors.js";
import type { Death } from "../stores/records.js";
import type { ExecutionRecord, HistoryRecord } from "../execution/records.js";
import type { ClaimOptions, Hint, MaybePromise, Store, Within } from "../stores/contract.js";
import { ErrorReporter, unlessLogged } from "../session/error-reporter.js";
import { callerTransaction } from "../session/caller-transaction.js";
import type { ClientHost, Places } from "../session/client-host.js";
import { Committer } from "../session/group-commit.js";
import { ExecutionLoop, type LoopOwner } from "../runtime/loop.js";
import type { Host, PendingMail } from "../session/host.js";
import { type Registered, registryKey, definitionsOf } from "../session/registry.js";
import { StoredStepLists } from "../session/step-lists.js";
import { inboxesOf, readInbox } from "../runtime/mailroom.js";
import { migrationPathsOf, type MigrationPath } from "../runtime/upgrade.js";
import { OutcomeWaiters, type Waiter } from "../session/outcome-waiters.js";
import { answered, patiently } from "../session/patience.js";
import { Polling } from "./polling.js";
import { Heartbeat } from "./heartbeat.js";
import { Pruner } from "../session/retention.js";
import { LimitEnforcer } from "./limit-enforcer.js";
import { misfitOf } from "../runtime/definition-check.js";
import { ScheduleLoop } from "./schedule-loop.js";
import { holdStore } from "../session/shared-store.js";
import type { LauncherSettings } from "../session/options.js";
import { isUndecodable, Parking, stateOf, unreadableIn } from "../session/damaged-rows.js";
import { StoreTime } from "../session/store-time.js";
import { FairOrder } from "./fair-order.js";

/** One claim takes up no more than this, so that a claim never holds a store for long. */
const largestClaim = 256;

export class Worker implements Host, ClientHost, Places, LoopOwner {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly committer: Committer;
  readonly grace: number;
  readonly sizeLimit: number;
  /** In milliseconds. */
  readonly keepPublications: number;
  readonly patience: number;
  readonly places = this;
  readonly waiters: OutcomeWaiters;
  readonly #store: Store;
  readonly #settings: LauncherSettings;
  readonly #registry: ReadonlyMap<string, Registered>;
  /** To all that it takes up: what is registered, and older versions that become that. */
  readonly #ways: ReadonlyMap<string, MigrationPath>;
  readonly #drives = new Map<string, ExecutionLoop>();
  readonly #turns: FairOrder;
  readonly #gatekeeper: LimitEnforcer;
  readonly #presence: Heartbeat;
  readonly #housekeeping: Pruner;
  readonly #polling: Polling;
  readonly #alarms: ErrorReporter;
  readonly #scheduler: ScheduleLoop;
  readonly #lists: StoredStepLists;
  readonly #time: StoreTime;
  /** Launches that are being created and have a place already. */
  #reserved = 0;
  #life: "new" | "running" | "stopping" | "stopped" = "new";
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #letGoOfStore: (() => Promise<void>) | undefined;
  /** More is due than there was room for. */
  #backlog = false;
  /** The same of those that wait for a limit. */
  #queued = false;
  /** Who waits for an arrival to be settled. */
  readonly #listening = new Set<{ readonly arrival: string; readonly tell: () => void }>();
  #unwatch: (() => void) | undefined;
  #emptied: (() => void) | undefined;
  /** A new number is being asked for. */
  #rebirth: Promise<void> | undefined;

  constructor(settings: LauncherSettings, registry: ReadonlyMap<string, Registered>) {
    this.#settings = settings;
    this.#registry = registry;
    this.#ways = migrationPathsOf(registry);
    this.#turns = new FairOrder(this.#ways);
    this.#store = settings.store;
    this.#gatekeeper = new LimitEnforcer(settings.store, this.#ways);
    this.clock = settings.clock;
    this.logger = settings.logger;
    this.#lists = new StoredStepLists(settings.store);
    this.#time = new StoreTime(settings.clock, settings.store.clock === settings.clock);
    this.grace = settings.grace;
    this.sizeLimit = settings.sizeLimit;
    this.patience = settings.patience;
    this.keepPublications = settings.keepPublications;
    this.committer = new Committer(settings.store, settings.clock);
    this.waiters = new OutcomeWaiters(settings.clock, settings.pollInterval);
    this.#alarms = new ErrorReporter(
      settings.onErrorIsDefault ? unlessLogged(settings.onError, registry) : settings.onError,
      registry,
      settings.clock,
    );
    this.#scheduler = new ScheduleLoop(settings.store, settings.clock, this, registry, settings.pollInterval);
    this.#polling = new Polling(settings.clock, settings.pollInterval, {
      look: () => this.#takeUp(),
      looked: () => this.#tellEmptied(),
    });
    this.#housekeeping = new Pruner(settings.store, settings.clock, settings.retention, {
      storeFailed: (doing, error) => this.#alarms.storeFailed(doing, error),
    });
    this.#presence = new Heartbeat(settings, this.#ways, {
      report: (error) => this.report(error),
      storeFailed: (doing, error) => this.#alarms.storeFailed(doing, error),
      freed: () => this.#polling.soon(),
      reborn: (dead) => this.#reborn(dead),
      abandoned: () => this.#gatekeeper.abandoned(),
      guardsGates: () => this.#gatekeeper.isNeeded,
      beaten: async () => {
        if (await this.#gatekeeper.lookForForgotten()) this.#polling.soon();
      },
    });
  }

  get isRunning(): boolean {
    return this.#life === "running";
  }

  /** @throws STEPWELL_LAUNCHER_NOT_RUNNING */
  mustRun(what: string): void {
    if (this.#life !== "running") throw this.#notRunning(what);
  }

  ready(what: string): void {
    this.mustRun(what);
  }

  /** It is opened by `start`. */
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
    this.#scheduler.stop();
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #start(): Promise<void> {
    const goesOn = (): boolean => this.#stopped === undefined;
    await patiently(this.clock, this.#settings.startTimeout, goesOn, async () => {
      this.#letGoOfStore ??= await holdStore(this.#store);
      // Before the first execution has one of them.
      await this.#store.define(definitionsOf(this.#registry));
      await this.#presence.register();
    });
    this.#unwatch = this.#store.watch((hint) => this.#hinted(hint));
    this.#life = "running";
    this.#polling.begin();
    await this.#presence.begin();
    this.#housekeeping.begin();
    await this.#polling.look();
    this.#scheduler.lookIn(0);
  }

  /** Drains, then aborts; gives back what it holds; closes the store if it opened it. */
  async #stop(): Promise<void> {
    // A start that fails has told its own caller.
    await this.#started?.catch(() => undefined);
    if (this.#life !== "running") return;
    this.#life = "stopping";
    this.#polling.end();
    this.#housekeeping.end();
    this.#unwatch?.();
    for (const drive of [...this.#drives.values()]) drive.stop();
    if (!(await this.#emptyWithin(this.#settings.drainTimeout))) {
      for (const drive of this.#drives.values()) drive.abort();
      await this.#emptyWithin(this.grace);
    }
    this.#life = "stopped";
    this.#presence.end();
    for (const drive of [...this.#drives.values()]) drive.drop();
    await this.#giveBackAll();
    this.waiters.failAll(() => this.#notRunning("outcome"));
  }

  /** With the store gone, others find out by the heartbeat that this launcher is. */
  async #giveBackAll(): Promise<void> {
    const patience = this.clock.after(this.grace, () => this.committer.close());
    await this.committer.drained();
    patience.cancel();
    try {
      await answered(this.clock, this.#store.bury([this.#presence.owner], "left"), this.grace);
    } catch (error) {
      this.#alarms.storeFailed("give back what this launcher held", error);
    }
    try {
      await this.#closeStore();
    } catch (error) {
      this.#alarms.storeFailed("close", error);
    }
  }

  async #closeStore(): Promise<void> {
    const letGo = this.#letGoOfStore;
    this.#letGoOfStore = undefined;
    await letGo?.();
  }

  #notRunning(what: string): StepwellError {
    return new StepwellError(
      "STEPWELL_LAUNCHER_NOT_RUNNING",
      `${what} needs a launcher that is running. Call start() first; after stop() make a new launcher.`,
    );
  }

  /**
   * The launcher's number if it can take one more execution now; the place is kept until `take` or `giveUp`.
   * Where others are due already, or could be admitted, a new one waits for its turn as they do.
   */
  reserve(): number | null {
    if (!this.isRunning || !this.#time.isKnown || this.#backlog || this.#queued || this.#room <= 0) return null;
    this.#reserved++;
    return this.#presence.owner;
  }

  giveUp(): void {
    this.#reserved--;
    this.#tellEmptied();
  }

  /** Begins to drive an execution that was created in a reserved place. */
  take(record: ExecutionRecord, state: object, registered: Registered): void {
    this.#reserved--;
    this.#begin(new ExecutionLoop(record, state, this.#presence.owner, registered, this, this));
  }

  isDriving(id: string): boolean {
    return this.#drives.has(id);
  }

  left(drive: ExecutionLoop): void {
    if (this.#drives.get(drive.id) === drive) this.#drives.delete(drive.id);
    if (drive.isAtRest) this.waiters.rested(drive.id, drive.course);
    if (this.#backlog || this.#queued) this.#polling.soon();
    this.#tellEmptied();
  }

  storeNow(): number {
    return this.#time.atLeast;
  }

  storeNowAtMost(): number {
    return this.#time.atMost;
  }

  inbox(id: string, names: readonly string[], dead: number): MaybePromise<PendingMail> {
    return readInbox(this.#store, id, names, dead);
  }

  begin(id: string, owner: number): MaybePromise<boolean> {
    return this.#store.begin(id, owner);
  }

  deaths(id: string): MaybePromise<readonly Death[]> {
    return this.#store.deaths(id);
  }

  load(id: string): MaybePromise<ExecutionRecord | undefined> {
    const loaded = this.#store.load([id]);
    return loaded instanceof Promise ? loaded.then(([record]) => record) : loaded[0];
  }

  get storeName(): string {
    return this.#store.name;
  }

  get transact(): Store["transact"] {
    return this.#store.transact?.bind(this.#store);
  }

  within(tx: unknown, where: string): Within {
    return callerTransaction(this.#store, tx, where);
  }

  history(id: string): MaybePromise<readonly HistoryRecord[]> {
    return this.#store.history(id);
  }

  listOf(workflow: string, version: string, fingerprint: string): ReturnType<StoredStepLists["find"]> {
    return this.#lists.find(workflow, version, fingerprint);
  }

  report(error: StepwellError): void {
    this.#alarms.raise(error);
  }

  warn(fields: object, message: string): void {
    try {
      this.#settings.warn(fields, message);
    } catch (cause) {
      this.report(new StepwellError("STEPWELL_OBSERVER_FAILED", "The launcher's logger failed.", { cause }));
    }
  }

  settled(arrivals: readonly string[]): void {
    if (this.#listening.size === 0) return;
    for (const listener of [...this.#listening]) if (arrivals.includes(listener.arrival)) listener.tell();
  }

  whenAtRest(id: string, waiter: Waiter): () => void {
    return this.waiters.add(id, waiter);
  }

  scheduled(inMs: number): void {
    this.#scheduler.lookIn(inMs);
  }

  /** Calls `tell` when one of this launcher's commits settles the arrival, until the returned function is called. */
  onSettled(arrival: string, tell: () => void): () => void {
    const listener = { arrival, tell };
    this.#listening.add(listener);
    return () => void this.#listening.delete(listener);
  }

  get #room(): number {
    return this.#settings.concurrency - this.#drives.size - this.#reserved;
  }

  /** What comes when this launcher is stopping is given back before it has begun. */
  #begin(drive: ExecutionLoop): void {
    this.#drives.set(drive.id, drive);
    if (this.isRunning) drive.go();
    else drive.stop();
  }

  #hinted(hint: Hint): void {
    if (hint.type === "signalled") this.#drives.get(hint.execution)?.notice();
    else if (hint.inMs === 0) this.#polling.soon();
    else this.#polling.within(hint.inMs);
  }

  /** Takes up what is due, as far as there is room, and says when to look again. */
  async #takeUp(): Promise<boolean> {
    try {
      const workflows = this.#turns.order(this.#drives.values());
      const moreIn = this.#gatekeeper.isNeeded ? await this.#admit(workflows) : null;
      const limit = Math.max(0, Math.min(this.#room, largestClaim));
      const { owner } = this.#presence;
      const answered = this.#time.ask();
      const claimed = await this.#store.claim({ owner, limit, workflows });
      answered(claimed.at);
      if (!claimed.alive) {
        await this.#reborn(owner);
        return false;
      }
      const inboxes = await this.#inboxesOf(claimed.records);
      // Buried meanwhile: what was claimed is for others.
      if (this.#presence.owner !== owner) return false;
      for (const [index, record] of claimed.records.entries()) {
        this.#turns.had(record.workflow, record.version);
        const lateMs = Math.max(0, claimed.at - claimed.dueSince[index]!);
        this.#resume(record, owner, lateMs, inboxes.get(record.id));
      }
      for (const id of claimed.signalled) this.#drives.get(id)?.notice();
      this.#backlog = claimed.nextDueInMs === 0;
      this.#queued = moreIn === 0;
      if ((this.#backlog || this.#queued) && this.#room > 0) this.#polling.soon();
      else if (claimed.nextDueInMs !== null && !this.#backlog) this.#polling.within(claimed.nextDueInMs);
      if (moreIn !== null && moreIn > 0) this.#polling.within(moreIn);
      const hasAsked = await this.waiters.ask(this.#store, (id) => this.#drives.has(id));
      const found = claimed.records.length + claimed.signalled.length;
      return found === 0 && hasAsked && !this.#backlog && !this.#queued;
    } catch (error) {
      this.#alarms.storeFailed("take up due executions", error);
      return false;
    }
  }

  /** One read for all. Where it fails, each of them reads its own, and waits for a store that is away. */
  async #inboxesOf(records: readonly ExecutionRecord[]): Promise<ReadonlyMap<string, PendingMail>> {
    try {
      return await inboxesOf(this.#store, records);
    } catch {
      return new Map();
    }
  }

  /** A gate that fails must not hold up what is due. */
  async #admit(workflows: ClaimOptions["workflows"]): Promise<number | null> {
    try {
      return await this.#gatekeeper.admit(this.#room, this.#backlog ? workflows : undefined);
    } catch (error) {
      this.#alarms.storeFailed("let waiting executions begin", error);
      return null;
    }
  }

  #resume(record: ExecutionRecord, owner: number, lateMs: number, inbox: PendingMail | undefined): void {
    const way = this.#ways.get(registryKey(record.workflow, record.version))!;
    const { registered } = way;
    const unreadable = unreadableIn(record);
    if (unreadable !== undefined) {
      const requests = record.signals === 0 ? [] : this.#store.mailbox(record.id, { pending: true, limit: 0 });
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
    const drive = new ExecutionLoop(record, state, owner, registered, this, this, lateMs, misfitOf(record, way), inbox);
    if (problem !== undefined) drive.park(problem, true);
    this.#begin(drive);
  }

  /** Others took this launcher for dead: nothing that it held is its own any more. A claim and a beat may both find out. */
  #reborn(dead: number): Promise<void> {
    if (this.#presence.owner !== dead) return Promise.resolve();
    this.#rebirth ??= this.#register().finally(() => {
      this.#rebirth = undefined;
    });
    return this.#rebirth;
  }

  async #register(): Promise<void> {
    for (const drive of [...this.#drives.values()]) drive.drop();
    await this.#presence.register();
    this.#polling.soon();
  }

  /** Nothing is worked on, or about to be. */
  get #isEmpty(): boolean {
    return this.#drives.size === 0 && this.#reserved === 0 && !this.#polling.isLooking;
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
