/** The timeline: the transitions of an execution in order, with long gaps written as such and dull steps folded. */
import type { TransitionFacts } from "./facts.js";
import { milliseconds, oneLine, quoted, span } from "./spans.js";

export type TimelineEntry<Row extends TransitionFacts = TransitionFacts> =
  /** Nothing happened for some time: "2 h". */
  | { readonly type: "gap"; readonly ms: number; readonly text: string }
  /** Steps that took one attempt and no wait, one after the other in one direction. */
  | {
      readonly type: "fold";
      readonly direction: TransitionFacts["direction"];
      readonly steps: readonly string[];
      readonly durationMs: number;
      readonly rows: readonly Row[];
    }
  | { readonly type: "row"; readonly row: Row; readonly sentence: string };

/** So long must nothing have happened for the gap to be written. */
const shortestGap = 60_000;

/** Two dull steps are as short as their fold. */
const fewestFolded = 3;

/** @param rows in order of revision; entries stand in the same order, so a page that shows the newest first turns both around */
export function timelineOf<Row extends TransitionFacts>(rows: readonly Row[]): TimelineEntry<Row>[] {
  const entries: TimelineEntry<Row>[] = [];
  let folding: Row[] = [];
  const unfold = (): void => {
    const steps = [...new Set(folding.map(({ step }) => step))];
    if (steps.length < fewestFolded) entries.push(...folding.map(entryOf));
    else {
      const durationMs = folding.reduce((sum, row) => sum + row.durationMs, 0);
      entries.push({ type: "fold", direction: folding[0]!.direction, steps, durationMs, rows: folding });
    }
    folding = [];
  };
  for (const [index, row] of rows.entries()) {
    const before = rows[index - 1];
    const gap = before === undefined ? 0 : milliseconds(row.at) - row.durationMs - milliseconds(before.at);
    if (gap >= shortestGap) {
      unfold();
      entries.push({ type: "gap", ms: gap, text: span(gap) });
    }
    if (!isDull(row)) {
      unfold();
      entries.push(entryOf(row));
      continue;
    }
    if (folding.length > 0 && folding[0]!.direction !== row.direction) unfold();
    folding.push(row);
  }
  unfold();
  return entries;
}

function entryOf<Row extends TransitionFacts>(row: Row): TimelineEntry<Row> {
  return { type: "row", row, sentence: sentenceOf(row) };
}

const dull: ReadonlySet<string> = new Set(["ok", "begins", "passed-over"]);

function isDull({ result, attempt, error, guardErrors, message, by, why, upInto }: TransitionFacts): boolean {
  return dull.has(result) && attempt === 1 && (error ?? guardErrors ?? message ?? by ?? why ?? upInto) === undefined;
}

/** What a transition was, for people. */
export function sentenceOf(row: TransitionFacts): string {
  const { upInto, backTo, by = "Somebody", why } = row;
  const said = backTo === undefined ? happened(row) : `${by} sent it back to ${quoted(backTo)}: ${oneLine(why ?? "")}`;
  return upInto === undefined ? said : `${said}; it goes up again from ${quoted(row.step)}`;
}

function happened(row: TransitionFacts): string {
  const { step, direction, attempt, result, by, why, error, message, migration } = row;
  const what = direction === "up" ? quoted(step) : `the undo of ${quoted(step)}`;
  const who = by ?? "Somebody";
  const because = why === undefined ? "" : `: ${oneLine(why)}`;
  const nth = attempt > 1 ? ` at attempt ${attempt}` : "";
  switch (result) {
    case "ok": {
      const after = message === undefined ? "" : `, by the message ${quoted(message.name)}`;
      return direction === "up" ? `${what} done${nth}${after}` : `${quoted(step)} undone${nth}${after}`;
    }
    case "happened":
      return `${by ?? "The probe"} found that ${quoted(step)} had happened${because}`;
    case "did-not-happen":
      return `${by ?? "The probe"} found that ${quoted(step)} had not happened${because}`;
    case "unknown":
      return `the probe of ${quoted(step)} does not know what became of it`;
    case "in-doubt":
      return `nobody knows what became of ${quoted(step)}`;
    case "continue":
      return message === undefined ? `${what} waits` : `${what} took ${quoted(message.name)}, and waits on`;
    case "again":
      if (row.func === "probe") return `the probe of ${quoted(step)} does not know yet, and is asked again`;
      return `${what} is not done yet, and is asked again`;
    case "begins":
      return `${what} begins`;
    case "passed-over":
      return `${what} passed over`;
    case "recovered":
      return `${what} failed, and recovered`;
    case "retried":
      return `${who} had ${what} tried again${because}`;
    case "skipped":
      return `${who} took ${direction === "up" ? `${quoted(step)} as done` : `${quoted(step)} as undone`}${because}`;
    case "patched":
      return `${who} changed the state${because}`;
    case "migrated":
      return migration === undefined
        ? "moved to another version"
        : `moved from version ${migration.from} to ${migration.to}`;
    case "cut-off":
      return `${what} was cut off by a shutdown, which does not count`;
    default:
      if (why !== undefined) return `${who} asked for a rollback${because}`;
      return `${what} failed${nth}: ${oneLine(error === undefined || error.message === "" ? result : error.message)}`;
  }
}
