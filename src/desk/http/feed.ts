/** What happens, as it happens: one look at the store for all who listen, and the figures of the last hour. */
import type { Client, ExecutionSummary } from "../../index.js";
import { systemClock, type Timer } from "../../clock.js";
import type { ActivityMinute, ActivityWindow, DeskEvent } from "./feed-shapes.js";

type Listener = (event: DeskEvent, cursor?: number) => void;

const minute = 60_000;

/** So many minutes are kept. */
const mostMinutes = 60;

/** It stops looking when nobody has asked for so long. */
const idleAfter = 5 * minute;

/** Where everything is too much to follow, who listens is told to read again, so often. */
const toldBlindly = 5_000;

/** So many executions are known as they were seen last. */
const mostKnown = 20_000;

interface Known {
  readonly status: ExecutionSummary["status"];
  readonly direction: "up" | "down";
  readonly revision: number;
  readonly attempts: number;
}

type Tallied = { -readonly [Figure in Exclude<keyof ActivityMinute, "at" | "p50" | "p95">]: number };

interface Minute {
  readonly at: number;
  readonly counts: Tallied;
  readonly durations: number[];
}

export class Feed {
  readonly #client: Client;
  /** Who listens, and what ends that. */
  readonly #listeners = new Map<Listener, () => void>();
  readonly #known = new Map<string, Known>();
  #minutes: Minute[] = [];
  /** By the store's time. 0: it does not look. */
  #since = 0;
  /** How far the store's time is ahead of this process's. */
  #ahead = 0;
  #askedAt = 0;
  #running: AbortController | undefined;
  #idle: Timer | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Null: it has just begun to look, or there is too much to be seen. */
  window(): ActivityWindow | null {
    this.#look();
    if (this.#since === 0) return null;
    this.#minuteNow();
    return {
      since: new Date(this.#since).toISOString(),
      minutes: this.#minutes.map(({ at, counts, durations }) => ({
        at: new Date(at).toISOString(),
        ...counts,
        p50: quantile(durations, 0.5),
        p95: quantile(durations, 0.95),
      })),
    };
  }

  /**
   * @param end called where there is nothing more to hear: the client has stopped
   * @returns ends it
   */
  listen(listener: Listener, end: () => void): () => void {
    this.#listeners.set(listener, end);
    this.#look();
    return () => void this.#listeners.delete(listener);
  }

  #look(): void {
    this.#askedAt = systemClock.now();
    if (this.#running !== undefined) return;
    const running = new AbortController();
    this.#running = running;
    this.#watchIdle(running);
    void this.#follow(running).finally(() => {
      this.#idle?.cancel();
      if (this.#running === running) this.#running = undefined;
      this.#since = 0;
      // Whoever has come meanwhile asks again, and then it looks again.
      for (const end of [...this.#listeners.values()]) end();
      this.#listeners.clear();
    });
  }

  #watchIdle(running: AbortController): void {
    this.#idle = systemClock.after(minute, () => {
      if (this.#listeners.size === 0 && systemClock.now() - this.#askedAt > idleAfter) running.abort();
      else this.#watchIdle(running);
    });
  }

  async #follow({ signal }: AbortController): Promise<void> {
    while (!signal.aborted) {
      if (!(await this.#isTooMuch(signal)) || this.#listeners.size === 0) return;
      await this.#tellBlindly(signal);
    }
  }

  /** Looks for as long as it can. True: there was too much to be seen. */
  async #isTooMuch(signal: AbortSignal): Promise<boolean> {
    this.#minutes = [];
    this.#known.clear();
    try {
      this.#since = (await this.#client.fleet.now()).getTime();
      this.#ahead = this.#since - systemClock.now();
      for await (const summary of this.#client.follow({ children: true, signal })) this.#take(summary);
      return false;
    } catch (error) {
      this.#tell({ type: "gap" });
      // What it does not see it does not count.
      this.#since = 0;
      return (error as { readonly code?: unknown }).code === "STEPWELL_FILTER_TOO_WIDE";
    }
  }

  /** For a minute: then there may be less to be seen. */
  async #tellBlindly(signal: AbortSignal): Promise<void> {
    for (let told = 0; told < minute && !signal.aborted && this.#listeners.size > 0; told += toldBlindly) {
      await new Promise<void>((resolve) => void systemClock.after(toldBlindly, resolve));
      this.#tell({ type: "gap" });
    }
  }

  #take(summary: ExecutionSummary): void {
    const { id, workflow, status, revision, flow, attempts, createdAt, updatedAt, parent, root } = summary;
    const known = this.#known.get(id);
    this.#known.delete(id);
    this.#known.set(id, { status, revision, direction: flow.direction, attempts });
    if (this.#known.size > mostKnown) this.#known.delete(this.#known.keys().next().value!);
    const isNew = known === undefined && createdAt.getTime() >= this.#since;
    // What was there before it began to look is where the counting begins.
    if (known !== undefined || isNew) this.#count(summary, known);
    if (known !== undefined || isNew || updatedAt.getTime() >= this.#since) {
      const above = parent !== undefined && root !== undefined ? { parent, root } : undefined;
      this.#tell({ type: "transition", execution: id, ...above, workflow, status, revision, step: flow.step });
    }
  }

  #count({ status, revision, flow, attempts, createdAt, updatedAt }: ExecutionSummary, known: Known | undefined): void {
    const { counts, durations } = this.#minuteNow();
    const comesTo = (one: Known["status"]): number => (status === one && known?.status !== one ? 1 : 0);
    counts.transitions += Math.max(0, revision - (known?.revision ?? 0));
    counts.launched += known === undefined ? 1 : 0;
    counts.completed += comesTo("completed");
    counts.rolledBack += comesTo("rolledBack");
    counts.stuck += comesTo("stuck");
    counts.turned += flow.direction === "down" && known?.direction !== "down" ? 1 : 0;
    counts.failedAttempts += Math.max(0, attempts - (known?.attempts ?? 0));
    if (comesTo("completed") + comesTo("rolledBack") > 0) durations.push(updatedAt.getTime() - createdAt.getTime());
  }

  #minuteNow(): Minute {
    const now = systemClock.now() + this.#ahead;
    const at = now - (now % minute);
    let last = this.#minutes.at(-1);
    while (last === undefined || last.at < at) {
      // A quiet minute is shown as one.
      last = { at: last === undefined ? at : last.at + minute, counts: { ...nothing }, durations: [] };
      this.#minutes.push(last);
    }
    this.#minutes = this.#minutes.slice(-mostMinutes);
    return last;
  }

  #tell(event: DeskEvent): void {
    for (const listener of [...this.#listeners.keys()]) listener(event);
  }
}

const nothing: Tallied = {
  transitions: 0,
  launched: 0,
  completed: 0,
  turned: 0,
  rolledBack: 0,
  stuck: 0,
  failedAttempts: 0,
};

function quantile(values: readonly number[], part: number): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}
