/** Steps that are made of other executions: what users write, checked, and what may stand below a workflow. */
import type { ErrorDetails } from "../errors.js";
import { checkName, invalidDefinition, refuseUnknownOptions, shown } from "../values/options.js";
import type { AnyWorkflow } from "./bag.js";
import type { ChildrenDefinition, StateFunction, StepDefinition, WorkflowDefinition } from "./definition.js";
import { definitionOf } from "./definition-of.js";
import { stepDefinition } from "./step.js";

type Kind = ChildrenDefinition["kind"];

/** How many generations may stand below a workflow. */
export const deepestTree = 16;

const conditions = ["when", "otherwise", "recover", "deadline", "pivot", "irreversible"];
const optionNames: Readonly<Record<Kind, readonly string[]>> = {
  child: ["input", "join", "onFailure", ...conditions],
  parallel: ["input", "join", "onFailure", "undo", ...conditions],
  forEach: ["items", "input", "key", "concurrency", "join", "onFailure", "undo", ...conditions],
};

/** The option without which a step of this kind could not begin. */
const required: Readonly<Record<Kind, "input" | "items">> = { child: "input", parallel: "input", forEach: "items" };

const functions = ["input", "items", "key", "join"] as const;

/** The options without their types, which the compiler has checked. */
interface Untyped extends Readonly<Partial<Record<(typeof functions)[number], StateFunction>>> {
  readonly onFailure?: unknown;
  readonly concurrency?: unknown;
  readonly undo?: unknown;
}

/**
 * Checks a step of children as its author wrote it. The workflows are kept as they are now.
 *
 * @throws STEPWELL_INVALID_DEFINITION, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_ARGUMENT, STEPWELL_INVALID_DURATION
 */
export function childrenStep(
  kind: Kind,
  name: unknown,
  workflows: unknown,
  options: unknown,
  about: ErrorDetails,
): StepDefinition {
  checkName(name, "The name of a step", about);
  const here = { ...about, step: name };
  const where = `Step "${name}", .${kind}(…)`;
  refuseUnknownOptions(options, optionNames[kind], where, here);
  const { input, items, key, join, onFailure, concurrency, undo, ...others } = options as Untyped;
  checkOptions(kind, options as Untyped, where, here);
  const kept = workflowsOf(kind, workflows, where, here);
  const children: ChildrenDefinition = Object.freeze({
    kind,
    workflows: kept,
    below: new Set(Object.values(kept).flatMap((it) => [...familyOf(it)])),
    generations: 1 + Math.max(...Object.values(kept).map(generationsOf)),
    input,
    items,
    key,
    join: kind === "parallel" && join !== undefined ? withKeys(join) : join,
    onFailure: (onFailure as ChildrenDefinition["onFailure"] | undefined) ?? "turn",
    concurrency: concurrency as number | undefined,
    undo: undo === undefined ? "together" : "one-by-one",
  });
  return stepDefinition(name, others, about, { children });
}

function checkOptions(kind: Kind, given: Untyped, where: string, about: ErrorDetails): void {
  const refuse = (problem: string): never => {
    throw invalidDefinition(`${where} ${problem}`, about);
  };
  for (const option of functions) {
    if (given[option] !== undefined && typeof given[option] !== "function") {
      refuse(`takes as "${option}" a function, not ${shown(given[option])}`);
    }
  }
  const { onFailure, join, concurrency, undo } = given;
  if (given[required[kind]] === undefined) {
    refuse(`lacks "${required[kind]}": a function that says of the state ${made[kind]}`);
  }
  if (onFailure !== undefined && onFailure !== "turn" && onFailure !== "settle") {
    refuse(`takes as "onFailure" "turn" or "settle", not ${shown(onFailure)}`);
  }
  if (onFailure === "settle" && join === undefined) {
    refuse(`has onFailure "settle" and no "join": nobody would decide what becomes of a child that was rolled back`);
  }
  if (concurrency !== undefined && !(Number.isSafeInteger(concurrency) && (concurrency as number) >= 1)) {
    refuse(`takes as "concurrency" a whole number from 1 on, not ${shown(concurrency)}`);
  }
  if (undo !== undefined && undo !== "one-by-one") {
    refuse(`takes as "undo" nothing but "one-by-one", not ${shown(undo)}. Left out, children are undone together`);
  }
}

const made: Readonly<Record<Kind, string>> = {
  child: "what the input of the child is",
  parallel: "what the inputs are, by key",
  forEach: "which items there are",
};

function workflowsOf(kind: Kind, given: unknown, where: string, about: ErrorDetails): ChildrenDefinition["workflows"] {
  const childOf = (workflow: unknown, what: string): WorkflowDefinition => definitionOf(workflow as AnyWorkflow, what);
  if (kind !== "parallel") return byKey([["", childOf(given, `${where}: what stands in place of the workflow`)]]);
  const isRecord = typeof given === "object" && given !== null && !Array.isArray(given) && !isWorkflow(given);
  if (!isRecord || Object.keys(given).length === 0) {
    const what = isWorkflow(given) ? "a workflow itself" : isRecord ? "an empty object" : shown(given);
    throw invalidDefinition(`${where} takes an object of workflows by key, with one at least, not ${what}`, about);
  }
  const found = Object.entries(given).map(([key, workflow]): [string, WorkflowDefinition] => {
    checkName(key, `${where}: a key`, about);
    return [key, childOf(workflow, `${where}: what stands under "${key}"`)];
  });
  return byKey(found);
}

/** A key may be any name, also one that objects have of their own. */
function byKey<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  return Object.freeze(Object.assign(Object.create(null), Object.fromEntries(entries)) as Record<string, T>);
}

function isWorkflow(given: unknown): boolean {
  return typeof (given as { readonly step?: unknown } | null | undefined)?.step === "function";
}

/** The children of `.parallel` are also given by their keys. */
function withKeys(join: StateFunction): StateFunction {
  return (context: { readonly children: readonly { readonly key: string }[] }) => {
    return join({ ...context, byKey: byKey(context.children.map((child) => [child.key, child])) } as never);
  };
}

/** A workflow and all that stand below it, each once. */
export function familyOf(definition: WorkflowDefinition): ReadonlySet<WorkflowDefinition> {
  return new Set([definition, ...definition.steps.flatMap(({ children }) => [...(children?.below ?? [])])]);
}

/** How many generations of workflows stand below a workflow. */
function generationsOf({ steps }: WorkflowDefinition): number {
  return Math.max(0, ...steps.map(({ children }) => children?.generations ?? 0));
}

/**
 * The step as it may stand at the end of the workflow's steps, as far as its children go. Where children have pivots of their own, what
 * they did past them stays: a step of such children that comes after the pivot is irreversible, whether its author says so or not.
 *
 * @throws STEPWELL_INVALID_DEFINITION
 */
export function inTree(
  definition: WorkflowDefinition,
  step: StepDefinition,
  children: ChildrenDefinition,
): StepDefinition {
  const refuse = (problem: string): never => {
    const where = `Workflow "${definition.name}", step "${step.name}"`;
    throw invalidDefinition(`${where}: ${problem}`, { workflow: definition.name, step: step.name });
  };
  let staying: string | undefined;
  for (const child of Object.values(children.workflows)) {
    const generations = generationsOf(child);
    if (child.name === definition.name) refuse(`a workflow can't be a child of itself, in whatever version`);
    if ([...familyOf(child)].some(({ name }) => name === definition.name)) {
      refuse(`workflow "${child.name}" has "${definition.name}" below it, so that this one would be below itself`);
    }
    if (generations >= deepestTree) {
      refuse(
        `with workflow "${child.name}" there are ${generations + 1} generations below; at most ${deepestTree} may be`,
      );
    }
    if (child.pivot < 0 || step.irreversible !== undefined || (step.pivot && children.kind === "child")) continue;
    const pivot = child.steps[child.pivot]!.name;
    if (definition.pivot >= 0) {
      staying ??= `workflow "${child.name}" has a pivot, "${pivot}", after which nothing undoes it`;
      continue;
    }
    refuse(
      `workflow "${child.name}" has a pivot, "${pivot}", after which nothing undoes it. So it can only be the one .child ` +
        `that is itself the pivot here, or come after the pivot; or the step says with irreversible: "…" that it stays`,
    );
  }
  return staying === undefined ? step : { ...step, irreversible: staying };
}
