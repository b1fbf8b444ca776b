/** What is the matter with an execution, in sentences. */
import { waitedFor, type WaitedFor } from "./children.js";
import type { ErrorFacts, ExecutionFacts } from "./facts.js";
import type { Lanes, LaneRow, Round } from "./lanes.js";
import { isoOf, listed, milliseconds, oneLine, quoted, span } from "./spans.js";
import type { Words } from "./words.js";

/** @param now the store's time, in milliseconds since 1970 */
export function statusWords(facts: ExecutionFacts, lanes: Lanes, now: number): Omit<Words, "acts"> {
  const words = wordsIn(facts, lanes.rounds.at(-1)!, now);
  return lanes.countedAfter === 0 ? words : { ...words, lines: [...words.lines, notCounted(lanes.countedAfter)] };
}

function notCounted(revision: number): string {
  return `What happened up to transition ${revision.toLocaleString("en")} is not counted yet: where it turned, who skipped a step, attempts and durations may be missing.`;
}

function wordsIn(facts: ExecutionFacts, round: Round, now: number): Omit<Words, "acts"> {
  switch (facts.status) {
    case "stuck":
      return stuck(facts, round, now);
    case "rolledBack":
      return {
        headline: `Rolled back: ${facts.flow.reason}.`,
        lines: [...whyItTurned(round, facts), ...whatStays(round)],
        urgency: "calm",
      };
    case "completed":
      return { headline: "Completed.", lines: [...passedOver(round), ...untilSealed(facts, now)], urgency: "calm" };
    default:
      return moving(facts, round, now);
  }
}

function untilSealed({ sealedAt }: ExecutionFacts, now: number): string[] {
  if (sealedAt === undefined) return [];
  const left = milliseconds(sealedAt) - now;
  return [
    left > 0
      ? `It can be undone for another ${span(left)}.`
      : `It is sealed: it could be undone until ${isoOf(sealedAt)}.`,
  ];
}

function stuck(facts: ExecutionFacts, round: Round, now: number): Omit<Words, "acts"> {
  const { flow, updatedAt } = facts;
  const length = now - milliseconds(updatedAt);
  const since = length < 1_000 ? ", since just now" : ` for ${span(length)}`;
  const down = flow.direction === "down";
  const pastPivot = round.rows.some((row) => row.here && (row.pastPivot || row.pivot));
  const here = round.rows.find((row) => row.here)?.[flow.direction].mark;
  const headline =
    here === "in-doubt"
      ? `Stuck on the way ${flow.direction}${since}: nobody knows whether ${quoted(flow.step)} was done.`
      : down
        ? `Stuck on the way down${since}: ${quoted(flow.step)} is not undone.`
        : `Stuck on the way up${since}: ${quoted(flow.step)} failed${pastPivot ? ", and past the pivot nothing is undone" : ""}.`;
  return {
    headline,
    lines: [
      ...lastError(facts.error),
      ...whatIsInDoubt(facts),
      ...whyItTurned(round, facts),
      ...wayBack(round),
      ...whatStays(round),
    ],
    urgency: "act",
  };
}

function moving(facts: ExecutionFacts, round: Round, now: number): Omit<Words, "acts"> {
  const { flow, struggling, attempts } = facts;
  const turned = [...whyItTurned(round, facts), ...wayBack(round), ...whatStays(round)];
  if (flow.stepFunc === "probe") return asksProbe(facts, turned, now);
  if (struggling) {
    const headline = `Struggling: attempt ${attempts} of ${functionOf(facts)} failed${nextTry(facts, now)}.`;
    return { headline, lines: [...lastError(errorHere(facts, round)), ...turned], urgency: "watch" };
  }
  if (attempts > 0) {
    const headline = `Tries ${functionOf(facts)} again: attempt ${attempts} failed${nextTry(facts, now)}.`;
    return { headline, lines: [...lastError(errorHere(facts, round)), ...turned], urgency: "calm" };
  }
  if (facts.status === "waiting") {
    const group = waitedFor(facts);
    if (group !== undefined) return waitsForChildren(facts, group, turned);
    return { headline: waitsFor(facts, now), lines: turned, urgency: "calm" };
  }
  if (facts.queued) {
    return { headline: "Waits for a place: the limits of its workflow are full.", lines: [], urgency: "calm" };
  }
  if (facts.status === "scheduled" && facts.resumeAt !== undefined) {
    const when = span(milliseconds(facts.resumeAt) - now);
    const headline = flow.lastResult === "again" ? `Asks ${functionOf(facts)} again in ${when}.` : `Begins in ${when}.`;
    return { headline, lines: turned, urgency: "calm" };
  }
  const headline =
    flow.direction === "down"
      ? `Goes back${toStep(facts, round)}: undoes ${quoted(flow.step)}.`
      : `At work on ${quoted(flow.step)}.`;
  return { headline, lines: turned, urgency: "calm" };
}

/** What became of its step is not known yet. */
function asksProbe(facts: ExecutionFacts, turned: readonly string[], now: number): Omit<Words, "acts"> {
  const { flow, struggling, resumeAt } = facts;
  const left = resumeAt === undefined ? 0 : milliseconds(resumeAt) - now;
  const when = left > 0 ? ` in ${span(left)}` : "";
  return {
    headline: `In doubt whether ${quoted(flow.step)} was done: its probe is asked${when}.`,
    lines: [...whatIsInDoubt(facts), ...turned],
    urgency: struggling ? "watch" : "calm",
  };
}

function whatIsInDoubt({ inDoubt }: ExecutionFacts): string[] {
  if (inDoubt === undefined) return [];
  const { key, since, asked, answer } = inDoubt;
  const times = asked === 1 ? "once" : `${asked} times`;
  const said = answer === undefined ? "and has not answered" : `and said ${answer.said} last`;
  const probe = asked === 0 ? "" : ` Its probe was asked ${times}, ${said}.`;
  return [`In doubt: the attempt under the key ${quoted(key)}, since ${isoOf(since)}, gave nothing back.${probe}`];
}

/** Of a rewind. */
function toStep({ flow: { until } }: ExecutionFacts, { rows }: Round): string {
  return until === undefined ? "" : ` to step ${quoted(rows[until]?.step ?? "")}, and then up again`;
}

function functionOf({ flow }: ExecutionFacts): string {
  return flow.direction === "up" ? quoted(flow.step) : `the undo of ${quoted(flow.step)}`;
}

function nextTry({ resumeAt }: ExecutionFacts, now: number): string {
  if (resumeAt === undefined) return "";
  const left = milliseconds(resumeAt) - now;
  return left > 0 ? `, the next one comes in ${span(left)}` : ", the next one is due";
}

function waitsForChildren(
  { flow }: ExecutionFacts,
  { left, count, notBegun, underWay, stuck, completed, rolledBack }: WaitedFor,
  turned: readonly string[],
): Omit<Words, "acts"> {
  const down = flow.direction === "down";
  const headline = down
    ? `On the way down at ${quoted(flow.step)} it waits until its children are undone: ${left} of ${count} are left.`
    : `At ${quoted(flow.step)} it waits for its children: ${left} of ${count} are not settled.`;
  const parts = [
    [underWay, "under way"],
    [stuck, "stuck"],
    [completed, "completed"],
    [rolledBack, "rolled back"],
    [notBegun, down ? "never begun" : "not begun"],
  ] as const;
  const counts = parts.flatMap(([number, word]) => (number === 0 ? [] : `${number} ${word}`));
  const needed =
    stuck === 0
      ? []
      : [`It waits until somebody mends what is stuck: ${stuck === 1 ? "one child" : `${stuck} children`}.`];
  return {
    headline,
    lines: [`Children: ${counts.join(", ")}.`, ...needed, ...turned],
    urgency: stuck === 0 ? "calm" : "act",
  };
}

function waitsFor({ flow, steps, waitUntil }: ExecutionFacts, now: number): string {
  const step = steps?.[flow.stepIndex];
  const names = (flow.direction === "up" ? step?.messages : step?.rollbackMessages) ?? [];
  const left = waitUntil === undefined ? undefined : Math.max(0, milliseconds(waitUntil) - now);
  const where = flow.direction === "up" ? `At ${quoted(flow.step)}` : `On the way down at ${quoted(flow.step)}`;
  if (names.length === 0 && left !== undefined) return `${where} it sleeps for another ${span(left)}.`;
  const what = names.length === 0 ? "a message" : `the message ${listed(names, "or")}`;
  return `${where} it waits for ${what}${left === undefined ? ", without end" : `, for another ${span(left)}`}.`;
}

function lastError(error: ErrorFacts | undefined): string[] {
  if (error === undefined) return [];
  const code = error.code === undefined || error.message.includes(error.code) ? "" : `${error.code}: `;
  return [`The last error: ${code}${oneLine(error.message)}`];
}

/** An execution that is tried again has turned by another error, or by none. */
function errorHere({ flow }: ExecutionFacts, { rows }: Round): ErrorFacts | undefined {
  return rows.find(({ here }) => here)?.[flow.direction].error;
}

function whyItTurned(round: Round, facts: ExecutionFacts): string[] {
  const { turned } = round;
  if (turned === undefined) return [];
  if (facts.flow.until !== undefined)
    return [`${turned.by ?? "Somebody"} sent it back${toStep(facts, round)}: ${turned.reason}.`];
  const who = turned.by === undefined ? "It turned back" : `${turned.by} asked for a rollback`;
  return [`${who} at ${quoted(turned.step)}: ${turned.reason}.`];
}

/** In the order in which they are undone. */
function wayBack({ rows }: Round): string[] {
  const named = (marks: readonly string[]): string[] =>
    rows.toReversed().flatMap(({ step, down }) => (marks.includes(down.mark) ? step : []));
  const undone = named(["undone", "skipped"]);
  const left = named(["undoing", "waiting", "trying", "stuck", "to-undo"]);
  return [
    ...(undone.length === 0 ? [] : [`Undone: ${listed(undone)}.`]),
    ...(left.length === 0 ? [] : [`Still to undo: ${listed(left)}.`]),
  ];
}

/** What stays in the world, whatever is undone. */
function whatStays({ rows }: Round): string[] {
  return rows.flatMap((row) => {
    const { step, down } = row;
    if (down.mark === "kept") return `${quoted(step)} stays: ${oneLine(down.note ?? "it can't be undone")}`;
    if (down.mark === "skipped") return `${quoted(step)} was taken as undone${byWhom(row)}: look whether it is.`;
    return [];
  });
}

function byWhom({ down }: LaneRow): string {
  return down.by === undefined ? "" : ` by ${down.by}`;
}

function passedOver({ rows }: Round): string[] {
  const names = rows.flatMap(({ step, up }) => (up.mark === "passed-over" ? step : []));
  return names.length === 0 ? [] : [`Passed over: ${listed(names)}.`];
}
