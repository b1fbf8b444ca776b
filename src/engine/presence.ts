/**
 * That a launcher is there: its number in the store, its heartbeat, and its care for those that are gone.
 */
import { hostname } from "node:os";
import type { Look, Timer } from "../clock.js";
import { StepwellError } from "../errors.js";
import type { LauncherRecord } from "../stores/records.js";
import type { Overdue } from "../stores/store.js";
import type { Way } from "./migrating.js";
import { registryKey, type LauncherSettings } from "./settings.js";

export interface PresenceOwner {
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

/** Longer than anything waits for its time, in milliseconds. */
const someTime = 2 ** 48;

export class Presence {
  /** The number under which this launcher is registered. */
  owner = 0;
  readonly #settings: LauncherSettings;
  readonly #ways: ReadonlyMap<string, Way>;
  readonly #launcher: PresenceOwner;
  #timer: Timer | undefined;
  #ended = false;
  /** When to ask again for those that nobody admits. */
  #askAgain = 0;
  /** Workflows and versions that nobody takes up, and of which this launcher has told. */
  readonly #toldOverdue = new Set<string>();

  constructor(settings: LauncherSettings, ways: ReadonlyMap<string, Way>, launcher: PresenceOwner) {
    this.#settings = settings;
    this.#ways = ways;
    this.#launcher = launcher;
  }

  async register(): Promise<void> {
    this.owner = await this.#settings.store.register({ host: hostname(), pid: process.pid });
  }

  /** Says that the launcher lives, from now on, and buries those who do not. */
  async begin(): Promise<void> {
    let look: Look | undefined;
    try {
      const { owner } = this;
      const { alive, others } = await this.#settings.store.beat(owner);
      if (!alive) await this.#launcher.reborn(owner);
      look = others.length === 0 ? "idle" : "watch";
      const dead = others.filter((other) => this.#isDead(other)).map((other) => other.owner);
      if (dead.length > 0 && (await this.#settings.store.bury(dead)) > 0) this.#launcher.freed();
      await this.#launcher.beaten();
      await this.#reportOverdue();
      if (!alive || dead.length > 0) look = undefined;
      else if (look === "idle" && (await this.#mayBeOverdue())) look = "watch";
    } catch (error) {
      look = undefined;
      this.#launcher.storeFailed("beat", error);
    } finally {
      const { clock, heartbeat } = this.#settings;
      if (!this.#ended) this.#timer = clock.after(heartbeat.interval, () => this.begin(), look);
    }
  }

  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  #isDead(other: LauncherRecord): boolean {
    if (other.silentMs > this.#settings.heartbeat.timeout) return true;
    return other.host === hostname() && !processLives(other.pid);
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

/** A process of this host that is gone needs no heartbeat to be known as dead. */
function processLives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
