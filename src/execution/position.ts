/**
 * The engine's own small record beside the state, as it begins and as it is stored.
 * Pure data; `router.ts` says how it changes.
 */
import type { WorkflowDefinition } from "../definition/definition.js";
import type { Flow, Status } from "../definition/flow.js";
import type { Mutable } from "../values/mutable.js";
import type { SerializedError } from "../values/serialize-error.js";
import type { Doubt } from "./doubt.js";

export const initialFlow: Flow = {
  direction: "up",
  reason: "normal",
  stepIndex: 0,
  stepFunc: "run",
  lifecycle: "init",
  lastResult: "ok",
};

/** A step that was begun and can't be undone, and why. */
export interface Irreversible {
  readonly step: string;
  readonly reason: string;
}

/** The steps from one to another one that are marked as irreversible; undefined: none is. */
export function irreversibleIn(
  from: number,
  to: number,
  { steps }: WorkflowDefinition,
): readonly Irreversible[] | undefined {
  let found: Irreversible[] | undefined;
  for (let i = from; i <= to; i++) {
    const { name: step, irreversible: reason } = steps[i]!;
    if (reason !== undefined) (found ??= []).push({ step, reason });
  }
  return found;
}

/** The request that turned an execution. */
export interface TurnRequest {
  readonly reason: string;
  readonly by?: string;
  /** As text: nothing in the engine looks into them. */
  readonly details?: string;
  /** For a rewind: the step to which it goes back. */
  readonly to?: string;
}

/** Why a step has failed, and with which error. */
export interface Failing {
  readonly reason: string;
  readonly error: SerializedError | null;
}

/** The flow as it is stored, with what the engine must remember of retries and waits. */
export interface Position extends Flow {
  /** The name of the step at `stepIndex`. */
  readonly step: string;
  /** Failed attempts of the current step in the current direction. A pause does not reset it. */
  readonly attempts: number;
  /** When the first of them began (the store's time); for a retry policy's `within`. */
  readonly firstAttemptAt: number | null;
  /** Attempts of this step that were begun and count for nothing: cut off by a shutdown, or before an operator's retry. */
  readonly uncounted: number;
  /** When the wait of a paused step times out (the store's time). */
  readonly waitUntil: number | null;
  /** Nothing is to be done before this: a retry, a delayed launch (the store's time). */
  readonly resumeAt: number | null;
  /** The error that turned the execution. */
  readonly error: SerializedError | null;
  /** The error that parked it, while it is parked. */
  readonly stuckBy: SerializedError | null;
  /**
   * The last function of this step on the way up may have begun, and gave nothing back that could be kept. Of a step that is
   * being undone too. Left out: no.
   */
  readonly inDoubt?: true;
  /** On the way up: this step's `run` begins again, and what it did before was committed. Left out: no. */
  readonly partly?: true;
  /** On the way down: the steps at or before the one where it turned that can't be undone. Left out: none. */
  readonly irreversible?: readonly Irreversible[];
  /** The names that steps had when they may have begun, where a migration has given them others. Left out: none has. */
  readonly keys?: Readonly<Record<string, string>>;
  /** The launcher's logger was told of the first attempt that failed unexpectedly. Left out: none has. */
  readonly warned?: true;
  /** The names under which others may know what steps did that are gone since a migration. Left out: none. */
  readonly gone?: readonly string[];
  /** The steps that were passed over, by index: nothing of them is undone. Left out: none. */
  readonly passed?: readonly number[];
  /** The steps that were in doubt when the execution went on after them, by index: their undo is told so. Left out: none. */
  readonly doubtful?: readonly number[];
  /** What is known of each doubt, by step. Left out: there is none. */
  readonly doubts?: readonly Doubt[];
  /** It is committed that the step begins: its `when` was true, its own deadline runs. Left out: there was nothing to commit. */
  readonly begins?: true;
  /** When the step's own deadline passes (the store's time). */
  readonly stepDeadlineAt?: number;
  /** A step of children has failed by what its `join` said, and `recover` is asked once they are back. Left out: it has not. */
  readonly failing?: Failing;
  /** How often the function has given `again`. Left out: never. */
  readonly polls?: number;
  /** On the way down: who asked for it. Left out: nobody, a failure or the deadline turned the execution. */
  readonly request?: TurnRequest;
  /** Until when a completed execution can be undone (the store's time). Left out: for as long as it is kept. */
  readonly sealedAt?: number;
  /** The rewinds that count for what is done and undone, in their order. Left out: it was never rewound. */
  readonly rounds?: readonly Round[];
  /** The priority of the launch, with which its children wait for limits too. Left out: 0. */
  readonly priority?: number;
  /** When the workflow's deadline passes, where a rewind has made it count anew (the store's time). Left out: as it was at the launch. */
  readonly deadlineAt?: number;
}

/** Whether it has completed, and could be undone only before that time. */
export function isSealed({ sealedAt }: Pick<Position, "sealedAt">, at: number): boolean {
  return sealedAt !== undefined && at >= sealedAt;
}

/** Steps from that one on are done in this round, until another one begins at a step before or behind it. */
export interface Round {
  readonly round: number;
  readonly from: number;
}

/** The round in which the step was done last, or is to be done. */
export function roundOf({ rounds }: Pick<Position, "rounds">, stepIndex: number): number {
  return rounds === undefined ? 0 : roundIn(rounds, stepIndex);
}

function roundIn(rounds: readonly Round[], stepIndex: number): number {
  return rounds.findLast(({ from }) => from <= stepIndex)?.round ?? 0;
}

/** The rounds of an execution that goes up again from a step. */
export function nextRounds({ rounds = [] }: Pick<Position, "rounds">, round: number, from: number): readonly Round[] {
  return [...rounds.filter((earlier) => earlier.from < from), { round, from }];
}

/** The flow as users see it, without what the engine remembers beside it. */
export function flowOf({ direction, reason, stepIndex, stepFunc, lifecycle, lastResult, round, until }: Flow): Flow {
  const flow = { direction, reason, stepIndex, stepFunc, lifecycle, lastResult };
  if (round === undefined && until === undefined) return flow;
  return { ...flow, ...(round !== undefined && { round }), ...(until !== undefined && { until }) };
}

/** The function that is due has given `again` last: it was not done, and did not fail. */
export function isPolling({ polls = 0, attempts }: Pick<Position, "polls" | "attempts">): boolean {
  return polls > 0 && attempts === 0;
}

/** From so many failed attempts on, an execution that is tried again is struggling. */
export const strugglingFrom = 5;

const none: readonly never[] = [];

/** The doubt about the step. Undefined: there is none. */
export function doubtAt(doubts: Position["doubts"], stepIndex: number): Doubt | undefined {
  for (const doubt of doubts ?? none) if (doubt.index === stepIndex) return doubt;
  return undefined;
}

/** Whether the execution's step, or the probe of it, goes on failing and is tried again. */
export function isStruggling(status: Status, position: Pick<Position, "attempts" | "stepIndex" | "doubts">): boolean {
  const { attempts, stepIndex, doubts } = position;
  const asked = doubtAt(doubts, stepIndex)?.attempts ?? 0;
  return (
    Math.max(attempts, asked) >= strugglingFrom &&
    (status === "scheduled" || status === "running" || status === "waiting")
  );
}

/** The name under which others know what a step did. */
export function keyNameOf(step: string, keys: Position["keys"]): string {
  return keys !== undefined && Object.hasOwn(keys, step) ? keys[step]! : step;
}

/** Where an execution begins. Written out field by field: every launch makes one, and spreading costs. */
export function positionAt(
  { direction, reason, stepIndex, stepFunc, lifecycle, lastResult }: Flow,
  step: string,
): Position {
  return {
    direction,
    reason,
    stepIndex,
    stepFunc,
    lifecycle,
    lastResult,
    step,
    attempts: 0,
    firstAttemptAt: null,
    uncounted: 0,
    waitUntil: null,
    resumeAt: null,
    error: null,
    stuckBy: null,
  };
}

/** A field that may be left out is undefined. */
type Loose = { readonly [Field in keyof Position]: Position[Field] | undefined };

/**
 * The position in one of two shapes: most have no field that may be left out, and the others have all of them, undefined where they are left
 * out. V8 compiles code for few shapes of objects, and throws it away with a shape that no object has for a while.
 */
export function positionOf(it: Loose): Position {
  return (hasMore(it) ? whole(it) : plain(it)) as Position;
}

/** As `positionOf`; of a position that has one of the shapes already, and without another object in between. */
export function withLifecycle(it: Position, lifecycle: Position["lifecycle"]): Position {
  const position: Mutable<Loose> = hasMore(it) ? whole(it) : plain(it);
  position.lifecycle = lifecycle;
  return position as Position;
}

/** A position as it was read: in the shape that most have, if it has no other fields. */
export function positionRead(it: Position): Position {
  return hasMore(it) ? it : (plain(it) as Position);
}

function hasMore(it: Loose): boolean {
  const way = it.round ?? it.until ?? it.rounds ?? it.request ?? it.passed ?? it.irreversible ?? it.sealedAt;
  const doubt = it.inDoubt ?? it.partly ?? it.doubtful ?? it.doubts ?? it.begins ?? it.failing ?? it.polls;
  return (
    (way ?? doubt ?? it.keys ?? it.gone ?? it.warned ?? it.priority ?? it.deadlineAt ?? it.stepDeadlineAt) !== undefined
  );
}

function plain(it: Loose): Loose {
  return {
    direction: it.direction,
    reason: it.reason,
    stepIndex: it.stepIndex,
    stepFunc: it.stepFunc,
    lifecycle: it.lifecycle,
    lastResult: it.lastResult,
    step: it.step,
    attempts: it.attempts,
    firstAttemptAt: it.firstAttemptAt,
    uncounted: it.uncounted,
    waitUntil: it.waitUntil,
    resumeAt: it.resumeAt,
    error: it.error,
    stuckBy: it.stuckBy,
  };
}

function whole(it: Loose): Required<Loose> {
  return {
    direction: it.direction,
    reason: it.reason,
    stepIndex: it.stepIndex,
    stepFunc: it.stepFunc,
    lifecycle: it.lifecycle,
    lastResult: it.lastResult,
    step: it.step,
    attempts: it.attempts,
    firstAttemptAt: it.firstAttemptAt,
    uncounted: it.uncounted,
    waitUntil: it.waitUntil,
    resumeAt: it.resumeAt,
    error: it.error,
    stuckBy: it.stuckBy,
    round: it.round,
    until: it.until,
    inDoubt: it.inDoubt,
    partly: it.partly,
    irreversible: it.irreversible,
    keys: it.keys,
    warned: it.warned,
    gone: it.gone,
    passed: it.passed,
    doubtful: it.doubtful,
    doubts: it.doubts,
    begins: it.begins,
    stepDeadlineAt: it.stepDeadlineAt,
    failing: it.failing,
    polls: it.polls,
    request: it.request,
    sealedAt: it.sealedAt,
    rounds: it.rounds,
    priority: it.priority,
    deadlineAt: it.deadlineAt,
  };
}
