/**
 * The router: given where an execution is and what happened, where it is now and what to do next.
 * Pure and total: no I/O, no clock, an answer for every event in every flow. Everything else obeys it.
 *
 * Read it as a table. Going up, the next step follows, until the last one; anything that goes wrong
 * turns the execution at the step where it stands. Going down, the step before follows, until the
 * first one, or, in a rewind, until the step where it goes up again; anything that goes wrong parks it.
 * After a pivot nothing turns but a rewind to a step behind it: it parks instead.
 *
 * The form (a pure function that returns a tagged action, driven by one loop) is that of XState's
 * transition core and of Elixir's Sage.
 */
import type { Flow, Status } from "../definition/flow.js";
import type { Position } from "./position.js";
import type { Migration } from "./records.js";

/** What the router must know of the workflow. */
export interface Shape {
  readonly count: number;
  /** The index of the pivot step, or -1. */
  readonly pivot: number;
  /** What requests name. Left out: that is not known. */
  readonly steps?: readonly { readonly name: string; readonly irreversible: boolean }[];
}

/** A flow, and the steps that were passed over on its way up, by index: a pivot among them is none. Left out: none was. */
export type Passage = Flow & { readonly passed?: readonly number[] };

/**
 * What happened. `stepFailed` comes when a step has failed for good: its retries are used up, it
 * called `fail`, its wait timed out, or an after-step guard failed. `begun` says whether the current
 * step may have begun in an earlier attempt; `leftNothing`, that it may have begun, and nothing of it stays: it is purely
 * transactional, and its transaction was not committed; or its probe said that it did not happen. `beforeStepVetoed` comes, too,
 * when a step's `when` has failed.
 *
 * A probe, or an operator in its place, says what became of an attempt of `run`. Going up, what happened is what `run` gave: `stepOk`,
 * `stepPaused`, `stepCompleted` …; so `probeHappened` comes going down only.
 */
export type FlowEvent =
  | { readonly type: "started" }
  | { readonly type: "initOk" }
  | { readonly type: "initVetoed"; readonly reason: string; readonly begun: boolean }
  | { readonly type: "beforeStepVetoed"; readonly reason: string; readonly begun: boolean }
  | { readonly type: "stepOk" }
  | { readonly type: "stepPassedOver" }
  | { readonly type: "stepCompleted" }
  | { readonly type: "stepPaused" }
  | { readonly type: "stepFailed"; readonly reason: string; readonly leftNothing?: boolean }
  | { readonly type: "probeHappened" }
  | { readonly type: "probeDidNotHappen" }
  | { readonly type: "startRollbackObserved" }
  | {
      readonly type: "rollbackRequested";
      readonly reason: string;
      readonly begun: boolean;
      readonly leftNothing?: boolean;
    }
  | {
      readonly type: "rewindRequested";
      readonly reason: string;
      /** The step to go back to. */
      readonly to: number;
      readonly leftNothing?: boolean;
    };

/**
 * What else may happen to an execution; none of it goes to another step, but for a migration. An attempt failed and another
 * one follows (`retry`, after `wait` milliseconds), or none follows and it is still to be said what became of it (`doubted`); nobody
 * can say that, or not yet (`probed`: asked again after `wait` milliseconds, or not; with `parks` the execution is parked); the function asked to be called again, the step begins, an operator set a
 * parked execution going again or patched its state, a shutdown cut the attempt off, the engine parks the execution where it
 * stands (`untouched`: before anything of it was called, so no attempt was made), or it became one of another version.
 */
export type EngineEvent =
  | { readonly type: "retry"; readonly reason: string; readonly wait: number; readonly afresh: boolean }
  | { readonly type: "doubted"; readonly reason: string }
  | { readonly type: "probed"; readonly reason: string; readonly wait: number | null; readonly parks: boolean }
  | { readonly type: "again"; readonly wait: number }
  | { readonly type: "begins" }
  | { readonly type: "resumed" }
  | { readonly type: "patched" }
  | { readonly type: "cutOff" }
  | { readonly type: "parked"; readonly reason: string; readonly untouched: boolean }
  | {
      readonly type: "migrated";
      readonly status: Status;
      readonly position: Position;
      readonly migration: Migration;
      readonly stays: boolean;
    };

export type RoutedEvent = FlowEvent | EngineEvent;

export type Action = "init" | "execute" | "wait" | "startRollback" | "succeed" | "finish" | "park" | "none";

/** Where an execution is after an event, and what is to be done there. */
export interface Routed {
  readonly flow: Passage;
  readonly action: Action;
}

export function route(flow: Passage, event: RoutedEvent, steps: Shape): Routed {
  switch (event.type) {
    case "retry":
      return { flow: calledAgain(flow, event.reason, event.afresh), action: "none" };
    case "doubted":
      return { flow: calledAgain(flow, event.reason, false), action: "none" };
    case "probed":
      return event.parks
        ? { flow: { ...begun(flow), lastResult: event.reason }, action: "park" }
        : { flow: begun(flow), action: "none" };
    case "again":
      return { flow: calledAgain(flow, "again", false), action: "none" };
    case "begins":
      return { flow: begun(flow), action: "none" };
    case "resumed":
      // An execution that was parked while it waited waits again.
      return { flow, action: due(flow) };
    case "patched":
    case "cutOff":
      return { flow, action: "none" };
    case "migrated":
      return { flow: event.position, action: "none" };
    case "parked":
      return { flow: { ...flow, lastResult: event.reason }, action: "park" };
    default:
      return routeFlow(flow, event, steps);
  }
}

/** The init observers are not asked again: the first step has their consent, and begins. */
function begun(flow: Passage): Passage {
  return flow.direction === "up" && flow.lifecycle === "init" ? { ...flow, lifecycle: "beforeStep" } : flow;
}

/** The function that is due is called once more; with `afresh` it is the step's own, not its handler. */
function calledAgain(flow: Passage, lastResult: string, afresh: boolean): Passage {
  const up = flow.direction === "up";
  const stepFunc = afresh ? (up ? "run" : "rollback") : flow.stepFunc;
  return { ...flow, stepFunc, lifecycle: up ? "step" : "rollback", lastResult };
}

function routeFlow(flow: Passage, event: FlowEvent, steps: Shape): Routed {
  if (flow.lifecycle === "failure") return { flow, action: "none" };
  if (flow.lifecycle === "success") {
    // A completed execution can be undone, from the last step that was done.
    const last: Passage = { ...flow, lifecycle: "step" };
    if (event.type === "rewindRequested") return rewind(last, event.reason, event.to, flow.stepIndex);
    if (event.type !== "rollbackRequested" || isPastPivot(flow, steps)) return { flow, action: "none" };
    return turn(last, event.reason, flow.stepIndex);
  }
  return flow.direction === "up" ? routeUp(flow, event, steps) : routeDown(flow, event, steps);
}

function routeUp(flow: Passage, event: FlowEvent, steps: Shape): Routed {
  const i = flow.stepIndex;
  switch (event.type) {
    case "started":
      return { flow, action: "init" };
    case "initOk":
      return { flow, action: "execute" };
    case "initVetoed":
    case "beforeStepVetoed": {
      const lifecycle = event.type === "initVetoed" ? "init" : "beforeStep";
      const vetoed: Passage = { ...flow, lifecycle, lastResult: event.reason };
      if (isPastPivot(flow, steps)) return { flow: vetoed, action: "park" };
      // After a crash observers are asked again, and an earlier attempt may have half-happened: so this step is undone too.
      return event.begun ? turn(vetoed, event.reason, i) : turnBefore(vetoed, event.reason);
    }
    case "stepOk":
      if (i === steps.count - 1) return succeed(flow);
      return { flow: at(flow, "run", i + 1, "step", "ok"), action: "execute" };
    case "probeDidNotHappen":
      return { flow: { ...begun(flow), stepFunc: "run" }, action: "execute" };
    case "stepPassedOver":
      return routeUp({ ...flow, passed: [...(flow.passed ?? []), i] }, { type: "stepOk" }, steps);
    case "stepCompleted":
      return succeed(flow);
    case "stepPaused":
      return { flow: at(flow, "runContinue", i, "step", "continue"), action: "wait" };
    case "stepFailed": {
      const failed = at(flow, "run", i, "step", event.reason);
      if (isPastPivot(flow, steps)) return { flow: failed, action: "park" };
      return event.leftNothing === true ? turnBefore(failed, event.reason) : turn(failed, event.reason, i);
    }
    case "rollbackRequested":
      if (isPastPivot(flow, steps)) return { flow, action: "none" };
      // Nothing was done yet: not even the first step has to be undone.
      if (i === 0 && !event.begun) return nothingToUndo(flow, event.reason);
      if (event.leftNothing === true) return turnBefore(flow, event.reason);
      return turn(flow, event.reason, i);
    case "rewindRequested":
      return rewind(flow, event.reason, event.to, event.leftNothing === true ? i - 1 : i);
    case "startRollbackObserved":
    case "probeHappened":
      return { flow, action: "none" };
  }
}

function routeDown(flow: Passage, event: FlowEvent, steps: Shape): Routed {
  const i = flow.stepIndex;
  switch (event.type) {
    case "started":
      return { flow, action: "startRollback" };
    case "startRollbackObserved":
      return { flow: { ...flow, lifecycle: "startRollback" }, action: "execute" };
    case "probeHappened": {
      // An undo that waited when it was parked waits again.
      const undone: Passage = flow.stepFunc === "rollbackContinue" ? flow : { ...flow, stepFunc: "rollback" };
      return { flow: undone, action: due(undone) };
    }
    case "stepOk":
    case "stepPassedOver":
    case "stepCompleted":
    case "probeDidNotHappen":
      if (i === flow.until) return upAgain(flow, i);
      if (i === 0) return { flow: at(flow, "rollback", 0, "failure", "ok"), action: "finish" };
      return { flow: at(flow, "rollback", i - 1, "rollback", "ok"), action: "execute" };
    case "stepPaused":
      return { flow: at(flow, "rollbackContinue", i, "rollback", "continue"), action: "wait" };
    case "stepFailed":
      return { flow: at(flow, "rollback", i, "rollback", event.reason), action: "park" };
    case "beforeStepVetoed":
      // Recorded by the engine; nothing may skip an undo.
      return { flow, action: "execute" };
    case "rollbackRequested": {
      // It goes down already, and a second reason would disguise the first; but a rewind goes on all the way down.
      if (flow.until === undefined || isPastPivot(flow, steps)) return { flow, action: "none" };
      const { until: _until, ...kept } = flow;
      return { flow: { ...kept, reason: event.reason }, action: due(flow) };
    }
    case "rewindRequested":
      // It was parked on its way down, which nobody had asked for but, perhaps, another rewind.
      return rewind(flow, event.reason, event.to, i);
    case "initOk":
    case "initVetoed":
      return { flow, action: "none" };
  }
}

/** What a checkpoint says is due: the same that would have followed without the interruption. */
export function due(flow: Flow): Action {
  if (flow.lifecycle === "success" || flow.lifecycle === "failure") return "none";
  if (flow.direction === "up") {
    if (flow.lifecycle === "init") return "init";
    return flow.stepFunc === "runContinue" ? "wait" : "execute";
  }
  if (flow.lifecycle !== "startRollback" && flow.lifecycle !== "rollback") return "startRollback";
  return flow.stepFunc === "rollbackContinue" ? "wait" : "execute";
}

/** Whether the pivot is done, and stays so: nothing turns the execution any more, but a rewind to a step behind it. */
export function isPastPivot(flow: Passage, steps: Shape): boolean {
  if (steps.pivot < 0 || flow.passed?.includes(steps.pivot) === true) return false;
  if (flow.direction === "down") return flow.until !== undefined && flow.until > steps.pivot;
  return flow.lifecycle === "success" ? flow.stepIndex >= steps.pivot : flow.stepIndex > steps.pivot;
}

/** The flow of an execution that is started directly in rollback, from step `stepIndex`. */
export function startedInRollback(stepIndex: number, reason: string): Flow {
  return { direction: "down", reason, stepIndex, stepFunc: "rollback", lifecycle: "init", lastResult: reason };
}

function at(
  { direction, reason, passed, round, until }: Passage,
  stepFunc: Flow["stepFunc"],
  stepIndex: number,
  lifecycle: Flow["lifecycle"],
  lastResult: string,
): Passage {
  return {
    direction,
    reason,
    stepIndex,
    stepFunc,
    lifecycle,
    lastResult,
    ...(passed !== undefined && { passed }),
    ...(round !== undefined && { round }),
    ...(until !== undefined && { until }),
  };
}

function turn(flow: Passage, reason: string, stepIndex: number): Routed {
  return { flow: { ...flow, direction: "down", reason, stepIndex, stepFunc: "rollback" }, action: "startRollback" };
}

/** Down from a step to `to`, and up again from there. Where it stands before that step, there is nothing to undo. */
function rewind(flow: Passage, reason: string, to: number, from: number): Routed {
  if (from < to) return upAgain(flow, to);
  const turned: Passage = { ...flow, direction: "down", reason, stepIndex: from, stepFunc: "rollback", until: to };
  // Its observers have heard of the way down, where it goes that way already.
  return { flow: turned, action: flow.direction === "down" ? due(turned) : "startRollback" };
}

/** A rewind is where it wanted to be: what was passed over from there on is asked again. */
function upAgain({ passed, round = 0 }: Passage, to: number): Routed {
  const before = passed?.filter((index) => index < to) ?? [];
  const flow: Flow = {
    ...{ direction: "up", reason: "normal", stepIndex: to, stepFunc: "run", lifecycle: "step", lastResult: "ok" },
    round: round + 1,
  };
  return { flow: before.length === 0 ? flow : { ...flow, passed: before }, action: "execute" };
}

/** The step where it stands is not undone: nothing of it was done. */
function turnBefore(flow: Passage, reason: string): Routed {
  return flow.stepIndex === 0 ? nothingToUndo(flow, reason) : turn(flow, reason, flow.stepIndex - 1);
}

function nothingToUndo(flow: Passage, reason: string): Routed {
  return {
    flow: { ...flow, direction: "down", reason, stepFunc: "rollback", lifecycle: "failure", lastResult: reason },
    action: "finish",
  };
}

function succeed(flow: Passage): Routed {
  return { flow: at(flow, "run", flow.stepIndex, "success", "ok"), action: "succeed" };
}
