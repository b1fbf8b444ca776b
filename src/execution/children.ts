/**
 * How a list of children goes on: pure. Whoever advances a list counts what has become of its lines, and then does the next
 * bounded part of what is to be done: more children begin, or are asked to go back, or the parent is told.
 *
 * An open list begins its children in their order, until one is rolled back or all are settled. A closed one begins nothing:
 * first it asks all that are under way to go back, then those that have completed, the last one first.
 */
import { StepwellError } from "../errors.js";
import { phaseOf, type LineChange, type LinePhase, type News, type SeenLine } from "./records.js";

/** What all children of a list share besides their inputs. */
export interface SharedLaunch {
  readonly workflow: string;
  readonly version: string;
  readonly fingerprint: string | null;
  /** The first step of their workflow. */
  readonly step: string;
  /** The priority with which they wait for limits. Left out: 0. */
  readonly priority?: number | undefined;
  readonly deadlineInMs: number | null;
  readonly carried: string | null;
}

/** What a list knows of its lines; stored with it. */
export interface Tally {
  /** The name under which others know the step that has opened it, in which round, and which of its lists there this is, from 1. */
  readonly step: string;
  readonly round: number;
  readonly number: number;
  /** The execution whose list it is, the one at the top of its tree, and how many are above its children. */
  readonly parent: string;
  readonly root: string;
  readonly depth: number;
  /** What its children share. Set: a line that has not begun keeps its input alone. */
  readonly kin?: SharedLaunch | undefined;
  /** How many lines there are. */
  readonly count: number;
  /** At most so many are unsettled at a time. Null: any number. */
  readonly width: number | null;
  /** At most so many that were asked to go back, and are not rolled back yet, at a time. Null: any number. */
  readonly undoWidth: number | null;
  /** The parent wants to know of the first that is rolled back; else only when all are settled. */
  readonly turnsAtFirst: boolean;
  /** Children that have completed are not undone. */
  readonly keeps: boolean;
  /** The first position that has not begun. */
  readonly next: number;
  readonly begun: number;
  readonly stuck: number;
  readonly completed: number;
  readonly rolledBack: number;
  /** The first in the order of the list that was rolled back unasked. Null: none was. */
  readonly failed: number | null;
  /** How many children of a closed list were asked to go back, and are not rolled back yet. */
  readonly asked: number;
  /** Closing has checked all lines before this position for children under way. */
  readonly swept: number;
  /** All lines behind this position were checked for completed children to undo. Null: none was. */
  readonly back: number | null;
  /** What the parent was told last. */
  readonly told: Told;
}

type Told = "nothing" | "failed" | "settled" | "back";

const rank: Readonly<Record<Told, number>> = { nothing: 0, failed: 1, settled: 2, back: 3 };

/** How a list is to go on, as its step says. */
export type Manner = Pick<
  Tally,
  | "step"
  | "round"
  | "number"
  | "count"
  | "width"
  | "undoWidth"
  | "turnsAtFirst"
  | "keeps"
  | "parent"
  | "root"
  | "depth"
  | "kin"
>;

export function newTally(manner: Manner): Tally {
  return {
    ...manner,
    ...{ next: 0, begun: 0, stuck: 0, completed: 0, rolledBack: 0, failed: null },
    ...{ asked: 0, swept: 0, back: null, told: "nothing" },
  };
}

interface Counted {
  readonly id: string;
  /** The execution that the list belongs to. */
  readonly of: string;
  readonly data: string;
}

const numbers = ["count", "next", "begun", "stuck", "completed", "rolledBack", "asked", "swept", "depth"] as const;

/** @throws STEPWELL_NOT_DECODABLE, which names the execution that the list belongs to */
export function tallyOf({ id, of, data }: Counted): Tally {
  let problem: string;
  try {
    const tally = JSON.parse(data) as Tally | null;
    const lacking = numbers.find((name) => !Number.isInteger(tally?.[name]));
    if (lacking === undefined) return tally!;
    problem = `its "${lacking}" is no number`;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  const message = `The list "${id}" of children of execution "${of}" can't be read back: ${problem}`;
  throw new StepwellError("STEPWELL_NOT_DECODABLE", message, { execution: of });
}

/** At most so many lines are read, begin or are asked in one transaction. */
export const slice = 512;

/** The fewest lines that are read when looking for a child to undo. */
const shortest = 32;

/** At most so many lines are written before they begin in one transaction. */
export const stagedAtOnce = 1024;

/** The tally with what has become of its lines. */
export function counted(tally: Tally, all: readonly News[]): Tally {
  if (all.length === 0) return tally;
  const sums = {
    staged: 0,
    begun: tally.begun,
    stuck: tally.stuck,
    completed: tally.completed,
    rolledBack: tally.rolledBack,
  };
  let { failed, asked } = tally;
  for (const news of all) {
    sums[news.was] -= news.positions.length;
    sums[news.phase] += news.positions.length;
    if (news.phase !== "rolledBack") continue;
    asked -= news.asked.length;
    for (const position of news.positions)
      if (!news.asked.includes(position)) failed = Math.min(failed ?? position, position);
  }
  const { begun, stuck, completed, rolledBack } = sums;
  return { ...tally, begun, stuck, completed, rolledBack, failed, asked };
}

/** Where a list stands, for its parent. `waits`: there is nothing to be done yet. */
export function standingOf(isClosed: boolean, tally: Tally): "waits" | Exclude<Told, "nothing"> {
  const { next, count, begun, stuck, completed, keeps, failed, turnsAtFirst } = tally;
  const isSettled = begun + stuck === 0;
  if (isClosed) return isSettled && (keeps || completed === 0) ? "back" : "waits";
  if (failed !== null && turnsAtFirst) return "failed";
  return isSettled && next === count ? "settled" : "waits";
}

/** Which lines must be read to go on. Null: none. */
export type Need =
  | { readonly act: "begin"; readonly from: number; readonly limit: number }
  /** The lines under way, among `span` lines from `from` on. */
  | { readonly act: "sweep"; readonly from: number; readonly span: number }
  /** The last lines that have completed, at most `limit`, among `span` lines from `from` on. */
  | { readonly act: "back"; readonly from: number; readonly span: number; readonly limit: number };

export function needOf(isClosed: boolean, tally: Tally): Need | null {
  return isClosed ? needOfClosed(tally) : needOfOpen(tally);
}

function needOfOpen({ width, next, count, begun, stuck, failed, turnsAtFirst }: Tally): Need | null {
  if (failed !== null && turnsAtFirst) return null;
  const limit = Math.min(slice, count - next, (width ?? Infinity) - begun - stuck);
  return limit > 0 ? { act: "begin", from: next, limit } : null;
}

function needOfClosed({ swept, next, keeps, asked, undoWidth, back }: Tally): Need | null {
  if (swept < next) return { act: "sweep", from: swept, span: Math.min(slice, next - swept) };
  const last = back ?? next - 1;
  if (keeps || last < 0) return null;
  const limit = Math.min(slice, (undoWidth ?? Infinity) - asked);
  if (limit <= 0) return null;
  const span = Math.min(Math.max(limit, shortest), last + 1);
  return { act: "back", from: last + 1 - span, span, limit };
}

/** Positions of the lines to act on, in order. */
export function chosen(need: Exclude<Need, { readonly act: "begin" }>, lines: readonly SeenLine[]): readonly number[] {
  const free = lines.filter(({ isAsked }) => !isAsked);
  if (need.act === "sweep") return positionsOf(free, ["begun", "stuck"]);
  return positionsOf(free, ["completed"]).toReversed().slice(0, need.limit);
}

function positionsOf(lines: readonly SeenLine[], phases: readonly LinePhase[]): number[] {
  return lines.flatMap(({ position, phase }) => (phases.includes(phase) ? position : []));
}

/** What is to be done with a list. */
export interface Move {
  readonly tally: Tally;
  /** Positions of those that begin. */
  readonly begins: readonly number[];
  /** Positions of those that are asked to go back. */
  readonly asks: readonly number[];
  /** The parent is to be woken. */
  readonly tells: boolean;
  /** There is more to be done, whatever becomes of the lines. */
  readonly isMarked: boolean;
}

/** @param found the positions of the lines that were needed */
export function moveOf(isClosed: boolean, tally: Tally, need: Need | null, found: readonly number[]): Move {
  const moved = need === null ? tally : afterAct(tally, need, found);
  const standing = standingOf(isClosed, moved);
  const tells = standing !== "waits" && rank[standing] > rank[moved.told];
  // Somebody may have turned a child that had completed: what the parent was told is not so any more, and it is told anew.
  const told = standing === "waits" ? "nothing" : tells ? standing : moved.told;
  const after = { ...moved, told };
  return {
    tally: after,
    begins: need?.act === "begin" ? found : [],
    asks: need !== null && need.act !== "begin" ? found : [],
    tells,
    isMarked: needOf(isClosed, after) !== null,
  };
}

function afterAct(tally: Tally, need: Need, found: readonly number[]): Tally {
  const asked = tally.asked + found.length;
  switch (need.act) {
    case "begin":
      return { ...tally, next: tally.next + found.length, begun: tally.begun + found.length };
    case "sweep":
      return { ...tally, asked, swept: need.from + need.span };
    case "back":
      return { ...tally, asked, back: (found.length < need.limit ? need.from : found.at(-1)!) - 1 };
  }
}

/** What a transition tells the list whose line the execution is. Undefined: nothing, as it is known there. */
export function lineAfter(
  line: { readonly list: string; readonly position: number } | null,
  before: string,
  after: string,
): LineChange | undefined {
  if (line === null) return undefined;
  const [was, phase] = [phaseOf(before), phaseOf(after)];
  return phase === was ? undefined : { list: line.list, position: line.position, was, phase };
}
