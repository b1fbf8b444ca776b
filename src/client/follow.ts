/** Following one execution, transition by transition, from whatever process it is driven. */
import { refuseUnknownOptions, shown, invalidArgument } from "../values/options.js";
import type { ClientHost } from "../session/client-host.js";
import { named } from "../session/damaged-rows.js";
import { statusIn, type Follower, type Seen } from "../session/follows.js";
import { notFound } from "../session/not-found.js";
import { rowsOf, type HistoryRow } from "../execution/history.js";
import type { Standing } from "../execution/records.js";
import type { Store } from "../stores/contract.js";

export interface FollowOptions {
  /** Only what was committed after this revision: where an earlier iteration ended. Default: 0, from the first transition on. */
  readonly from?: number;
  /** When it is aborted, the iteration ends. */
  readonly signal?: AbortSignal;
}

/** How many transitions are read at a time. */
const pageSize = 200;

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
export function followOptionsOf(options: FollowOptions): {
  readonly from: number;
  readonly signal: AbortSignal | undefined;
} {
  refuseUnknownOptions(options, ["from", "signal"], "follow");
  const { from = 0, signal } = options;
  return { from: checkedFrom(from, "follow"), signal: checkedSignal(signal, "follow") };
}

/** @throws STEPWELL_INVALID_ARGUMENT */
export function checkedFrom(from: number, where: string): number {
  if (Number.isSafeInteger(from) && from >= 0) return from;
  throw invalidArgument(`${where}: "from" must be a revision, a whole number from 0 on, not ${shown(from)}`);
}

/** @throws STEPWELL_INVALID_ARGUMENT */
export function checkedSignal(signal: unknown, where: string): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw invalidArgument(`${where}: "signal" must be an AbortSignal, not ${shown(signal)}`);
}

/** An execution ends for good once nothing that was asked of it is still to be done. */
export function isOver(it: Pick<Standing, "status" | "owner" | "dueAt">): boolean {
  const status = statusIn(it);
  return (status === "completed" || status === "rolledBack") && it.owner === null && it.dueAt === null;
}

/** Follows one execution; nothing of what it finds is kept. */
class OneFollower implements Follower {
  readonly wanted: readonly string[];
  readonly seen = new Map<string, Seen>();
  readonly fresh = undefined;

  constructor(id: string) {
    this.wanted = [id];
  }

  moved(): void {}

  heardOf(): void {}

  newestIs(): boolean {
    return false;
  }

  isDue(): boolean {
    return false;
  }
}

export async function* followOne(
  id: string,
  from: number,
  { store, host }: { readonly store: Store; readonly host: ClientHost },
  signal: AbortSignal,
): AsyncGenerator<HistoryRow, void> {
  const mustRun = (): void => host.mustRun("follow");
  const read = <Result>(work: () => Promise<Result>): Promise<Result | undefined> =>
    host.follows.read(signal, mustRun, work);
  const follower = new OneFollower(id);
  let after = from;
  for (;;) {
    const standings = await read(async () => (await host.opened(), store.load([id], "standing")));
    if (standings === undefined) return;
    const [standing] = standings;
    if (standing === undefined) throw notFound(id);
    while (after < standing.revision) {
      const range = { after, limit: pageSize };
      const rows = await read(async () => store.history(id, range));
      if (rows === undefined) return;
      // It was pruned meanwhile.
      if (rows.length === 0) break;
      for (const row of named(standing, "history", () => rowsOf(rows))) {
        after = row.revision;
        yield row;
        if (signal.aborted) return;
      }
    }
    if (isOver(standing)) return;
    follower.seen.set(id, { revision: standing.revision, status: statusIn(standing) });
    mustRun();
    await host.follows.wait(follower, signal);
  }
}

/** An iteration that ends at once when it is given up, also while it waits. */
export function endable<Item>(
  given: AbortSignal | undefined,
  iterate: (signal: AbortSignal) => AsyncGenerator<Item, void>,
): AsyncIterableIterator<Item> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  if (given?.aborted === true) end();
  given?.addEventListener("abort", end);
  const items = iterate(ending.signal);
  const finished = <Result extends IteratorResult<Item, void>>(result: Result): Result => {
    if (result.done === true) given?.removeEventListener("abort", end);
    return result;
  };
  return {
    next: async () => finished(await items.next()),
    return: async () => {
      end();
      return finished(await items.return());
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
