/** Lists of executions, as a store keeps them: what is read of them, and what is written. */
import type { LinePhase, StagedLine } from "../execution/records.js";
import type { MaybePromise } from "../values/promise.js";
import type { Arrival, CreateResult, NewExecution } from "./batch.js";

/** Executions that one execution is made of. */
export interface ListRecord {
  readonly id: string;
  /** The execution that the list belongs to. */
  readonly of: string;
  /** `staged`: its execution has not opened it, and perhaps never will. `closed`: nothing of it begins any more. */
  readonly status: "staged" | "open" | "closed";
  /** Grows with each advance, and when it is closed. */
  readonly revision: number;
  /** What is counted of its lines, and how it goes on; no store looks into it. */
  readonly data: string;
  /** It wants to be advanced, also where no line has news. */
  readonly isMarked: boolean;
}

export interface LineRecord extends Omit<StagedLine, "launch"> {
  readonly phase: LinePhase;
  /** The phase in which its list has counted it. Another one: it has news. */
  readonly counted: LinePhase;
  /** It was asked to go back. */
  readonly isAsked: boolean;
}

/** Which lines of a list, in the order of their positions. */
export type LineQuery = { readonly list: string; readonly limit: number } & (
  | { readonly news: true }
  /** `descending`: from there backwards. `unasked`: only what is in one of these phases, and was not asked yet. */
  | { readonly from: number; readonly descending?: boolean; readonly unasked?: readonly LinePhase[] }
);

/** Lines before they are wanted: only the launcher that has the execution at this revision may bring them. */
export interface Staging {
  readonly list: string;
  readonly of: string;
  readonly owner: number;
  readonly revision: number;
  /** Each takes the place of what was staged at its position. */
  readonly lines: readonly StagedLine[];
}

/** One step of a list. */
export interface Advance {
  readonly list: string;
  /** Taken only if the list still has this revision. */
  readonly revision: number;
  readonly data: string;
  readonly isMarked: boolean;
  /** In which phase these lines are counted from now on. */
  readonly counts: readonly { readonly position: number; readonly phase: LinePhase }[];
  /**
   * These are created, and their lines are `begun` and counted so; what was needed to create them is forgotten. Where the id is
   * another's, the line becomes `rolledBack` instead, and has news.
   */
  readonly begins: readonly { readonly position: number; readonly create: NewExecution }[];
  /** Positions of lines that are asked to go back. */
  readonly asks: readonly number[];
  readonly arrivals: readonly Arrival[];
  /** Ids of executions that are lines no longer: they are let go. */
  readonly frees: readonly string[];
}

/**
 * Keeps lists of executions: each line is an execution, and says what has become of it. A list changes under its revision only;
 * a line changes with its execution, and touches nothing that other lines touch.
 *
 * Who writes several of these locks executions first, then lists, then lines, each in the order of their keys.
 */
export interface ListStore {
  /** False: the execution has another owner or another revision, and nothing was written. */
  stage(staging: Staging): MaybePromise<boolean>;
  /** Lists that are open or closed and are marked, or have news; at most so many. What it costs does not grow with the lists. */
  due(limit: number): MaybePromise<readonly string[]>;
  /**
   * Of different lists, all in one transaction. For each: null, where the list has another revision by now, and nothing was done of it;
   * else the answers for what begins, in that order. A store may answer null for all where one is too late.
   */
  advance(advances: readonly Advance[]): MaybePromise<readonly (readonly CreateResult[] | null)[]>;
  /** In the order of the ids. */
  find(ids: readonly string[]): MaybePromise<readonly (ListRecord | undefined)[]>;
  /** The lists of an execution, in the order in which they were made. */
  of(execution: string): MaybePromise<readonly ListRecord[]>;
  lines(query: LineQuery): MaybePromise<readonly LineRecord[]>;
  /** The same lines, with all that their executions need to be created. Undefined: that was forgotten, or there is no such line. */
  launches(list: string, from: number, limit: number): MaybePromise<readonly StagedLine[]>;
}
