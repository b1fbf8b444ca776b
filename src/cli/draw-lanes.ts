/** Draws the two lanes of an execution: the way up on the left, the way down on the right, a line for each step. */
import Table from "cli-table3";
import type { Cell, DownMark, LaneRow, Lanes, Round, UpMark } from "../desk/model/lanes.js";
import { span } from "../desk/model/spans.js";
import { clean, type Paint, type Tone } from "./text.js";

type Look = readonly [sign: string, word: string, tone: Tone];

/** The words are those of the page. */
const ups: Readonly<Record<UpMark, Look>> = {
  "to-do": ["·", "not begun", "dim"],
  working: ["▸", "working", "cyan"],
  waiting: ["…", "waiting", "cyan"],
  trying: ["↻", "trying again", "yellow"],
  done: ["✓", "done", "green"],
  "half-done": ["◐", "half done", "yellow"],
  failed: ["✗", "failed here", "red"],
  "in-doubt": ["?", "in doubt", "yellow"],
  stuck: ["‼", "stuck", "red"],
  "passed-over": ["–", "passed over", "dim"],
  skipped: ["»", "skipped by hand", "yellow"],
  uncounted: ["~", "not counted yet", "dim"],
};

const downs: Readonly<Record<DownMark, Look>> = {
  none: ["", "", "dim"],
  "to-undo": ["○", "still to undo", "yellow"],
  undoing: ["▸", "undoing", "cyan"],
  waiting: ["…", "waiting", "cyan"],
  trying: ["↻", "trying again", "yellow"],
  "in-doubt": ["?", "in doubt", "yellow"],
  undone: ["✓", "undone", "green"],
  skipped: ["»", "skipped by hand", "yellow"],
  stuck: ["‼", "stuck", "red"],
  kept: ["■", "kept: can't be undone", "yellow"],
  nothing: ["–", "nothing to undo", "dim"],
  uncounted: ["~", "not counted yet", "dim"],
};

/** No frame: columns that stand below each other are enough. */
const bare = Object.fromEntries(
  [
    ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
    ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid"],
  ].map((part) => [part, ""]),
);

export function drawnLanes({ rounds, whole }: Lanes, paint: Paint): string {
  const parts = rounds.map((round) => drawnRound(round, paint));
  if (!whole)
    parts.push(paint("dim", "No launcher has kept the list of steps here: steps that were not reached are missing."));
  return parts.join("\n");
}

function drawnRound({ open, line, rows, turned }: Round, paint: Paint): string {
  if (!open) return clean(line);
  const table = new Table({
    chars: { ...bare, middle: "  " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    colAligns: ["left", "right", "left", "left", "left"],
  });
  const hasTurned = turned !== undefined;
  table.push(["", "", "step", "way up", hasTurned ? "way down" : ""].map((text) => paint("dim", text)));
  for (const row of rows) {
    const here = row.here ? paint("bold", "▶") : " ";
    table.push([
      here,
      paint("dim", String(row.index + 1)),
      stepOf(row, paint),
      cellOf(row.up, ups, paint),
      cellOf(row.down, downs, paint),
    ]);
  }
  const lines = table
    .toString()
    .split("\n")
    .map((it) => it.trimEnd());
  return lines.join("\n");
}

function stepOf({ step, pivot, pastPivot, here }: LaneRow, paint: Paint): string {
  const name = paint(here ? "bold" : "plain", clean(step));
  const mark = pivot ? " (pivot)" : pastPivot ? " (past the pivot)" : "";
  return `${name}${paint("dim", mark)}`;
}

function cellOf<Mark extends string>(
  { mark, attempts, durationMs, note, by }: Cell<Mark>,
  looks: Readonly<Record<Mark, Look>>,
  paint: Paint,
): string {
  const [sign, word, tone] = looks[mark];
  if (sign === "") return "";
  const details = [
    ...(attempts > 1 ? [`${attempts} attempts`] : []),
    ...(durationMs >= 1 ? [span(durationMs)] : []),
    ...(by === undefined ? [] : [`by ${by}`]),
    ...(note === undefined ? [] : [note]),
  ];
  return [paint(tone, `${sign} ${word}`), ...details.map((it) => paint("dim", clean(it)))].join("  ");
}
