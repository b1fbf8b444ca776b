/**
 * Keeps the drives of one launcher going: registers it, takes up what is due, beats its heart, frees
 * what dead launchers owned, and drops what this one lost. A parked execution is nothing here: only
 * what is being worked on has a drive.
 */
import type { Clock, Timer } from "../clock.js";
import type { ErrorEvent } from "../definition/observer.js";
import type { Logger } from "../definition/logger.js";
import { isRetryable, StepwellError } from "../errors.js";
import type { ExecutionRecord, HistoryRecord } from "../stores/records.js";
import type { ClaimOptions, Hint, MaybePromise, Store, Within } from "../stores/store.js";
import { Committer } from "./committer.js";
import { Drive, type DriveOwner } from "./drive.js";
import type { Host, Inbox, Registered } from "./host.js";
import { waysOf, type Way } from "./migrating.js";
import { notFound } from "./not-found.js";
import { forgotten, isPromise } from "./observing.js";
import { OutcomeWaiters, outcomeOf, outcomeOfRecord } from "./outcome.js";
import { Presence } from "./presence.js";
import { Housekeeping } from "./retention.js";
import { Gatekeeper } from "./gatekeeper.js";
import { Throttle } from "./throttle.js";
import { misfitOf } from "./fitting.js";
import { registryKey, type LauncherSettings } from "./settings.js";
import { definitionsOf, KnownLists } from "./versions.js";
import { Turns } from "./turns.js";

/** One claim takes up no more than this, so that a claim never holds a store for long. */
const largestClaim = 256;

export class Supervisor implements Host, DriveOwner {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly committer: Committer;
  readonly grace: number;
  readonly sizeLimit: number;
  /** In milliseconds. */
  readonly keepPublications: number;
  readonly waiters = new OutcomeWaiters();
  readonly #store: Store;
  readonly #settings: LauncherSettings;
  readonly #registry: ReadonlyMap<string, Registered>;
  /** To all that it takes up: what is registered, and older versions that become that. */
  readonly #ways: ReadonlyMap<string, Way>;
  readonly #drives = new Map<string, Drive>();
  readonly #turns: Turns;
  readonly #gatekeeper: Gatekeeper;
  readonly #presence: Presence;
  readonly #housekeeping: Housekeeping;
  readonly #outages: Throttle;
  readonly #lists: KnownLists;
  /** Launches that are being created and have a place already. */
  #reserved = 0;
  #life: "new" | "running" | "stopping" | "stopped" = "new";
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #openedStore = false;
  /** The store's time minus this clock's. */
  #offset = 0;
  /** More is due than there was room for. */
  #backlog = false;
  /** The same of those that wait for a limit. */
  #queued = false;
  /** Who waits for an arrival to be settled. */
  readonly #listening = new Set<{ readonly arrival: string; readonly tell: () => void }>();
  #tellingWatchers = false;
  #pulling = false;
  #pullSoon = false;
  #pullAgain = false;
  #pollTimer: Timer | undefined;
  /** When the poll timer fires. */
  #nextPoll = Infinity;
  #unwatch: (() => void) | undefined;
  #emptied: (() => void) | undefined;
  /** A new number is being asked for. */
  #rebirth: Promise<void> | undefined;

  constructor(settings: LauncherSettings, registry: ReadonlyMap<string, Registered>) {
    this.#settings = settings;
    this.#registry = registry;
    this.#ways = waysOf(registry);
    this.#turns = new Turns(this.#ways);
    this.#store = settings.store;
    this.#gatekeeper = new Gatekeeper(settings.store, this.#ways);
    this.clock = settings.clock;
    this.logger = settings.logger;
    this.#lists = new KnownLists(settings.store);
    this.grace = settings.grace;
    this.sizeLimit = settings.sizeLimit;
    this.keepPublications = settings.keepPublications;
    this.committer = new Committer(settings.store, settings.clock);
    this.#outages = new Throttle(settings.clock);
    this.#housekeeping = new Housekeeping(settings.store, settings.clock, settings.retention, {
      storeFailed: (doing, error) => this.#reportStore(doing, error),
    });
    this.#presence = new Presence(settings, this.#ways, {
      report: (error) => this.report(error),
      storeFailed: (doing, error) => this.#reportStore(doing, error),
      freed: () => this.#pullLater(),
      reborn: (dead) => this.#reborn(dead),
      abandoned: () => this.#gatekeeper.abandoned(),
      beaten: async () => {
        if (await this.#gatekeeper.lookForForgotten()) this.#pullLater();
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
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #start(): Promise<void> {
    if (!this.#store.isOpen) {
      await this.#store.open();
      this.#openedStore = true;
    }
    // Before the first execution has one of them.
    await this.#store.define(definitionsOf(this.#registry));
    await this.#presence.register();
    this.#unwatch = this.#store.watch((hint) => this.#hinted(hint));
    this.#life = "running";
    await this.#presence.begin();
    this.#housekeeping.begin();
    await this.#pull();
  }

  /** Drains, then aborts; gives back what it holds; closes the store if it opened it. */
  async #stop(): Promise<void> {
    // A start that fails has told its own caller.
    await this.#started?.catch(() => undefined);
    if (this.#life !== "running") return;
    this.#life = "stopping";
    this.#pollTimer?.cancel();
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
    await this.#letGoOfStore();
    for (const id of this.waiters.ids) this.waiters.fail(id, this.#notRunning("outcome"));
  }

  /** With the store gone, others find out by the heartbeat that this launcher is. */
  async #letGoOfStore(): Promise<void> {
    const patience = this.clock.after(this.grace, () => this.committer.close());
    await this.committer.drained();
    patience.cancel();
    try {
      await this.#store.bury([this.#presence.owner]);
      await this.#closeStore();
    } catch (error) {
      this.#reportStore("give back what this launcher held", error);
    }
  }

  async #closeStore(): Promise<void> {
    if (this.#openedStore) await this.#store.close();
    this.#openedStore = false;
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
    if (!this.isRunning || this.#backlog || this.#queued || this.#room <= 0) return null;
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
    this.#begin(new Drive(record, state, this.#presence.owner, registered, this, this));
  }

  isDriving(id: string): boolean {
    return this.#drives.has(id);
  }

  left(drive: Drive): void {
    if (this.#drives.get(drive.id) === drive) this.#drives.delete(drive.id);
    if (this.waiters.has(drive.id)) this.#tellWaiters(drive);
    if (this.#backlog || this.#queued) this.#pullLater();
    this.#tellEmptied();
  }

  storeNow(): number {
    return this.clock.now() + this.#offset;
  }

  inbox(id: string): MaybePromise<Inbox> {
    // The number first: what arrives in between is then seen as unseen, not the other way round.
    const loaded = this.#store.load([id]);
    const rest = (signals: number): MaybePromise<Inbox> => {
      const pending = this.#store.mailbox(id, "pending");
      return pending instanceof Promise ? pending.then((it) => ({ signals, pending: it })) : { signals, pending };
    };
    return loaded instanceof Promise
      ? loaded.then(([record]) => rest(record?.signals ?? 0))
      : rest(loaded[0]?.signals ?? 0);
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

  /** @throws STEPWELL_INVALID_ARGUMENT where the store has no transactions that a caller could have */
  within(tx: unknown, where: string): Within {
    if (typeof tx === "object" && tx !== null && this.#store.within !== undefined) return this.#store.within(tx);
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `${where}: "tx" must be a connection of the store's database that is in a transaction; the ${this.#store.name} store ` +
        `${this.#store.within === undefined ? "has none" : "can't use what was given"}.`,
    );
  }

  history(id: string): MaybePromise<readonly HistoryRecord[]> {
    return this.#store.history(id);
  }

  listOf(workflow: string, version: string, fingerprint: string): ReturnType<KnownLists["find"]> {
    return this.#lists.find(workflow, version, fingerprint);
  }

  report(error: StepwellError): void {
    this.#tellWatchers(error);
    try {
      const heard: unknown = this.#settings.onError(error);
      if (isPromise(heard)) forgotten(heard);
    } catch {
      // Who listens for errors has one of their own; there is nobody left to tell.
    }
  }

  settled(arrivals: readonly string[]): void {
    if (this.#listening.size === 0) return;
    for (const listener of [...this.#listening]) if (arrivals.includes(listener.arrival)) listener.tell();
  }

  /** Calls `tell` when one of this launcher's commits settles the arrival, until the returned function is called. */
  onSettled(arrival: string, tell: () => void): () => void {
    const listener = { arrival, tell };
    this.#listening.add(listener);
    return () => void this.#listening.delete(listener);
  }

  /** What a watcher fails with when it is told of an error is told to no watcher. */
  #tellWatchers(error: StepwellError): void {
    const { workflow, execution } = error;
    if (workflow === undefined || this.#tellingWatchers) return;
    this.#tellingWatchers = true;
    for (const { definition, observing } of this.#registry.values()) {
      if (definition.name !== workflow || !observing.hears("error")) continue;
      const make = (): ErrorEvent => ({ error, workflow, ...(execution !== undefined && { execution }) });
      observing.tellWatchers("error", make, (failure) => this.report(failure));
      // One version's observers are enough: they are mostly the same.
      break;
    }
    this.#tellingWatchers = false;
  }

  get #room(): number {
    return this.#settings.concurrency - this.#drives.size - this.#reserved;
  }

  /** What comes when this launcher is stopping is given back before it has begun. */
  #begin(drive: Drive): void {
    this.#drives.set(drive.id, drive);
    if (this.isRunning) drive.go();
    else drive.stop();
  }

  #tellWaiters(drive: Drive): void {
    const { status, position, state } = drive.course;
    const outcome = drive.isAtRest ? outcomeOf(status, position, state) : undefined;
    if (outcome !== undefined) this.waiters.settle(drive.id, outcome);
  }

  #hinted(hint: Hint): void {
    if (hint.type === "signalled") this.#drives.get(hint.execution)?.notice();
    else if (hint.inMs === 0) this.#pullLater();
    else this.#pullIn(hint.inMs);
  }

  /** Looks again after that time, if not sooner. */
  #pullIn(milliseconds: number): void {
    const at = this.clock.now() + milliseconds;
    if (!this.isRunning || at >= this.#nextPoll) return;
    this.#pollTimer?.cancel();
    this.#nextPoll = at;
    this.#pollTimer = this.clock.after(milliseconds, () => void this.#pull());
  }

  #pullLater(): void {
    if (this.#pullSoon || !this.isRunning) return;
    this.#pullSoon = true;
    this.clock.soon(() => {
      this.#pullSoon = false;
      void this.#pull();
    });
  }

  /** Takes up what is due, as far as there is room, and says when to look again. */
  async #pull(): Promise<void> {
    if (!this.isRunning) return;
    // A hint that comes while the store is being asked may be about something that it did not see.
    if (this.#pulling) {
      this.#pullAgain = true;
      return;
    }
    this.#pulling = true;
    this.#pullAgain = false;
    this.#nextPoll = Infinity;
    this.#pullIn(this.#settings.pollInterval);
    try {
      const workflows = this.#turns.order(this.#drives.values());
      const moreIn = this.#gatekeeper.isNeeded ? await this.#admit(workflows) : null;
      const limit = Math.max(0, Math.min(this.#room, largestClaim));
      const { owner } = this.#presence;
      const claimed = await this.#store.claim({ owner, limit, workflows });
      if (!claimed.alive) return await this.#reborn(owner);
      if (this.#store.clock !== this.clock) this.#offset = claimed.at - this.clock.now();
      for (const [index, record] of claimed.records.entries()) {
        this.#turns.had(record.workflow, record.version);
        this.#resume(record, owner, Math.max(0, claimed.at - claimed.dueSince[index]!));
      }
      for (const id of claimed.signalled) this.#drives.get(id)?.notice();
      this.#backlog = claimed.nextDueInMs === 0;
      this.#queued = moreIn === 0;
      if ((this.#backlog || this.#queued) && this.#room > 0) this.#pullLater();
      else if (claimed.nextDueInMs !== null && !this.#backlog) this.#pullIn(claimed.nextDueInMs);
      if (moreIn !== null && moreIn > 0) this.#pullIn(moreIn);
      await this.#askForWaiters();
    } catch (error) {
      this.#reportStore("take up due executions", error);
    } finally {
      this.#pulling = false;
      if (this.#pullAgain) this.#pullLater();
      this.#tellEmptied();
    }
  }

  /** A gate that fails must not hold up what is due. */
  async #admit(workflows: ClaimOptions["workflows"]): Promise<number | null> {
    try {
      return await this.#gatekeeper.admit(this.#room, this.#backlog ? workflows : undefined);
    } catch (error) {
      this.#reportStore("let waiting executions begin", error);
      return null;
    }
  }

  #resume(record: ExecutionRecord, owner: number, lateMs: number): void {
    const way = this.#ways.get(registryKey(record.workflow, record.version))!;
    const { registered } = way;
    const about = { execution: record.id, workflow: record.workflow, step: record.position.step };
    let state: object = {};
    let problem: StepwellError | undefined;
    try {
      state = record.state.value as object;
    } catch (cause) {
      const message = `The state of execution "${record.id}" can't be read back. It is parked as it is.`;
      problem = new StepwellError("STEPWELL_NOT_DECODABLE", message, { ...about, cause });
    }
    const drive = new Drive(record, state, owner, registered, this, this, lateMs, misfitOf(record, way));
    if (problem !== undefined) drive.park(problem);
    this.#begin(drive);
  }

  /** Those who wait for an execution that another process drives. */
  async #askForWaiters(): Promise<void> {
    const ids = this.waiters.ids.filter((id) => !this.#drives.has(id));
    if (ids.length === 0) return;
    const records = await this.#store.load(ids);
    for (const [index, id] of ids.entries()) {
      const record = records[index];
      if (this.#drives.has(id)) continue;
      try {
        if (record === undefined) throw notFound(id);
        const outcome = outcomeOfRecord(record);
        if (outcome !== undefined) this.waiters.settle(id, outcome);
      } catch (error) {
        // Those who wait for another one must not suffer.
        this.waiters.fail(id, error);
      }
    }
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
    this.#pullLater();
  }

  /** Nothing is worked on, or about to be. */
  get #isEmpty(): boolean {
    return this.#drives.size === 0 && this.#reserved === 0 && !this.#pulling;
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

  /** An outage goes on for a while, and is told once in a while. */
  #reportStore(doing: string, error: unknown): void {
    if (isRetryable(error) && this.#outages.pass(error.code) === undefined) return;
    const message = `The store failed when asked to ${doing}. It is asked again.`;
    this.report(
      error instanceof StepwellError
        ? error
        : new StepwellError("STEPWELL_STORE_FAILED", message, { cause: error, retryable: true }),
    );
  }
}
