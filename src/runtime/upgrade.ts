/**
 * From an older version of a workflow to one that a launcher has: which ways there are, and where and with what an
 * execution goes on. Nothing here writes; a drive commits what comes of it as one transition.
 */
import { encode, type Encoded } from "../values/encode.js";
import { isolate } from "../values/isolate.js";
import type { MigrationDefinition, WorkflowDefinition } from "../definition/definition.js";
import { namesOf, successorOf, type Move, type MoveContext, type Successors } from "../definition/migration.js";
import { refuseUnknownOptions, shown } from "../values/options.js";
import { outlineOf, type StepOutline } from "../definition/outline.js";
import { patchProblem } from "../definition/outcome.js";
import { StepwellError } from "../errors.js";
import type { Position } from "../execution/position.js";
import type { Status } from "../definition/flow.js";
import { withDoubtRecorded, withoutProbe } from "../execution/doubt.js";
import { placeIn, type MigrationRefusal, type Place } from "../execution/move.js";
import type { Migration } from "../execution/records.js";
import { attemptOf, hasBegun, isBegun, type Attempts, type ActiveExecution } from "../execution/execution.js";
import { type Registered, registryKey } from "../session/registry.js";
import { isPromise } from "../values/promise.js";

/** One migration on the way, and the version that it leads to. */
interface MigrationStep {
  readonly migration: MigrationDefinition;
  readonly to: WorkflowDefinition;
}

/** How executions of a version come to a workflow that is registered. */
export interface MigrationPath {
  readonly name: string;
  readonly version: string;
  readonly registered: Registered;
  /** In order; none: that version is registered itself. */
  readonly hops: readonly MigrationStep[];
}

/**
 * The ways to all that a launcher can work on. An execution keeps its version where that is registered; of several ways
 * the shortest counts.
 *
 * @throws STEPWELL_INVALID_ARGUMENT where two are as short
 */
export function migrationPathsOf(registry: ReadonlyMap<string, Registered>): ReadonlyMap<string, MigrationPath> {
  const ways = new Map<string, MigrationPath>();
  let ends = [...registry.values()].map((registered): MigrationPath => {
    const { name, version } = registered.definition;
    return { name, version, registered, hops: [] };
  });
  while (ends.length > 0) {
    const fresh = ends.filter(({ name, version }) => !ways.has(registryKey(name, version)));
    for (const way of fresh) {
      const { name, version, registered } = way;
      const other = ways.get(registryKey(name, version));
      if (other !== undefined) throw twoWays(way, registered.definition.version, other.registered.definition.version);
      ways.set(registryKey(name, version), way);
    }
    ends = fresh.flatMap(longer);
  }
  return ways;
}

/** The ways that lead to the beginning of this one. */
function longer({ name, registered, hops }: MigrationPath): MigrationPath[] {
  const to = hops.length === 0 ? registered.definition : hops[0]!.migration.older;
  return (to?.migrations ?? []).map((migration) => {
    return { name, version: migration.from, registered, hops: [{ migration, to: to! }, ...hops] };
  });
}

function twoWays({ name, version }: MigrationPath, one: string, other: string): StepwellError {
  return new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `new Launcher(…): executions of workflow "${name}" version "${version}" could be migrated to version "${one}" and to "${other}". ` +
      `Let only one of them migrate from it.`,
    { workflow: name },
  );
}

/** The fields of an execution that decide where it goes on in the newer version. */
export interface MigrationInput extends Attempts {
  readonly identity: ActiveExecution["identity"];
  readonly status: Status;
  readonly state: object;
  readonly changedAt: number;
}

/** What becomes of the execution. */
export interface MigrationResult {
  readonly status: Status;
  readonly position: Position;
  /** The new state. Left out: it stays as it is. */
  readonly state?: { readonly value: object; readonly encoded: Encoded };
  readonly migration: Migration;
  /** The execution goes on in the step where it stood. */
  readonly stays: boolean;
}

/** What `movedAlong` leaves by. */
class MigrationStopped extends Error {
  readonly hop: MigrationRefusal;

  constructor(hop: MigrationRefusal) {
    super(hop.problem);
    this.hop = hop;
  }
}

/** @param before the list of steps that it knows; undefined: it was not kept */
export function moved(
  moving: MigrationInput,
  way: MigrationPath,
  before: readonly StepOutline[] | undefined,
  limit: number,
): MigrationResult | MigrationRefusal {
  try {
    return movedAlong(moving, way, before, limit);
  } catch (error) {
    if (error instanceof MigrationStopped) return error.hop;
    throw error;
  }
}

/** The list that the oldest workflow on the way has now. Undefined: none was given. */
export function olderOutline({ hops: [first] }: MigrationPath): readonly StepOutline[] | undefined {
  const older = first?.migration.older;
  return older && outlineOf(older.steps);
}

function movedAlong(
  moving: MigrationInput,
  path: MigrationPath,
  before: readonly StepOutline[] | undefined,
  limit: number,
): MigrationResult {
  const first = before ?? olderOutline(path);
  let list = first;
  let begun = hasBegun(moving);
  let now = { ...moving, position: withDoubtRecorded(moving, first?.[moving.position.stepIndex]), stays: true };
  let state: MigrationResult["state"];
  const lists: { readonly steps: Successors; readonly after: readonly string[] }[] = [];
  for (const { migration, to } of path.hops) {
    const failed = (problem: string, cause?: unknown): MigrationStopped =>
      new MigrationStopped({ problem, from: migration.from, to: to.version, cause });
    if (list === undefined)
      throw failed("its list of steps was not kept; give the older workflow itself to .migrate(…)");
    const move = moveOf(now, migration, begun, failed);
    const after = outlineOf(to.steps);
    const steps = stepsIn(list, migration);
    const place = placeIn({ before: list, after, steps }, { ...now.position, begun }, move.step);
    if ("problem" in place) throw failed(place.problem);
    if (move.state !== undefined) state = stateOf(move.state, limit, failed);
    now = {
      ...now,
      ...arrived(now, place, steps, to, list),
      claims: 1,
      uncommittedAttempts: 0,
      identity: { ...now.identity, version: to.version },
      state: state?.value ?? now.state,
      stays: now.stays && place.stays,
    };
    lists.push({ steps, after: namesOf(to.steps) });
    list = after;
    begun ||= move.step !== undefined;
  }
  const steps = successorsOver(first!, lists);
  const { status, position, stays, identity } = now;
  const migration = { from: moving.identity.version, to: identity.version, ...(steps !== undefined && { steps }) };
  return { status, position, migration, stays, ...(state !== undefined && { state }) };
}

/**
 * What is said of steps that its list has: a version may have had several, and the names were compared with the one that
 * the older workflow has now.
 */
function stepsIn(list: readonly StepOutline[], { older, steps }: MigrationDefinition): Successors {
  if (older === undefined) return steps;
  return Object.fromEntries(Object.entries(steps).filter(([name]) => list.some((step) => step.name === name)));
}

type Failed = (problem: string, cause?: unknown) => MigrationStopped;

function moveOf(moving: MigrationInput, { move, from }: MigrationDefinition, begun: boolean, failed: Failed): Move {
  if (move === undefined) return {};
  const { identity, status, position } = moving;
  const context: MoveContext = {
    execution: { ...identity, version: from },
    state: isolate(moving.state),
    status,
    direction: position.direction,
    step: position.step,
    waits: position.stepFunc === "runContinue" || position.stepFunc === "rollbackContinue",
    begun,
  };
  let given: unknown;
  try {
    given = move(context as never);
  } catch (error) {
    throw failed(`"move" threw ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (isPromise(given)) {
    given.then(undefined, () => undefined);
    throw failed(`"move" gave a promise; it must answer at once`);
  }
  return checkedMove(given, failed);
}

function checkedMove(given: unknown, failed: Failed): Move {
  if (given === undefined) return {};
  const problem = patchProblem(given);
  if (problem !== undefined) throw failed(`"move" gave ${problem}, and not { step, state }`);
  try {
    refuseUnknownOptions(given, ["step", "state"], "what it gave");
  } catch (error) {
    throw failed(`"move": ${error instanceof Error ? error.message : String(error)}`, error);
  }
  const { step, state } = given as Move;
  if (step !== undefined && typeof step !== "string") throw failed(`"move" gave as "step" ${shown(step)}`);
  const wrong = state === undefined ? undefined : patchProblem(state);
  if (wrong !== undefined) throw failed(`"move" gave as "state" ${wrong}`);
  return { ...(step !== undefined && { step }), ...(state !== undefined && { state }) };
}

function stateOf(given: object, limit: number, failed: Failed): MigrationResult["state"] {
  try {
    const value = isolate(given);
    return { value, encoded: encode(value, { what: "The state", limit }) };
  } catch (error) {
    throw failed(`its state can't be stored: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

function arrived(
  moving: MigrationInput,
  { stepIndex, stays, keys, gone, passed, doubtful, doubts, until, rounds }: Place,
  steps: Successors,
  to: WorkflowDefinition,
  list: readonly StepOutline[],
): Pick<MigrationResult, "status" | "position"> {
  const { status, position } = moving;
  const names = namesOf(to.steps);
  const isSame = successorOf(position.step, names, steps) === names[stepIndex];
  const { keys: _keys, gone: _gone, passed: _passed, doubtful: _doubtful, rounds: _rounds, ...others } = position;
  const { doubts: _doubts, ...kept } = others;
  const { begins: isCommitted, stepDeadlineAt, polls, ...rest } = kept;
  const { inDoubt: _inDoubt, partly: _partly, ...elsewhere } = rest;
  const there: Position = {
    ...(stays || isSame ? rest : elsewhere),
    stepIndex,
    step: names[stepIndex]!,
    // What was begun and not counted is told apart from the attempts that come.
    uncounted: attemptOf(moving) - position.attempts - 1,
    ...(Object.keys(keys).length > 0 && { keys }),
    ...(gone.length > 0 && { gone }),
    ...(passed.length > 0 && { passed }),
    ...(doubtful.length > 0 && { doubtful }),
    ...(doubts.length > 0 && { doubts }),
    ...(until !== undefined && { until }),
    ...(rounds.length > 0 && { rounds }),
  };
  if (stays || status === "completed") {
    const isOn = isCommitted === true || isBegun(moving, list[position.stepIndex]);
    const more = {
      ...(isOn && { begins: true as const }),
      ...(stepDeadlineAt !== undefined && { stepDeadlineAt }),
      ...(polls !== undefined && { polls }),
    };
    return { status, position: withoutProbe({ ...there, ...more }, to.steps[stepIndex]) };
  }
  const waited = position.stepFunc === "runContinue" || position.stepFunc === "rollbackContinue" ? 1 : 0;
  const begins: Position = {
    ...there,
    stepFunc: position.direction === "up" ? "run" : "rollback",
    lastResult: "ok",
    attempts: 0,
    firstAttemptAt: null,
    // The attempt after which it waits was one.
    uncounted: isSame ? attemptOf(moving) - 1 + waited : 0,
    waitUntil: null,
    resumeAt: null,
    ...(isSame && position.stepFunc === "runContinue" && { partly: true as const }),
  };
  return { status: status === "stuck" ? status : "running", position: begins };
}

/** What became of each step over all hops; undefined: all have the names that they had. */
function successorsOver(
  first: readonly StepOutline[],
  lists: readonly { readonly steps: Successors; readonly after: readonly string[] }[],
): Successors | undefined {
  const changed = first.flatMap(({ name }): [string, string | null][] => {
    let newest: string | null = name;
    for (const { steps, after } of lists) newest = newest === null ? null : (successorOf(newest, after, steps) ?? null);
    return newest === name ? [] : [[name, newest]];
  });
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}
