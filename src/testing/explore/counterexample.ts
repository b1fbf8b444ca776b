/** A history that breaks what is asked of it, for people: a sentence, a table, the lanes, and a line that plays it again. */
import Table from "cli-table3";
import type { HistoryRow } from "../../execution/history.js";
import { sentenceOf, written, type Course } from "./course.js";
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
}

export function counterexampleOf(
  workflow: string,
  course: Course,
  problems: readonly string[],
  { rows, transitions, lanes }: Pick<Counterexample, "rows" | "transitions" | "lanes">,
): Counterexample {
  const sentence = sentenceOf(course);
  const history = course.map(written);
  const text = [
    `${workflow}: ${problems.join(" ")}`,
    sentence,
    tableOf(rows),
    lanes,
    `Play it again: explore(…, { …, history: ${JSON.stringify(history)} })`,
  ].join("\n\n");
  return { problems, sentence, history, rows, transitions, lanes, text };
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
