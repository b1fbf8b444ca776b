/**
 * Callers that follow executions. One look of a process serves all of them, and only callers that wait are looked for: who is slow,
 * or gone, costs nothing, and finds what it has missed in the store.
 */
import { sleep, type Clock, type Timer } from "../clock.js";
import type { Status } from "../definition/flow.js";
import { isRetryable } from "../errors.js";
import type { ListConditions, Store } from "../stores/contract.js";
import type { Standing } from "../execution/records.js";

/** How long between two looks, in milliseconds: longer and longer while nothing is found. A hint brings the next one at once. */
const shortestPause = 50;
const longestPause = 1_000;

/** How many executions are looked at by one look. */
const mostAsked = 1_000;

/** How far an execution has been followed. */
export interface Seen {
  readonly revision: number;
  readonly status: Status | undefined;
}

/** Executions that may have been launched since a follower last looked. */
export interface Fresh {
  readonly conditions: ListConditions;
  /** Equal for followers whose conditions are the same. */
  readonly key: string;
  /** Executions that were created before are not looked for. */
  readonly createdFrom: number;
}

export interface Follower {
  /** The executions of which the store is to tell that they have moved. */
  readonly wanted: readonly string[] | "all";
  /** The followed executions, and how far each was seen. */
  readonly seen: ReadonlyMap<string, Seen>;
  /** The new executions to look for. Undefined: none, only those in `seen` are followed. */
  readonly fresh: Fresh | undefined;
  /** Tells the follower which of its executions have moved. */
  moved(ids: readonly string[]): void;
  /** The store tells that these have moved, which are not followed so far. */
  heardOf(ids: readonly string[]): void;
  /** The newest execution that fits `fresh`; undefined: it could not be found. True: that is news. */
  newestIs(id: string | null | undefined): boolean;
  /** Whether it has something to do though no look found anything for it. */
  isDue(): boolean;
}

interface FollowsHost {
  readonly isRunning: boolean;
  storeFailed(doing: string, error: unknown): void;
}

interface Wait {
  readonly found: () => void;
  readonly fail: (error: unknown) => void;
}

export class Follows {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #host: FollowsHost;
  /** The followers that wait now. */
  readonly #waiting = new Map<Follower, Wait>();
  /** Executions that this pass has still to look at. */
  #queue: string[] = [];
  /** The executions of which the store told that they have moved. */
  #hinted = new Set<string>();
  #isSoon = false;
  #isLooking = false;
  #timer: Timer | undefined;
  #pause = shortestPause;

  constructor(store: Store, clock: Clock, host: FollowsHost) {
    this.#store = store;
    this.#clock = clock;
    this.#host = host;
  }

  /** Resolves when something was found for this follower, or the signal is aborted. Rejects where the host stops. */
  wait(follower: Follower, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const unfollow = this.#store.follow?.(follower.wanted, (moved) => this.#hear(follower, moved));
      const leave = (): void => {
        this.#waiting.delete(follower);
        unfollow?.();
        signal.removeEventListener("abort", found);
        if (this.#waiting.size === 0) this.#rest();
      };
      const found = (): void => {
        leave();
        resolve();
      };
      const fail = (error: unknown): void => {
        leave();
        reject(error);
      };
      this.#waiting.set(follower, { found, fail });
      signal.addEventListener("abort", found);
      // What came before the store told is found by a look.
      if (this.#timer === undefined || this.#pause > shortestPause) {
        this.#timer?.cancel();
        this.#pause = shortestPause;
        if (!this.#isLooking) this.#lookIn("watch");
      }
      if (signal.aborted) found();
    });
  }

  /** Reads, and tries again while the store is away; undefined: the signal was aborted meanwhile. */
  async read<Result>(
    signal: AbortSignal,
    mustRun: () => void,
    work: () => Promise<Result>,
  ): Promise<Result | undefined> {
    for (let pause = shortestPause; ; pause = Math.min(2 * pause, longestPause)) {
      if (signal.aborted) return undefined;
      mustRun();
      try {
        return await work();
      } catch (error) {
        if (!isRetryable(error)) throw error;
        this.#host.storeFailed("follow executions", error);
      }
      await sleep(this.#clock, pause, signal);
    }
  }

  /** Nobody waits any more. */
  close(errorOf: () => unknown): void {
    for (const { fail } of [...this.#waiting.values()]) fail(errorOf());
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#queue = [];
    this.#hinted.clear();
  }

  #hear(follower: Follower, moved: readonly string[]): void {
    const strangers: string[] = [];
    for (const id of moved) {
      if (follower.seen.has(id)) this.#hinted.add(id);
      else strangers.push(id);
    }
    if (strangers.length > 0) follower.heardOf(strangers);
    if (this.#isSoon || (this.#hinted.size === 0 && !follower.isDue())) return;
    this.#isSoon = true;
    this.#clock.soon(() => {
      this.#isSoon = false;
      void this.#look();
    });
  }

  #lookIn(look: "watch" | "idle"): void {
    this.#timer = this.#clock.after(
      this.#pause,
      () => {
        this.#timer = undefined;
        return this.#look();
      },
      look,
    );
  }

  async #look(): Promise<void> {
    if (this.#isLooking || this.#waiting.size === 0) return;
    this.#isLooking = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    let isIdle = false;
    try {
      isIdle = !(await this.#find());
    } catch (error) {
      // An outage delays what is found.
      if (this.#host.isRunning) this.#host.storeFailed("look for executions that are followed", error);
    }
    this.#isLooking = false;
    if (this.#waiting.size === 0 || !this.#host.isRunning) return;
    const isAmid = this.#queue.length > 0 || this.#hinted.size > 0;
    this.#pause = isIdle && !isAmid ? Math.min(2 * this.#pause, longestPause) : shortestPause;
    this.#lookIn(isIdle && !isAmid ? "idle" : "watch");
  }

  /** True: something was found. */
  async #find(): Promise<boolean> {
    const ids = this.#next();
    const standings = ids.length === 0 ? [] : await this.#store.load(ids, "standing");
    const found = new Map(ids.map((id, index): [string, Standing | undefined] => [id, standings[index]]));
    const news = await this.#fresh();
    let isFound = false;
    for (const [follower, wait] of [...this.#waiting]) {
      const moved = movedIn(found, follower.seen);
      if (moved.length > 0) follower.moved(moved);
      if (moved.length === 0 && !news.has(follower) && !follower.isDue()) continue;
      isFound = true;
      wait.found();
    }
    return isFound;
  }

  /** Which executions are looked at now: those of which the store told, and of the others those that were not looked at for the longest. */
  #next(): string[] {
    const hinted = [...this.#hinted].slice(0, mostAsked);
    for (const id of hinted) this.#hinted.delete(id);
    // A hint is followed at once, and brings no look at all the others.
    if (hinted.length > 0) return hinted;
    if (this.#queue.length === 0) {
      const all = new Set<string>();
      for (const { seen } of this.#waiting.keys()) for (const id of seen.keys()) all.add(id);
      this.#queue = [...all];
    }
    return this.#queue.splice(0, mostAsked);
  }

  /** Whose filter another execution is the newest of: one query for all that have the same filter. */
  async #fresh(): Promise<ReadonlySet<Follower>> {
    const groups = new Map<string, { readonly fresh: Fresh; readonly followers: Follower[] }>();
    for (const follower of this.#waiting.keys()) {
      const { fresh } = follower;
      if (fresh === undefined) continue;
      const group = groups.get(fresh.key);
      if (group === undefined) groups.set(fresh.key, { fresh, followers: [follower] });
      else group.followers.push(follower);
    }
    const news = new Set<Follower>();
    for (const { fresh, followers } of groups.values()) {
      const createdFrom = Math.min(...followers.map((it) => it.fresh!.createdFrom));
      const { records, cursor } = await this.#store.list({ ...fresh.conditions, createdFrom, limit: 1 });
      const newest = records[0]?.id ?? (cursor === null ? null : undefined);
      for (const follower of followers) if (follower.newestIs(newest)) news.add(follower);
    }
    return news;
  }
}

/** The followed executions that are not as they were seen, among those that were looked at. */
function movedIn(found: ReadonlyMap<string, Standing | undefined>, seen: Follower["seen"]): readonly string[] {
  const both =
    seen.size < found.size
      ? [...seen.keys()].filter((id) => found.has(id))
      : [...found.keys()].filter((id) => seen.has(id));
  return both.filter((id) => !isAsSeen(found.get(id), seen.get(id)!));
}

function isAsSeen(standing: Standing | undefined, { revision, status }: Seen): boolean {
  if (standing === undefined) return status === undefined;
  return standing.revision === revision && statusIn(standing) === status;
}

/** Undefined: it can't be read. */
export function statusIn(standing: Pick<Standing, "status">): Status | undefined {
  try {
    return standing.status;
  } catch {
    return undefined;
  }
}
