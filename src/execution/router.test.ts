import { describe, expect, it } from "vitest";
import type { Direction, Flow, Lifecycle, StepFunc } from "../definition/flow.js";
import { initialFlow } from "./position.js";
import { due, isPastPivot, route, startedInRollback, type Action, type FlowEvent, type Shape } from "./router.js";

const three: Shape = { count: 3, pivot: -1 };
const pivotInTheMiddle: Shape = { count: 3, pivot: 1 };

/** Step `stepIndex` is due or under way, on the way up. */
function up(stepIndex: number, changes: Partial<Flow> = {}): Flow {
  return { ...initialFlow, stepIndex, lifecycle: stepIndex === 0 ? "init" : "step", ...changes };
}

/** The undo of step `stepIndex` is due or under way. */
function down(stepIndex: number, changes: Partial<Flow> = {}): Flow {
  const flow: Flow = {
    direction: "down",
    reason: "broken",
    stepIndex,
    stepFunc: "rollback",
    lifecycle: "startRollback",
    lastResult: "broken",
  };
  return { ...flow, ...changes };
}

const succeeded = up(2, { lifecycle: "success" });
const rolledBack = down(0, { lifecycle: "failure", lastResult: "ok" });

const stepFailed: FlowEvent = { type: "stepFailed", reason: "broken" };
const requested: FlowEvent = { type: "rollbackRequested", reason: "cancelled", begun: true };
const vetoed: FlowEvent = { type: "beforeStepVetoed", reason: "closed", begun: false };

describe("the table of the way up", () => {
  it("runs the init observers when an execution is started", () => {
    expect(route(initialFlow, { type: "started" }, three)).toEqual({ flow: initialFlow, action: "init" });
  });

  it("executes the step where it stands when the init observers agree", () => {
    expect(route(initialFlow, { type: "initOk" }, three)).toEqual({ flow: initialFlow, action: "execute" });
  });

  it("finishes with nothing to undo when an init guard fails", () => {
    expect(route(initialFlow, { type: "initVetoed", reason: "closed", begun: false }, three)).toEqual({
      flow: {
        direction: "down",
        reason: "closed",
        stepIndex: 0,
        stepFunc: "rollback",
        lifecycle: "failure",
        lastResult: "closed",
      },
      action: "finish",
    });
  });

  it("undoes the first step when an init guard fails after a crash, for that step may have half-happened", () => {
    expect(route(initialFlow, { type: "initVetoed", reason: "closed", begun: true }, three)).toEqual({
      flow: {
        direction: "down",
        reason: "closed",
        stepIndex: 0,
        stepFunc: "rollback",
        lifecycle: "init",
        lastResult: "closed",
      },
      action: "startRollback",
    });
  });

  it("finishes with nothing to undo when a guard refuses the first step", () => {
    expect(route(initialFlow, vetoed, three)).toEqual({
      flow: {
        direction: "down",
        reason: "closed",
        stepIndex: 0,
        stepFunc: "rollback",
        lifecycle: "failure",
        lastResult: "closed",
      },
      action: "finish",
    });
  });

  it("starts the rollback at the step before when a guard refuses a later step, which never ran", () => {
    expect(route(up(2), vetoed, three)).toEqual({
      flow: {
        direction: "down",
        reason: "closed",
        stepIndex: 1,
        stepFunc: "rollback",
        lifecycle: "beforeStep",
        lastResult: "closed",
      },
      action: "startRollback",
    });
  });

  it.each([0, 2])(
    "undoes step %i too when a guard refuses a later attempt of it, for the first may have half-happened",
    (i) => {
      const decision = route(up(i), { ...vetoed, begun: true }, three);
      expect(decision.flow).toMatchObject({ direction: "down", reason: "closed", stepIndex: i, stepFunc: "rollback" });
      expect(decision.action).toBe("startRollback");
    },
  );

  it.each(["run", "runContinue"] as const)("executes the next step when a step is done by its %s", (stepFunc) => {
    expect(route(up(0, { stepFunc }), { type: "stepOk" }, three)).toEqual({
      flow: up(1, { lastResult: "ok" }),
      action: "execute",
    });
  });

  it.each(["run", "runContinue"] as const)("succeeds when the last step is done by its %s", (stepFunc) => {
    expect(route(up(2, { stepFunc }), { type: "stepOk" }, three)).toEqual({ flow: succeeded, action: "succeed" });
  });

  it("goes on as after a step that is done when one is passed over, and remembers it", () => {
    expect(route(up(0), { type: "stepPassedOver" }, three)).toEqual({
      flow: { ...up(1, { lastResult: "ok" }), passed: [0] },
      action: "execute",
    });
    expect(route({ ...up(2), passed: [0] }, { type: "stepPassedOver" }, three)).toEqual({
      flow: { ...succeeded, passed: [0, 2] },
      action: "succeed",
    });
  });

  it("can be turned after a pivot that was passed over, on its way and when it has succeeded", () => {
    for (const flow of [up(2), succeeded]) {
      expect(route(flow, requested, pivotInTheMiddle).action).toBe("none");
      const { flow: turned, action } = route({ ...flow, passed: [1] }, requested, pivotInTheMiddle);
      expect(action).toBe("startRollback");
      expect(turned).toMatchObject({ direction: "down", stepIndex: 2, passed: [1] });
    }
    expect(route({ ...up(2), passed: [1] }, stepFailed, pivotInTheMiddle).action).toBe("startRollback");
  });

  it("succeeds at once when a step completes early, and an undo would start at that step", () => {
    const { flow, action } = route(up(1), { type: "stepCompleted" }, three);
    expect(action).toBe("succeed");
    expect(flow).toEqual(up(1, { lifecycle: "success" }));
    expect(route(flow, requested, three).flow.stepIndex).toBe(1);
  });

  it.each(["run", "runContinue"] as const)("waits when the %s of a step pauses", (stepFunc) => {
    expect(route(up(1, { stepFunc }), { type: "stepPaused" }, three)).toEqual({
      flow: up(1, { stepFunc: "runContinue", lastResult: "continue" }),
      action: "wait",
    });
  });

  it.each([0, 1, 2])("starts the rollback at step %i itself when it fails, for it may have half-happened", (i) => {
    expect(route(up(i, { stepFunc: "runContinue" }), stepFailed, three)).toEqual({
      flow: down(i, { lifecycle: "step" }),
      action: "startRollback",
    });
  });

  it.each(["run", "runContinue"] as const)(
    "turns at the step where it stands when a rollback is requested in its %s",
    (stepFunc) => {
      const { flow, action } = route(up(1, { stepFunc }), requested, three);
      expect(action).toBe("startRollback");
      expect(flow).toMatchObject({ direction: "down", reason: "cancelled", stepIndex: 1, stepFunc: "rollback" });
    },
  );

  it("undoes the first step when a rollback is requested while it runs", () => {
    expect(route(initialFlow, requested, three)).toMatchObject({
      flow: { direction: "down", stepIndex: 0, stepFunc: "rollback" },
      action: "startRollback",
    });
  });

  it("finishes with nothing to undo when a rollback is requested before anything has begun", () => {
    expect(route(initialFlow, { ...requested, begun: false }, three)).toEqual({
      flow: down(0, { reason: "cancelled", lifecycle: "failure", lastResult: "cancelled" }),
      action: "finish",
    });
  });
});

describe("a step of which nothing is there, since its transaction was not committed", () => {
  const events: readonly FlowEvent[] = [
    { type: "stepFailed", reason: "broken", leftNothing: true },
    { type: "rollbackRequested", reason: "broken", begun: true, leftNothing: true },
  ];

  it.each(events)("is not undone: the execution turns to the step before it on $type", (event) => {
    const { flow, action } = route(up(2), event, three);
    expect(flow).toMatchObject({ direction: "down", reason: "broken", stepIndex: 1, stepFunc: "rollback" });
    expect(action).toBe("startRollback");
  });

  it.each(events)("leaves nothing to undo where it is the first, on $type", (event) => {
    const { flow, action } = route(up(0), event, three);
    expect(flow).toMatchObject({ direction: "down", reason: "broken", stepIndex: 0, lifecycle: "failure" });
    expect(action).toBe("finish");
  });

  it("parks after a pivot as any other", () => {
    expect(route(up(2), events[0]!, pivotInTheMiddle)).toMatchObject({ flow: { stepIndex: 2 }, action: "park" });
  });
});

describe("the table of the way down", () => {
  it("executes the undo of the step where it turned once the start-rollback observers ran", () => {
    expect(route(down(1, { lifecycle: "step" }), { type: "startRollbackObserved" }, three)).toEqual({
      flow: down(1, { lifecycle: "startRollback" }),
      action: "execute",
    });
  });

  it.each(["rollback", "rollbackContinue"] as const)(
    "executes the undo of the step before when a step is undone by its %s",
    (stepFunc) => {
      expect(route(down(2, { stepFunc }), { type: "stepOk" }, three)).toEqual({
        flow: down(1, { lifecycle: "rollback", lastResult: "ok" }),
        action: "execute",
      });
    },
  );

  it.each(["rollback", "rollbackContinue"] as const)("finishes when the first step is undone by its %s", (stepFunc) => {
    expect(route(down(0, { stepFunc }), { type: "stepOk" }, three)).toEqual({ flow: rolledBack, action: "finish" });
  });

  it.each(["rollback", "rollbackContinue"] as const)("waits when the %s of a step pauses", (stepFunc) => {
    expect(route(down(1, { stepFunc }), { type: "stepPaused" }, three)).toEqual({
      flow: down(1, { stepFunc: "rollbackContinue", lifecycle: "rollback", lastResult: "continue" }),
      action: "wait",
    });
  });

  it.each(["rollback", "rollbackContinue"] as const)(
    "parks where it stands, to begin with the rollback again, when the %s of a step fails",
    (stepFunc) => {
      expect(route(down(1, { stepFunc }), { type: "stepFailed", reason: "refused" }, three)).toEqual({
        flow: down(1, { lifecycle: "rollback", lastResult: "refused" }),
        action: "park",
      });
    },
  );

  it.each([true, false])("executes the undo all the same when a before-step guard fails (begun: %s)", (begun) => {
    for (const i of [0, 1, 2]) {
      expect(route(down(i), { ...vetoed, begun }, three)).toEqual({ flow: down(i), action: "execute" });
    }
  });

  it.each(["rollback", "rollbackContinue"] as const)(
    "ignores a rollback request in its %s, for it would disguise the first reason",
    (stepFunc) => {
      for (const begun of [true, false]) {
        const flow = down(1, { stepFunc });
        expect(route(flow, { ...requested, begun }, three)).toEqual({ flow, action: "none" });
      }
    },
  );

  it.each([0, 1, 2])("starts the rollback at step %i when it is started directly there", (i) => {
    const flow = startedInRollback(i, "import-failed");
    expect(flow).toMatchObject({ direction: "down", reason: "import-failed", stepIndex: i, stepFunc: "rollback" });
    expect(route(flow, { type: "started" }, three)).toEqual({ flow, action: "startRollback" });
  });
});

describe("an ended execution", () => {
  it("is undone from the last step that was done when a rollback is requested after it succeeded", () => {
    expect(route(succeeded, requested, three)).toEqual({
      flow: down(2, { reason: "cancelled", lifecycle: "step", lastResult: "ok" }),
      action: "startRollback",
    });
  });

  it("is undone even if it has one step only", () => {
    const one: Shape = { count: 1, pivot: -1 };
    const { flow } = route(initialFlow, { type: "stepOk" }, one);
    expect(route(flow, { ...requested, begun: false }, one)).toMatchObject({
      flow: { direction: "down", stepIndex: 0, stepFunc: "rollback" },
      action: "startRollback",
    });
  });

  it("stays rolled back whatever is requested", () => {
    expect(route(rolledBack, requested, three)).toEqual({ flow: rolledBack, action: "none" });
  });
});

describe("a pivot", () => {
  it.each([0, 1])("does not keep the execution from turning before it is done: step %i fails", (i) => {
    const { flow, action } = route(up(i), stepFailed, pivotInTheMiddle);
    expect(action).toBe("startRollback");
    expect(flow).toMatchObject({ direction: "down", stepIndex: i });
  });

  it.each(["run", "runContinue"] as const)("lets the execution turn on request in its own %s", (stepFunc) => {
    expect(route(up(1, { stepFunc }), requested, pivotInTheMiddle)).toMatchObject({
      flow: { direction: "down", reason: "cancelled", stepIndex: 1 },
      action: "startRollback",
    });
  });

  it.each(["run", "runContinue"] as const)(
    "parks the execution, to begin with run again, when the %s of a later step fails",
    (stepFunc) => {
      expect(route(up(2, { stepFunc }), stepFailed, pivotInTheMiddle)).toEqual({
        flow: up(2, { lastResult: "broken" }),
        action: "park",
      });
    },
  );

  it.each([true, false])("parks the execution when a guard refuses a later step (begun: %s)", (begun) => {
    expect(route(up(2), { ...vetoed, begun }, pivotInTheMiddle)).toEqual({
      flow: up(2, { lifecycle: "beforeStep", lastResult: "closed" }),
      action: "park",
    });
  });

  it("refuses a rollback request once it is done", () => {
    const flow = up(2, { stepFunc: "runContinue" });
    expect(route(flow, requested, pivotInTheMiddle)).toEqual({ flow, action: "none" });
  });

  it("refuses to undo an execution that succeeded after it", () => {
    expect(route(succeeded, requested, pivotInTheMiddle)).toEqual({ flow: succeeded, action: "none" });
  });

  it("refuses to undo an execution that it completed itself", () => {
    const { flow } = route(up(1), { type: "stepCompleted" }, pivotInTheMiddle);
    expect(route(flow, requested, pivotInTheMiddle)).toEqual({ flow, action: "none" });
  });

  it("does not protect an execution that completed early before it", () => {
    const { flow } = route(up(0), { type: "stepCompleted" }, pivotInTheMiddle);
    expect(route(flow, requested, pivotInTheMiddle)).toMatchObject({
      flow: { direction: "down", stepIndex: 0 },
      action: "startRollback",
    });
  });

  it("is passed only when it is done, and never on the way down", () => {
    expect([0, 1, 2].map((i) => isPastPivot(up(i), pivotInTheMiddle))).toEqual([false, false, true]);
    expect(isPastPivot(up(1, { lifecycle: "success" }), pivotInTheMiddle)).toBe(true);
    expect(isPastPivot(up(0, { lifecycle: "success" }), pivotInTheMiddle)).toBe(false);
    expect(isPastPivot(down(2), pivotInTheMiddle)).toBe(false);
    expect(isPastPivot(up(2), three)).toBe(false);
  });
});

describe("what a checkpoint says is due", () => {
  it.each<[string, Flow, Action]>([
    ["the init observers, of an execution that was only just launched", initialFlow, "init"],
    ["the step that was due, not the one after", up(1), "execute"],
    ["the first step again, when an attempt of it failed", up(0, { lifecycle: "step", lastResult: "busy" }), "execute"],
    ["the wait, of a step that had paused", up(1, { stepFunc: "runContinue", lastResult: "continue" }), "wait"],
    [
      "the start of the rollback, of an execution that had only just turned",
      down(1, { lifecycle: "step" }),
      "startRollback",
    ],
    [
      "the start of the rollback, of one that a guard had turned",
      down(1, { lifecycle: "beforeStep" }),
      "startRollback",
    ],
    ["the start of the rollback, of one that was launched downwards", startedInRollback(1, "import"), "startRollback"],
    ["the undo that was due, not the one before", down(1, { lifecycle: "rollback", lastResult: "ok" }), "execute"],
    ["the wait, of an undo that had paused", down(1, { stepFunc: "rollbackContinue", lifecycle: "rollback" }), "wait"],
    ["nothing, of an execution that succeeded", succeeded, "none"],
    ["nothing, of an execution that is rolled back", rolledBack, "none"],
  ])("is %s", (_what, flow, action) => {
    expect(due(flow)).toBe(action);
  });
});

/** Every flow that can be written down, also those that no execution ever has. */
function everyFlow(shape: Shape): Flow[] {
  const directions: Direction[] = ["up", "down"];
  const stepFuncs: StepFunc[] = ["run", "runContinue", "rollback", "rollbackContinue"];
  const lifecycles: Lifecycle[] = ["init", "beforeStep", "step", "startRollback", "rollback", "success", "failure"];
  const stepIndexes = Array.from({ length: shape.count }, (_, index) => index);
  return directions.flatMap((direction) =>
    stepFuncs.flatMap((stepFunc) =>
      lifecycles.flatMap((lifecycle) =>
        stepIndexes.map((stepIndex) =>
          Object.freeze({ direction, stepFunc, lifecycle, stepIndex, reason: "first", lastResult: "ok" }),
        ),
      ),
    ),
  );
}

const everyEvent: FlowEvent[] = [
  { type: "started" },
  { type: "initOk" },
  { type: "initVetoed", reason: "second", begun: true },
  { type: "initVetoed", reason: "second", begun: false },
  { type: "beforeStepVetoed", reason: "second", begun: true },
  { type: "beforeStepVetoed", reason: "second", begun: false },
  { type: "stepOk" },
  { type: "stepCompleted" },
  { type: "stepPaused" },
  { type: "stepFailed", reason: "second" },
  { type: "startRollbackObserved" },
  { type: "rollbackRequested", reason: "second", begun: true },
  { type: "rollbackRequested", reason: "second", begun: false },
];

const everyShape: Shape[] = [1, 2, 3].flatMap((count) =>
  Array.from({ length: count + 1 }, (_, index) => ({ count, pivot: index - 1 })),
);

/** Every flow with every event, in workflows of up to three steps. */
const everything = everyShape.flatMap((shape) =>
  everyFlow(shape).flatMap((flow) =>
    everyEvent.map((event) => ({ flow, event, shape, ...answer(flow, event, shape) })),
  ),
);

function answer(flow: Flow, event: FlowEvent, shape: Shape): { readonly next: Flow; readonly action: Action } {
  const decision = route(flow, event, shape);
  return { next: decision.flow, action: decision.action };
}

describe("the router as a whole", () => {
  const actions: Action[] = ["init", "execute", "wait", "startRollback", "succeed", "finish", "park", "none"];

  it("has an answer for every event in every flow, and stays within the workflow", () => {
    // 2 directions, 4 functions, 7 lifecycles, 13 events; 1, 2 and 3 steps with 2, 3 and 4 places of the pivot.
    expect(everything).toHaveLength(2 * 4 * 7 * 13 * (1 * 2 + 2 * 3 + 3 * 4));
    const lost = everything.filter(
      ({ next, action, shape }) =>
        !actions.includes(action) ||
        !(next.stepIndex >= 0 && next.stepIndex < shape.count) ||
        !actions.includes(due(next)),
    );
    expect(lost).toEqual([]);
  });

  it("changes an ended flow by nothing but the undo of a success", () => {
    const ended = everything.filter(({ flow }) => flow.lifecycle === "success" || flow.lifecycle === "failure");
    const changed = ended.filter(({ flow, next, action }) => next !== flow || action !== "none");
    expect(changed.length).toBeGreaterThan(0);
    expect(
      changed.filter(
        ({ flow, event, next, action }) =>
          flow.lifecycle !== "success" ||
          event.type !== "rollbackRequested" ||
          action !== "startRollback" ||
          next.stepIndex !== flow.stepIndex,
      ),
    ).toEqual([]);
  });

  it("never goes from down to up", () => {
    const goingDown = everything.filter(({ flow }) => flow.direction === "down");
    expect(goingDown.filter(({ next }) => next.direction !== "down")).toEqual([]);
  });

  it("never changes the first reason on the way down", () => {
    const goingDown = everything.filter(({ flow }) => flow.direction === "down" && flow.lifecycle !== "success");
    expect(goingDown.filter(({ next }) => next.reason !== "first")).toEqual([]);
  });

  it("never turns an execution whose pivot is done", () => {
    const past = everything.filter(
      // The init observers are asked at the first step only.
      ({ flow, event, shape }) => event.type !== "initVetoed" && isPastPivot(flow, shape),
    );
    expect(past.length).toBeGreaterThan(0);
    expect(past.filter(({ next }) => next.direction !== "up")).toEqual([]);
  });

  it("finishes without an undo only where nothing was done", () => {
    const atOnce = everything.filter(({ flow, action }) => flow.direction === "up" && action === "finish");
    expect(new Set(atOnce.map(({ event }) => event.type))).toEqual(
      new Set(["initVetoed", "beforeStepVetoed", "rollbackRequested"]),
    );
    expect(atOnce.filter(({ event }) => "begun" in event && event.begun)).toEqual([]);
    // The init observers are asked at the first step only.
    expect(atOnce.filter(({ flow, event }) => flow.stepIndex > 0 && event.type !== "initVetoed")).toEqual([]);
  });
});
