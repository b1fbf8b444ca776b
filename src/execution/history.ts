/**
 * What a stored history tells: its rows, what each of them changed, and every state on the way. A state
 * is not stored with each transition; it is made again from what was given at the start and in each row.
 */
import type { Encoded } from "../values/encode.js";
import { merge } from "../values/isolate.js";
import type { CommittedTransition } from "../definition/observer.js";
import { shown } from "../values/options.js";
import { StepwellError } from "../errors.js";
import type { ChangeOperation, Difference } from "../values/state-changes.js";
import type { ExecutionRecord, HistoryEntry, HistoryRecord } from "./records.js";

/** One committed transition. */
export type HistoryRow = CommittedTransition;

/** One committed transition, with what it changed in the state. */
export interface ChangedHistoryRow extends HistoryRow {
  /** As JSON Patch (RFC 6902), of a view of the state that JSON can hold; empty where nothing changed. */
  readonly changes: readonly ChangeOperation[];
}

export function rowsOf(rows: readonly HistoryRecord[]): HistoryRow[] {
  return rows.map(({ revision, at, ...entry }) => transitionOf(entry, revision, at));
}

/** A row of the history without what only the engine reads back. */
export function transitionOf(entry: HistoryEntry, revision: number, at: number): CommittedTransition {
  const {
    direction,
    step,
    stepIndex,
    func,
    attempt,
    result,
    durationMs,
    message,
    error,
    guardErrors,
    by,
    why,
    migration,
    leftNothing,
    details,
    round,
    backTo,
    upInto,
  } = entry;
  const row = { revision, at: new Date(at), direction, step, stepIndex, func, attempt, result, durationMs };
  // Most rows end here, and making them all of one shape is worth it.
  if (
    message === undefined &&
    error === undefined &&
    guardErrors === undefined &&
    by === undefined &&
    why === undefined &&
    migration === undefined &&
    leftNothing === undefined &&
    details === undefined &&
    (round ?? backTo ?? upInto) === undefined
  )
    return row;
  return {
    ...row,
    ...(message !== undefined && { message }),
    ...(error !== undefined && { error }),
    ...(guardErrors !== undefined && { guardErrors }),
    ...(by !== undefined && { by }),
    ...(why !== undefined && { why }),
    ...(migration !== undefined && { migration: { from: migration.from, to: migration.to } }),
    ...(leftNothing !== undefined && { leftNothing }),
    ...(details !== undefined && { details: details.value }),
    ...(round !== undefined && { round }),
    ...(backTo !== undefined && { backTo }),
    ...(upInto !== undefined && { upInto }),
  };
}

export function withChanges(
  record: ExecutionRecord,
  rows: readonly HistoryRecord[],
  difference: Difference,
): ChangedHistoryRow[] {
  let before = stateAtStart(record, rows);
  return rowsOf(rows).map((row, index) => {
    const after = stateAfter(before, rows[index]!);
    const changes = difference(before, after);
    before = after;
    return { ...row, changes };
  });
}

/** @throws STEPWELL_INVALID_ARGUMENT */
export function checkRevision(revision: unknown): void {
  if (Number.isSafeInteger(revision) && (revision as number) >= 0) return;
  const message = `stateAt takes a revision: 0 for the state as it began, or the revision of a row of the history; not ${shown(revision)}.`;
  throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message);
}

/** @param record read before the rows: what was committed in between is in them */
export function stateAtRevision(record: ExecutionRecord, rows: readonly HistoryRecord[], revision: number): object {
  if (revision > rows.length) {
    throw new StepwellError(
      "STEPWELL_REVISION_NOT_FOUND",
      `Execution "${record.id}" has no revision ${revision}: its last one is ${rows.length}.`,
      { execution: record.id, workflow: record.workflow },
    );
  }
  return rows.slice(0, revision).reduce(stateAfter, stateAtStart(record, rows));
}

export function stateAtStart(record: ExecutionRecord, [first]: readonly HistoryRecord[]): object {
  const start = first === undefined ? record.state : (first.initial ?? record.input);
  return start.value as object;
}

/** What each step gave on the way up when it was done last, under the name that it has now. */
export function givenIn(rows: readonly HistoryRecord[]): { readonly step: string; readonly patch: Encoded }[] {
  let given: { readonly step: string; readonly patch: Encoded }[] = [];
  let undone = new Set<string>();
  for (const { direction, func, step, patch, migration, upInto } of rows) {
    if (direction === "down") undone.add(step);
    // What a probe has found on the way down was done on the way up.
    if ((direction === "up" || func === "probe") && patch !== null) given.push({ step, patch });
    if (upInto !== undefined) {
      const gone = undone.add(step);
      given = given.filter((it) => !gone.has(it.step));
      undone = new Set();
    }
    const steps = migration?.steps;
    if (steps === undefined) continue;
    const namesNow = (name: string): string[] => {
      const now = Object.hasOwn(steps, name) ? steps[name] : name;
      return typeof now === "string" ? [now] : [];
    };
    given = given.flatMap((it) => namesNow(it.step).map((now) => ({ ...it, step: now })));
    undone = new Set([...undone].flatMap(namesNow));
  }
  return given;
}

/** What others changed is kept as it was in the end, so it goes over what the step gave. */
export function stateAfter(state: object, { patch, others, replaced }: HistoryEntry): object {
  if (replaced !== undefined) return replaced.value as object;
  const given = patch === null ? state : merge(state, patch.value as object);
  return others === undefined ? given : merge(given, others.value as object);
}
