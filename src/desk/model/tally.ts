/** What is counted of a history, step by step. A long one is counted part by part: on from where a count ended, or before it began. */
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
  /** Only what was committed after this revision is counted. 0: everything. */
  readonly after: number;
  /** Of the last row. */
  readonly revision: number;
}

/** Results of rows that no function of a step has given. */
const uncalled: ReadonlySet<string> = new Set(["begins", "passed-over", "retried", "skipped", "patched", "migrated"]);

const finishing: ReadonlySet<string> = new Set(["ok", "recovered", "skipped"]);

/** @param before what was counted up to the row before the first one */
export function tallyOf(rows: readonly TransitionFacts[], before?: Tally): Tally {
  const steps = new Map(before?.steps);
  const names = new Map(before?.names);
  const after = before?.after ?? (rows[0]?.revision ?? 1) - 1;
  let { lastUp, firstDown, revision } = before ?? { revision: after };
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
    after,
    revision,
    ...(lastUp !== undefined && { lastUp }),
    ...(firstDown !== undefined && { firstDown }),
  };
}

/** Of two parts of a history, the later of which begins where the other ends: both in one. */
export function joined(older: Tally, newer: Tally): Tally {
  const steps = new Map(older.steps);
  for (const [key, tally] of newer.steps) steps.set(key, together(older.steps.get(key), tally));
  const lastUp = newer.lastUp ?? older.lastUp;
  const firstDown = older.firstDown ?? newer.firstDown;
  return {
    steps,
    names: new Map([...older.names, ...newer.names]),
    after: older.after,
    revision: newer.revision,
    ...(lastUp !== undefined && { lastUp }),
    ...(firstDown !== undefined && { firstDown }),
  };
}

function together(older: StepTally | undefined, newer: StepTally): StepTally {
  if (older === undefined) return newer;
  const error = newer.error ?? (newer.finished ? undefined : older.error);
  return {
    attempts: Math.max(older.attempts, newer.attempts),
    durationMs: older.durationMs + newer.durationMs,
    last: newer.last,
    finished: older.finished || newer.finished,
    skipped: older.skipped || newer.skipped,
    ...(error !== undefined && { error }),
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
