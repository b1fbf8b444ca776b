/**
 * An execution that this launcher works on. A record of it is never changed: what a step gives, a guard adds or a commit
 * makes of it is another record, so the one that is committed stays what it was until the store has answered.
 */
import { encode, Encoded } from "../values/encode.js";
import { isolate, merge } from "../values/isolate.js";
import type { Mutable } from "../values/mutable.js";
import type { SerializedError } from "../values/serialize-error.js";
import type { StepOutline } from "../definition/outline.js";
import type { ExecutionIdentity } from "../definition/observer.js";
import type { Status } from "../definition/flow.js";
import type { Position } from "./position.js";
import { bitsKept, type ExecutionRecord, type Transition } from "./records.js";

export interface ActiveExecution {
  /** Names another version once a migration is committed. */
  readonly identity: ExecutionIdentity;
  readonly owner: number;
  readonly deadlineAt: number | null;
  readonly revision: number;
  readonly claims: number;
  readonly status: Status;
  readonly position: Position;
  readonly state: object;
  /** So many bytes the state's text has at most. Infinity: it holds something that JavaScript can't freeze. */
  readonly sizeAtMost: number;
  readonly admission: ExecutionRecord["admission"];
  readonly line: ExecutionRecord["line"];
  readonly root: string | null;
  /** What observers gave the execution to carry, as JSON. */
  readonly carried: string | null;
  /** As in the record; a subscription that is being asked for counts already. */
  readonly subscribed: number;
  /** Attempts since the last commit whose transaction was rolled back. They were begun, and do not count as failed. */
  readonly uncommittedAttempts: number;
  /** The state as it began, until the first commit, where it is not the input. */
  readonly initial: Encoded | undefined;
  /** When the execution was last changed before the launcher took it up (the store's time): a lost attempt began after that. */
  readonly changedAt: number;

  /** How long the text was of the state as a store last got it whole: the text itself is kept by nobody, since it may be long. */
  readonly wholeLength: number;
  /** The fields in which the state may differ from that one. Null: that is so short that the state is always written whole. */
  readonly changed: object | null;

  // What the next commit stores, beside the transition's own fields.
  /** The state, where it differs from what is stored. */
  readonly unsaved: Encoded | null;
  /** Fields of the state that guards or an operator changed since the last commit. */
  readonly outsideFields: readonly string[] | undefined;
  /** What guards failed with where their failure may change nothing. */
  readonly guardErrors: readonly SerializedError[];
  /** The position is ahead of what is stored: by how long it waits, and by nothing else. */
  readonly isAhead: boolean;
}

const none: readonly never[] = [];

/** How a patch is encoded: its size counts as a part of the state. */
export const patchOptions = { what: "A patch", limit: Infinity };

/** A state whose text is shorter is written whole with each transition. */
const splitFrom = 1024;

/**
 * Changes are written for as long as the square of their length is within so many times that of the whole: for fields of
 * about this many characters, that keeps the sum of what is written least.
 */
const splitShare = 200;

const unchanged: object = Object.freeze({});

function changedSince(wholeLength: number): object | null {
  return wholeLength < splitFrom ? null : unchanged;
}

/**
 * The changes that a store may keep beside the state that it last got whole, in place of the whole state. Undefined: they are too large.
 */
export function changesOf({ unsaved, changed, wholeLength }: ActiveExecution): Encoded | undefined {
  if (unsaved === null || changed === null) return undefined;
  const changes = encode(changed, patchOptions);
  return changes.text.length ** 2 > splitShare * wholeLength ? undefined : changes;
}

/** The execution as a launcher has taken it up. */
export function activeExecution(record: ExecutionRecord, state: object, owner: number): ActiveExecution {
  const { whole, changes } = record.state.parts ?? { whole: record.state };
  return {
    identity: identityIn(record),
    owner,
    deadlineAt: record.position.deadlineAt ?? record.deadlineAt,
    revision: record.revision,
    claims: record.claims,
    status: record.status,
    position: record.position,
    state,
    sizeAtMost: record.state.sizeAtMost,
    admission: record.admission,
    line: record.line,
    root: record.root,
    carried: record.carried,
    subscribed: record.subscribed,
    uncommittedAttempts: 0,
    initial: record.revision === 0 && !record.state.isSame(record.input) ? record.state : undefined,
    changedAt: record.updatedAt,
    wholeLength: whole.textLength,
    changed: changes === undefined ? changedSince(whole.textLength) : changesIn(changes),
    unsaved: null,
    outsideFields: undefined,
    guardErrors: none,
    isAhead: false,
  };
}

/** The changed fields. Null: they can't be read, and the execution is parked as it is. */
function changesIn(changes: Encoded): object | null {
  try {
    return changes.value as object;
  } catch {
    return null;
  }
}

function identityIn({ id, workflow, version, line, root }: ExecutionRecord): ExecutionIdentity {
  if (root === null) return { id, workflow, version };
  return { id, workflow, version, ...(line !== null && { parent: line.parent }), root };
}

/** The execution after the transition was committed. */
export function committedAs(before: ActiveExecution, transition: Transition): ActiveExecution {
  const { migration } = transition.history;
  const { unsubscribes, state, changes } = transition;
  const isWhole = state !== null && changes === undefined;
  return {
    identity: migration === undefined ? before.identity : { ...before.identity, version: migration.to },
    owner: before.owner,
    deadlineAt: transition.position.deadlineAt ?? before.deadlineAt,
    revision: transition.revision,
    claims: 1,
    status: transition.status,
    position: transition.position,
    state: before.state,
    sizeAtMost: before.sizeAtMost,
    admission: transition.leaves === true ? null : before.admission,
    line: before.line,
    root: before.root,
    carried: transition.carried ?? before.carried,
    subscribed: unsubscribes === undefined ? before.subscribed : before.subscribed & bitsKept[unsubscribes],
    uncommittedAttempts: 0,
    initial: undefined,
    changedAt: before.changedAt,
    wholeLength: isWhole ? state.textLength : before.wholeLength,
    changed: isWhole ? changedSince(state.textLength) : before.changed,
    unsaved: null,
    outsideFields: undefined,
    guardErrors: none,
    isAhead: false,
  };
}

/** The execution without what was merged into its state since the last commit. */
export function withoutPatches(execution: ActiveExecution, committed: ActiveExecution): ActiveExecution {
  if (execution.unsaved === null && execution.outsideFields === undefined) return execution;
  const { state, sizeAtMost, changed } = committed;
  return executionWith(execution, { state, sizeAtMost, changed, unsaved: null, outsideFields: undefined });
}

/**
 * The execution with an isolated patch merged into its state. That costs what the patch is large, and not what the state is: it is
 * measured anew only where both together may be too large.
 *
 * @param limit the largest encoded state, in bytes
 * @param patchSize the `sizeAtMost` of the patch, where it is known
 * @throws STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE
 */
export function withPatch(
  execution: ActiveExecution,
  patch: object,
  limit: number,
  patchSize = encode(patch, patchOptions).sizeAtMost,
): ActiveExecution {
  const state = merge(execution.state, patch);
  const size = execution.sizeAtMost + patchSize;
  const isSmall = size < Infinity && size <= limit;
  const unsaved = isSmall ? Encoded.ofPlain(state, size) : encode(state, { what: "The state", limit });
  const patched = copyOf(execution);
  patched.state = state;
  patched.sizeAtMost = unsaved.sizeAtMost;
  patched.unsaved = unsaved;
  if (execution.changed !== null) patched.changed = merge(execution.changed, patch);
  return patched;
}

/** The execution with these changes, in the shape that all have: to spread it would make one of another. */
export function executionWith(it: ActiveExecution, changes: Partial<ActiveExecution>): ActiveExecution {
  return Object.assign(copyOf(it), changes);
}

/** The execution at a position that is not committed yet. */
export function withPosition(it: ActiveExecution, position: Position): ActiveExecution {
  const moved = copyOf(it);
  moved.position = position;
  return moved;
}

function copyOf(it: ActiveExecution): Mutable<ActiveExecution> {
  return {
    identity: it.identity,
    owner: it.owner,
    deadlineAt: it.deadlineAt,
    revision: it.revision,
    claims: it.claims,
    status: it.status,
    position: it.position,
    state: it.state,
    sizeAtMost: it.sizeAtMost,
    admission: it.admission,
    line: it.line,
    root: it.root,
    carried: it.carried,
    subscribed: it.subscribed,
    uncommittedAttempts: it.uncommittedAttempts,
    initial: it.initial,
    changedAt: it.changedAt,
    wholeLength: it.wholeLength,
    changed: it.changed,
    unsaved: it.unsaved,
    outsideFields: it.outsideFields,
    guardErrors: it.guardErrors,
    isAhead: it.isAhead,
  };
}

/** As `withPatch`, for what a guard or an operator gives: the history keeps it apart from what steps give. */
export function withOutsidePatch(execution: ActiveExecution, patch: object, limit: number): ActiveExecution {
  const { outsideFields = none } = execution;
  const added = Object.keys(patch).filter((key) => !outsideFields.includes(key));
  return executionWith(withPatch(execution, patch, limit), { outsideFields: [...outsideFields, ...added] });
}

/** The state as users see it. What can't be frozen, a Map or a Date, is a copy that they may change for themselves. */
export function shownState({ state, sizeAtMost }: Pick<ActiveExecution, "state" | "sizeAtMost">): object {
  return sizeAtMost === Infinity ? isolate(state) : state;
}

/** What tells whether, and how often, the step where the execution stands was begun. */
export type Attempts = Pick<ActiveExecution, "position" | "claims" | "uncommittedAttempts" | "admission">;

/** The number of the next attempt. Attempts that do not count, such as those that a crash cut off, have their numbers too. */
export function attemptOf({ position, claims, uncommittedAttempts }: Attempts): number {
  return position.attempts + position.uncounted + Math.max(1, claims) + uncommittedAttempts;
}

/** Whether an attempt was begun since the last commit and is over without a word: its launcher died, or its transaction was rolled back. */
export function hasLostOne({ claims, uncommittedAttempts, admission }: Attempts): boolean {
  return (claims > 1 || uncommittedAttempts > 0) && admission !== "queued";
}

/**
 * The options of a step on which its doubts depend. The `run` of a transactional step leaves nothing unless it is committed; before a
 * step that may be parked in doubt is called, its beginning is committed.
 */
export interface DoubtOptions {
  readonly probe?: unknown;
  readonly inDoubt?: "rerun" | "park";
  readonly transactional?: boolean;
}

/** Whether the step is in doubt where it stands: the last function of its way up may have begun and gave nothing back. */
export function isInDoubt(execution: Attempts, step: DoubtOptions | undefined): boolean {
  const { position } = execution;
  if (position.inDoubt === true) return true;
  if (position.direction === "down") return position.doubtful?.includes(position.stepIndex) === true;
  const isCallable = position.begins === true || position.stepFunc !== "run" || step?.inDoubt !== "park";
  return hasLostOne(execution) && isCallable && !isUncommitted(position, step) && position.lifecycle !== "success";
}

/** Whether the step is on its way up, and nothing that its `run` does in a transaction is committed yet. */
function isUncommitted({ direction, stepFunc, lifecycle }: Position, step: DoubtOptions | undefined): boolean {
  return step?.transactional === true && direction === "up" && stepFunc === "run" && lifecycle !== "success";
}

/**
 * Whether nothing of the step where the execution stands is there: all that was begun of it was work of transactions that were not
 * committed.
 */
export function leftNothing(execution: Attempts, step: DoubtOptions | undefined): boolean {
  const { position } = execution;
  return isUncommitted(position, step) && position.inDoubt !== true && position.partly !== true;
}

/**
 * Whether anything of it may have been done: a step, or an attempt at the first one. What was launched on the way down was
 * begun elsewhere; what comes before the step to which a migration has moved it counts as done.
 */
export function hasBegun(execution: Attempts): boolean {
  const { direction, lifecycle, stepIndex } = execution.position;
  if (direction === "down") return true;
  if (execution.admission === "queued") return false;
  return lifecycle !== "init" || stepIndex > 0 || attemptOf(execution) > 1;
}

/** An attempt at the step was begun when it had no `when`, which is not asked any more. */
export function isBegun(execution: Attempts, was: StepOutline | undefined): boolean {
  const { direction, stepFunc } = execution.position;
  return direction === "up" && stepFunc === "run" && was !== undefined && was.when !== true && attemptOf(execution) > 1;
}
