/** The lanes of an execution as a rollback would go through them: what was done on the left, what would become of it on the right. */
import { childrenText, type PreviewedStep, type PreviewedWhat, type RollbackPreview } from "../../index.js";
import type { Cell, DownMark, LaneRow, Lanes } from "./lanes.js";

const marks: Readonly<Record<PreviewedWhat, DownMark>> = {
  undo: "to-undo",
  "half-done": "to-undo",
  "in-doubt": "in-doubt",
  irreversible: "kept",
  "no-undo": "nothing",
  waited: "nothing",
  "never-ran": "none",
};

const notes: Readonly<Partial<Record<PreviewedWhat, string>>> = {
  "half-done": "as far as it came",
  "in-doubt": "its probe is asked first, or an operator",
  "no-undo": "has no undo: what it did stays",
  waited: "only waited",
};

/** @param lanes of the same execution, at the same revision */
export function previewLanes({ rounds, whole, countedAfter }: Lanes, { steps }: RollbackPreview): Lanes {
  const round = rounds.at(-1)!;
  const previewed = new Map(steps.map((step) => [step.index, step]));
  const rows = round.rows.map((row): LaneRow => ({
    ...row,
    here: false,
    down: cellOf(row.down, previewed.get(row.index)),
  }));
  const top = steps.find(({ what }) => what !== "never-ran");
  const turned = top === undefined ? {} : { turned: { step: top.step, reason: "" } };
  return { rounds: [{ number: round.number, open: true, line: "", rows, ...turned }], whole, countedAfter };
}

function cellOf(was: Cell<DownMark>, step: PreviewedStep | undefined): Cell<DownMark> {
  if (step === undefined) return was;
  const { what, why, waits, children } = step;
  const said = [
    why ?? notes[what],
    waits === undefined ? undefined : `may wait for ${waits.join(", ")}`,
    children === undefined ? undefined : childrenText(children),
  ].filter((it) => it !== undefined);
  return { mark: marks[what], attempts: 0, durationMs: 0, ...(said.length > 0 && { note: said.join("; ") }) };
}
