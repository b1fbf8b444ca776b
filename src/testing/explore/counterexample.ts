/** A history that breaks what is asked of it, for people: a sentence, a table, the lanes, and a line that plays it again. */
import Table from "cli-table3";
import type { ExecutionDetails } from "../../client/execution-details.js";
import { drawnLanes } from "../../cli/draw-lanes.js";
import { paintFor } from "../../cli/text.js";
import { lanesOf } from "../../desk/model/lanes.js";
import type { HistoryRow } from "../../execution/history.js";
import { sentenceOf, written, type Course } from "./course.js";
import { pageOf } from "./page.js";
import { shortened, type LogRow } from "./log.js";

export interface Counterexample {
  /** What is wrong, in sentences. */
  readonly problems: readonly string[];
  /** "All goes well, except: …" */
  readonly sentence: string;
  /** What to give as `history` to play exactly this again. */
  readonly history: readonly string[];
  /** What happened, all of it. */
  readonly rows: readonly LogRow[];
  /** The transitions that were committed. */
  readonly transitions: readonly HistoryRow[];
  /** The two lanes as they stood in the end, as text. */
  readonly lanes: string;
  /** All of this as text. */
  readonly text: string;
  /** All of this as a page that stands for itself: write it into an `.html` file. With a slider over the commits. */
  readonly page: string;
}

/** @param details undefined: it was never launched */
export function counterexampleOf(
  workflow: string,
  course: Course,
  problems: readonly string[],
  {
    rows,
    transitions,
    details,
  }: Pick<Counterexample, "rows" | "transitions"> & { readonly details?: ExecutionDetails },
): Counterexample {
  const sentence = sentenceOf(course);
  const history = course.map(written);
  const frames = details === undefined ? [""] : framesOf(details, transitions);
  const lanes = frames.at(-1)!;
  const text = [
    `${workflow}: ${problems.join(" ")}`,
    sentence,
    tableOf(rows),
    lanes,
    `Play it again: explore(…, { …, history: ${JSON.stringify(history)} })`,
  ].join("\n\n");
  const page = pageOf({ workflow, problems, sentence, history, rows, frames });
  return { problems, sentence, history, rows, transitions, lanes, text, page };
}

/** The lanes after each commit, from none on: where it stood says the transition that came next. */
function framesOf(details: ExecutionDetails, transitions: readonly HistoryRow[]): readonly string[] {
  const drawn = (facts: ExecutionDetails, count: number): string =>
    drawnLanes(lanesOf(facts, transitions.slice(0, count)), paintFor({}));
  const before = transitions.map(({ direction, step, stepIndex }, count) => {
    const { error: _, waitUntil: __, resumeAt: ___, ...rest } = details;
    const isUp = direction === "up";
    const lifecycle = isUp ? ("step" as const) : ("rollback" as const);
    const reason = isUp ? "normal" : details.flow.reason;
    const flow = { ...details.flow, direction, step, stepIndex, lifecycle, reason };
    return drawn({ ...rest, status: "running", revision: count, flow }, count);
  });
  return [...before, drawn(details, transitions.length)];
}

const none = Object.fromEntries(
  [
    ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
    ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid"],
  ].map((part) => [part, ""]),
);

function tableOf(rows: readonly LogRow[]): string {
  const table = new Table({
    chars: { ...none, middle: "  " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
  });
  for (const { process, what, outcome, isFault } of shortened(rows)) {
    table.push([isFault ? "!" : "", process === 0 ? "outside" : `process ${process}`, what, outcome]);
  }
  return table.toString().replaceAll(/ +$/gm, "");
}
