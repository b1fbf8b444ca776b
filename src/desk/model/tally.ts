/** What is counted of a history, step by step. A long one can be counted on from where the last count ended. */
import type { ErrorFacts, TransitionFacts } from "./facts.js";

/** One step in one direction. */
export interface StepTally {
  /** How often a function of it was called. */
  readonly attempts: number;
  readonly durationMs: number;
  readonly last: TransitionFacts;
  /** Of its last failure, unless it was done after that. */
  readonly error?: ErrorFacts;
  /** It was done, or taken as done. */
  readonly finished: boolean;
  readonly skipped: boolean;
}

export interface Tally {
  /** By direction and name: `up charge`. */
  readonly steps: ReadonlyMap<string, StepTally>;
  /** The names of steps by index, as they were last. */
  readonly names: ReadonlyMap<number, string>;
  readonly lastUp?: TransitionFacts;
  readonly firstDown?: TransitionFacts;
  /** Of the last row. */
  readonly revision: number;
}

const nothing: Tally = { steps: new Map(), names: new Map(), revision: 0 };

/** Results of rows that no function of a step has given. */
const uncalled: ReadonlySet<string> = new Set(["begins", "passed-over", "retried", "skipped", "patched", "migrated"]);

const finishing: ReadonlySet<string> = new Set(["ok", "recovered", "skipped"]);

/** @param before what was counted up to the row before the first one */
export function tallyOf(rows: Iterable<TransitionFacts>, before: Tally = nothing): Tally {
  const steps = new Map(before.steps);
  const names = new Map(before.names);
  let { lastUp, firstDown, revision } = before;
  for (const row of rows) {
    const { direction, step, stepIndex } = row;
    names.set(stepIndex, step);
    const key = `${direction} ${step}`;
    steps.set(key, added(steps.get(key), row));
    revision = row.revision;
    if (direction === "down") firstDown ??= row;
    else if (row.result !== "patched" && row.result !== "migrated") lastUp = row;
  }
  return {
    steps,
    names,
    revision,
    ...(lastUp !== undefined && { lastUp }),
    ...(firstDown !== undefined && { firstDown }),
  };
}

function added(before: StepTally | undefined, row: TransitionFacts): StepTally {
  const { result, durationMs, attempt } = row;
  // A request that turned the execution is no attempt of the step where it stood.
  const wasCalled = !uncalled.has(result) && (row.why === undefined || durationMs > 0);
  const isDone = finishing.has(result);
  const error = isDone && result !== "skipped" ? undefined : (row.error ?? before?.error);
  return {
    attempts: wasCalled ? Math.max(before?.attempts ?? 0, attempt) : (before?.attempts ?? 0),
    durationMs: (before?.durationMs ?? 0) + durationMs,
    last: row,
    finished: isDone || before?.finished === true,
    skipped: result === "skipped" || before?.skipped === true,
    ...(error !== undefined && result !== "skipped" && { error }),
  };
}
