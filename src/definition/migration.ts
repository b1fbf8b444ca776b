/** Migrations from an older version of a workflow to this one: what users write, checked, and the new names of steps. */
import type { AnyWorkflow, Bag, HalfDoneOf, StepsOf } from "./bag.js";
import type { MigrationDefinition, WorkflowDefinition } from "./definition.js";
import type { Direction, Status } from "./flow.js";
import type { Shown } from "./frozen.js";
import type { ExecutionIdentity } from "./observer.js";
import { childrenChange, isUndone, outlineOf } from "./outline.js";
import { checkName, invalidDefinition, refuseUnknownOptions, shown } from "../values/options.js";

/** By the name of a step in the older list: its name in the newer list; null: the step is gone. A step that is not listed keeps its name. */
export type Successors = Readonly<Record<string, string | null>>;

/** An execution of the older version, as `move` gets it. */
export interface MoveContext<Older extends AnyWorkflow = AnyWorkflow> {
  readonly execution: ExecutionIdentity;
  /** Read-only. */
  readonly state: Shown<HalfDoneOf<Older>>;
  readonly status: Status;
  readonly direction: Direction;
  /** The step where it stands, in the older list. */
  readonly step: StepsOf<Older>;
  /** Its step has paused, and waits. */
  readonly waits: boolean;
  /** Any of its steps may have been done. */
  readonly begun: boolean;
}

/** Where, and with which state, the execution goes on. */
export interface Move<B extends Bag = Bag> {
  /** The step at whose beginning it goes on. Left out: it goes on where it stands, with its wait and its attempts. */
  readonly step?: B["steps"];
  /** The whole new state. Left out: the state stays as it is. */
  readonly state?: Shown<B["halfDone"]>;
}

/** Whether a state of the older version fits this one as it is. */
type Fits<Older extends AnyWorkflow, B extends Bag> = [Shown<HalfDoneOf<Older>>] extends [Shown<B["halfDone"]>]
  ? true
  : false;

type Moving<Older extends AnyWorkflow, B extends Bag> = (
  execution: MoveContext<Older>,
) => Fits<Older, B> extends true ? Move<B> | void : Move<B> & { readonly state: Shown<B["halfDone"]> };

/** Where the older state does not fit this version, `move` must give a new one. */
export type MigrationOptions<Older extends AnyWorkflow, B extends Bag> = {
  /** The new names of steps that have another name; null: the step is gone, and is not undone. */
  readonly steps?: { readonly [Step in StepsOf<Older>]?: B["steps"] | null };
} & (Fits<Older, B> extends true
  ? {
      /** Where, and with which state, each execution goes on. Synchronous and without effects. */
      readonly move?: Moving<Older, B>;
    }
  : { readonly move: Moving<Older, B> });

/** @throws STEPWELL_INVALID_DEFINITION, STEPWELL_UNKNOWN_OPTION */
export function migrationDefinition(
  to: WorkflowDefinition,
  older: WorkflowDefinition | string,
  options: { readonly steps?: Successors; readonly move?: MigrationDefinition["move"] },
): MigrationDefinition {
  const about = { workflow: to.name };
  const where = `Workflow "${to.name}", version "${to.version}": .migrate(…)`;
  const refuse = (problem: string): never => {
    throw invalidDefinition(`${where} ${problem}`, about);
  };
  refuseUnknownOptions(options, ["steps", "move"], where, about);
  if (to.steps.length === 0) refuse("comes after the steps, which it is about");
  const from = typeof older === "string" ? older : older.version;
  checkName(from, `${where}: the older version`, about);
  if (typeof older !== "string" && older.name !== to.name)
    refuse(`takes an older version of the same workflow, not "${older.name}"`);
  if (from === to.version) refuse("takes another version of the workflow, and this is the same one");
  if (to.migrations.some((known) => known.from === from)) refuse(`stands there twice for version "${from}"`);
  const { steps = {}, move } = options;
  if (move !== undefined && typeof move !== "function") refuse(`takes as "move" a function, not ${shown(move)}`);
  const checked = checkedSteps(steps, refuse);
  const problem =
    typeof older === "string"
      ? undefined
      : (namesInTheWay(namesOf(older.steps), namesOf(to.steps), checked) ?? lostUndo(older, to, checked));
  if (problem !== undefined) refuse(`can't be: ${problem}`);
  return Object.freeze({ from, older: typeof older === "string" ? undefined : older, steps: checked, move });
}

/** An undo that no execution would find any more. Past the pivot nothing is undone; a step that is gone on purpose is null. */
function lostUndo(older: WorkflowDefinition, to: WorkflowDefinition, steps: Successors): string | undefined {
  const names = namesOf(to.steps);
  const after = outlineOf(to.steps);
  const undone = outlineOf(older.steps.slice(0, older.pivot < 0 ? undefined : older.pivot + 1)).filter(isUndone);
  for (const { name, rollback, children } of undone) {
    const successor = successorOf(name, names, steps);
    if (successor === null) continue;
    if (successor === undefined)
      return `step "${name}" may have to be undone and is not there any more; say in "steps" what became of it, or null`;
    const is = after[names.indexOf(successor)]!;
    const change = childrenChange(name, children, is.children);
    if (change !== undefined) return change;
    if (rollback === true && is.rollback !== true)
      return `step "${successor}" may have to be undone, and has no rollback in this version`;
  }
  return undefined;
}

function checkedSteps(steps: unknown, refuse: (problem: string) => never): Successors {
  if (typeof steps !== "object" || steps === null || Array.isArray(steps))
    return refuse(`takes as "steps" names by older names, not ${shown(steps)}`);
  for (const [older, newer] of Object.entries(steps)) {
    if (newer === null || typeof newer === "string") continue;
    refuse(`takes as "steps" names by older names, or null, and for "${older}" there is ${shown(newer)}`);
  }
  return Object.freeze({ ...(steps as Successors) });
}

export function namesOf(steps: readonly { readonly name: string }[]): string[] {
  return steps.map(({ name }) => name);
}

/** A step's name in the newer list. Null: the step is gone, as `steps` says. Undefined: it is gone, and `steps` does not say so. */
export function successorOf(name: string, after: readonly string[], steps: Successors): string | null | undefined {
  if (Object.hasOwn(steps, name)) return steps[name];
  return after.includes(name) ? name : undefined;
}

/**
 * What is wrong with the names. Undefined: nothing.
 *
 * @param others names, beside those of the older list, by which other systems know what steps did
 */
export function namesInTheWay(
  before: readonly string[],
  after: readonly string[],
  steps: Successors,
  others: readonly string[] = [],
): string | undefined {
  for (const [older, newer] of Object.entries(steps)) {
    if (!before.includes(older)) return `"steps" names "${older}", which is no step of the older version`;
    if (newer !== null && !after.includes(newer))
      return `"steps" says that "${older}" became "${newer}", which is no step of this version`;
  }
  const predecessors = new Map<string, string>();
  for (const older of before) {
    const newer = successorOf(older, after, steps);
    if (typeof newer !== "string") continue;
    const other = predecessors.get(newer);
    if (other !== undefined) return `steps "${other}" and "${older}" would both become "${newer}"`;
    predecessors.set(newer, older);
  }
  // Other systems know what a step did by a key that is made of its name.
  const used = new Set([...before, ...others]);
  const again = after.find((name) => !predecessors.has(name) && used.has(name));
  if (again === undefined) return undefined;
  return `"${again}" was the name of another step, and a new one would have its idempotency key; give it another name`;
}
