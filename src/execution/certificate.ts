/**
 * What an execution at rest did, by which key, and what undid it or why nothing did. Pure: made of the rows of its history and the stored
 * list of its steps, without any value that it holds.
 */
import type { Mutable } from "../values/mutable.js";
import type { StepOutline } from "../definition/outline.js";
import type { Status } from "../definition/flow.js";
import type { HistoryRecord } from "./records.js";

/** One doing of a step, from its first attempt to its undo. */
export interface CertifiedDoing {
  readonly step: string;
  /** From 0; grows with each rewind. */
  readonly round: number;
  /** Under which others know it: the idempotency key of its `run`. */
  readonly key: string;
  /**
   * What became of it on the way up. `begun`: somebody turned the execution meanwhile; `in-doubt`: its last attempt gave nothing back,
   * its probe was asked, and nobody knows; `skipped`: an operator took it as done; `elsewhere`: the execution was launched on its way
   * down.
   */
  readonly outcome: "done" | "failed" | "begun" | "in-doubt" | "recovered" | "skipped" | "elsewhere";
  /** When that was committed, ISO 8601. */
  readonly at?: string;
  /** Attempts of its function on the way up, failed ones included. */
  readonly attempts: number;
  /** Who skipped it, or found what became of it. */
  readonly by?: string;
  /** Why it was skipped, or how that was found; or the reason with which it failed. */
  readonly why?: string;
  /** Left out: nothing undid it. */
  readonly undo?: CertifiedUndo;
  /** Why it stays. Left out: it is undone, or there is nothing of it. */
  readonly left?: WhyLeft;
  /** Why the step is irreversible, as its workflow says. Left out: it is not. */
  readonly said?: string;
}

export interface CertifiedUndo {
  readonly outcome: "undone" | "skipped" | "failed";
  /** The idempotency key of its `rollback`. */
  readonly key: string;
  readonly at: string;
  readonly attempts: number;
  readonly by?: string;
  readonly why?: string;
}

/**
 * - `irreversible`: it can't be undone, as its workflow says
 * - `no-undo`: its step has no undo
 * - `skipped`: an operator took it as undone
 * - `dropped`: a migration has taken the step out of the workflow
 * - `undo-failed`: its undo has failed, and the execution is stuck there
 * - `in-doubt`: it may be there: nobody knows what became of its last attempt
 * - `stands`: the execution has not gone back so far
 */
export type WhyLeft = "irreversible" | "no-undo" | "skipped" | "dropped" | "undo-failed" | "in-doubt" | "stands";

/** How the keys of a step's functions are made. */
export type KeyOf = (step: string, func: "run" | "rollback", round: number) => string;

type Made = Mutable<Omit<CertifiedDoing, "undo">> & {
  undo?: Mutable<CertifiedUndo>;
  /** Under which name others know what it did. */
  readonly known: string;
  isDropped?: true;
  isNothing?: boolean;
  /** A request or a veto came when it had perhaps not begun: only its undo shows that it had. */
  isPerhaps?: boolean;
  neverRan?: true;
  /** Something that the step did before its last attempt was committed. */
  isPartly?: true;
};

/** Rows that say nothing of what a function did. */
const asides = new Set(["migrated", "patched", "retried", "begins"]);
const goesOn = new Set(["continue", "again", "cut-off"]);

/**
 * @param rows all of them, in order
 * @param status of the execution after them
 */
export function doingsOf(
  rows: readonly HistoryRecord[],
  status: Status,
  steps: readonly StepOutline[] | undefined,
  keyOf: KeyOf,
): readonly CertifiedDoing[] {
  const doings: Made[] = [];
  for (const row of rows) {
    if (row.func === "probe") wasAsked(doings, row, keyOf);
    else if (row.direction === "up") wentUp(doings, row, keyOf);
    else wentDown(doings, row, keyOf);
    if (row.migration?.steps !== undefined) renamed(doings, row.migration.steps);
  }
  const outlines = steps && new Map(steps.map((step) => [step.name, step]));
  const isBack = status === "rolledBack";
  return doings.flatMap((made) => {
    if (made.neverRan === true || (made.isPerhaps === true && made.undo === undefined && isBack)) return [];
    const { known: _, isDropped, isNothing, isPerhaps: __, neverRan: ___, isPartly: ____, ...doing } = made;
    const outline = outlines?.get(made.step);
    const left = isNothing === true ? undefined : whyLeft(made, isDropped === true, outline);
    const { undo, ...rest } = doing;
    const isUndone = undo !== undefined && (undo.outcome !== "undone" || hasUndo(outline));
    const said = left === "irreversible" ? outline?.irreversible : undefined;
    return {
      ...rest,
      ...(isUndone && { undo }),
      ...(left !== undefined && { left }),
      ...(said !== undefined && { said }),
    };
  });
}

function latest(doings: readonly Made[], step: string): Made | undefined {
  return doings.findLast((it) => it.step === step && it.isDropped !== true);
}

function begun(doings: Made[], step: string, round: number, keyOf: KeyOf, outcome: Made["outcome"]): Made {
  const known = latest(doings, step)?.known ?? step;
  const made: Made = { step, round, known, key: keyOf(known, "run", round), outcome, attempts: 0 };
  doings.push(made);
  return made;
}

function wentUp(doings: Made[], row: HistoryRecord, keyOf: KeyOf): void {
  const { step, result, why, by, error, round = 0 } = row;
  if (asides.has(result) || result === "passed-over") return;
  const known = latest(doings, step);
  const doing = known?.round === round ? known : begun(doings, step, round, keyOf, "begun");
  doing.at = new Date(row.at).toISOString();
  if (row.leftNothing === true) doing.isNothing = true;
  if (result === "skipped") {
    doing.outcome = "skipped";
    if (by !== undefined) doing.by = by;
    if (why !== undefined) doing.why = why;
    return;
  }
  if (why !== undefined) {
    // A request has turned the execution here; nothing says whether the function had begun.
    doing.isPerhaps = known?.round !== round;
    return;
  }
  if (row.func === "run" || error !== undefined) doing.attempts = Math.max(doing.attempts, row.attempt);
  if (result === "again" && row.patch !== null) doing.isPartly = true;
  if (row.leftNothing !== true) {
    doing.isNothing = false;
    delete doing.by;
  }
  if (goesOn.has(result)) return;
  doing.outcome = result === "ok" ? "done" : result === "recovered" ? "recovered" : "failed";
  if (doing.outcome === "failed") {
    // It was found that it had not happened, and it fails for good only now.
    if (row.leftNothing !== true || doing.by === undefined) doing.why = result;
    // A guard may have said no before it began.
    doing.isPerhaps = known?.round !== round;
  } else {
    delete doing.why;
    doing.isPerhaps = false;
  }
}

/** Notes what the step's probe, or an operator in its place, has said of the doing that was begun last. */
function wasAsked(doings: Made[], row: HistoryRecord, keyOf: KeyOf): void {
  const { step, result, by, why, error, round = 0 } = row;
  if (goesOn.has(result) && result !== "again") return;
  const known = latest(doings, step);
  const doing = known?.round === round ? known : begun(doings, step, round, keyOf, "begun");
  doing.at = new Date(row.at).toISOString();
  doing.isPerhaps = false;
  if (by !== undefined) Object.assign(doing, { by, ...(why !== undefined && { why }) });
  // Whatever was said of an attempt before it.
  doing.isNothing = false;
  if (result === "did-not-happen") {
    if (doing.outcome === "in-doubt") doing.outcome = "failed";
    if (doing.isPartly !== true) doing.isNothing = true;
  } else if (result === "happened") {
    // What it gave may be a failure, or can't be stored.
    doing.outcome = error === undefined ? "done" : "failed";
    if (error !== undefined) doing.why = error.name === "Fail" ? error.message : (error.code ?? error.name);
    else if (by === undefined) delete doing.why;
  } else {
    doing.outcome = "in-doubt";
  }
}

function wentDown(doings: Made[], row: HistoryRecord, keyOf: KeyOf): void {
  const { step, result, by, why, attempt, round = 0 } = row;
  // The way down begins before the step that the turn was asked at: that had not begun.
  const last = doings.at(-1);
  if (last?.isPerhaps === true && last.step !== step && last.undo === undefined) last.neverRan = true;
  if (asides.has(result) || goesOn.has(result)) return;
  if (result === "passed-over") return;
  const doing = latest(doings, step) ?? begun(doings, step, round, keyOf, "elsewhere");
  const key = keyOf(doing.known, "rollback", doing.round);
  const at = new Date(row.at).toISOString();
  const outcome = result === "ok" ? "undone" : result === "skipped" ? "skipped" : "failed";
  doing.undo = {
    ...{ outcome, key, at, attempts: attempt },
    ...(by !== undefined && { by }),
    ...(outcome === "failed" ? { why: result } : why !== undefined && { why }),
  };
}

function renamed(doings: readonly Made[], steps: Readonly<Record<string, string | null>>): void {
  const before = doings.filter((it) => it.isDropped !== true && Object.hasOwn(steps, it.step));
  for (const doing of before) {
    const now = steps[doing.step]!;
    if (now === null) doing.isDropped = true;
    else doing.step = now;
  }
}

/** Whether the step has an undo. Where its list is not known it had one, since the execution went down over it. */
function hasUndo(outline: StepOutline | undefined): boolean {
  return outline === undefined || outline.rollback === true || outline.children !== undefined;
}

function whyLeft({ undo, outcome }: Made, isDropped: boolean, outline: StepOutline | undefined): WhyLeft | undefined {
  if (outline?.waits === true && !hasUndo(outline)) return undefined;
  if (isDropped) return "dropped";
  if (outcome === "in-doubt" && undo === undefined) return "in-doubt";
  if (undo?.outcome === "skipped") return "skipped";
  if (undo?.outcome === "failed") return "undo-failed";
  if (outline?.irreversible !== undefined) return "irreversible";
  if (undo === undefined) return "stands";
  return hasUndo(outline) || outcome === "elsewhere" ? undefined : "no-undo";
}
