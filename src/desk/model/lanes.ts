/** The two lanes: what was done on the way up, and what of it was undone on the way down, a row for each step. */
import type { ErrorFacts } from "./facts.js";

/**
 * How a step stands on the way up.
 *
 * - `to-do`: not begun
 * - `working`: its function runs, or is due
 * - `waiting`: it has paused for a message, a time or a child
 * - `trying`: it failed, or said `again`, and is tried again
 * - `done`; `half-done`: begun, and what it gave before the execution turned is kept
 * - `failed`: failed here, and the execution turned
 * - `stuck`: failed here, and an operator is needed
 * - `passed-over`: its condition was false, or a guard said no before it began: nothing was done
 * - `skipped`: an operator took it as done
 */
export type UpMark =
  "to-do" | "working" | "waiting" | "trying" | "done" | "half-done" | "failed" | "stuck" | "passed-over" | "skipped";

/**
 * How a step stands on the way down.
 *
 * - `none`: the execution has not turned, or had not begun this step
 * - `to-undo`: still to undo
 * - `undoing`: its rollback runs, or is due
 * - `waiting`, `trying`: as on the way up
 * - `undone`; `skipped`: an operator took it as undone
 * - `stuck`: its undo failed for good, and an operator is needed
 * - `kept`: it can't be undone; the note says why
 * - `nothing`: it was done and has no undo, or left nothing to undo
 */
export type DownMark =
  "none" | "to-undo" | "undoing" | "waiting" | "trying" | "undone" | "skipped" | "stuck" | "kept" | "nothing";

/** One step in one direction. */
export interface Cell<Mark> {
  readonly mark: Mark;
  /** How often its function was called, where the history says so. */
  readonly attempts: number;
  /** How long its functions took in all. 0: nothing was called, or it is not known. */
  readonly durationMs: number;
  /** The last transition of this step in this direction: when, and its revision. */
  readonly at?: string;
  readonly revision?: number;
  /** A short text for beside the mark: why it is kept, what it waits for, what the last error said. */
  readonly note?: string;
  /** Of what failed last. */
  readonly error?: ErrorFacts;
  /** The operator who skipped it. */
  readonly by?: string;
}

export interface LaneRow {
  readonly index: number;
  readonly step: string;
  readonly pivot: boolean;
  /** The pivot is done, and this step comes after it: nothing turns the execution here any more. */
  readonly pastPivot: boolean;
  /** The execution stands at this step. */
  readonly here: boolean;
  readonly up: Cell<UpMark>;
  readonly down: Cell<DownMark>;
}

/** One way up, and the way down that ended it. The last round is open; an earlier one is a line. */
export interface Round {
  /** From 1. */
  readonly number: number;
  readonly open: boolean;
  /** "round 1: back from ship to charge, ada, wrong address". Empty: it is the only one. */
  readonly line: string;
  readonly rows: readonly LaneRow[];
  /** Where and why it turned. Left out: it has not turned. */
  readonly turned?: { readonly step: string; readonly reason: string; readonly at?: string; readonly by?: string };
}

export interface Lanes {
  readonly rounds: readonly Round[];
  /** False: the list of steps is not known here, so that steps which were not reached are missing. */
  readonly whole: boolean;
}
