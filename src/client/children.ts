/** What a step has begun: its children, as their list has them. */
import { slice, tallyOf } from "../execution/children.js";
import type { LinePhase } from "../execution/records.js";
import { needed } from "../session/capabilities.js";
import type { Store } from "../stores/contract.js";
import type { LineRecord, ListRecord } from "../stores/lists.js";
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";

/** The children of one step. What was counted of them may be some moments old. */
export interface ChildGroup {
  readonly step: string;
  /** The round of the execution in which the children were begun: 0 before any rewind. */
  readonly round: number;
  /** A step after the pivot whose children were begun again has a group for each time, from 1. */
  readonly number: number;
  readonly count: number;
  /** How many of the list have not begun. In a closed group none of these ever will. */
  readonly notBegun: number;
  readonly underWay: number;
  readonly stuck: number;
  readonly completed: number;
  readonly rolledBack: number;
  /** The children were asked to go back, those under way first. */
  readonly isClosed: boolean;
}

export interface ChildLine {
  /** The position of the child in the list, from 0. */
  readonly position: number;
  readonly key: string;
  /** The id of the child's execution, also where the child has not begun. */
  readonly id: string;
  readonly status: "notBegun" | "underWay" | "stuck" | "completed" | "rolledBack";
  /** The child was asked to go back. */
  readonly isAsked: boolean;
}

export interface ChildLinesOptions {
  /** The round whose children are listed. Default: the last one in which the step began any. */
  readonly round?: number;
  /** Which of the step's groups of that round. Default: the last one. */
  readonly number?: number;
  /** From this position on. Default: 0. */
  readonly from?: number;
  /** At most so many, from 1 to 1000. Default: 100. */
  readonly limit?: number;
}

export async function childGroupsOf(
  { lists }: Pick<Store, "lists">,
  execution: string,
): Promise<readonly ChildGroup[]> {
  const records = (await lists?.of(execution)) ?? [];
  return records.filter(({ status }) => status !== "staged").map(groupOf);
}

function groupOf(record: ListRecord): ChildGroup {
  const { step, round, number, count, next, begun, stuck, completed, rolledBack } = tallyOf(record);
  const isClosed = record.status === "closed";
  return {
    step,
    round,
    number,
    count,
    notBegun: count - next,
    underWay: begun,
    stuck,
    completed,
    rolledBack,
    isClosed,
  };
}

const largestPage = 1000;

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_CAPABILITY_MISSING */
export async function childLinesOf(
  store: Store,
  execution: string,
  step: string,
  options: ChildLinesOptions,
): Promise<readonly ChildLine[]> {
  refuseUnknownOptions(options, ["round", "number", "from", "limit"], "childrenOf");
  const { number, from = 0, limit = 100 } = options;
  const isCount = (value: unknown, most: number): boolean => Number.isSafeInteger(value) && (value as number) <= most;
  if (!isCount(from, Infinity) || from < 0)
    throw invalidArgument(`childrenOf: "from" must be a position from 0 on, not ${shown(from)}`);
  if (!isCount(limit, largestPage) || limit < 1)
    throw invalidArgument(`childrenOf: "limit" must be a whole number from 1 to ${largestPage}, not ${shown(limit)}`);
  const lists = needed(store, "lists", "childrenOf");
  const all = (await lists.of(execution)).filter(({ status }) => status !== "staged");
  const ofStep = all.map((it) => ({ id: it.id, ...tallyOf(it) })).filter((it) => it.step === step);
  const { round = ofStep.at(-1)?.round } = options;
  const list = ofStep.findLast((it) => it.round === round && (number === undefined || it.number === number));
  if (list === undefined) return [];
  const found: LineRecord[] = [];
  while (found.length < limit) {
    const some = await lists.lines(list.id, from + found.length, Math.min(slice, limit - found.length));
    found.push(...some);
    if (some.length < slice) break;
  }
  return found.map(lineOf);
}

const statusOf: Readonly<Record<LinePhase, ChildLine["status"]>> = {
  staged: "notBegun",
  begun: "underWay",
  stuck: "stuck",
  completed: "completed",
  rolledBack: "rolledBack",
};

function lineOf({ position, key, execution, phase, isAsked }: LineRecord): ChildLine {
  return { position, key, id: execution, status: statusOf[phase], isAsked };
}
