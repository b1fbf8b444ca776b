/** Following many executions: each as it is found when it has moved, the latest of it only. */
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import { StepwellError } from "../errors.js";
import { checkExecutionId } from "../ids.js";
import type { ClientHost } from "../session/client-host.js";
import { readable } from "../session/damaged-rows.js";
import { statusIn, type Follower, type Fresh, type Seen } from "../session/follows.js";
import type { ListConditions as StoredConditions, ListedExecution, Store } from "../stores/contract.js";
import { summaryOf, type ExecutionSummary } from "./execution-summary.js";
import { checkedSignal, isOver } from "./follow.js";
import { checkRoot, conditionsOf, tooWide, type ListConditions } from "./listing.js";

export interface FollowFilter extends Omit<ListConditions, "status" | "root"> {
  /** The id of an execution at the top of its tree: that one, also where it has ended, and all that are below it. */
  readonly root?: string;
  /** Only these, at most 1,000, whether they are there by now or not; no other condition then. */
  readonly ids?: readonly string[];
  /** When it is aborted, the iteration ends. */
  readonly signal?: AbortSignal;
}

const mostIds = 1_000;

/** So many executions that have not ended are followed at the same time: where each of them stands is kept here. */
const mostFollowed = 10_000;

/** How many executions are read at a time. */
const pageSize = 500;

/** A store's order of creation need not be that of its commits: so much earlier a launch may have been that shows up now, in milliseconds. */
const overlap = 2_000;

/** So many that have ended are followed on. */
const mostEnded = 1_000;

/** For how long one that is followed no more is known still, in milliseconds: a hint may be late. */
const keptFor = 10_000;

/** How often those that have not ended are read anew: what no look and no hint told of is found then, in milliseconds. */
const reviewEvery = 10_000;

const live = ["scheduled", "running", "waiting", "stuck"] as const;

interface Chosen {
  readonly ids: readonly string[] | undefined;
  readonly conditions: StoredConditions;
  readonly signal: AbortSignal | undefined;
}

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
export function chosenBy(filter: FollowFilter): Chosen {
  refuseUnknownOptions(
    filter,
    ["workflow", "tags", "createdFrom", "createdBefore", "root", "children", "ids", "signal"],
    "follow",
  );
  const { ids, signal, ...conditions } = filter;
  const chosen = { conditions: conditionsOf(conditions, "follow"), signal: checkedSignal(signal, "follow") };
  if (ids === undefined) return { ...chosen, ids };
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > mostIds) {
    throw invalidArgument(`follow: "ids" must be an array of 1 to ${mostIds} ids of executions, not ${shown(ids)}`);
  }
  for (const id of ids as readonly unknown[]) checkExecutionId(id);
  if (Object.values(conditions).some((it) => it !== undefined)) {
    throw invalidArgument(`follow: give "ids" or conditions, and not both`);
  }
  return { ...chosen, conditions: {}, ids: [...new Set(ids as readonly string[])] };
}

/** What one caller follows. Bounded: what it finds is read from the store when the caller wants it. */
export class ManyFollower implements Follower {
  readonly wanted: readonly string[] | "all";
  readonly seen = new Map<string, Seen>();
  readonly #conditions: StoredConditions;
  readonly #key: string;
  /** Of those in `seen` the ones that have ended, the first one first. */
  readonly #ended = new Set<string>();
  /** No longer in `seen`, and so lately that a late hint, or a look at what is new, finds them again. */
  readonly #left = new Map<string, { readonly until: number; readonly revision: number }>();
  /** Of which the store told, and which do not fit: that stays so. */
  readonly #others = new Set<string>();
  /** Moved, and not given to the caller yet. */
  #moved = new Set<string>();
  #strangers = new Set<string>();
  /** Until when all that is new was read, by the store's time. */
  #readTo: number;
  #newest: string | null | undefined;
  #isNew = false;
  #reviewAt: number;
  readonly #now: () => number;

  /** @param now the store's time */
  constructor({ ids, conditions }: Chosen, now: () => number) {
    this.wanted = ids ?? "all";
    this.#conditions = conditions;
    this.#key = JSON.stringify(conditions);
    this.#now = now;
    this.#readTo = now();
    this.#reviewAt = this.#readTo + reviewEvery;
    for (const id of ids ?? []) this.seen.set(id, { revision: -1, status: undefined });
    for (const id of ids ?? []) this.#moved.add(id);
  }

  get fresh(): Fresh | undefined {
    if (this.wanted !== "all") return undefined;
    return { conditions: this.#conditions, key: this.#key, createdFrom: this.#from };
  }

  get #from(): number {
    return Math.max(this.#readTo - overlap, this.#conditions.createdFrom ?? 0);
  }

  moved(ids: readonly string[]): void {
    for (const id of ids) this.#moved.add(id);
  }

  /** Mostly it was just launched, or it had ended and is undone. One that does not come here is found when all are read anew. */
  heardOf(ids: readonly string[]): void {
    if (this.wanted !== "all") return;
    for (const id of ids) {
      if (this.#strangers.size < pageSize && !this.#others.has(id)) this.#strangers.add(id);
    }
  }

  newestIs(id: string | null | undefined): boolean {
    const isNews = id === undefined || (id !== null && id !== this.#newest);
    if (isNews) this.#isNew = true;
    return isNews;
  }

  isDue(): boolean {
    return this.#strangers.size > 0 || this.#moved.size > 0 || (this.wanted === "all" && this.#now() >= this.#reviewAt);
  }

  /** All that fits and has not ended, page by page; then what has moved since, as long as it finds anything. */
  async *found(
    read: <Result>(work: (store: Store) => Promise<Result>) => Promise<Result>,
  ): AsyncGenerator<ListedExecution[], void> {
    if (this.wanted === "all" && (this.#newest === undefined || this.#now() >= this.#reviewAt)) {
      this.#reviewAt = this.#now() + reviewEvery;
      this.#isNew = true;
      // No list of what is below it has it.
      if (this.#conditions.root !== undefined) this.#strangers.add(this.#conditions.root);
      yield* this.#pages({ ...this.#conditions, status: live }, read);
    }
    if (this.#isNew) {
      this.#isNew = false;
      const began = this.#now();
      yield* this.#pages({ ...this.#conditions, createdFrom: this.#from }, read, true);
      this.#readTo = began;
    }
    while (this.#moved.size > 0 || this.#strangers.size > 0) {
      const ids = [...this.#moved, ...this.#strangers].slice(0, pageSize);
      const records = await read(async (store) => store.load(ids, "listed"));
      for (const [index, id] of ids.entries()) {
        this.#moved.delete(id);
        this.#strangers.delete(id);
        if (records[index] === undefined && this.wanted === "all") this.#forget(id);
        else if (records[index] === undefined) this.seen.set(id, { revision: -1, status: undefined });
      }
      yield this.#news(
        records.filter((it) => it !== undefined).filter((it) => this.seen.has(it.id) || this.#takesIn(it)),
      );
    }
    const now = this.#now();
    for (const [id, { until }] of this.#left) if (until < now) this.#left.delete(id);
  }

  async *#pages(
    conditions: StoredConditions,
    read: <Result>(work: (store: Store) => Promise<Result>) => Promise<Result>,
    isNewest = false,
  ): AsyncGenerator<ListedExecution[], void> {
    let after: string | undefined;
    let isFirst = isNewest;
    do {
      const page = await read(async (store) => store.list({ ...conditions, limit: pageSize, after }));
      if (page.cursor !== null && page.records.length < pageSize) throw tooWide("follow", conditions);
      if (isFirst) this.#newest = page.records[0]?.id ?? this.#newest ?? null;
      isFirst = false;
      yield this.#news(page.records);
      after = page.cursor ?? undefined;
    } while (after !== undefined);
  }

  /** Those that are not as they were seen; from now on they are seen so. */
  #news(records: readonly ListedExecution[]): ListedExecution[] {
    return records.filter((record) => {
      const { id, revision } = record;
      const status = statusIn(record);
      const seen = this.seen.get(id);
      const isNews =
        seen === undefined
          ? this.#left.get(id)?.revision !== revision
          : seen.revision !== revision || seen.status !== status;
      this.seen.set(id, { revision, status });
      this.#left.delete(id);
      if (this.wanted !== "all") return isNews;
      this.#ended.delete(id);
      if (isOver(record)) this.#end(id);
      else if (this.seen.size - this.#ended.size > mostFollowed) throw tooMany();
      return isNews;
    });
  }

  /** It was pruned. */
  #forget(id: string): void {
    this.seen.delete(id);
    this.#ended.delete(id);
  }

  /** It is followed on, for it may be undone, until enough others have ended after it. */
  #end(id: string): void {
    this.#ended.add(id);
    if (this.#ended.size <= mostEnded) return;
    const first = this.#ended.values().next().value!;
    this.#left.set(first, { until: this.#now() + keptFor, revision: this.seen.get(first)!.revision });
    this.#ended.delete(first);
    this.seen.delete(first);
  }

  /** Whether it fits; if not, it is not looked at again. */
  #takesIn(record: ListedExecution): boolean {
    if (fits(record, this.#conditions)) return true;
    if (this.#others.size === mostFollowed) this.#others.clear();
    this.#others.add(record.id);
    return false;
  }
}

function fits(
  record: ListedExecution,
  { workflow, tags = [], createdFrom, createdBefore, isFree, root }: StoredConditions,
): boolean {
  if (isFree === true && record.line !== null) return false;
  if (root !== undefined && record.root !== root && record.id !== root) return false;
  if (workflow !== undefined && workflow !== record.workflow) return false;
  if (createdFrom !== undefined && record.createdAt < createdFrom) return false;
  if (createdBefore !== undefined && record.createdAt >= createdBefore) return false;
  return tags.length === 0 || tagsIn(record).filter((it) => tags.includes(it)).length === tags.length;
}

/** None where they can't be read. */
function tagsIn(record: ListedExecution): readonly string[] {
  try {
    return record.tags;
  } catch {
    return [];
  }
}

function tooMany(): StepwellError {
  return new StepwellError(
    "STEPWELL_FILTER_TOO_WIDE",
    `follow: more than ${mostFollowed} executions that have not ended fit. Give fewer of them, with "workflow", "tags", "createdFrom" ` +
      `or "ids"; or read pages of "list" at intervals.`,
  );
}

/** Thrown through a read to end the iteration. */
const ended = Symbol("ended");

export async function* followMany(
  chosen: Chosen,
  { store, host }: { readonly store: Store; readonly host: ClientHost },
  signal: AbortSignal,
): AsyncGenerator<ExecutionSummary, void> {
  const mustRun = (): void => host.mustRun("follow");
  const read = async <Result>(work: (store: Store) => Promise<Result>): Promise<Result> => {
    const result = await host.follows.read(signal, mustRun, async () => ({ is: await work(store) }));
    if (result === undefined) throw ended;
    return result.is;
  };
  try {
    await read(async () => host.opened());
    await read(async () => checkRoot(store, chosen.conditions, "follow"));
    const follower = new ManyFollower(chosen, () => host.storeNow());
    for (;;) {
      for await (const records of follower.found(read)) {
        const { read: summaries } = readable(
          records,
          ({ id }) => id,
          (record) => summaryOf(record, host.storeNow()),
        );
        for (const summary of summaries) {
          yield summary;
          if (signal.aborted) return;
        }
      }
      mustRun();
      await host.follows.wait(follower, signal);
      if (signal.aborted) return;
    }
  } catch (error) {
    if (error !== ended) throw error;
  }
}
