/** An execution in work, as the launcher that owns it knows it, and what happened to it last. */
import type { Encoded } from "../values/encode.js";
import type { StepFunc, Status } from "../definition/flow.js";
import type { StepOutline } from "../definition/outline.js";
import type { ExecutionIdentity } from "../definition/observer.js";
import type { Pause } from "../definition/outcome.js";
import type { FlowEvent } from "./router.js";
import type { Position } from "./position.js";
import type { SerializedError } from "../values/serialize-error.js";
import { type Transition, bitsKept, type ExecutionRecord, type MailboxRecord, type Migration } from "./records.js";

export interface ActiveExecution {
  /** Of another version once a migration is committed. */
  identity: ExecutionIdentity;
  readonly owner: number;
  readonly deadlineAt: number | null;
  revision: number;
  signals: number;
  claims: number;
  /** Attempts since the last commit whose transaction was taken back: they count for nothing, but were begun. */
  takenBack: number;
  status: Status;
  position: Position;
  /** `position` is ahead of what is stored: nothing of it but how long it waits. */
  isUnsaved: boolean;
  state: object;
  /** It holds something that JavaScript can't freeze. */
  isRich: boolean;
  /** The state where it differs from what is stored. */
  unsaved: Encoded | null;
  pending: readonly MailboxRecord[];
  /** Rows of the mailbox that nobody will take; settled with the next commit. */
  dead: string[];
  /** The state as of the last commit. */
  saved: Pick<ActiveExecution, "state" | "isRich">;
  /** Fields that guards or an operator changed since then. */
  others: Set<string> | undefined;
  /** The state as it began, until the first commit, where it is not the input. */
  initial: Encoded | undefined;
  admission: ExecutionRecord["admission"];
  /** What observers gave it to carry, as JSON. */
  carried: string | null;
  /** As in the record; what is being asked for counts already. */
  subscribed: number;
  /** What guards failed with where their failure may change nothing; kept with the next commit. */
  guardErrors: readonly SerializedError[];
  /** What each step gave on the way up; undefined until it is read from the history. */
  given: { readonly step: string; readonly patch: Encoded }[] | undefined;
}

const none: readonly never[] = [];

export function activeExecution(record: ExecutionRecord, state: object, owner: number): ActiveExecution {
  const isRich = !record.state.isPlain;
  return {
    identity: { id: record.id, workflow: record.workflow, version: record.version },
    owner,
    deadlineAt: record.deadlineAt,
    revision: record.revision,
    signals: record.signals,
    claims: record.claims,
    takenBack: 0,
    status: record.status,
    position: record.position,
    isUnsaved: false,
    state,
    isRich,
    saved: { state, isRich },
    others: undefined,
    initial: record.revision === 0 && !record.state.isSame(record.input) ? record.state : undefined,
    admission: record.admission,
    carried: record.carried,
    subscribed: record.subscribed,
    unsaved: null,
    pending: [],
    dead: [],
    guardErrors: none,
    // An execution that is driven from its beginning need not read its own history.
    given: record.revision === 0 ? [] : undefined,
  };
}

/** The transition is committed: the course is what it led to. */
export function tookOver(course: ActiveExecution, transition: Transition): void {
  const { patch, migration } = transition.history;
  if (patch !== null && course.position.direction === "up") {
    course.given?.push({ step: course.position.step, patch });
  }
  if (migration !== undefined) course.identity = { ...course.identity, version: migration.to };
  course.revision = transition.revision;
  course.position = transition.position;
  course.isUnsaved = false;
  course.status = transition.status;
  course.claims = 1;
  course.takenBack = 0;
  course.saved = { state: course.state, isRich: course.isRich };
  course.unsaved = null;
  course.others = undefined;
  course.initial = undefined;
  course.guardErrors = none;
  course.carried = transition.carried ?? course.carried;
  if (transition.unsubscribes !== undefined) course.subscribed &= bitsKept[transition.unsubscribes];
  if (transition.leaves === true) course.admission = null;
  course.dead = [];
  if (course.pending.length > 0) {
    const settled = new Set(transition.settled.map(({ arrival }) => arrival));
    course.pending = course.pending.filter(({ id }) => !settled.has(id));
  }
}

/** The state is again as it was at the last commit. */
export function takeBack(course: ActiveExecution): void {
  course.state = course.saved.state;
  course.isRich = course.saved.isRich;
  course.unsaved = null;
  course.others = undefined;
}

/**
 * What has happened and is to be committed. Beside the router's events: an attempt failed and another
 * one follows after `wait` milliseconds (with `afresh` from the step's own function, not its handler), the function is
 * to be called again after `wait`, the step begins, an operator set a parked execution going again or patched its state, a shutdown cut the attempt off, the engine itself
 * parks the execution where it stands, or it became one of another version.
 */
export interface Happening {
  readonly event:
    | FlowEvent
    | { readonly type: "retry"; readonly reason: string; readonly wait: number; readonly afresh: boolean }
    | { readonly type: "again"; readonly wait: number }
    | { readonly type: "begins" }
    | { readonly type: "resumed" }
    | { readonly type: "patched" }
    | { readonly type: "cutOff" }
    /** `untouched`: before anything of it was called, so no attempt was made. */
    | { readonly type: "parked"; readonly reason: string; readonly untouched: boolean }
    | {
        readonly type: "migrated";
        readonly status: Status;
        readonly position: Position;
        readonly migration: Migration;
        readonly stays: boolean;
      };
  readonly func: StepFunc;
  readonly attempt: number;
  readonly durationMs: number;
  /** For the history: `ok`, `continue`, `again`, `begins`, `passed-over`, `recovered`, `retried`, `skipped`, `patched`, `migrated`, `cut-off` or a reason. */
  readonly result: string;
  readonly error: SerializedError | null;
  /** What the step itself gave; merged into the state already. */
  readonly patch: object | undefined;
  readonly pause: Pause | undefined;
  /** The message that was handled, or the request that was followed. */
  readonly cause: MailboxRecord | undefined;
  /** Who asked for it, and why, where it came from outside. */
  readonly by: string | undefined;
  readonly why: string | undefined;
  /** The step itself has failed for good, rather than that a guard has said so: its `recover` may still be asked. */
  readonly failedItself?: boolean;
  /** A function of the step was called, rather than a request followed, a veto heeded or a wait given up. */
  readonly called: boolean;
  /** What the called function gave back could be kept. False: it threw, timed out, was cut off, or gave what can't be stored. */
  readonly gave: boolean;
  /** It threw, took too long or gave back nonsense, rather than said so with `fail`. Default: false. */
  readonly isUnexpected?: boolean;
}

/** Remembers the state, with all that was merged into it so far. Gives back what returns to it. */
export function bookmark(course: ActiveExecution): () => void {
  const { state, isRich, unsaved, guardErrors } = course;
  const others = course.others === undefined ? undefined : new Set(course.others);
  return () => void Object.assign(course, { state, isRich, unsaved, guardErrors, others });
}

/** What says whether, and how often, something was begun. */
export type Attempts = Pick<ActiveExecution, "position" | "claims" | "takenBack" | "admission">;

/** Which attempt comes next. What was begun and not counted, cut off by a crash or taken back is numbered too. */
export function attemptOf({ position, claims, takenBack }: Attempts): number {
  return position.attempts + position.uncounted + Math.max(1, claims) + takenBack;
}

/** Whether an attempt was begun since the last commit and is over without a word: its launcher died, or its transaction was taken back. */
function hasLostOne({ claims, takenBack, admission }: Attempts): boolean {
  return (claims > 1 || takenBack > 0) && admission !== "queued";
}

/** What of a step matters for that: `run` of a transactional one leaves nothing unless it is committed. */
type Kind = { readonly transactional?: boolean } | undefined;

/** Whether the step is in doubt where it stands: the last function of its way up may have begun and gave nothing back. */
export function isInDoubt(course: Attempts, step: Kind): boolean {
  const { position } = course;
  if (position.inDoubt === true) return true;
  if (position.direction === "down") return position.doubtful?.includes(position.stepIndex) === true;
  return hasLostOne(course) && !isUncommitted(position, step) && position.lifecycle !== "success";
}

/** On the way up, before anything that the step's `run` does in a transaction is committed. */
function isUncommitted({ direction, stepFunc, lifecycle }: Position, step: Kind): boolean {
  return step?.transactional === true && direction === "up" && stepFunc === "run" && lifecycle !== "success";
}

/** Nothing of the step where it stands is there: all that was begun of it was work of transactions that were not committed. */
export function leftNothing(course: Attempts, step: Kind): boolean {
  const { position } = course;
  return isUncommitted(position, step) && position.inDoubt !== true && position.partly !== true;
}

/** Its position, for another list of steps: there a step may be transactional that was not, or the other way round. */
export function withItsDoubt(course: Attempts, before: Kind): Position {
  const { position } = course;
  return position.inDoubt !== true && isInDoubt(course, before) ? { ...position, inDoubt: true } : position;
}

/**
 * Whether anything of it may have been done: a step, or an attempt at the first one. What was launched on the way down was
 * begun elsewhere.
 */
export function hasBegun(course: Attempts): boolean {
  const { direction, lifecycle } = course.position;
  if (direction === "down") return true;
  if (course.admission === "queued") return false;
  return lifecycle !== "init" || attemptOf(course) > 1;
}

/** An attempt at the step was begun when it had no `when`, which is not asked any more. */
export function isBegun(course: Attempts, was: StepOutline | undefined): boolean {
  const { direction, stepFunc } = course.position;
  return direction === "up" && stepFunc === "run" && was !== undefined && was.when !== true && attemptOf(course) > 1;
}

/** Something happened without a step function's answer. */
export function happened(
  course: ActiveExecution,
  event: Happening["event"],
  result: string,
  {
    error = null,
    cause,
    by,
    why,
    called = false,
    durationMs = 0,
    patch,
    failedItself = false,
  }: Partial<
    Pick<Happening, "error" | "cause" | "by" | "why" | "called" | "durationMs" | "patch" | "failedItself">
  > = {},
): Happening {
  return {
    event,
    func: course.position.stepFunc,
    attempt: attemptOf(course),
    durationMs,
    result,
    error,
    patch,
    pause: undefined,
    cause,
    by,
    why,
    failedItself,
    called,
    gave: false,
  };
}

/** What an operator asked for. */
export function acted(
  course: ActiveExecution,
  act: "retry" | "skip" | "patch",
  asked: { readonly cause: MailboxRecord; readonly by: string | undefined; readonly why: string | undefined },
): Happening {
  if (act === "retry") return happened(course, { type: "resumed" }, "retried", asked);
  if (act === "patch") return happened(course, { type: "patched" }, "patched", asked);
  return happened(course, { type: "stepOk" }, "skipped", {
    ...asked,
    error: { name: "Skipped", message: asked.why ?? "" },
  });
}
