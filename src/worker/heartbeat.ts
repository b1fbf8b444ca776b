/**
 * That a launcher is there: its number in the store, its heartbeat, and its care for those that are gone.
 */
import type { Look, Timer } from "../clock.js";
import { StepwellError } from "../errors.js";
import type { Fate, LauncherRecord } from "../stores/records.js";
import type { Overdue } from "../stores/contract.js";
import type { MigrationPath } from "../runtime/upgrade.js";
import { isGone, ownIdentity } from "./process-identity.js";
import type { LauncherSettings } from "../session/options.js";
import { registryKey } from "../session/registry.js";

export interface HeartbeatOwner {
  report(error: StepwellError): void;
  storeFailed(doing: string, error: unknown): void;
  /** Executions of dead launchers are due now. */
  freed(): void;
  /** Others took this launcher for dead. */
  reborn(dead: number): Promise<void>;
  /** It has said that it lives. */
  beaten(): Promise<void>;
  /** Of which versions executions wait for a limit, and nobody admits them. Asked at intervals in which a launcher would. */
  abandoned(): Promise<readonly Pick<Overdue, "name" | "version">[]>;
  /** Time alone may bring it somebody who is abandoned. */
  guardsGates(): boolean;
}

/** A beat that is not answered may be lost with its connection: so many may be under way. */
const mostUnanswered = 3;

/** A process that is gone from this machine is buried after so many beats that did not come. */
const missedBeats = 2;
/** Longer than anything waits for its time, in milliseconds. */
const someTime = 2 ** 48;

export class Heartbeat {
  /** The number under which this launcher is registered. */
  owner = 0;
  readonly #settings: LauncherSettings;
  readonly #ways: ReadonlyMap<string, MigrationPath>;
  readonly #launcher: HeartbeatOwner;
  #timer: Timer | undefined;
  #ended = false;
  /** Beats that the store has not answered yet. */
  #unanswered = 0;
  #caring = false;
  /** When the next beat is due, by the clock's `monotonic`, and what it was set as. */
  #nextAt = 0;
  #expects: Look | undefined;
  /** When to ask again for those that nobody admits. */
  #askAgain = 0;
  /** Workflows and versions that nobody takes up, and of which this launcher has told. */
  readonly #toldOverdue = new Set<string>();

  constructor(settings: LauncherSettings, ways: ReadonlyMap<string, MigrationPath>, launcher: HeartbeatOwner) {
    this.#settings = settings;
    this.#ways = ways;
    this.#launcher = launcher;
  }

  /** Again after it was buried alive: says so, since then nothing that it owned has killed it. */
  async register(): Promise<void> {
    const formerly = this.owner === 0 ? undefined : this.owner;
    this.owner = await this.#settings.store.register(ownIdentity(), formerly);
  }

  /** Says that the launcher lives, from now on, and buries those who do not. Resolves after the first time. */
  begin(): Promise<void> {
    this.#beatIn(this.#settings.heartbeat.interval, undefined);
    return this.#beatAndCare();
  }

  /** The next beat is set before this one is sent: it waits for no answer. */
  #beatIn(milliseconds: number, look: Look | undefined): void {
    const { clock, heartbeat } = this.#settings;
    this.#expects = look;
    this.#nextAt = clock.monotonic() + milliseconds;
    this.#timer = clock.after(
      milliseconds,
      () => {
        this.#beatIn(heartbeat.interval, this.#expects);
        return this.#beatAndCare();
      },
      look,
    );
  }

  async #beatAndCare(): Promise<void> {
    const { others, isHeard } = await this.#beat();
    const look = await this.#care(others);
    const { clock } = this.#settings;
    if (clock.skips !== true || this.#ended) return;
    const expected = isHeard ? look : undefined;
    if (expected === this.#expects) return;
    this.#timer?.cancel();
    this.#beatIn(Math.max(0, this.#nextAt - clock.monotonic()), expected);
  }

  /** Waits for nothing but its own answer; and for that only so often, since the connection may be dead. */
  async #beat(): Promise<{ readonly others: readonly LauncherRecord[]; readonly isHeard: boolean }> {
    if (this.#unanswered === mostUnanswered) return { others: [], isHeard: false };
    this.#unanswered++;
    try {
      const { owner } = this;
      const { alive, others } = await this.#settings.store.beat(owner);
      // It has left meanwhile, and is gone by its own will.
      if (this.#ended) return { others: [], isHeard: false };
      if (!alive) await this.#launcher.reborn(owner);
      return { others, isHeard: alive };
    } catch (error) {
      if (!this.#ended) this.#launcher.storeFailed("beat", error);
      return { others: [], isHeard: false };
    } finally {
      this.#unanswered--;
    }
  }

  /**
   * What may have to wait for others, as to bury may: one at a time, and no beat waits for it. Gives back what a virtual
   * clock may make of the next beat.
   */
  async #care(others: readonly LauncherRecord[]): Promise<Look | undefined> {
    if (this.#caring || this.#ended) return undefined;
    this.#caring = true;
    try {
      const hasBuried = await this.#bury(others);
      await this.#launcher.beaten();
      await this.#reportOverdue();
      if (hasBuried) return undefined;
      return others.length > 0 || (await this.#mayBeOverdue()) ? "watch" : "idle";
    } catch (error) {
      if (!this.#ended) this.#launcher.storeFailed("look after other launchers", error);
      return undefined;
    } finally {
      this.#caring = false;
    }
  }

  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  /** Whether there was anybody to bury. */
  async #bury(others: readonly LauncherRecord[]): Promise<boolean> {
    const dead = new Map<Fate | undefined, number[]>();
    for (const other of others) {
      if (!this.#isDead(other)) continue;
      // Who has no process was buried before, and some of what it owned was locked then.
      const fate = other.pid === 0 ? undefined : isGone(other) ? "died" : "silent";
      dead.set(fate, [...(dead.get(fate) ?? []), other.owner]);
    }
    let freed = 0;
    for (const [fate, owners] of dead) freed += await this.#settings.store.bury(owners, fate);
    if (freed > 0) this.#launcher.freed();
    return dead.size > 0;
  }

  #isDead(other: LauncherRecord): boolean {
    const { interval, timeout } = this.#settings.heartbeat;
    if (other.silentMs > timeout) return true;
    // Two signs: a copy of a machine, made while it ran, has the same identity and other processes.
    return other.silentMs > missedBeats * interval && isGone(other);
  }

  /** Whether something may become overdue without anything being done: asked only where it matters. */
  async #mayBeOverdue(): Promise<boolean> {
    const { store, clock } = this.#settings;
    if (clock.skips !== true) return false;
    if (this.#launcher.guardsGates()) return true;
    const someday = await store.overdue(-someTime);
    return someday.some(({ what, name, version }) => !this.#takes(what, registryKey(name, version)));
  }

  /** A schedule launches the version that it was set with: a migration is nothing to it. */
  #takes(what: Overdue["what"], key: string): boolean {
    const way = this.#ways.get(key);
    return way !== undefined && (what === "executions" || way.hops.length === 0);
  }

  /** What is due for longer than a dead launcher would need to be found, and no launcher takes it: nobody knows its version. */
  async #reportOverdue(): Promise<void> {
    const { store, clock, heartbeat, pollInterval } = this.#settings;
    const patience = heartbeat.timeout + pollInterval;
    const overdue = [...(await store.overdue(patience))];
    if (clock.monotonic() >= this.#askAgain) {
      this.#askAgain = clock.monotonic() + patience;
      for (const it of await this.#launcher.abandoned()) overdue.push({ what: "executions", ...it });
    }
    for (const { what, name, version } of overdue) {
      const key = registryKey(name, version);
      const told = `${what} ${key}`;
      if (this.#takes(what, key) || this.#toldOverdue.has(told)) continue;
      this.#toldOverdue.add(told);
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
