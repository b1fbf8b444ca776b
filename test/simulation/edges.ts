/**
 * The edges of the router, as they can be seen in what is committed: where an execution stood, what happened there, and where it is
 * then. Which ones there are is asked of the router itself, over small shapes; which ones were taken is read from transitions.
 */
import type { Direction, Status, StepFunc } from "../../src/definition/flow.js";
import type { HistoryEntry, Transition } from "../../src/execution/records.js";
import { route, type Action, type Passage, type RoutedEvent, type Shape } from "../../src/execution/router.js";

/** What happened, as far as a history tells one from another. */
export type What = (typeof whats)[number];
const whats = [
  ...(["ok", "completed", "passed-over", "recovered", "continue", "error", "failed", "asked", "rewound"] as const),
  ...(["again", "begins", "retried", "skipped", "patched", "cut-off", "unanswered", "did-not-happen"] as const),
] as const;

/** Where it stood before. */
interface Stood {
  readonly direction: Direction;
  readonly func: StepFunc | "ended";
  readonly stepIndex: number;
  readonly isPastPivot: boolean;
}

function edge(stood: Stood, count: number, what: What, to: string): string {
  const { direction, func, stepIndex, isPastPivot } = stood;
  const place = count === 1 ? "only" : stepIndex === 0 ? "first" : stepIndex === count - 1 ? "last" : "inner";
  return `${direction} ${func} ${place}${isPastPivot ? " past the pivot" : ""}: ${what} -> ${to}`;
}

/** Where it is then. */
function toOf(
  stood: Stood,
  flow: Pick<Passage, "direction" | "stepIndex" | "stepFunc">,
  status: "completed" | "rolledBack" | "stuck" | undefined,
): string {
  if (status !== undefined) return status;
  const by = flow.stepIndex - stood.stepIndex;
  const place = by === 0 ? "here" : by === 1 ? "next" : by === -1 ? "before" : by > 0 ? "ahead" : "far before";
  return `${flow.direction} ${flow.stepFunc} ${place}`;
}

const ends: Partial<Record<Action, "completed" | "rolledBack" | "stuck">> = {
  succeed: "completed",
  finish: "rolledBack",
  park: "stuck",
};

const events: readonly (readonly [What, RoutedEvent])[] = [
  ["ok", { type: "stepOk" }],
  ["recovered", { type: "stepOk" }],
  ["skipped", { type: "stepOk" }],
  ["completed", { type: "stepCompleted" }],
  ["passed-over", { type: "stepPassedOver" }],
  ["continue", { type: "stepPaused" }],
  ["failed", { type: "stepFailed", reason: "no" }],
  ["failed", { type: "stepFailed", reason: "no", leftNothing: true }],
  ["failed", { type: "initVetoed", reason: "no", begun: false }],
  ["failed", { type: "initVetoed", reason: "no", begun: true }],
  ["failed", { type: "beforeStepVetoed", reason: "no", begun: false }],
  ["failed", { type: "beforeStepVetoed", reason: "no", begun: true }],
  ["asked", { type: "rollbackRequested", reason: "back", begun: false }],
  ["asked", { type: "rollbackRequested", reason: "back", begun: true }],
  ["asked", { type: "rollbackRequested", reason: "back", begun: true, leftNothing: true }],
  ["error", { type: "retry", reason: "no", wait: 0, afresh: false }],
  ["error", { type: "retry", reason: "no", wait: 0, afresh: true }],
  ["again", { type: "again", wait: 0 }],
  ["begins", { type: "begins" }],
  ["retried", { type: "resumed" }],
  ["patched", { type: "patched" }],
];

/** What an operator does to an execution that is stuck. */
const operators = new Set<What>(["retried", "skipped", "patched"]);

/** All that the router knows, but for those that can't be. */
export function allEdges(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const count of [1, 2, 3]) {
    for (let pivot = -1; pivot < count; pivot++) {
      for (const stood of stands(count, pivot)) {
        for (const [what, event] of events) {
          if (!mayHappen(stood, what, event, count)) continue;
          const to = routed(stood, event, { count, pivot });
          if (to !== undefined) found.add(edge(stood, count, what, to));
        }
      }
    }
  }
  return found;
}

function* stands(count: number, pivot: number): Generator<Stood> {
  for (let stepIndex = 0; stepIndex < count; stepIndex++) {
    const isPastPivot = pivot >= 0 && stepIndex > pivot;
    for (const func of ["run", "runContinue"] as const) yield { direction: "up", func, stepIndex, isPastPivot };
    yield { direction: "up", func: "ended", stepIndex, isPastPivot: pivot >= 0 && stepIndex >= pivot };
    // What is past a pivot does not turn, unless it is started so.
    for (const func of ["rollback", "rollbackContinue"] as const)
      yield { direction: "down", func, stepIndex, isPastPivot: false };
  }
}

function routed(stood: Stood, event: RoutedEvent, shape: Shape): string | undefined {
  const { direction, func, stepIndex } = stood;
  const isUp = direction === "up";
  const flow: Passage = {
    ...{ direction, reason: isUp ? "normal" : "failed", stepIndex, lastResult: "ok" },
    stepFunc: func === "ended" ? "run" : func,
    lifecycle: func === "ended" ? "success" : isUp ? (event.type === "initVetoed" ? "init" : "step") : "rollback",
  };
  const { flow: next, action } = route(flow, event, shape);
  if (func === "ended") return action === "none" ? undefined : toOf(stood, next, ends[action]);
  // It was parked, and stays so.
  if (event.type === "patched") return toOf(stood, flow, "stuck");
  return toOf(stood, next, ends[action]);
}

/** What the router answers, since it answers everything, and no execution meets. */
function mayHappen(
  { direction, func, stepIndex, isPastPivot }: Stood,
  what: What,
  event: RoutedEvent,
  count: number,
): boolean {
  const isDown = direction === "down";
  const isHandler = func === "runContinue" || func === "rollbackContinue";
  if (func === "ended") return event.type === "rollbackRequested" && event.begun && event.leftNothing === undefined;
  // What fails for good in a handler is parked at its step's own function. A handler has begun, and does not ask for another call.
  if (operators.has(what)) return !isHandler && (isDown || isPastPivot);
  if (isHandler && event.type === "again") return false;
  if ("leftNothing" in event && isHandler) return false;
  switch (event.type) {
    case "retry":
      // On the way down a handler that failed begins again with the undo.
      return event.afresh === (isHandler && isDown);
    case "stepPassedOver":
      return !isHandler;
    case "stepCompleted":
      return !isDown && stepIndex < count - 1;
    case "initVetoed":
      return !isDown && !isHandler && stepIndex === 0;
    case "beforeStepVetoed":
      return !isDown && !isHandler;
    case "rollbackRequested":
      return !isDown && !isPastPivot && (event.begun || !isHandler);
    case "begins":
      return !isDown && !isHandler;
    case "stepOk":
      return what !== "recovered" || !isDown;
    default:
      return true;
  }
}

/** Which edge a transition took. @param before the status of its execution until then */
export function edgeOf(transition: Transition, before: Status | undefined, { count, pivot }: Shape): string {
  const { history, position, status } = transition;
  const { direction, func, stepIndex } = history;
  const isPastPivot =
    direction === "up" && pivot >= 0 && stepIndex > pivot && position.passed?.includes(pivot) !== true;
  const stood: Stood = { direction, func: before === "completed" ? "ended" : func, stepIndex, isPastPivot };
  return edge(stood, count, whatOf(transition, count), toOf(stood, position, endOf(status)));
}

function endOf(status: Status): "completed" | "rolledBack" | "stuck" | undefined {
  return status === "completed" || status === "rolledBack" || status === "stuck" ? status : undefined;
}

/** A step of children failed, for the reason of a child. */
export function isChilds({ error }: Pick<HistoryEntry, "error">): boolean {
  return error?.code === "STEPWELL_CHILD_ROLLED_BACK";
}

const told = new Set<string>(whats);

export function whatOf({ history, position, status }: Transition, count: number): What {
  const { result, direction, stepIndex } = history;
  if (history.backTo !== undefined) return "rewound";
  if (result === "ok") return status === "completed" && stepIndex < count - 1 ? "completed" : "ok";
  if (told.has(result)) return result as What;
  // Of a step of children it is the reason of a child; a child is asked for its parent's reason.
  if (history.why !== undefined || (result === "deadline" && !isChilds(history))) return "asked";
  const isTurned = position.direction !== direction || status === "stuck" || status === "rolledBack";
  return isTurned ? "failed" : "error";
}
