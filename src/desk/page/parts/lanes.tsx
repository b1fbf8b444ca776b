/** What was done and what of it was undone: the way up on the left, the way down on the right, a row for each step. */
import { useState } from "react";
import type { Cell, DownMark, LaneRow, Lanes as LanesData, Round, UpMark } from "../../model/lanes.js";
import { span } from "../../model/spans.js";
import { Badge } from "./badge.js";
import { Button } from "./button.js";
import { LanePiece, type Sign, type Way } from "./lane-marks.js";

type Look = readonly [word: string, sign: Sign | undefined];

const sign = (icon: Sign["icon"], tone: Sign["tone"], filled: boolean): Sign => ({ icon, tone, filled });

const ups: Readonly<Record<UpMark, Look>> = {
  "to-do": ["Not begun", sign("dot", "idle", false)],
  working: ["Working", sign("running", "water", false)],
  waiting: ["Waiting", sign("waiting", "wait", false)],
  trying: ["Trying again", sign("struggling", "warn", false)],
  done: ["Done", sign("done", "water", true)],
  "half-done": ["Half done", sign("half", "water", false)],
  failed: ["Failed here", sign("failed", "bad", true)],
  "in-doubt": ["In doubt", sign("doubt", "warn", false)],
  stuck: ["Stuck", sign("stuck", "bad", true)],
  "passed-over": ["Passed over", sign("dash", "idle", false)],
  skipped: ["Skipped by hand", sign("skip", "warn", false)],
  uncounted: ["Not counted yet", sign("dot", "idle", false)],
};

const downs: Readonly<Record<DownMark, Look>> = {
  none: ["", undefined],
  "to-undo": ["Still to undo", sign("ring", "back", false)],
  undoing: ["Undoing", sign("back", "back", false)],
  waiting: ["Waiting", sign("waiting", "wait", false)],
  trying: ["Trying again", sign("struggling", "warn", false)],
  "in-doubt": ["In doubt", sign("doubt", "warn", false)],
  undone: ["Undone", sign("back", "back", true)],
  skipped: ["Skipped by hand", sign("skip", "warn", false)],
  stuck: ["Stuck", sign("stuck", "bad", true)],
  kept: ["Kept: can’t be undone", sign("lock", "idle", true)],
  nothing: ["Nothing to undo", sign("dash", "idle", false)],
  uncounted: ["Not counted yet", sign("dot", "idle", false)],
};

const inks: Readonly<Record<Sign["tone"], string>> = {
  water: "text-water-deep",
  good: "text-good",
  bad: "text-bad",
  back: "text-back",
  wait: "text-wait",
  idle: "text-soft",
  warn: "text-warn",
};

const isReached = ({ up }: LaneRow): boolean => !["to-do", "uncounted"].includes(up.mark);
const isOnWayDown = ({ down }: LaneRow): boolean => !["none", "uncounted"].includes(down.mark);
const isUndone = ({ down }: LaneRow): boolean => !["none", "to-undo", "in-doubt", "uncounted"].includes(down.mark);

/** Which pieces of the two ways a row draws. */
function waysOf(
  rows: readonly LaneRow[],
  at: number,
  turnedAt: number,
): { upWays: readonly [Way, Way]; downWays: readonly [Way, Way] } {
  const reached = rows.findLastIndex(isReached);
  const up = (last: boolean, index: number): Way =>
    last ? "none" : index < reached ? "walked" : turnedAt < 0 ? "ahead" : "none";
  // On the way down one comes from below: a row's lower half is walked where the row above is on its way or undone.
  const deepest = rows.findIndex(isUndone);
  const down = (between: number): Way =>
    turnedAt < 0 || between < 0 || between >= turnedAt
      ? "none"
      : deepest >= 0 && between >= deepest
        ? "walked"
        : "ahead";
  return {
    upWays: [up(at === 0, at - 1), up(at === rows.length - 1, at)],
    downWays: [down(at - 1), down(at)],
  };
}

/** A step is chosen among the rows. */
export interface Choice {
  /** What it is chosen for. */
  readonly label: string;
  readonly steps: readonly string[];
  readonly chosen: string;
  readonly choose: (step: string) => void;
}

interface Choosing {
  /** Left out: nothing is chosen. */
  readonly choice?: Choice | undefined;
}

export function Lanes({ lanes: { rounds, whole }, choice }: Choosing & { readonly lanes: LanesData }) {
  return (
    <div role={choice === undefined ? undefined : "radiogroup"} aria-label={choice?.label}>
      {rounds.map((round) => (
        <RoundView key={round.number} round={round} choice={choice} />
      ))}
      {!whole && (
        <p className="border-t border-line px-4 py-2 text-sm text-faint">
          No launcher has kept the list of steps: only those that were reached are shown.
        </p>
      )}
    </div>
  );
}

function RoundView({ round: { open, line, rows, turned }, choice }: Choosing & { readonly round: Round }) {
  if (!open) return <p className="text-any border-b border-line px-4 py-2 text-sm text-soft">{line}</p>;
  const found = turned === undefined ? -1 : rows.findIndex(({ step }) => step === turned.step);
  // Where it turned may not be counted yet.
  const seen = rows.findLastIndex(turned === undefined ? isOnWayDown : isReached);
  const turnedAt = found < 0 ? seen : found;
  return (
    <>
      <div aria-hidden="true" className="flex items-center border-b border-line px-2 py-1.5 text-xs font-semibold">
        <span className="flex w-[92px] shrink-0 justify-between px-0.5 text-center">
          <span className="w-11 text-water-deep">up</span>
          <span className="w-11 text-back">down</span>
        </span>
        <span className="ml-3 hidden flex-[1.1] text-faint sm:block">Step</span>
        <span className="hidden flex-1 text-faint sm:block">Way up</span>
        <span className="hidden flex-1 text-faint sm:block">Way down</span>
      </div>
      <Steps rows={rows} turnedAt={turnedAt} choice={choice} />
    </>
  );
}

/** A long list shows where something is. */
const longest = 40;

interface Rows extends Choosing {
  readonly rows: readonly LaneRow[];
  readonly turnedAt: number;
}

function Steps({ rows, turnedAt, choice }: Rows) {
  const [all, setAll] = useState(rows.length <= longest);
  const here = Math.max(
    0,
    rows.findIndex((row) => row.here),
  );
  const from = all ? 0 : Math.max(0, Math.min(here - longest / 2, rows.length - longest));
  const shown = all ? rows : rows.slice(from, from + longest);
  return (
    <>
      <ol aria-label="Steps" start={from + 1} className="px-2 py-1">
        {shown.map((row) => (
          <Step key={row.index} row={row} rows={rows} turnedAt={turnedAt} choice={choice} />
        ))}
      </ol>
      {!all && (
        <div className="border-t border-line px-4 py-2">
          <Button small onClick={() => setAll(true)}>{`Show all ${rows.length} steps`}</Button>
        </div>
      )}
    </>
  );
}

function Step({ row, rows, turnedAt, choice }: Rows & { readonly row: LaneRow }) {
  const at = rows.indexOf(row);
  const { upWays, downWays } = waysOf(rows, at, turnedAt);
  return (
    <li
      aria-current={row.here ? "step" : undefined}
      className={`relative flex min-h-[3.25rem] items-center rounded-lg py-1.5 pr-2 pl-[104px] ${row.here ? "bg-raised ring-1 ring-line" : ""}`}
    >
      <LanePiece
        up={ups[row.up.mark][1]}
        down={downs[row.down.mark][1]}
        upWays={upWays}
        downWays={downWays}
        turns={at === turnedAt && row.down.mark !== "none"}
      />
      <div className="flex min-w-0 flex-1 flex-col sm:flex-row sm:items-center">
        <div className="min-w-0 flex-[1.1] pr-3">
          <StepName row={row} choice={choice} />{" "}
          {row.pivot && (
            <Badge tone="idle" icon="pivot">
              pivot
            </Badge>
          )}
        </div>
        <CellWords look={ups[row.up.mark]} cell={row.up} way="up" />
        <CellWords look={downs[row.down.mark]} cell={row.down} way="down" />
      </div>
    </li>
  );
}

function StepName({ row: { step, up }, choice }: Choosing & { readonly row: LaneRow }) {
  const name = <span className={`text-any ${up.mark === "to-do" ? "text-faint" : "font-medium"}`}>{step}</span>;
  if (choice === undefined || !choice.steps.includes(step)) return name;
  return (
    <label className="inline-flex cursor-pointer items-center gap-2">
      <input
        type="radio"
        name={choice.label}
        value={step}
        checked={choice.chosen === step}
        onChange={() => choice.choose(step)}
      />
      {name}
    </label>
  );
}

function CellWords({
  look: [word, mark],
  cell,
  way,
}: {
  readonly look: Look;
  readonly cell: Cell<string>;
  readonly way: "up" | "down";
}) {
  const { attempts, durationMs, note, by } = cell;
  const facts = [
    ...(attempts > 1 ? [`${attempts} attempts`] : []),
    ...(durationMs > 0 ? [span(durationMs)] : []),
    ...(by === undefined ? [] : [`by ${by}`]),
  ].join(", ");
  if (word === "") return <div className="hidden flex-1 pr-2 sm:block" />;
  return (
    <div className="min-w-0 flex-1 pr-2 text-sm">
      <span className="sr-only">{way === "up" ? "On the way up: " : "On the way down: "}</span>
      <span className={`font-medium ${mark === undefined ? "" : inks[mark.tone]}`}>{word}</span>
      {facts !== "" && <span className="num text-faint">, {facts}</span>}
      {note !== undefined && note !== "" && (
        <p title={note} className="text-any line-clamp-2 text-soft">
          {note}
        </p>
      )}
    </div>
  );
}
