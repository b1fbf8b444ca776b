import { describe, expect, it } from "vitest";
import { z } from "zod";
import { happened, workflow, type AnyWorkflow } from "../../src/index.js";
import { definitionOf } from "../../src/definition/definition-of.js";
import type { WorkflowDefinition } from "../../src/definition/definition.js";
import { decide, type Decision } from "../../src/execution/decide.js";
import { nextTask, type Task } from "../../src/execution/next.js";
import type { Position } from "../../src/execution/position.js";
import { live, type Lived, type Machine } from "./lives.js";

const retry = { attempts: 2, delay: "1s", jitter: false } as const;
const policies = { retry, rollbackRetry: retry } as const;
const functions = { run: () => undefined, rollback: () => undefined };

const plain = workflow("flow", { input: z.object({}) })
  .step("a", { ...functions, ...policies })
  .step("b", { ...functions, ...policies });

const waiting = workflow("flow", { input: z.object({}) })
  .step("a", {
    ...functions,
    ...policies,
    messages: { message: z.object({}) },
    onMessage: () => undefined,
    rollbackMessages: { message: z.object({}) },
    onRollbackMessage: () => undefined,
  })
  .step("b", { ...functions, ...policies, recover: () => undefined });

const pivoted = workflow("flow", { input: z.object({}) })
  .step("a", { ...functions, ...policies })
  .step("b", { run: () => undefined, retry, pivot: true })
  .step("c", { run: () => undefined, retry });

const conditional = workflow("flow", { input: z.object({}) })
  .step("a", { ...functions, ...policies, when: () => true })
  .step("b", { ...functions, ...policies, deadline: "3s" });

const probed = workflow("flow", { input: z.object({}) })
  .step("a", { ...functions, ...policies, probe: () => happened() })
  .step("b", { run: () => undefined, retry, probe: () => happened(), inDoubt: "rerun", pivot: true })
  .step("c", { run: () => undefined, retry: { ...retry, within: "1d" }, inDoubt: "park" });

/** All that a step may try is two attempts. */
function small(of: AnyWorkflow): WorkflowDefinition {
  const definition = definitionOf(of);
  const { retry } = definition.steps[0]!;
  return { ...definition, steps: definition.steps.map((step) => ({ ...step, rollbackRetry: retry })) };
}

/** The same workflow with the work of its first step in the store's own transaction. */
function transactional(of: AnyWorkflow): WorkflowDefinition {
  const definition = small(of);
  return { ...definition, steps: definition.steps.map((step, index) => ({ ...step, transactional: index === 0 })) };
}

const crashes = { crashes: 1, requests: 1, shutdowns: 1, odd: 1 };
const operated = { acts: 1, parkings: 1, vetoes: 1 };

const lives: Readonly<Record<string, () => Lived>> = {
  "two steps, with crashes, shutdowns and requests": () => live(small(plain), crashes),
  "two steps, with operators, guards, parkings and migrations": () =>
    live(small(plain), { ...operated, acts: 2, migrations: 1 }),
  "waits in both directions, and a step that recovers": () => live(small(waiting), { ...crashes, messages: 1 }),
  "waits that operators end": () => live(small(waiting), { messages: 1, acts: 2, odd: 2 }),
  "a pivot": () => live(small(pivoted), crashes),
  "a pivot, with guards and operators": () => live(small(pivoted), operated),
  "a condition and a deadline of a step": () => live(small(conditional), { ...crashes, vetoes: 1 }),
  "a condition, with operators": () => live(small(conditional), { ...operated, crashes: 1 }),
  "transactional work": () => live(transactional(plain), { ...crashes, vetoes: 1 }),
  "transactional work, with operators": () => live(transactional(waiting), { ...operated, odd: 1, messages: 1 }),
  "two steps that are rewound, with crashes and requests": () =>
    live(small(plain), { rewinds: 2, requests: 1, crashes: 1 }),
  "steps that are rewound by operators, with guards and parkings": () =>
    live(small(waiting), { rewinds: 1, acts: 1, parkings: 1, vetoes: 1 }),
  "a pivot, and rewinds behind it": () => live(small(pivoted), { rewinds: 2, requests: 1, acts: 1 }),
  "rewinds over conditions, and transactional work": () =>
    live(transactional(conditional), { rewinds: 2, crashes: 1, odd: 1 }),
  probes: () => live(small(probed), crashes),
  "probes, with operators and guards": () => live(small(probed), { ...operated, acts: 2, crashes: 1 }),
  "probes, and a deadline of the workflow": () => live(small(probed), { odd: 1, crashes: 1 }, undefined, 1500),
  "a deadline of the workflow": () => live(small(waiting), { odd: 1, crashes: 1 }, undefined, 2500),
};

const known = new Map<string, Lived>();

function lived(name: string): Lived {
  const found = known.get(name) ?? lives[name]!();
  known.set(name, found);
  return found;
}

describe("every life of an execution", () => {
  it.each(Object.keys(lives))("keeps the books: %s", (name) => {
    const { moments, problems, ends } = lived(name);
    expect(problems).toEqual([]);
    expect(moments).toBeGreaterThan(100);
    expect(Object.keys(ends).length).toBeGreaterThan(1);
  });

  it("meets every event and every task that needs no store", () => {
    const all = Object.keys(lives).map(lived);
    const events = new Set(all.flatMap((one) => [...one.events]));
    const tasks = new Set(all.flatMap((one) => [...one.tasks]));
    expect([...events].toSorted()).toEqual([
      "again",
      "beforeStepVetoed",
      "begins",
      "cutOff",
      "doubted",
      "initVetoed",
      "migrated",
      "parked",
      "patched",
      "probeDidNotHappen",
      "probeHappened",
      "probed",
      "resumed",
      "retry",
      "rewindRequested",
      "rollbackRequested",
      "stepCompleted",
      "stepFailed",
      "stepOk",
      "stepPassedOver",
      "stepPaused",
    ]);
    expect([...tasks].toSorted()).toEqual([
      "call",
      "cutOff",
      "fail",
      "follow",
      "handle",
      "parkInDoubt",
      "probe",
      "release",
      "stepOverdue",
      "waitTimedOut",
    ]);
  });
});

type Change = (decision: Decision, event: Parameters<typeof decide>[1]) => Position | undefined;

function withPosition(change: Change): Machine {
  return {
    nextTask,
    decide: (execution, event, facts) => {
      const decision = decide(execution, event, facts);
      const position = change(decision, event);
      return position === undefined ? decision : { ...decision, transition: { ...decision.transition, position } };
    },
  };
}

function withTask(change: (task: Task) => Task): Machine {
  return { decide, nextTask: (execution, moment) => change(nextTask(execution, moment)) };
}

const faults: [title: string, problem: string, machine: Machine][] = [
  [
    "forgets that a step that failed may stand",
    "it would go to its end with step 0 not undone",
    {
      nextTask,
      decide: (execution, event, facts) => {
        const what = event.what.type === "stepFailed" ? { ...event.what, leftNothing: true } : event.what;
        return decide(execution, { ...event, what }, facts);
      },
    },
  ],
  [
    "gives the number of an attempt twice",
    "comes twice",
    withPosition(({ transition: { position } }, { what }) =>
      what.type === "retry" ? { ...position, attempts: 0 } : undefined,
    ),
  ],
  [
    "changes the reason on the way down",
    "its reason changes on the way down",
    withPosition(({ transition: { position } }, { what }) =>
      what.type === "retry" && position.direction === "down" ? { ...position, reason: "away" } : undefined,
    ),
  ],
  [
    "forgets when a retry is due",
    "ms",
    withTask((task) => (task.type === "release" && task.dueInMs !== null ? { type: "release", dueInMs: null } : task)),
  ],
  [
    "lets go of a waiting execution for good",
    "let go of as waiting, due in null ms",
    {
      nextTask,
      decide: (...given) => {
        const { transition, ...others } = decide(...given);
        return {
          ...others,
          transition: transition.status === "waiting" ? { ...transition, dueInMs: null } : transition,
        };
      },
    },
  ],
  [
    "turns after the pivot",
    "it turns after its pivot",
    {
      nextTask,
      decide: (execution, event, facts) => decide(execution, event, { ...facts, shape: { ...facts.shape, pivot: -1 } }),
    },
  ],
  [
    "calls a rolled back execution running",
    "status running at its end",
    {
      nextTask,
      decide: (...given) => {
        const { transition, ...others } = decide(...given);
        return {
          ...others,
          transition: transition.status === "rolledBack" ? { ...transition, status: "running" } : transition,
        };
      },
    },
  ],
];

describe("the books themselves", () => {
  it.each(faults)("find out an engine that %s", (_title, problem, machine) => {
    const found = [
      live(small(plain), { requests: 1, crashes: 1, shutdowns: 1 }, machine),
      live(small(waiting), { odd: 1, messages: 1 }, machine),
      live(small(pivoted), { acts: 1 }, machine),
    ];
    expect(found.flatMap(({ problems }) => problems).join("\n")).toContain(problem);
  });
});
