/** Lists of executions, as a store keeps them: what is read of them, and what is written. */
import type { News, SeenLine, StagedLine } from "../execution/records.js";
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
  /** It wants to be advanced, also where there is no news of it. */
  readonly isMarked: boolean;
}

/**
 * A line as it is now: of one that has begun, the status of its execution says in which phase it is. One whose execution was let go
 * has completed, and one whose id is another's is rolled back.
 */
export interface LineRecord extends SeenLine, Omit<StagedLine, "launch"> {}

/** What has been told of a list, and is not counted yet. */
export interface NewsRecord extends News {
  /** By which it is counted; the list has no other with it. */
  readonly id: string;
}

/** Lines before they are wanted: only the launcher that has the execution at this revision may bring them. */
export interface Staging {
  readonly list: string;
  readonly of: string;
  readonly owner: number;
  readonly revision: number;
  /** A slice, in a row. It takes the place of a slice that was staged from the same position; one that is shorter than that is the last. */
  readonly lines: readonly StagedLine[];
}

/** One step of a list. */
export interface Advance {
  readonly list: string;
  /** Taken only if the list still has this revision. */
  readonly revision: number;
  readonly data: string;
  readonly isMarked: boolean;
  /** The ids of news that is counted now: it goes. */
  readonly counts: readonly string[];
  /**
   * The executions of the lines that are next: these are created, and what was needed to create them is forgotten. Where the id is
   * another's, the line is rolled back instead, which is news.
   */
  readonly begins: readonly NewExecution[];
  /** Positions of lines that have begun and are not rolled back: they are asked to go back. */
  readonly asks: readonly number[];
  readonly arrivals: readonly Arrival[];
  /** Ids of executions that are lines no longer: they are let go. */
  readonly frees: readonly string[];
}

/**
 * Keeps lists of executions: each line is an execution, and what it becomes is told to the list. A list changes under its revision
 * only; what is told touches nothing that others touch.
 *
 * Who writes several of these locks executions first, then lists, in the order of their keys.
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
  /** News of about so many lines, in the order in which it was told. What was told together is read together. */
  news(list: string, limit: number): MaybePromise<readonly NewsRecord[]>;
  /** The lines at so many positions from that one on, in their order. */
  lines(list: string, from: number, limit: number): MaybePromise<readonly LineRecord[]>;
  /** The same, with all that their executions need to be created. Left out: those that have begun. */
  launches(list: string, from: number, limit: number): MaybePromise<readonly StagedLine[]>;
}
