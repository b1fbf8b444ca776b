/**
 * For tests: walks every way that an execution can go, and writes down what would be committed on it.
 *
 * It plays the engine (asks the router, does what it says) and the world: wherever something can
 * happen, it goes each way. It is bounded: a step pauses once at most in each direction, one step at most
 * is passed over, a probe answers once at most, and an operator acts once at most.
 */
import type { Direction, Flow, StepFunc } from "../../src/definition/flow.js";
import { initialFlow } from "../../src/execution/position.js";
import {
  due,
  route,
  startedInRollback,
  type Action,
  type Routed,
  type RoutedEvent,
  type Passage,
  type Shape,
} from "../../src/execution/router.js";

/** In larger workflows no probe answers: there would be too many ways. */
const mostProbed = 3;

/** What is walked; a test of the checks hands in a faulty one. */
export interface Machine {
  readonly route: typeof route;
  readonly due: typeof due;
}

/** One committed transition: where the execution stood, and what happened there. */
export interface Entry {
  readonly direction: Direction;
  readonly stepIndex: number;
  readonly func: StepFunc;
  readonly happened: Happened;
  /** `ok`, `continue`, or a reason. */
  readonly result: string;
}

type Happened = RoutedEvent["type"] | "turnedUnbegun" | "undoRequested" | "operatorRetried" | "operatorSkipped";

export type End = "completed" | "rolledBack" | "stuck";

export interface Path {
  readonly shape: Shape;
  /** Where it was started directly in rollback; undefined for one that began on the way up. */
  readonly startedDownAt: number | undefined;
  readonly entries: readonly Entry[];
  readonly end: End;
  readonly flow: Flow;
}

export interface Visitor {
  /** A path has ended. `path.entries` is only good during the call. */
  ended(path: Path): void;
  /** The router or the checkpoint has said something that no path should meet. */
  surprised(problem: string, entries: readonly Entry[]): void;
}

/** A branch of the walk: what has happened so far is in the walker's `entries`. */
interface Point {
  readonly flow: Passage;
  readonly action: Action;
  /** Which steps have paused, on the way up (first set of bits) and on the way down (second). */
  readonly paused: number;
  readonly operated: boolean;
  readonly asked: boolean;
  readonly pivotDone: boolean;
}

interface Branch {
  readonly event: RoutedEvent;
  readonly happened: Happened;
  readonly result: string;
}

export function walk(shape: Shape, visitor: Visitor, machine: Machine = { route, due }): void {
  const begin = (flow: Flow, startedDownAt: number | undefined): void => {
    const { action, flow: first } = machine.route(flow, { type: "started" }, shape);
    const walker: Walker = { shape, machine, visitor, startedDownAt, entries: [] };
    // A launch is a commit too.
    const problem = commitProblem(walker, flow, { flow, action });
    if (problem !== undefined) return visitor.surprised(problem, walker.entries);
    const isLarge = shape.count > mostProbed;
    follow(walker, { flow: first, action, paused: 0, operated: false, asked: isLarge, pivotDone: false });
  };
  begin(initialFlow, undefined);
  for (let i = 0; i < shape.count; i += 1) begin(startedInRollback(i, "imported"), i);
}

interface Walker {
  readonly shape: Shape;
  readonly machine: Machine;
  readonly visitor: Visitor;
  readonly startedDownAt: number | undefined;
  readonly entries: Entry[];
}

function follow(walker: Walker, point: Point): void {
  const { flow, action } = point;
  checkIgnored(walker, point);
  switch (action) {
    case "init":
      for (const branch of beforeInit) take(walker, point, branch);
      return follow(walker, { ...point, ...walker.machine.route(flow, { type: "initOk" }, walker.shape) });
    case "startRollback": {
      const decision = walker.machine.route(flow, { type: "startRollbackObserved" }, walker.shape);
      return follow(walker, { ...point, ...decision });
    }
    case "execute":
    case "wait":
      for (const branch of branches(point)) take(walker, point, branch);
      return;
    case "succeed":
      end(walker, point, "completed");
      if (!point.pivotDone) take(walker, point, undo);
      return;
    case "finish":
      return end(walker, point, "rolledBack");
    case "park":
      return parked(walker, point);
    case "none":
      return walker.visitor.surprised("an execution is left with nothing to do and no end", walker.entries);
  }
}

/** Commits what happened, checks the checkpoint, goes on from it, and comes back. */
function take(walker: Walker, point: Point, { event, happened, result }: Branch): void {
  const { flow } = point;
  const { machine, shape, entries, visitor } = walker;
  const decision = machine.route(flow, event, shape);
  const entry = entryOf(flow, happened, result);
  entries.push(entry);
  const problem = commitProblem(walker, flow, decision);
  if (problem === undefined) {
    follow(walker, {
      flow: decision.flow,
      action: decision.action,
      paused: event.type === "stepPaused" ? point.paused | pauseBit(flow) : point.paused,
      operated: point.operated,
      asked: point.asked || event.type === "probeHappened" || event.type === "probeDidNotHappen",
      pivotDone:
        point.pivotDone ||
        (flow.direction === "up" && flow.stepIndex === shape.pivot && isDone(entry) && !isPassedOver(entry)),
    });
  } else {
    visitor.surprised(problem, entries);
  }
  entries.pop();
}

/** What makes it pointless to go on from here: a faulty router might never come to an end. */
function commitProblem(
  { machine, shape, entries }: Walker,
  before: Flow,
  { flow, action }: Routed,
): string | undefined {
  if (before.direction === "down" && flow.direction === "up") return "it goes up after it went down";
  // Two entries for each step and direction, the turn, and what an operator's act adds.
  if (entries.length > 4 * shape.count + 5) return "the path does not end";
  const resumed = machine.due(flow);
  if (resumed === dueAfter[action]) return undefined;
  return `the router said ${action}, and the checkpoint says ${resumed}`;
}

/**
 * What a checkpoint says after each action. An end leaves nothing. A parked execution is held by its
 * status; what its checkpoint says is what an operator's retry begins with.
 */
const dueAfter: Record<Action, Action> = {
  init: "init",
  execute: "execute",
  wait: "wait",
  startRollback: "startRollback",
  succeed: "none",
  finish: "none",
  park: "execute",
  none: "none",
};

function end({ visitor, shape, startedDownAt, entries }: Walker, { flow }: Point, how: End): void {
  visitor.ended({ shape, startedDownAt, entries, end: how, flow });
}

/** An operator leaves it, retries the step from its beginning, or skips it. */
function parked(walker: Walker, point: Point): void {
  end(walker, point, "stuck");
  if (point.operated) return;
  const { flow } = point;
  const { entries } = walker;
  const operated = { ...point, operated: true };
  entries.push(entryOf(flow, "operatorRetried", "retried"));
  follow(walker, { ...operated, action: walker.machine.due(flow) });
  entries.pop();
  take(walker, operated, { event: { type: "stepOk" }, happened: "operatorSkipped", result: "skipped" });
}

function entryOf({ direction, stepIndex, stepFunc }: Flow, happened: Happened, result: string): Entry {
  return { direction, stepIndex, func: stepFunc, happened, result };
}

function failing(reason: string): Branch {
  return { event: { type: "stepFailed", reason }, happened: "stepFailed", result: reason };
}

function requesting(reason: string, begun: boolean): Branch {
  const happened = begun ? "rollbackRequested" : "turnedUnbegun";
  return { event: { type: "rollbackRequested", reason, begun }, happened, result: reason };
}

function withNothingLeft({ event, result }: Branch): Branch {
  return { event: { ...event, leftNothing: true } as RoutedEvent, happened: "turnedUnbegun", result };
}

function vetoing(type: "initVetoed" | "beforeStepVetoed", begun: boolean): Branch {
  const reason = begun ? `${type} in a later attempt` : type;
  return { event: { type, reason, begun }, happened: begun ? type : "turnedUnbegun", result: reason };
}

const ok: Branch = { event: { type: "stepOk" }, happened: "stepOk", result: "ok" };
const completed: Branch = { event: { type: "stepCompleted" }, happened: "stepCompleted", result: "ok" };
const passedOver: Branch = { event: { type: "stepPassedOver" }, happened: "stepPassedOver", result: "passed-over" };
const paused: Branch = { event: { type: "stepPaused" }, happened: "stepPaused", result: "continue" };
const undo: Branch = { ...requesting("returned", true), happened: "undoRequested" };

const beforeInit = [
  vetoing("initVetoed", false),
  vetoing("initVetoed", true),
  requesting("cancelled before it began", false),
  requesting("cancelled after a crash", true),
];

/** The function ran to its end, or its handler did after a message. */
const settledUp = [ok, completed, failing("failed"), failing("after-step guard")];
const vetoedInRun = [vetoing("beforeStepVetoed", false), vetoing("beforeStepVetoed", true)];
/** A purely transactional step, of which nothing was committed: as if it had never begun. */
const withoutTrace = withNothingLeft(failing("taken back"));
const requestedWithoutTrace = withNothingLeft(requesting("cancelled, and taken back", true));
const didNotHappen: Branch = {
  event: { type: "probeDidNotHappen" },
  happened: "probeDidNotHappen",
  result: "did-not-happen",
};
const happenedDown: Branch = { event: { type: "probeHappened" }, happened: "probeHappened", result: "happened" };
const requestedInRun = requesting("cancelled while it ran", true);
const timedOut = failing("timeout");
const requestedInWait = [requesting("cancelled while it waited", true), requesting("cancelled in a handler", true)];
const settledDown = [ok, failing("failed")];

/** Everything that can happen while a function runs, or is waited for. */
function branches({ flow, action, paused: bits, asked, pivotDone }: Point): readonly Branch[] {
  const mayPause = action === "execute" && (bits & pauseBit(flow)) === 0 ? [paused] : [];
  if (flow.direction === "down") {
    // Nothing of it is called, so nothing else can happen there.
    if (flow.passed?.includes(flow.stepIndex) === true) return [passedOver];
    const answered = asked || (bits & pauseBit(flow)) !== 0 ? [] : [happenedDown, didNotHappen];
    return action === "wait" ? [...settledDown, timedOut] : [...settledDown, ...mayPause, ...answered];
  }
  // After the pivot a request changes nothing; `checkIgnored` sees to that.
  if (action === "wait") return [...settledUp, timedOut, ...(pivotDone ? [] : requestedInWait)];
  const mayBePassed = flow.passed === undefined && (bits & pauseBit(flow)) === 0 ? [passedOver] : [];
  const requested = pivotDone ? [] : [requestedInRun, requestedWithoutTrace];
  const answered = asked || (bits & pauseBit(flow)) !== 0 ? [] : [didNotHappen];
  return [...settledUp, ...vetoedInRun, withoutTrace, ...mayPause, ...mayBePassed, ...requested, ...answered];
}

function pauseBit({ direction, stepIndex }: Flow): number {
  return 1 << (direction === "up" ? stepIndex : stepIndex + 16);
}

/** Whether the step is over in that direction. */
export function isDone({ happened, direction }: Entry): boolean {
  if (happened === "probeDidNotHappen") return direction === "down";
  return (
    happened === "stepOk" ||
    happened === "stepPassedOver" ||
    happened === "stepCompleted" ||
    happened === "operatorSkipped"
  );
}

/** Whether nothing of the step was called in that direction. */
export function isPassedOver({ happened }: Entry): boolean {
  return happened === "stepPassedOver";
}

const probes: readonly RoutedEvent[] = [
  { type: "rollbackRequested", reason: "too late", begun: true },
  { type: "rollbackRequested", reason: "too late", begun: false },
];

/** On the way down, after the pivot and after a rollback a request changes nothing; nor does a guard stop an undo. */
function checkIgnored(walker: Walker, { flow, action, pivotDone }: Point): void {
  const { machine, shape, entries, visitor } = walker;
  if (flow.direction === "up" && !pivotDone) return;
  for (const probe of probes) {
    const answer = machine.route(flow, probe, shape);
    if (answer.flow !== flow || answer.action !== "none")
      visitor.surprised("a request that is too late changes something", entries);
  }
  if (flow.direction === "up" || action !== "execute") return;
  const answer = machine.route(flow, { type: "beforeStepVetoed", reason: "closed", begun: false }, shape);
  if (answer.flow !== flow || answer.action !== "execute") visitor.surprised("a guard stops an undo", entries);
}
