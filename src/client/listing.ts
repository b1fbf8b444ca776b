/** Checks the conditions of a list and turns them into those of a store. All checks are here, so that all stores answer alike. */
import { invalidArgument, longestName, refuseUnknownOptions, shown } from "../values/options.js";
import { isLine } from "../values/text.js";
import { StepwellError } from "../errors.js";
import type { Status } from "../definition/flow.js";
import type { ListConditions as StoredConditions, ListFilter, ListPage, Store } from "../stores/contract.js";
import { checkExecutionId } from "../ids.js";
import { summaryOf, type ExecutionSummary } from "./execution-summary.js";
import { checkedTags } from "../runtime/tags.js";
import { readable, type Damaged } from "../session/damaged-rows.js";

/** Which executions: all given conditions must hold. */
export interface ListConditions {
  /** The name of a workflow. */
  readonly workflow?: string;
  readonly status?: Status | readonly Status[];
  /** Executions that have all of these. */
  readonly tags?: readonly string[];
  /** Created at or after. */
  readonly createdFrom?: Date;
  /** Created before. */
  readonly createdBefore?: Date;
  /** The id of an execution at the top of its tree: all that are below it, children and their children. One of a child is refused. */
  readonly root?: string;
  /** Children too. Default: with `root`, yes; else only what was launched by itself. */
  readonly children?: boolean;
}

export interface ListOptions extends ListConditions {
  /** At most this many, from 1 to 1000. Default: 100. */
  readonly limit?: number;
  /** The `cursor` of the page before. Left out: the first page. */
  readonly after?: string;
}

export interface ExecutionPage {
  /** Newest first. */
  readonly executions: readonly ExecutionSummary[];
  /** Executions of this page that can't be read, since their rows were damaged. Mostly empty. */
  readonly damaged: readonly Damaged[];
  /** For the next page; null: this was the last. */
  readonly cursor: string | null;
}

/** @param now the store's time @throws STEPWELL_FILTER_TOO_WIDE */
export function pageOf({ records, cursor }: ListPage, filter: ListFilter, now: number): ExecutionPage {
  if (cursor !== null && records.length < filter.limit) throw tooWide("list", filter);
  const { read, damaged } = readable(
    records,
    ({ id }) => id,
    (record) => summaryOf(record, now),
  );
  return { executions: read, damaged, cursor };
}

/** @param where the call that would have to read too much */
export function tooWide(where: string, { workflow, status, tags }: StoredConditions): StepwellError {
  const conditions = [
    workflow === undefined ? [] : `workflow "${workflow}"`,
    status === undefined ? [] : `status ${status.map((it) => `"${it}"`).join(" or ")}`,
    tags === undefined ? [] : `tags ${tags.map((it) => `"${it}"`).join(" and ")}`,
  ].flat();
  return new StepwellError(
    "STEPWELL_FILTER_TOO_WIDE",
    `${where}: few of many executions fit ${conditions.join(" with ")}, and finding them would read thousands of others. ` +
      `Give a range of time with "createdFrom" and "createdBefore", or fewer conditions.`,
  );
}

const names = ["workflow", "status", "tags", "createdFrom", "createdBefore", "root", "children", "limit", "after"];

const largestPage = 1000;

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
export function filterOf(options: ListOptions): ListFilter {
  refuseUnknownOptions(options, names, "list");
  const { limit = 100, after } = options;
  const conditions = conditionsOf(options, "list");
  if (!Number.isInteger(limit) || limit < 1 || limit > largestPage) {
    throw invalidArgument(`list: "limit" must be a whole number from 1 to ${largestPage}, not ${shown(limit)}`);
  }
  // The store refuses a text that is no cursor: only stores know what a cursor looks like.
  if (after !== undefined && typeof after !== "string") {
    throw invalidArgument(
      `list: "after" must be the cursor of the page before, not ${shown(after)}. Leave it out for the first page`,
    );
  }
  return { ...conditions, limit, after };
}

/** @param where the call whose options they are @throws STEPWELL_INVALID_ARGUMENT */
export function conditionsOf(
  { workflow, status, tags, createdFrom, createdBefore, root, children }: ListConditions,
  where: string,
): StoredConditions {
  if (workflow !== undefined && !isLine(workflow, longestName)) {
    throw invalidArgument(`${where}: "workflow" must be the name of a workflow, not ${shown(workflow)}`);
  }
  if (root !== undefined) checkExecutionId(root);
  if (children !== undefined && typeof children !== "boolean") {
    throw invalidArgument(`${where}: "children" must be true or false, not ${shown(children)}`);
  }
  const withChildren = children ?? root !== undefined;
  return {
    workflow,
    ...(!withChildren && { isFree: true }),
    ...(root !== undefined && { root }),
    status: status === undefined ? undefined : statusesOf(status, where),
    tags: tags === undefined ? undefined : checkedTags(tags, where),
    createdFrom: timeOf(createdFrom, "createdFrom", where),
    createdBefore: timeOf(createdBefore, "createdBefore", where),
  };
}

/**
 * A tree is kept under its top: below a child nothing would be found, whatever is there.
 *
 * @param where the call whose conditions they are
 * @throws STEPWELL_INVALID_ARGUMENT
 */
export async function checkRoot(store: Pick<Store, "load">, { root }: StoredConditions, where: string): Promise<void> {
  if (root === undefined) return;
  const [record] = await store.load([root], "listed");
  const top = record?.root ?? null;
  if (top === null) return;
  throw invalidArgument(
    `${where}: "root" must be an execution at the top of its tree, and ${shown(root)} is a child in the tree of ${shown(top)}. ` +
      `Give ${shown(top)}; or read the children of ${shown(root)} alone with childrenOf, or stepwell children`,
  );
}

/** An object, so that the compiler misses none. */
const statuses: Readonly<Record<Status, true>> = {
  scheduled: true,
  running: true,
  waiting: true,
  stuck: true,
  completed: true,
  rolledBack: true,
};

function isStatus(value: unknown): value is Status {
  return typeof value === "string" && Object.hasOwn(statuses, value);
}

function statusesOf(status: unknown, where: string): readonly Status[] {
  const wanted: readonly unknown[] = Array.isArray(status) ? status : [status];
  for (const one of wanted) {
    if (isStatus(one)) continue;
    const known = Object.keys(statuses).join(", ");
    throw invalidArgument(`${where}: "status" must be one of ${known}, or an array of them; ${shown(one)} is none`);
  }
  return [...new Set(wanted.filter(isStatus))];
}

function timeOf(date: unknown, option: string, where: string): number | undefined {
  if (date === undefined) return undefined;
  const time = date instanceof Date ? date.getTime() : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw invalidArgument(
    `${where}: "${option}" must be a valid Date, not ${date instanceof Date ? "an invalid one" : shown(date)}`,
  );
}
