/** The two lanes: what was done on the way up, and what of it was undone on the way down, a row for each step. */
import { waitedFor } from "./children.js";
import type { ErrorFacts, ExecutionFacts, StepFacts, TransitionFacts } from "./facts.js";
import { isoOf, listed, oneLine } from "./spans.js";
import { tallyOf, type ClosedRound, type StepTally, type Tally } from "./tally.js";

/**
 * How a step stands on the way up.
 *
 * - `to-do`: not begun
 * - `working`: its function runs, or is due
 * - `waiting`: it has paused for a message, a time or a child
 * - `trying`: it failed, or said `again`, and is tried again
 * - `done`; `half-done`: begun, and what it gave before the execution turned is kept
 * - `failed`: failed here, and the execution turned
 * - `in-doubt`: nobody knows whether it was done: its probe is asked, or an operator is needed
 * - `stuck`: failed here, and an operator is needed
 * - `passed-over`: its condition was false, or a guard said no before it began: nothing was done
 * - `skipped`: an operator took it as done
 * - `uncounted`: what became of it stands in a part of the history that is not counted yet
 */
export type UpMark =
  | "to-do"
  | "working"
  | "waiting"
  | "trying"
  | "done"
  | "half-done"
  | "failed"
  | "in-doubt"
  | "stuck"
  | "passed-over"
  | "skipped"
  | "uncounted";

/**
 * How a step stands on the way down.
 *
 * - `none`: the execution has not turned, had not begun this step, or goes up again before it comes to it
 * - `to-undo`: still to undo
 * - `undoing`: its rollback runs, or is due
 * - `waiting`, `trying`, `in-doubt`: as on the way up
 * - `undone`; `skipped`: an operator took it as undone
 * - `stuck`: its undo failed for good, and an operator is needed
 * - `kept`: it can't be undone; the note says why
 * - `nothing`: it was done and has no undo, or left nothing to undo
 * - `uncounted`: as on the way up
 */
export type DownMark =
  | "none"
  | "to-undo"
  | "undoing"
  | "waiting"
  | "trying"
  | "in-doubt"
  | "undone"
  | "skipped"
  | "stuck"
  | "kept"
  | "nothing"
  | "uncounted";

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

/** One way up, and the way down that ended it. The last round is open; an earlier one, which a rewind ended, is a line. */
export interface Round {
  /** From 1. */
  readonly number: number;
  readonly open: boolean;
  /** "round 1: back from ship to charge, ada, wrong address". Empty: it is the open one. */
  readonly line: string;
  /** Of the open one. */
  readonly rows: readonly LaneRow[];
  /** Where and why it turned. Left out: it has not turned. */
  readonly turned?: { readonly step: string; readonly reason: string; readonly at?: string; readonly by?: string };
}

export interface Lanes {
  readonly rounds: readonly Round[];
  /** False: the list of steps is not known here, so that steps which were not reached are missing. */
  readonly whole: boolean;
  /** Attempts, durations and what operators did are counted of what was committed after this revision. 0: of everything. */
  readonly countedAfter: number;
}

/** @param rows the history in order, or what was counted of it */
export function lanesOf(facts: ExecutionFacts, rows: readonly TransitionFacts[] | Tally): Lanes {
  const tally = "steps" in rows ? rows : tallyOf(rows);
  const steps = facts.steps ?? stepsIn(facts, tally);
  const turn = turnOf(facts, tally);
  const place: Place = { facts, tally, turn, pivot: steps.findIndex(({ pivot }) => pivot === true) };
  const lines = steps.map((step, index) => rowOf(step, index, place));
  return {
    rounds: [
      ...tally.closed.map(closedRound),
      { number: (facts.flow.round ?? 0) + 1, open: true, line: "", rows: lines, ...turned(turn, tally.asked) },
    ],
    whole: facts.steps !== undefined,
    countedAfter: tally.after,
  };
}

function closedRound({ last, asked, turned }: ClosedRound): Round {
  const from = asked?.direction === "up" ? asked : turned;
  const who = [asked?.by, asked?.why].flatMap((text) => (text === undefined ? [] : oneLine(text)));
  const back = `back${from === undefined ? "" : ` from ${from.step}`} to ${last.step}`;
  const number = last.upInto!;
  return { number, open: false, line: [`round ${number}: ${back}`, ...who].join(", "), rows: [] };
}

interface Turn {
  /** The step at which it turned. */
  readonly index: number;
  /** The transition with which it turned. Left out: it was launched on its way down, or nothing is known. */
  readonly row?: TransitionFacts;
  /** It turned before what is counted: at this step, or at one after it. */
  readonly isBefore?: true;
  readonly reason: string;
  readonly step: string;
}

interface Place {
  readonly facts: ExecutionFacts;
  readonly tally: Tally;
  readonly turn: Turn | undefined;
  readonly pivot: number;
}

/** What the history and the position name, where the list is not known. */
function stepsIn({ flow }: ExecutionFacts, { names }: Tally): StepFacts[] {
  const found = new Map(names);
  found.set(flow.stepIndex, flow.step);
  // Whether a step has an undo is not known, so none is said to have none.
  return Array.from({ length: Math.max(...found.keys()) + 1 }, (_, index) => ({
    name: found.get(index) ?? `step ${index + 1}`,
    rollback: true,
  }));
}

function turnOf({ flow, steps }: ExecutionFacts, { lastUp, firstDown, after }: Tally): Turn | undefined {
  if (flow.direction === "up") return undefined;
  const { reason } = flow;
  if (lastUp === undefined && after > 0) {
    const index = Math.max(flow.stepIndex, firstDown?.stepIndex ?? 0);
    return { index, reason, step: steps?.[index]?.name ?? flow.step, isBefore: true };
  }
  if (lastUp === undefined) {
    const index = firstDown?.stepIndex ?? flow.stepIndex;
    return { index, reason, step: steps?.[index]?.name ?? flow.step };
  }
  // A migration may have moved the step.
  const moved = steps?.findIndex(({ name }) => name === lastUp.step) ?? -1;
  return { index: moved === -1 ? lastUp.stepIndex : moved, row: lastUp, reason, step: lastUp.step };
}

function turned(turn: Turn | undefined, asked: TransitionFacts | undefined): Pick<Round, "turned"> {
  if (turn === undefined || turn.isBefore === true) return {};
  const { step, reason, row } = turn;
  const by = row?.by ?? asked?.by;
  const more = { ...(row !== undefined && { at: isoOf(row.at) }), ...(by !== undefined && { by }) };
  return { turned: { step, reason, ...more } };
}

function rowOf(step: StepFacts, index: number, place: Place): LaneRow {
  const { facts, pivot } = place;
  const { direction, stepIndex } = facts.flow;
  const isDone = facts.status === "completed" || stepIndex > pivot;
  return {
    index,
    step: step.name,
    pivot: step.pivot === true,
    pastPivot: pivot >= 0 && index > pivot && direction === "up" && isDone && !facts.passedOver.includes(pivot),
    here: stepIndex === index && facts.status !== "completed" && facts.status !== "rolledBack",
    up: cellOf(upMark(step, index, place), step, "up", index, place),
    down: cellOf(downMark(step, index, place), step, "down", index, place),
  };
}

function upMark(step: StepFacts, index: number, place: Place): UpMark {
  const { facts, tally, turn } = place;
  if (facts.passedOver.includes(index)) return "passed-over";
  const seen = tally.steps.get(`up ${step.name}`);
  const { stepIndex } = facts.flow;
  if (turn !== undefined) {
    if (index >= turn.index && turn.isBefore === true) return "uncounted";
    if (index === turn.index) return markWhereItTurned(turn, seen);
    if (index > turn.index) return "to-do";
  } else if (facts.status !== "completed" && index >= stepIndex) {
    return index > stepIndex ? "to-do" : markHere(facts, step, "working");
  } else if (index > stepIndex) return "to-do";
  return seen?.last.result === "skipped" ? "skipped" : "done";
}

/** Done, where somebody asked for its undo later; begun, where somebody asked meanwhile; else it failed here. */
function markWhereItTurned({ row }: Turn, seen: StepTally | undefined): UpMark {
  if (row === undefined || seen === undefined) return "done";
  if (seen.found === "happened") return "done";
  if (seen.found === "unknown") return "in-doubt";
  if (seen.found === "did-not-happen") return "failed";
  if (seen.finished && row.error === undefined) return seen.skipped ? "skipped" : "done";
  if (row.why === undefined) return "failed";
  return seen.attempts > 0 ? "half-done" : "to-do";
}

function markHere<Mark>(
  facts: ExecutionFacts,
  { probe, inDoubt }: StepFacts,
  otherwise: Mark,
): Mark | "in-doubt" | "stuck" | "waiting" | "trying" | "to-do" {
  const { status, attempts, flow, queued, revision } = facts;
  const isAskedFor = flow.stepFunc === "probe" || (status === "stuck" && (probe === true || inDoubt === "park"));
  if (isAskedFor && facts.inDoubt !== undefined) return "in-doubt";
  if (status === "stuck") return "stuck";
  if (status === "waiting") return "waiting";
  if (attempts > 0 || flow.lastResult === "again") return "trying";
  return queued || (status === "scheduled" && revision === 0) ? "to-do" : otherwise;
}

function downMark(step: StepFacts, index: number, place: Place): DownMark {
  const { facts, tally, turn } = place;
  if (turn?.isBefore === true && index > turn.index) return "uncounted";
  if (turn === undefined || index > turn.index || facts.passedOver.includes(index)) return "none";
  if (index < (facts.flow.until ?? 0)) return "none";
  if (facts.irreversible.some((it) => it.step === step.name)) return "kept";
  if (index === turn.index) {
    if (turn.row?.leftNothing === true || didNotHappen(tally, step)) return "nothing";
    // It had not begun, so the way down began before it.
    if (upMark(step, index, place) === "to-do") return "none";
  }
  if (step.rollback === undefined && step.children === undefined) return "nothing";
  if (tally.steps.get(`down ${step.name}`)?.last.result === "skipped") return "skipped";
  if (facts.status === "rolledBack" || index > facts.flow.stepIndex) return "undone";
  if (index < facts.flow.stepIndex) return "to-undo";
  const mark = markHere(facts, step, "undoing" as const);
  return mark === "to-do" ? "to-undo" : mark;
}

/** So it was found, and nothing of it was undone after that. */
function didNotHappen({ steps }: Tally, { name }: StepFacts): boolean {
  return steps.get(`up ${name}`)?.found === "did-not-happen" && !steps.has(`down ${name}`);
}

function cellOf<Mark extends UpMark | DownMark>(
  mark: Mark,
  step: StepFacts,
  direction: "up" | "down",
  index: number,
  place: Place,
): Cell<Mark> {
  const seen = place.tally.steps.get(`${direction} ${step.name}`);
  const note = noteOf(mark, step, direction, index, place, seen);
  if (seen === undefined) return { mark, attempts: 0, durationMs: 0, ...(note !== undefined && { note }) };
  const { last, attempts, durationMs, error } = seen;
  return {
    mark,
    attempts,
    durationMs,
    at: isoOf(last.at),
    revision: last.revision,
    ...(note !== undefined && { note }),
    ...(error !== undefined && { error: errorFacts(error) }),
    ...(mark === "skipped" && last.by !== undefined && { by: last.by }),
  };
}

/** Without its details, which may be large, and hold what not everybody may see. */
function errorFacts({ name, message, code }: ErrorFacts): ErrorFacts {
  return code === undefined ? { name, message } : { name, message, code };
}

function noteOf(
  mark: UpMark | DownMark,
  step: StepFacts,
  direction: "up" | "down",
  index: number,
  { facts, tally, turn }: Place,
  seen: StepTally | undefined,
): string | undefined {
  switch (mark) {
    case "kept":
      return facts.irreversible.find((it) => it.step === step.name)?.reason;
    case "skipped":
      return seen?.last.why;
    case "waiting":
      return waitNote(facts, step, direction);
    case "nothing":
      if (index === turn?.index && didNotHappen(tally, step)) return "did not happen";
      return index === turn?.index && turn.row?.leftNothing === true ? "left nothing" : "has no undo";
    case "in-doubt":
      return doubtNote(facts, step, index);
    case "failed":
    case "stuck":
    case "trying":
      return seen?.error === undefined ? undefined : oneLine(seen.error.message);
    default:
      return seen?.last.result === "recovered" ? "recovered" : undefined;
  }
}

function waitNote(facts: ExecutionFacts, step: StepFacts, direction: "up" | "down"): string {
  if (step.children !== undefined) {
    const group = waitedFor(facts);
    if (group === undefined) return "for its children";
    return group.count === 1 ? "for its child" : `for ${group.left} of ${group.count} children`;
  }
  const names = (direction === "up" ? step.messages : step.rollbackMessages) ?? [];
  return names.length === 0 ? "sleeps" : `for ${listed(names, "or")}`;
}

/** Under which key others may know it, and what was said of it. */
function doubtNote({ flow, inDoubt }: ExecutionFacts, { probe }: StepFacts, index: number): string {
  if (inDoubt === undefined || flow.stepIndex !== index) return "nobody knows whether it was done";
  const { key, answer } = inDoubt;
  const said =
    probe !== true ? "" : answer === undefined ? ", its probe has not answered" : `, its probe said ${answer.said}`;
  return `${key}${said}`;
}
