/** Retention: how long executions are kept, and the pruner that deletes them. */
import type { Clock, Look, Timer } from "../clock.js";
import { milliseconds, type Duration } from "../definition/duration.js";
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import { StepwellError } from "../errors.js";
import type { Status } from "../definition/flow.js";
import type { Store } from "../stores/contract.js";

/** How long executions are kept after they came to rest. A status that is left out is kept for ever. */
export interface RetentionPolicy {
  readonly completed?: Duration;
  readonly rolledBack?: Duration;
  /** A stuck execution is half done: think twice. */
  readonly stuck?: Duration;
}

export interface PruneOptions {
  /** How many executions one transaction looks at: a whole number from 1 to 10000. Default: 200. */
  readonly batch?: number;
  /** Only counts. Default: false. */
  readonly dryRun?: boolean;
}

/** How many executions were pruned. */
export interface PruneCounts {
  readonly completed: number;
  readonly rolledBack: number;
  readonly stuck: number;
}

export type Ages = Readonly<Partial<Record<Status, number>>>;

const statuses = ["completed", "rolledBack", "stuck"] as const;

const defaultBatch = 200;
const largestBatch = 10_000;

/**
 * How long after its start a launcher prunes first, and how long after a failure of the store it tries again; and how long after the
 * end of one round the next one begins. In milliseconds.
 */
const shortPause = 60_000;
const pause = 60 * 60 * 1000;

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_DURATION */
export function agesOf(policy: RetentionPolicy, where: string): Ages {
  refuseUnknownOptions(policy, statuses, where);
  const ages: Partial<Record<Status, number>> = {};
  for (const status of statuses) {
    const age = policy[status];
    if (age !== undefined) ages[status] = milliseconds(age, `${where}, ${status}`);
  }
  if (Object.keys(ages).length > 0) return ages;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `${where} names no status. Say how long to keep what is ${statuses.join(", ")}: { completed: "30d" }.`,
  );
}

export function checkedPruneOptions(options: PruneOptions): Required<PruneOptions> {
  refuseUnknownOptions(options, ["batch", "dryRun"], "prune");
  const { batch = defaultBatch, dryRun = false } = options;
  if (!Number.isInteger(batch) || batch < 1 || batch > largestBatch) {
    throw invalidArgument(`prune: "batch" must be a whole number from 1 to ${largestBatch}, not ${shown(batch)}`);
  }
  if (typeof dryRun !== "boolean") throw invalidArgument(`prune: "dryRun" must be true or false, not ${shown(dryRun)}`);
  return { batch, dryRun };
}

/** Prunes batch after batch; other work has its turn in between. Ends early where `goesOn`, asked before each further batch, is false. */
export async function prune(
  store: Store,
  clock: Clock,
  ages: Ages,
  { batch, dryRun }: Required<PruneOptions>,
  goesOn: () => boolean,
): Promise<PruneCounts> {
  const sum = { completed: 0, rolledBack: 0, stuck: 0 };
  let after: string | null = null;
  do {
    const { counts, cursor } = await store.prune({ olderThanMs: ages, limit: batch, after, dry: dryRun });
    for (const status of statuses) sum[status] += counts[status] ?? 0;
    after = cursor;
    if (after !== null) await new Promise<void>((resolve) => clock.soon(resolve));
  } while (after !== null && goesOn());
  return sum;
}

export interface PrunerOwner {
  storeFailed(doing: string, error: unknown): void;
}

/** Prunes once an hour for as long as its launcher runs. */
export class Pruner {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #ages: Ages | undefined;
  readonly #owner: PrunerOwner;
  #timer: Timer | undefined;
  #ended = false;

  constructor(store: Store, clock: Clock, ages: Ages | undefined, owner: PrunerOwner) {
    this.#store = store;
    this.#clock = clock;
    this.#ages = ages;
    this.#owner = owner;
  }

  begin(): void {
    this.#in(shortPause);
  }

  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  #in(milliseconds: number, look?: Look): void {
    if (!this.#ended) this.#timer = this.#clock.after(milliseconds, () => this.#round(), look);
  }

  async #round(): Promise<void> {
    let pruned: number;
    try {
      const goesOn = (): boolean => !this.#ended;
      const options = { batch: defaultBatch, dryRun: false };
      pruned = await this.#prunePublications();
      if (this.#ages !== undefined) {
        const { completed, rolledBack, stuck } = await prune(this.#store, this.#clock, this.#ages, options, goesOn);
        pruned += completed + rolledBack + stuck;
      }
    } catch (error) {
      if (!this.#ended) this.#owner.storeFailed("prune", error);
      return this.#in(shortPause);
    }
    this.#in(pause, pruned === 0 ? "watch" : undefined);
  }

  /** Deletes publications that are kept no longer. Says how many. */
  async #prunePublications(): Promise<number> {
    const { topics } = this.#store;
    let pruned = 0;
    if (topics === undefined) return pruned;
    while (!this.#ended) {
      const count = await topics.prune(0, defaultBatch);
      pruned += count;
      if (count < defaultBatch) break;
      await new Promise<void>((resolve) => this.#clock.soon(resolve));
    }
    return pruned;
  }
}
