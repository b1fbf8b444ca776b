/**
 * How lists find executions. A status that changes in every execution can't be in an index without being written there with
 * each of them. So what runs and what has completed share a shelf, whose name stays as it is from launch to end; each other
 * status has one of its own.
 */
import type { Status } from "../../definition/flow.js";
import type { ListConditions } from "../contract.js";

/** The shelf of `running` and of `completed`. */
const shared = "";

export interface Shelves {
  readonly names: readonly string[];
  /** On the shared shelf only these. Undefined: all that is there, or nothing. */
  readonly only: "running" | "completed" | undefined;
}

export function shelfOf(status: Status): string {
  return status === "running" || status === "completed" ? shared : status;
}

/** Where executions of these statuses are. */
export function shelvesOf(statuses: readonly Status[]): Shelves {
  const running = statuses.includes("running");
  const completed = statuses.includes("completed");
  const only = running === completed ? undefined : running ? "running" : "completed";
  return { names: [...new Set(statuses.map(shelfOf))], only };
}

/**
 * Whether a list looks in order of creation first, since most of what it meets fits as a rule: then it costs the same however many
 * workflows there are. Where too little fits, it goes on along the shelves, of which each workflow has its own.
 */
export function isFoundInOrder({ workflow, status, tags = [], isFree, root }: ListConditions): boolean {
  if (workflow !== undefined || root !== undefined || tags.length > 0) return false;
  return status === undefined ? isFree === true : status.includes("completed");
}

/** So many rows that do not fit are passed over before a list or a count gives up. */
export const passedOver = 4_000;

/** A row that was looked at: it fits, or it is where the looking ended. */
export interface LookedAt {
  readonly created_at: number;
  readonly sequence: number;
  readonly fits: boolean;
}

/**
 * The page that the rows make, in their order: as many as it holds, up to the first place where the looking ended.
 *
 * @param rows one more than the page holds, where there are so many
 */
export function pageIn<Row extends LookedAt>(
  rows: readonly Row[],
  limit: number,
): { readonly page: readonly Row[]; readonly last: LookedAt | undefined } {
  const end = rows.findIndex(({ fits }) => !fits);
  if (end >= 0 && end < limit) return { page: rows.slice(0, end), last: rows[end] };
  const page = rows.slice(0, limit);
  return { page, last: rows.length > limit ? page.at(-1) : undefined };
}
