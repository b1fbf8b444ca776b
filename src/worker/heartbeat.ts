/**
 * The heartbeat of a launcher: it registers under a number, says regularly that it lives, buries launchers that do not, and reports
 * what is due and taken up by nobody.
 */
import type { Look, Timer } from "../clock.js";
import { StepwellError } from "../errors.js";
import type { Fate, LauncherRecord } from "../stores/records.js";
import type { Beat, Overdue, Waiting } from "../stores/contract.js";
import type { MigrationPath } from "../runtime/upgrade.js";
import type { LimitEnforcer } from "./limits.js";
import { isGone, ownIdentity } from "./process-identity.js";
import type { LauncherSettings } from "../session/options.js";
import { registryKey } from "../session/registry.js";

export interface HeartbeatOwner {
  report(error: StepwellError): void;
  storeFailed(doing: string, error: unknown): void;
  /** Another launcher took this one for dead: it owns none of its executions any more. */
  buried(): void;
  /** Executions are due now: those of launchers that were buried, or those that no limit holds back any more. */
  freed(): void;
}

/** What the store has answered to a heartbeat. */
interface Heard extends Pick<Beat, "others"> {
  readonly waiting: Waiting | undefined;
  readonly isHeard: boolean;
}

const nothingHeard: Heard = { others: [], waiting: undefined, isHeard: false };

/** A beat that is not answered may be lost with its connection, so the next one is sent; but no more than this many at once. */
const mostUnanswered = 3;

/** A launcher whose process is gone from this machine is buried after so many beats that did not come. */
const missedBeats = 2;

/** Longer than any timer is set for, in milliseconds. */
const someTime = 2 ** 48;

export class Heartbeat {
  /** The number under which this launcher is registered. */
  owner = 0;
  readonly #settings: LauncherSettings;
  readonly #paths: ReadonlyMap<string, MigrationPath>;
  readonly #limits: LimitEnforcer;
  readonly #launcher: HeartbeatOwner;
  /** This launcher is being registered under a new number. */
  #registering: Promise<void> | undefined;
  /** Nobody is registered under that number any more. */
  #isBuried = false;
  #timer: Timer | undefined;
  #ended = false;
  /** Beats that the store has not answered yet. */
  #unanswered = 0;
  /** When the last answer came, by the clock's `monotonic`. */
  #heardAt: number | undefined;
  /** The last time in which this launcher was not heard itself: how long it was, and when it ended. */
  #outage = { length: 0, endedAt: 0 };
  #isLookingAfterOthers = false;
  /** What waits has been asked for by a beat that is not answered yet. */
  #isAsking = false;
  /** When the next beat is due, by the clock's `monotonic`, and as what kind of look its timer was set. */
  #nextAt = 0;
  #nextLook: Look | undefined;
  /** When `unadmitted` is to be asked again, by the clock's `monotonic`. */
  #askAgain = 0;
  /** Workflows and versions that no launcher takes up, and that this launcher has reported. */
  readonly #reportedOverdue = new Set<string>();

  constructor(
    settings: LauncherSettings,
    paths: ReadonlyMap<string, MigrationPath>,
    limits: LimitEnforcer,
    launcher: HeartbeatOwner,
  ) {
    this.#settings = settings;
    this.#paths = paths;
    this.#limits = limits;
    this.#launcher = launcher;
  }

  /** A launcher that was buried while it lived registers anew: the old number then says that none of its executions killed it. */
  async register(): Promise<void> {
    const before = this.owner === 0 ? undefined : this.owner;
    this.owner = await this.#settings.store.register(ownIdentity(), before);
    this.#isBuried = false;
  }

  /** Whether this launcher is registered under that number, for all that it knows: if not, what it had under it is due for others. */
  isRegisteredAs(owner: number | null): boolean {
    return this.owner === owner && !this.#isBuried;
  }

  /** Another launcher took this one for dead, when it had this number. A claim and a beat may both find out. */
  wasBuried(owner: number): Promise<void> {
    if (this.owner !== owner) return Promise.resolve();
    this.#registering ??= this.#registerAnew().finally(() => {
      this.#registering = undefined;
    });
    return this.#registering;
  }

  async #registerAnew(): Promise<void> {
    this.#isBuried = true;
    this.#launcher.buried();
    await this.register();
    this.#launcher.freed();
  }

  /** Beats from now on, and buries launchers that do not. Resolves after the first beat. */
  begin(): Promise<void> {
    this.#beatIn(this.#settings.heartbeat.interval, undefined);
    return this.#beatAndLookAfterOthers();
  }

  /** The next beat is set before this one is sent: it waits for no answer. */
  #beatIn(milliseconds: number, look: Look | undefined): void {
    const { clock, heartbeat } = this.#settings;
    this.#nextLook = look;
    this.#nextAt = clock.monotonic() + milliseconds;
    this.#timer = clock.after(
      milliseconds,
      () => {
        this.#beatIn(heartbeat.interval, this.#nextLook);
        return this.#beatAndLookAfterOthers();
      },
      look,
    );
  }

  async #beatAndLookAfterOthers(): Promise<void> {
    const { others, waiting, isHeard } = await this.#beat();
    const look = await this.#lookAfterOthers(others, waiting);
    const { clock } = this.#settings;
    if (clock.skips !== true || this.#ended) return;
    const next = isHeard ? look : undefined;
    if (next === this.#nextLook) return;
    this.#timer?.cancel();
    this.#beatIn(Math.max(0, this.#nextAt - clock.monotonic()), next);
  }

  /** Waits for nothing but the answer to this beat. Skipped where too many beats are unanswered. */
  async #beat(): Promise<Heard> {
    if (this.#unanswered === mostUnanswered) return nothingHeard;
    this.#unanswered++;
    try {
      const { owner } = this;
      const { store } = this.#settings;
      const asks = !this.#isLookingAfterOthers && !this.#isAsking;
      const { alive, others, waiting } = await (asks ? this.#ask(owner) : store.beat(owner));
      // This launcher has stopped meanwhile, and is gone by its own will.
      if (this.#ended) return nothingHeard;
      this.#heard();
      if (!alive) await this.wasBuried(owner);
      return { others, waiting, isHeard: alive };
    } catch (error) {
      if (!this.#ended) this.#launcher.storeFailed("beat", error);
      return nothingHeard;
    } finally {
      this.#unanswered--;
    }
  }

  #heard(): void {
    const now = this.#settings.clock.monotonic();
    const gap = now - (this.#heardAt ?? now);
    this.#heardAt = now;
    if (gap > missedBeats * this.#settings.heartbeat.interval) this.#outage = { length: gap, endedAt: now };
  }

  /** What waits is asked for by one beat at a time: the others do not wait for that answer. */
  async #ask(owner: number): Promise<Beat> {
    this.#isAsking = true;
    try {
      return await this.#settings.store.beat(owner, this.#patience);
    } finally {
      this.#isAsking = false;
    }
  }

  /**
   * What may have to wait for other launchers' locks, such as a burial. One round at a time, and no beat waits for it. Gives back
   * as what kind of look a virtual clock may take the next beat.
   */
  async #lookAfterOthers(others: readonly LauncherRecord[], waiting: Waiting | undefined): Promise<Look | undefined> {
    if (this.#isLookingAfterOthers || this.#ended) return undefined;
    this.#isLookingAfterOthers = true;
    try {
      const hasBuried = await this.#bury(others);
      if (waiting !== undefined) await this.#lookAt(waiting);
      if (hasBuried) return undefined;
      return others.length > 0 || (await this.#mayBeOverdue()) ? "watch" : "idle";
    } catch (error) {
      if (!this.#ended) this.#launcher.storeFailed("look after other launchers", error);
      return undefined;
    } finally {
      this.#isLookingAfterOthers = false;
    }
  }

  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  /** Whether there was any launcher to bury. */
  async #bury(others: readonly LauncherRecord[]): Promise<boolean> {
    const dead = new Map<Fate | undefined, number[]>();
    for (const other of others) {
      if (!this.#isDead(other)) continue;
      // A launcher without a process was buried before, when some of its executions were locked.
      const fate = other.pid === 0 ? undefined : isGone(other) ? "died" : "silent";
      dead.set(fate, [...(dead.get(fate) ?? []), other.owner]);
    }
    let freed = 0;
    for (const [fate, owners] of dead) freed += await this.#settings.store.removeLaunchers(owners, fate);
    if (freed > 0) this.#launcher.freed();
    return dead.size > 0;
  }

  #isDead(other: LauncherRecord): boolean {
    const { interval, timeout } = this.#settings.heartbeat;
    if (other.silentMs - this.#unheardIn(other.silentMs) > timeout) return true;
    // Two signs: a copy of a machine, made while it ran, has the same identity and other processes.
    return other.silentMs > missedBeats * interval && isGone(other);
  }

  /**
   * How much of a silence this launcher was not heard itself. Where the store was away, nobody could say that it lives: whoever is back
   * first must not take the others for dead.
   */
  #unheardIn(silentMs: number): number {
    const { length, endedAt } = this.#outage;
    return silentMs > this.#settings.clock.monotonic() - endedAt ? length : 0;
  }

  /** Whether the passing of time alone may make something overdue. Asked only for a clock that leaves out idle looks. */
  async #mayBeOverdue(): Promise<boolean> {
    const { store, clock } = this.#settings;
    if (clock.skips !== true) return false;
    if (this.#limits.isNeeded) return true;
    const { waiting } = await store.beat(this.owner, -someTime);
    return waiting!.overdue.some(({ what, name, version }) => !this.#takesUp(what, registryKey(name, version)));
  }

  /** Whether this launcher takes it up. A schedule launches the version that it was set with, so a migration does not help. */
  #takesUp(what: Overdue["what"], key: string): boolean {
    const path = this.#paths.get(key);
    return path !== undefined && (what === "executions" || path.hops.length === 0);
  }

  /** Longer than it takes to find a dead launcher, in milliseconds. */
  get #patience(): number {
    const { heartbeat, pollInterval } = this.#settings;
    return heartbeat.timeout + pollInterval;
  }

  /** What is overdue is taken up by nobody: no launcher has its version. */
  async #lookAt({ overdue: found, gates }: Waiting): Promise<void> {
    const { clock } = this.#settings;
    if (this.#limits.lookForRemovedLimits(gates)) this.#launcher.freed();
    const overdue = [...found];
    if (clock.monotonic() >= this.#askAgain) {
      this.#askAgain = clock.monotonic() + this.#patience;
      for (const it of await this.#limits.unadmitted()) overdue.push({ what: "executions", ...it });
    }
    for (const { what, name, version } of overdue) {
      const key = registryKey(name, version);
      const report = `${what} ${key}`;
      if (this.#takesUp(what, key) || this.#reportedOverdue.has(report)) continue;
      this.#reportedOverdue.add(report);
      const message = messages[what](`of workflow "${name}" version "${version}"`);
      this.#launcher.report(new StepwellError("STEPWELL_UNKNOWN_WORKFLOW", message, { workflow: name }));
    }
  }
}

const messages: Readonly<Record<Overdue["what"], (of: string) => string>> = {
  executions: (of) =>
    `Executions ${of} are due, and no launcher takes them up. They wait until one registers that version, or one that ` +
    `migrates from it: list it in "workflows" beside the newer one.`,
  schedules: (of) =>
    `Schedules ${of} are due, and no launcher launches what they plan. They wait until one registers that version: list ` +
    `it in "workflows", or set them again with a version that is listed, or delete them.`,
};
