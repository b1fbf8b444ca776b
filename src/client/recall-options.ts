/** What a recall is asked for, checked and with its defaults. */
import type { RecallConditions, RecallPlan } from "../execution/recall.js";
import { checkExecutionId } from "../ids.js";
import { checkBy, checkRollbackReason } from "../session/reasons.js";
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import { conditionsOf } from "./listing.js";
import { detailsIn } from "./rollback.js";

/** Which completed executions: all given conditions must hold. */
export interface RecallFilter {
  /** The name of a workflow. */
  readonly workflow?: string;
  /** Executions that have all of these. */
  readonly tags?: readonly string[];
  /** Created at or after. */
  readonly createdFrom?: Date;
  /** Created before. */
  readonly createdBefore?: Date;
  /** Every completed execution in the store. Has to be said, so that nobody undoes everything by leaving out a condition. */
  readonly all?: true;
}

/** So many executions in that time: `"10/s"`, `"30/m"`, `"500/h"`. */
export type RecallRate = `${number}/${"s" | "m" | "h"}`;

export interface RecallOptions {
  /** What is recalled: those that have completed by now and fit. Either this or `ids` is given. */
  readonly filter?: RecallFilter;
  /** What is recalled, by id, in this order; at most 100,000. For what no filter finds, as a price in the state. */
  readonly ids?: readonly string[];
  /** With `filter`: by the time when they were launched. Default: "newest" first. */
  readonly order?: "newest" | "oldest";
  /** Why. Becomes the reason of each execution that is rolled back: a text of one line, and neither `normal` nor `ok`. */
  readonly reason: string;
  /** Who asks; for the history of the recall, and of each execution. One line of 1 to 255 characters. */
  readonly by: string;
  /** What the undos have to know; as in a rollback. */
  readonly details?: unknown;
  /** How many are asked in a while, by the store's clock. At most 10,000 a second. Default: "10/s". */
  readonly rate?: RecallRate;
  /** How many may go down at the same time: others are asked when these are at rest. From 1 to 1000. Default: 100. */
  readonly atOnce?: number;
  /**
   * So many are asked first, and the others only when these are rolled back. If one of them gets stuck, the recall pauses. From 0, for
   * none, to `atOnce`. Default: 1.
   */
  readonly canary?: number;
  /** The recall pauses when so many are stuck or struggling since it was begun or resumed. From 1 on. Default: 3. */
  readonly onStuck?: number;
  /** Makes the call idempotent, as that of a launch does. Default: a new UUID (version 7). */
  readonly id?: string;
}

const mostRecallIds = 100_000;
const mostAtOnce = 1_000;
const mostPerSecond = 10_000;

export interface CheckedRecall {
  readonly plan: RecallPlan;
  readonly ids?: readonly string[];
}

const names = ["filter", "ids", "order", "reason", "by", "details", "rate", "atOnce", "canary", "onStuck", "id"];

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE */
export function checkedRecall(options: RecallOptions): CheckedRecall {
  refuseUnknownOptions(options, names, "recall");
  const { filter, ids, order, reason, by, details, id } = options;
  const { rate = "10/s", atOnce = 100, canary = 1, onStuck = 3 } = options;
  if (id !== undefined) checkExecutionId(id);
  checkRollbackReason(reason, "recall: the reason");
  if (by === undefined) throw invalidArgument(`recall: "by" must say who asks for it`);
  checkBy(by, "recall: by");
  if ((filter === undefined) === (ids === undefined)) {
    throw invalidArgument(`recall: give "filter" or "ids", and not both: they say what is recalled`);
  }
  if (order !== undefined && order !== "newest" && order !== "oldest") {
    throw invalidArgument(`recall: "order" must be "newest" or "oldest", not ${shown(order)}`);
  }
  if (order !== undefined && ids !== undefined) {
    throw invalidArgument(
      `recall: ids are asked in the order in which they are given, so "order" goes with "filter" only`,
    );
  }
  whole(atOnce, 1, mostAtOnce, "atOnce");
  whole(canary, 0, atOnce, "canary");
  whole(onStuck, 1, Number.MAX_SAFE_INTEGER, "onStuck");
  const bounds = { order: order ?? "newest", rate: rateOf(rate), atOnce, canary, onStuck } as const;
  const plan = { reason, by, ...detailsIn(details), ...bounds };
  if (filter !== undefined) return { plan: { ...plan, filter: filterOf(filter) } };
  return { plan, ids: checkedIds(ids) };
}

function whole(value: unknown, least: number, most: number, option: string): void {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return;
  const upTo = most === Number.MAX_SAFE_INTEGER ? "on" : `to ${most}`;
  throw invalidArgument(`recall: "${option}" must be a whole number from ${least} ${upTo}, not ${shown(value)}`);
}

const perMs = { s: 1_000, m: 60_000, h: 3_600_000 };

function rateOf(rate: unknown): RecallPlan["rate"] {
  const parts = typeof rate === "string" ? /^(\d{1,9}(?:\.\d{1,3})?)\/([smh])$/.exec(rate) : null;
  if (parts !== null) {
    const per = perMs[parts[2] as keyof typeof perMs];
    const count = Number(parts[1]);
    if (count > 0 && (count * 1_000) / per <= mostPerSecond) return { count, perMs: per };
  }
  throw invalidArgument(
    `recall: "rate" must say how many are asked in a second, a minute or an hour, such as "10/s" or "30/m", and at most ` +
      `"${mostPerSecond}/s"; not ${shown(rate)}`,
  );
}

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
function filterOf(filter: RecallFilter): RecallConditions {
  refuseUnknownOptions(filter, ["workflow", "tags", "createdFrom", "createdBefore", "all"], "recall: filter");
  const { all, ...given } = filter as { readonly all?: unknown } & Omit<RecallFilter, "all">;
  const { workflow, tags, createdFrom, createdBefore } = conditionsOf(given, "recall: filter");
  const conditions = {
    ...(workflow !== undefined && { workflow }),
    ...(tags !== undefined && tags.length > 0 && { tags }),
    ...(createdFrom !== undefined && { createdFrom }),
    ...(createdBefore !== undefined && { createdBefore }),
  };
  const isEmpty = Object.keys(conditions).length === 0;
  if (all !== undefined && all !== true)
    throw invalidArgument(`recall: filter: "all" must be true or left out, not ${shown(all)}`);
  if (all === true && !isEmpty)
    throw invalidArgument(
      `recall: filter: "all" means every completed execution; give it, or conditions, and not both`,
    );
  if (all !== true && isEmpty) {
    throw invalidArgument(
      `recall: filter: there is no condition. To recall every completed execution in the store say so: { all: true }`,
    );
  }
  return conditions;
}

function checkedIds(ids: unknown): readonly string[] {
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > mostRecallIds) {
    const given = Array.isArray(ids) ? `${ids.length} of them` : shown(ids);
    throw invalidArgument(`recall: "ids" must be a list of 1 to ${mostRecallIds} ids of executions, not ${given}`);
  }
  for (const id of ids) checkExecutionId(id);
  return [...new Set(ids as string[])];
}
