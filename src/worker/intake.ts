/**
 * What a launcher takes into its hands: what is due, as far as there is room, and what is launched here. Each execution is driven by a
 * loop of its own; one that waits has no loop, so it costs nothing here.
 */
import type { StepwellError } from "../errors.js";
import type { ExecutionRecord } from "../execution/records.js";
import { mismatchOf } from "../runtime/definition-check.js";
import { ExecutionLoop, type LoopOwner } from "../runtime/loop.js";
import { inboxesOf } from "../runtime/mailroom.js";
import type { MigrationPath } from "../runtime/upgrade.js";
import type { Places } from "../session/client-host.js";
import { isUndecodable, Parking, stateOf, unreadableIn } from "../session/damaged-rows.js";
import type { Host, PendingMail } from "../session/host.js";
import type { LauncherSettings } from "../session/options.js";
import type { OutcomeWaiters } from "../session/outcome-waiters.js";
import { type Registered, registryKey } from "../session/registry.js";
import type { StoreTimeEstimate } from "../session/store-time.js";
import type { Hint } from "../stores/contract.js";
import { FairOrder, type WorkflowTurn } from "./fair-order.js";
import type { Heartbeat } from "./heartbeat.js";
import type { LimitEnforcer } from "./limits.js";
import { Loops } from "./loops.js";
import { Polling } from "./polling.js";

/** How many executions one claim takes up, so that a claim never holds a store for long. */
const largestClaim = 256;

/** The launcher whose intake it is. */
interface IntakeHost extends Host {
  readonly waiters: OutcomeWaiters;
  storeFailed(doing: string, error: unknown): void;
}

export class Intake implements Places, LoopOwner {
  /** Nothing is taken up before it begins, and nothing once this drains. */
  readonly polling: Polling;
  readonly #settings: LauncherSettings;
  /** How each execution that is taken up comes to a registered version; most have it already. */
  readonly #paths: ReadonlyMap<string, MigrationPath>;
  readonly #limits: LimitEnforcer;
  readonly #time: StoreTimeEstimate;
  readonly #heartbeat: Heartbeat;
  readonly #host: IntakeHost;
  readonly #fairOrder: FairOrder;
  /** What comes while the launcher is stopping is given back before it has begun. */
  readonly #loops = new Loops((loop) => (this.polling.isOpen ? loop.go() : loop.stop()));
  /** Executions that are being created, and for which room is kept. */
  #reserved = 0;
  /** More is due than this launcher had room for. */
  #hasBacklog = false;
  /** More executions could be admitted under their limits than this launcher had room for. */
  #hasQueued = false;
  #emptied: (() => void) | undefined;

  constructor(
    settings: LauncherSettings,
    paths: ReadonlyMap<string, MigrationPath>,
    limits: LimitEnforcer,
    time: StoreTimeEstimate,
    heartbeat: Heartbeat,
    host: IntakeHost,
  ) {
    this.#settings = settings;
    this.#paths = paths;
    this.#limits = limits;
    this.#time = time;
    this.#heartbeat = heartbeat;
    this.#host = host;
    this.#fairOrder = new FairOrder(paths);
    this.polling = new Polling(settings.clock, settings.pollInterval, {
      look: () => this.#takeUp(),
      looked: () => this.#tellEmptied(),
    });
  }

  /** Lets what runs come to its next commit, within the launcher's drain time; then aborts it. */
  async drain(): Promise<void> {
    this.polling.end();
    for (const loop of this.#loops.all()) loop.stop();
    if (await this.#emptyWithin(this.#settings.drainTimeout)) return;
    for (const loop of this.#loops.all()) loop.abort();
    await this.#emptyWithin(this.#settings.grace);
  }

  /** This launcher owns none of its executions any more. */
  dropAll(): void {
    this.#loops.dropAll();
  }

  /**
   * The launcher's number if it can drive one more execution now; the room is kept until `take` or `giveUp`. Where other
   * executions are due already, or could be admitted, a new one waits for its turn as they do.
   */
  reserve(): number | null {
    if (!this.polling.isOpen || !this.#time.isKnown || this.#hasBacklog || this.#hasQueued || this.#room <= 0)
      return null;
    this.#reserved++;
    return this.#heartbeat.owner;
  }

  giveUp(): void {
    this.#reserved--;
    this.#tellEmptied();
  }

  /** Begins to drive an execution for which room was reserved. Not where this launcher was buried while it created that. */
  take(record: ExecutionRecord, state: object, registered: Registered): void {
    if (!this.#heartbeat.isRegisteredAs(record.owner)) return this.giveUp();
    this.#reserved--;
    this.#loops.add(new ExecutionLoop(record, state, this.#heartbeat.owner, registered, this.#host, this));
  }

  isDriving(id: string): boolean {
    return this.#loops.has(id);
  }

  left(loop: ExecutionLoop, isAtRest: boolean): void {
    if (isAtRest) this.#host.waiters.rested(loop.id, loop.execution);
    this.#loops.remove(loop);
    if (this.#hasBacklog || this.#hasQueued) this.polling.soon();
    this.#tellEmptied();
  }

  get #room(): number {
    return this.#settings.concurrency - this.#loops.size - this.#reserved;
  }

  hinted(hint: Hint): void {
    if (hint.type === "signalled") this.#loops.get(hint.execution)?.notice();
    else if (hint.inMs === 0) this.polling.soon();
    else this.polling.within(hint.inMs);
  }

  /** Takes up what is due, as far as there is room. True: nothing was to be done. */
  async #takeUp(): Promise<boolean> {
    try {
      const workflows = this.#fairOrder.order(this.#loops.all());
      const moreIn = this.#limits.isNeeded ? await this.#admit(workflows) : null;
      const limit = Math.max(0, Math.min(this.#room, largestClaim));
      const { owner } = this.#heartbeat;
      const answered = this.#time.ask();
      const claimed = await this.#settings.store.claim({ owner, limit, workflows });
      answered(claimed.at);
      if (!claimed.alive) {
        await this.#heartbeat.wasBuried(owner);
        return false;
      }
      // Where this fails, each loop reads the mailbox of its execution, and waits for a store that is away.
      const inboxes = await inboxesOf(this.#settings.store, claimed.records).catch(
        () => new Map<string, PendingMail>(),
      );
      // This launcher was buried meanwhile: what it claimed is due for others.
      if (!this.#heartbeat.isRegisteredAs(owner)) return false;
      this.#fairOrder.tookUp(workflows, claimed.records);
      for (const [index, record] of claimed.records.entries()) {
        const lateMs = Math.max(0, claimed.at - claimed.dueSince[index]!);
        this.#resume(record, owner, lateMs, inboxes.get(record.id));
      }
      for (const id of claimed.signalled) this.#loops.get(id)?.notice();
      this.#hasBacklog = claimed.nextDueInMs === 0;
      this.#hasQueued = moreIn === 0;
      if ((this.#hasBacklog || this.#hasQueued) && this.#room > 0) this.polling.soon();
      else if (claimed.nextDueInMs !== null && !this.#hasBacklog) this.polling.within(claimed.nextDueInMs);
      if (moreIn !== null && moreIn > 0) this.polling.within(moreIn);
      const hasAsked = await this.#host.waiters.ask(this.#settings.store, (id) => this.#loops.has(id));
      const found = claimed.records.length + claimed.signalled.length;
      return found === 0 && hasAsked && !this.#hasBacklog && !this.#hasQueued;
    } catch (error) {
      this.#host.storeFailed("take up due executions", error);
      return false;
    }
  }

  /** Admissions that fail must not hold up what is due. */
  async #admit(workflows: readonly WorkflowTurn[]): Promise<number | null> {
    try {
      return await this.#limits.admit(this.#room, this.#hasBacklog ? workflows : undefined);
    } catch (error) {
      this.#host.storeFailed("let waiting executions begin", error);
      return null;
    }
  }

  #resume(record: ExecutionRecord, owner: number, lateMs: number, inbox: PendingMail | undefined): void {
    const path = this.#paths.get(registryKey(record.workflow, record.version))!;
    const { registered } = path;
    const unreadable = unreadableIn(record);
    if (unreadable !== undefined) {
      const requests =
        record.signals === 0 ? [] : this.#settings.store.mail({ executions: [record.id], status: "pending", limit: 0 });
      return new Parking(record, owner, this.#host, unreadable).begin(requests);
    }
    let state: object = {};
    let problem: StepwellError | undefined;
    try {
      state = stateOf(record);
    } catch (error) {
      if (!isUndecodable(error)) throw error;
      problem = error;
    }
    const loop = new ExecutionLoop(record, state, owner, registered, this.#host, this, {
      lateMs,
      mismatch: mismatchOf(record, path),
      mail: inbox,
      problem,
    });
    this.#loops.add(loop);
  }

  /** No execution is worked on, or about to be. */
  get #isEmpty(): boolean {
    return this.#loops.size === 0 && this.#reserved === 0 && !this.polling.isLooking;
  }

  #tellEmptied(): void {
    if (this.#emptied !== undefined && this.#isEmpty) this.#emptied();
  }

  /** False: the time was over first. */
  #emptyWithin(milliseconds: number): Promise<boolean> {
    if (this.#isEmpty) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = this.#settings.clock.after(milliseconds, () => {
        this.#emptied = undefined;
        resolve(false);
      });
      const emptied = (): void => {
        timer.cancel();
        resolve(true);
      };
      this.#emptied = emptied;
    });
  }
}
