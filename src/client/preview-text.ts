/** What a rollback would do, as text for people. */
import type { PreviewedWhat } from "../execution/preview.js";
import type { ChildGroup } from "./children.js";
import type { PreviewedStep, RollbackPreview } from "./preview.js";

/** The text for a preview with `held`. */
export const heldText = "Its pivot runs: a request is held until that has ended, and refused where it has succeeded.";

const words: Readonly<Record<PreviewedWhat, string>> = {
  undo: "is undone",
  "half-done": "is undone, as far as it came",
  "in-doubt": "is in doubt: its probe is asked, or an operator, and then it is undone or left",
  irreversible: "stays: can't be undone",
  "no-undo": "stays: has no undo",
  waited: "only waited: nothing to undo",
  "never-ran": "never ran",
};

/** What `previewRollback` has found, a line for each step. */
export function previewText({ execution, revision, upAgain, error, held, steps, below }: RollbackPreview): string {
  const what =
    upAgain === undefined ? `A rollback of "${execution}"` : `A rewind of "${execution}" to "${upAgain.step}"`;
  const head = `${what} as it stands at revision ${revision}:`;
  const then = upAgain === undefined ? [] : [`Then it goes up again at "${upAgain.step}", in round ${upAgain.round}.`];
  const refusal = error === undefined ? [] : [`It would be refused. ${error.message}`];
  const holds = held === undefined ? [] : [heldText];
  const tree = below === undefined ? [] : [`Below it: ${below.more ? "more than " : ""}${below.count} executions.`];
  const lines = linesOf(steps, "  ");
  return [head, ...refusal, ...holds, ...lines, ...then, ...tree].join("\n");
}

/** A line for each step, and below it what becomes of its children. */
function linesOf(steps: readonly PreviewedStep[], indent: string): string[] {
  const width = Math.max(0, ...steps.map(({ step }) => step.length));
  return steps.flatMap((step) => [
    `${indent}${step.step.padEnd(width)}  ${saidOf(step)}`,
    ...(step.children?.previews ?? []).flatMap((child) => [
      `${indent}  ${child.execution}:${child.refused === undefined ? "" : ` stays, ${child.refused}`}`,
      ...linesOf(child.steps, `${indent}    `),
    ]),
  ]);
}

function saidOf({ what, why, waits, children }: PreviewedStep): string {
  const because = why === undefined ? "" : `: ${why}`;
  const waiting = waits === undefined ? "" : `; may wait for ${waits.join(", ")}`;
  return `${words[what]}${because}${waiting}${children === undefined ? "" : `; ${childrenText(children)}`}`;
}

type Counts = Pick<ChildGroup, "count" | "notBegun" | "underWay" | "stuck" | "completed" | "rolledBack">;

/** How children stand, such as "3 children: 2 completed, 1 under way". */
export function childrenText({ count, notBegun, underWay, stuck, completed, rolledBack }: Counts): string {
  const parts = [
    [completed, "completed"],
    [underWay, "under way"],
    [stuck, "stuck"],
    [rolledBack, "rolled back"],
    [notBegun, "not begun"],
  ] as const;
  const said = parts.flatMap(([number, word]) => (number === 0 ? [] : `${number} ${word}`));
  return `${count} ${count === 1 ? "child" : "children"}: ${said.join(", ")}`;
}
