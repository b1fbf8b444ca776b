/**
 * Positions and entries of the history as JSON in a row. They are written with each transition, so they hold what is not as
 * usual, and no more; and an error stands once, in the history, where the position refers to it.
 */
import type { Direction, StepFunc } from "../../definition/flow.js";
import type { Position } from "../../execution/position.js";
import type { HistoryEntry, Transition } from "../../execution/records.js";
import type { SerializedError } from "../../values/serialize-error.js";

/** `full`: as a process reads it that was made before rows were compact, and may still be at work on the same tables. */
export type RowFormat = "compact" | "full";

/** What a position is where its text says nothing else. */
const usualPosition = {
  direction: "up",
  reason: "normal",
  lastResult: "ok",
  attempts: 0,
  firstAttemptAt: null,
  uncounted: 0,
  waitUntil: null,
  resumeAt: null,
  error: null,
  stuckBy: null,
} satisfies Partial<Position>;

const usualEntry = { direction: "up", attempt: 1, result: "ok" } satisfies Partial<HistoryEntry>;

/** Which function is called where nothing special happens. */
const usualFunc: Readonly<Record<Direction, StepFunc>> = { up: "run", down: "rollback" };

/** The rows of the history in which errors stand that positions hold: one that is not here is written out. */
const standing = new WeakMap<SerializedError, { readonly id: string; readonly revision: number }>();

type PositionText = { [Field in keyof Position]-?: Position[Field] | undefined } & {
  readonly errorAt: number | undefined;
  readonly stuckAt: number | undefined;
};

export function positionText(position: Position, id: string, format: RowFormat): string {
  if (format === "full") return JSON.stringify(position);
  const { direction, reason, stepFunc, lastResult, attempts, uncounted, error, stuckBy } = position;
  const errorAt = revisionOf(error, id);
  const stuckAt = revisionOf(stuckBy, id);
  return JSON.stringify({
    step: position.step,
    stepIndex: position.stepIndex,
    lifecycle: position.lifecycle,
    direction: direction === usualPosition.direction ? undefined : direction,
    reason: reason === usualPosition.reason ? undefined : reason,
    stepFunc: stepFunc === usualFunc[direction] ? undefined : stepFunc,
    lastResult: lastResult === usualPosition.lastResult ? undefined : lastResult,
    attempts: attempts === 0 ? undefined : attempts,
    firstAttemptAt: position.firstAttemptAt ?? undefined,
    uncounted: uncounted === 0 ? undefined : uncounted,
    waitUntil: position.waitUntil ?? undefined,
    resumeAt: position.resumeAt ?? undefined,
    error: errorAt === undefined ? (error ?? undefined) : undefined,
    errorAt,
    stuckBy: stuckAt === undefined ? (stuckBy ?? undefined) : undefined,
    stuckAt,
    inDoubt: position.inDoubt,
    partly: position.partly,
    irreversible: position.irreversible,
    keys: position.keys,
    warned: position.warned,
    gone: position.gone,
    passed: position.passed,
    doubtful: position.doubtful,
    begins: position.begins,
    stepDeadlineAt: position.stepDeadlineAt,
    polls: position.polls,
  } satisfies PositionText);
}

function revisionOf(error: SerializedError | null, id: string): number | undefined {
  const place = error === null ? undefined : standing.get(error);
  return place?.id === id ? place.revision : undefined;
}

/** What a transition's position and its entry become. */
export function transitionTexts(
  { id, revision, position, history }: Transition,
  format: RowFormat,
): { readonly position: string; readonly entry: string } {
  const { error } = history;
  if (error !== undefined && (error === position.error || error === position.stuckBy)) {
    standing.set(error, { id, revision });
  }
  return { position: positionText(position, id, format), entry: entryText(history, format) };
}

/** The patch is encoded already: inside the JSON it would be encoded twice. */
function entryText(entry: HistoryEntry, format: RowFormat): string {
  const { direction, func, attempt, result } = entry;
  const isFull = format === "full";
  return JSON.stringify({
    step: entry.step,
    stepIndex: entry.stepIndex,
    durationMs: entry.durationMs,
    direction: !isFull && direction === usualEntry.direction ? undefined : direction,
    func: !isFull && func === usualFunc[direction] ? undefined : func,
    attempt: !isFull && attempt === usualEntry.attempt ? undefined : attempt,
    result: !isFull && result === usualEntry.result ? undefined : result,
    message: entry.message,
    error: entry.error,
    guardErrors: entry.guardErrors,
    by: entry.by,
    why: entry.why,
    others: entry.others?.text,
    initial: entry.initial?.text,
    replaced: entry.replaced?.text,
    migration: entry.migration,
    leftNothing: entry.leftNothing,
  } satisfies Record<Exclude<keyof HistoryEntry, "patch">, unknown>);
}

/** With what is usual in its place. To be called before anything of it is checked. */
export function entryWhole(parsed: unknown): unknown {
  return withUsual(usualEntry, "func", parsed);
}

/** As `entryWhole`, of a position; an error that it refers to is taken from those given. */
export function positionWhole(parsed: unknown, errorOf: (revision: number) => SerializedError | undefined): unknown {
  const whole = withUsual(usualPosition, "stepFunc", parsed);
  if (typeof whole !== "object" || whole === null || !("errorAt" in whole || "stuckAt" in whole)) return whole;
  const { errorAt, stuckAt, ...position } = whole as Record<string, unknown>;
  return {
    ...position,
    ...(errorAt !== undefined && { error: errorOf(errorAt as number) }),
    ...(stuckAt !== undefined && { stuckBy: errorOf(stuckAt as number) }),
  };
}

function withUsual(usual: object, func: string, parsed: unknown): unknown {
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return parsed;
  const { direction = "up" } = parsed as { readonly direction?: Direction };
  return { ...usual, [func]: usualFunc[direction], ...parsed };
}

/** Which rows of the history a stored position refers to. */
export function revisionsIn(position: unknown): number[] {
  if (typeof position !== "string" || !position.includes('At":')) return [];
  return [...position.matchAll(/"(?:errorAt|stuckAt)":(\d+)/g)].map(([, revision]) => Number(revision));
}

/** An error that was read from the history: what refers to it goes on doing so. */
export function errorThatStands(error: SerializedError, id: string, revision: number): SerializedError {
  standing.set(error, { id, revision });
  return error;
}
