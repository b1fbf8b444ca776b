import { describe, expect, it } from "vitest";
import type { Flow } from "../../src/definition/flow.js";
import { due, route, type Routed, type RoutedEvent, type Shape } from "../../src/execution/router.js";
import { isDone, isPassedOver, walk, type End, type Entry, type Machine, type Path } from "./walk.js";

interface Walked {
  /** How many paths ended in each way. */
  readonly ends: Record<End, number>;
  /** All that was wrong, each with the first path that showed it. */
  readonly problems: string[];
}

function walkAll(shapes: readonly Shape[], machine?: Machine): Walked {
  const ends = { completed: 0, rolledBack: 0, stuck: 0 };
  const found = new Map<string, string>();
  const report = (problem: string, entries: readonly Entry[]): void => {
    if (!found.has(problem)) found.set(problem, describePath(entries));
  };
  const visitor = {
    ended(path: Path): void {
      ends[path.end] += 1;
      const problem = violation(path);
      if (problem !== undefined) report(problem, path.entries);
    },
    surprised: report,
  };
  for (const shape of shapes) walk(shape, visitor, machine);
  return { ends, problems: Array.from(found, ([problem, path]) => `${problem}: ${path}`) };
}

/** Every place that a pivot can have, and none. */
function shapesOf(count: number): Shape[] {
  return Array.from({ length: count + 1 }, (_, index) => ({ count, pivot: index - 1 }));
}

function describePath(entries: readonly Entry[]): string {
  return entries.map(({ func, stepIndex, happened }) => `${func} ${stepIndex} ${happened}`).join(", ");
}

/**
 * What a path breaks of the order of the steps and the honesty of its end. It knows the committed
 * entries and the end, not the router. That nothing goes up after it went down, the walk has seen.
 */
function violation(path: Path): string | undefined {
  const ups = path.entries.filter(({ direction }) => direction === "up");
  const downs = path.entries.slice(ups.length);
  const doneUp = ups.filter(isDone).length;
  const from = path.startedDownAt ?? firstToUndo(ups, doneUp);
  return (
    handlerProblem(path.entries) ??
    wayUpProblem(ups, path) ??
    wayDownProblem(downs, from) ??
    passedProblem(ups, downs) ??
    pivotProblem(ups, downs, path) ??
    endProblem(ups, downs, from, path) ??
    reasonProblem(ups, path)
  );
}

/** The step that was current is undone first, unless it never began; of a finished execution the last one. */
function firstToUndo(ups: readonly Entry[], doneUp: number): number {
  const turn = ups.at(-1)?.happened;
  return turn === "turnedUnbegun" || turn === "undoRequested" ? doneUp - 1 : doneUp;
}

/** A handler follows a pause, and only a pause; each direction has its own functions. */
function handlerProblem(entries: readonly Entry[]): string | undefined {
  for (const [index, { direction, func }] of entries.entries()) {
    const start = direction === "up" ? "run" : "rollback";
    const expected = entries[index - 1]?.result === "continue" ? `${start}Continue` : start;
    if (func !== expected) return `${func} where ${expected} was due`;
  }
  return undefined;
}

/** Steps go up 0, 1, 2 …; after a failure only an operator lets it go on. */
function wayUpProblem(ups: readonly Entry[], { shape }: Path): string | undefined {
  let done = 0;
  for (const [index, entry] of ups.entries()) {
    const isUndo = entry.happened === "undoRequested";
    const before = ups[index - 1];
    const finished = done === shape.count || before?.happened === "stepCompleted";
    if (isUndo !== finished) return "something other than its undo follows a success";
    if (entry.stepIndex !== (isUndo ? done - 1 : done)) return `step ${entry.stepIndex} where ${done} steps were done`;
    if (before !== undefined && isFailure(before) && !isOperator(entry)) return "a step starts after one that failed";
    if (isDone(entry)) done += 1;
  }
  return undefined;
}

/** Steps go down from, from − 1 … 0, none skipped; after a failure only an operator lets it go on. */
function wayDownProblem(downs: readonly Entry[], from: number): string | undefined {
  let due = from;
  for (const [index, entry] of downs.entries()) {
    if (entry.stepIndex !== due) return `the undo of step ${entry.stepIndex} where that of ${due} was due`;
    const before = downs[index - 1];
    if (before !== undefined && isFailure(before) && !isOperator(entry)) return "an undo starts after one that failed";
    if (isDone(entry)) due -= 1;
  }
  return undefined;
}

/** What was passed over on the way up, and that alone, is on the way down. */
function passedProblem(ups: readonly Entry[], downs: readonly Entry[]): string | undefined {
  const passed = new Set(ups.filter(isPassedOver).map(({ stepIndex }) => stepIndex));
  const wrong = downs.find((entry) => isPassedOver(entry) !== passed.has(entry.stepIndex));
  return wrong && `the undo of step ${wrong.stepIndex}, which ${isPassedOver(wrong) ? "was done" : "was passed over"}`;
}

function pivotProblem(ups: readonly Entry[], downs: readonly Entry[], path: Path): string | undefined {
  const turned = downs.length > 0 || path.end === "rolledBack";
  const passed = ups.some((entry) => entry.stepIndex === path.shape.pivot && isDone(entry) && !isPassedOver(entry));
  if (turned && passed) return "it turned after its pivot";
  if (path.end === "stuck" && !turned && !passed) return "it is stuck on the way up before its pivot";
  return undefined;
}

function endProblem(
  ups: readonly Entry[],
  downs: readonly Entry[],
  from: number,
  { end, shape, entries, flow }: Path,
): string | undefined {
  const last = entries.at(-1);
  switch (end) {
    case "completed": {
      if (downs.length > 0) return "completed, although something was undone";
      const all = ups.filter(isDone).length === shape.count || last?.happened === "stepCompleted";
      return all ? undefined : "completed, although a step was not done";
    }
    case "rolledBack":
      return downs.filter(isDone).length === from + 1 ? undefined : "rolled back, although a step was not undone";
    case "stuck": {
      const failedHere = last !== undefined && isFailure(last) && last.stepIndex === flow.stepIndex;
      return failedHere ? undefined : "stuck, although its step has not failed";
    }
  }
}

/** The reason is that of the turn, whatever happened on the way down. */
function reasonProblem(ups: readonly Entry[], { flow, startedDownAt }: Path): string | undefined {
  const turned = startedDownAt === undefined ? ups.at(-1)?.result : "imported";
  const expected = flow.direction === "up" ? "normal" : turned;
  return flow.reason === expected ? undefined : `the reason is ${flow.reason}, not ${expected}`;
}

function isFailure(entry: Entry): boolean {
  const others = ["stepPaused", "operatorRetried", "undoRequested", "probeHappened", "probeDidNotHappen"];
  return !isDone(entry) && !others.includes(entry.happened);
}

function isOperator({ happened }: Entry): boolean {
  return happened === "operatorRetried" || happened === "operatorSkipped";
}

describe("every way that an execution can go", () => {
  // The number of paths when this was written, so that the walk cannot become empty unnoticed.
  it.each([
    [1, 490],
    [2, 4_558],
    [3, 31_214],
    [4, 180_880],
    [5, 954_868],
  ])(
    "keeps the order of the steps and the honesty of the end, with %i steps and the pivot anywhere (%i paths)",
    (count, least) => {
      const { ends, problems } = walkAll(shapesOf(count));
      expect(problems).toEqual([]);
      expect(ends.completed + ends.rolledBack + ends.stuck).toBeGreaterThanOrEqual(least);
      expect(Math.min(ends.completed, ends.rolledBack, ends.stuck)).toBeGreaterThan(0);
    },
    60_000,
  );
});

type Fault = (flow: Flow, event: RoutedEvent, decision: Routed, shape: Shape) => Routed;

/** The router with a fault: what it decided, changed. */
function withFault(fault: Fault): Machine {
  return { due, route: (flow, event, shape) => fault(flow, event, route(flow, event, shape), shape) };
}

function moved(decision: Routed, stepIndex: number): Routed {
  return { ...decision, flow: { ...decision.flow, stepIndex: Math.max(0, stepIndex) } };
}

const faults: [title: string, problem: string, machine: Machine][] = [
  [
    "does not undo the step that failed",
    "the undo of step 0 where that of 1 was due",
    withFault((flow, event, decision) =>
      event.type === "stepFailed" && decision.action === "startRollback"
        ? moved(decision, flow.stepIndex - 1)
        : decision,
    ),
  ],
  [
    "undoes a step that a guard had refused to begin",
    "the undo of step 1 where that of 0 was due",
    withFault((flow, event, decision) =>
      event.type === "beforeStepVetoed" && decision.action === "startRollback"
        ? moved(decision, flow.stepIndex)
        : decision,
    ),
  ],
  [
    "takes a veto in a later attempt for one before the step began",
    "rolled back, although a step was not undone",
    {
      due,
      route: (flow, event, shape) =>
        route(flow, event.type === "beforeStepVetoed" ? { ...event, begun: false } : event, shape),
    },
  ],
  [
    "takes a veto at the start after a crash for one before anything began",
    "rolled back, although a step was not undone",
    {
      due,
      route: (flow, event, shape) =>
        route(flow, event.type === "initVetoed" ? { ...event, begun: false } : event, shape),
    },
  ],
  [
    "goes on with the step before when an undo fails",
    "rolled back, although a step was not undone",
    {
      due,
      route: (flow, event, shape) =>
        route(flow, flow.direction === "down" && event.type === "stepFailed" ? { type: "stepOk" } : event, shape),
    },
  ],
  [
    "says that it is rolled back when the last undo has failed",
    "rolled back, although a step was not undone",
    {
      due,
      route: (flow, event, shape) =>
        route(
          flow,
          flow.direction === "down" && flow.stepIndex === 0 && event.type === "stepFailed" ? { type: "stepOk" } : event,
          shape,
        ),
    },
  ],
  [
    "tries an undo again that has failed, without an operator",
    "an undo starts after one that failed",
    withFault((flow, event, decision) =>
      flow.direction === "down" && event.type === "stepFailed" ? { ...decision, action: "execute" } : decision,
    ),
  ],
  [
    "never gets past an undo",
    "the path does not end",
    withFault((flow, event, decision) =>
      flow.direction === "down" && event.type === "stepOk" ? { flow, action: "execute" } : decision,
    ),
  ],
  [
    "ends the way down one step too early",
    "rolled back, although a step was not undone",
    withFault((flow, event, decision) =>
      flow.direction === "down" && flow.stepIndex === 1 && event.type === "stepOk"
        ? { flow: { ...decision.flow, lifecycle: "failure" }, action: "finish" }
        : decision,
    ),
  ],
  [
    "turns up again on the way down",
    "it goes up after it went down",
    withFault((flow, event, decision) =>
      flow.direction === "down" && decision.action === "execute" && event.type === "stepOk"
        ? { flow: { ...decision.flow, direction: "up", lifecycle: "step", stepFunc: "run" }, action: "execute" }
        : decision,
    ),
  ],
  [
    "begins with the second step",
    "step 1 where 0 steps were done",
    withFault((_flow, event, decision) => (event.type === "initOk" ? moved(decision, 1) : decision)),
  ],
  [
    "succeeds before the last step",
    "completed, although a step was not done",
    {
      due,
      route: (flow, event, shape) =>
        route(flow, flow.direction === "up" && event.type === "stepOk" ? { type: "stepCompleted" } : event, shape),
    },
  ],
  [
    "forgets its pivot",
    "it turned after its pivot",
    { due, route: (flow, event, { count }) => route(flow, event, { count, pivot: -1 }) },
  ],
  [
    "parks a failing step although it could turn",
    "it is stuck on the way up before its pivot",
    withFault((flow, event, decision) =>
      flow.direction === "up" && event.type === "stepFailed" ? { flow, action: "park" } : decision,
    ),
  ],
  [
    "takes a second reason on the way down",
    "a request that is too late changes something",
    withFault((flow, event, decision) =>
      flow.direction === "down" && event.type === "rollbackRequested"
        ? { flow: { ...flow, reason: event.reason }, action: "none" }
        : decision,
    ),
  ],
  [
    "lets a guard stop an undo",
    "a guard stops an undo",
    withFault((flow, event, decision) =>
      flow.direction === "down" && event.type === "beforeStepVetoed" ? { flow, action: "park" } : decision,
    ),
  ],
  [
    "gives the reason of a later failure",
    "the reason is failed, not",
    withFault((_flow, event, decision) =>
      event.type === "stepFailed" ? { ...decision, flow: { ...decision.flow, reason: event.reason } } : decision,
    ),
  ],
  [
    "leaves an execution in the middle with nothing to do",
    "an execution is left with nothing to do and no end",
    withFault((_flow, event, decision) =>
      event.type === "startRollbackObserved" ? { ...decision, action: "none" } : decision,
    ),
  ],
  [
    "has a checkpoint that forgets that it was waiting",
    "the router said wait, and the checkpoint says execute",
    { route, due: (flow) => (due(flow) === "wait" ? "execute" : due(flow)) },
  ],
  [
    "has a checkpoint that forgets the init observers",
    "the router said init, and the checkpoint says execute",
    { route, due: (flow) => (due(flow) === "init" ? "execute" : due(flow)) },
  ],
  [
    "calls a handler where the operator's retry should begin anew",
    "the router said park, and the checkpoint says wait",
    withFault((flow, event, decision) =>
      decision.action === "park" ? { ...decision, flow: { ...decision.flow, stepFunc: flow.stepFunc } } : decision,
    ),
  ],
];

describe("the walk itself", () => {
  it.each(faults)("finds out a router that %s", (_title, problem, machine) => {
    const { problems } = walkAll(shapesOf(2), machine);
    expect(problems.join("\n")).toContain(problem);
  });
});
