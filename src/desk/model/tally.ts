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
  /** On the way up: what was found of its last attempt, by its probe or by an operator. Left out: nobody has looked. */
  readonly found?: Found;
}

export type Found = "happened" | "did-not-happen" | "unknown";

/** A round that a rewind has ended. Left out is what was committed before what is counted. */
export interface ClosedRound {
  /** With which the execution went up again, into the next round. */
  readonly last: TransitionFacts;
  /** With which the rewind was asked for. */
  readonly asked?: TransitionFacts;
  /** With which the round turned. */
  readonly turned?: TransitionFacts;
}

/** What steps did counts of the last round in which each was begun. */
export interface Tally {
  /** By direction and name: `up charge`. */
  readonly steps: ReadonlyMap<string, StepTally>;
  /** The names of steps by index, as they were last. */
  readonly names: ReadonlyMap<number, string>;
  readonly lastUp?: TransitionFacts;
  readonly firstDown?: TransitionFacts;
  readonly closed: readonly ClosedRound[];
  /** Of a rewind whose way down has not ended. */
  readonly asked?: TransitionFacts;
  /** Steps from this index on were undone by a rewind after all that came before what is counted. */
  readonly undoneFrom?: number;
  /** Only what was committed after this revision is counted. 0: everything. */
  readonly after: number;
  /** Of the last row. */
  readonly revision: number;
}

/** Results of rows that no function of a step has given. */
const uncalled: ReadonlySet<string> = new Set(["begins", "passed-over", "retried", "skipped", "patched", "migrated"]);

const finishing: ReadonlySet<string> = new Set(["ok", "recovered", "skipped"]);

/** What is counted while rows are added. */
type Counting = { -readonly [Key in "lastUp" | "firstDown" | "asked" | "undoneFrom"]?: Tally[Key] | undefined } & {
  steps: Map<string, StepTally>;
  closed: ClosedRound[];
};

/** @param before what was counted up to the row before the first one */
export function tallyOf(rows: readonly TransitionFacts[], before?: Tally): Tally {
  const names = new Map(before?.names);
  const after = before?.after ?? (rows[0]?.revision ?? 1) - 1;
  const counting: Counting = { ...before, steps: new Map(before?.steps), closed: [...(before?.closed ?? [])] };
  let revision = before?.revision ?? after;
  for (const row of rows) {
    const { direction, step, stepIndex } = row;
    names.set(stepIndex, step);
    // What is found on the way down is about the way up too.
    const key = `${row.func === "probe" ? "up" : direction} ${step}`;
    counting.steps.set(key, added(counting.steps.get(key), row));
    revision = row.revision;
    if (direction === "down") counting.firstDown ??= row;
    else if (row.result !== "patched" && row.result !== "migrated") counting.lastUp = row;
    if (row.backTo !== undefined) counting.asked = row;
    if (row.upInto !== undefined) close(counting, row);
  }
  return tallied(counting, { names, after, revision });
}

/** The execution goes up again: of the steps that were undone nothing is done in the round that begins. */
function close(counting: Counting, last: TransitionFacts): void {
  const { asked, lastUp: turned, undoneFrom = last.stepIndex } = counting;
  counting.closed.push({ last, ...(asked && { asked }), ...(turned && { turned }) });
  counting.steps = before(counting.steps, last.stepIndex);
  counting.undoneFrom = Math.min(undoneFrom, last.stepIndex);
  counting.lastUp = counting.firstDown = counting.asked = undefined;
}

function before(steps: ReadonlyMap<string, StepTally>, index: number): Map<string, StepTally> {
  return new Map([...steps].filter(([, { last }]) => last.stepIndex < index));
}

function tallied(
  { steps, closed, lastUp, firstDown, asked, undoneFrom }: Counting,
  rest: Pick<Tally, "names" | "after" | "revision">,
): Tally {
  return {
    steps,
    closed,
    ...rest,
    ...(lastUp !== undefined && { lastUp }),
    ...(firstDown !== undefined && { firstDown }),
    ...(asked !== undefined && { asked }),
    ...(undoneFrom !== undefined && { undoneFrom }),
  };
}

/** Of two parts of a history, the later of which begins where the other ends: both in one. */
export function joined(older: Tally, newer: Tally): Tally {
  const steps = before(older.steps, newer.undoneFrom ?? Infinity);
  for (const [key, tally] of newer.steps) steps.set(key, together(steps.get(key), tally));
  const [first, ...others] = newer.closed;
  const rest = {
    names: new Map([...older.names, ...newer.names]),
    after: older.after,
    revision: newer.revision,
  };
  const undoneFrom = Math.min(older.undoneFrom ?? Infinity, newer.undoneFrom ?? Infinity);
  const floor = undoneFrom === Infinity ? undefined : undoneFrom;
  if (first !== undefined) {
    const { last, asked = older.asked, turned = older.lastUp } = first;
    const whole = { last, ...(asked && { asked }), ...(turned && { turned }) };
    return tallied({ ...newer, steps, closed: [...older.closed, whole, ...others], undoneFrom: floor }, rest);
  }
  const lastUp = newer.lastUp ?? older.lastUp;
  const firstDown = older.firstDown ?? newer.firstDown;
  const asked = newer.asked ?? older.asked;
  return tallied({ steps, closed: [...older.closed], lastUp, firstDown, asked, undoneFrom: floor }, rest);
}

function together(older: StepTally | undefined, newer: StepTally): StepTally {
  if (older === undefined) return newer;
  const error = newer.error ?? (newer.finished ? undefined : older.error);
  const found = newer.found ?? (newer.attempts > 0 ? undefined : older.found);
  return {
    attempts: Math.max(older.attempts, newer.attempts),
    durationMs: older.durationMs + newer.durationMs,
    last: newer.last,
    finished: older.finished || newer.finished,
    skipped: older.skipped || newer.skipped,
    ...(error !== undefined && { error }),
    ...(found !== undefined && { found }),
  };
}

function added(before: StepTally | undefined, row: TransitionFacts): StepTally {
  const { result, durationMs, attempt, func } = row;
  const isProbe = func === "probe";
  // A request that turned the execution is no attempt of the step where it stood.
  const wasCalled = !isProbe && !uncalled.has(result) && (row.why === undefined || durationMs > 0);
  const isDone = isProbe ? result === "happened" && row.error === undefined : finishing.has(result);
  const error = isDone && result !== "skipped" ? undefined : (row.error ?? before?.error);
  const found = isProbe ? foundIn(row) : wasCalled ? undefined : before?.found;
  return {
    attempts: wasCalled ? Math.max(before?.attempts ?? 0, attempt) : (before?.attempts ?? 0),
    durationMs: (before?.durationMs ?? 0) + durationMs,
    last: row,
    finished: isDone || before?.finished === true,
    skipped: result === "skipped" || before?.skipped === true,
    ...(error !== undefined && result !== "skipped" && { error }),
    ...(found !== undefined && { found }),
  };
}

function foundIn({ result }: TransitionFacts): Found {
  return result === "happened" || result === "did-not-happen" ? result : "unknown";
}
