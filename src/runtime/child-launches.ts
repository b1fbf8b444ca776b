/** From the inputs of children to lines of a list, with all that is needed to create them; and back. */
import { deepestTree } from "../definition/children.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import { StepwellError, type ErrorCode } from "../errors.js";
import type { SharedLaunch, Tally } from "../execution/children.js";
import { initialFlow, positionAt, type Position, positionOf } from "../execution/position.js";
import type { ExecutionRecord, StagedLine } from "../execution/records.js";
import { childId, type WhichList } from "../ids.js";
import type { NewExecution, Queueing } from "../stores/batch.js";
import { encode, type Encoded } from "../values/encode.js";
import { carriedBy } from "./engine-events.js";
import { prepareChild } from "./launch-row.js";
import { errorAbout } from "./reports.js";
import type { Work } from "./work.js";

const refusals = new Set<string>([
  "STEPWELL_INVALID_CHILDREN",
  "STEPWELL_INVALID_INPUT",
  "STEPWELL_INVALID_LIMIT_KEY",
  "STEPWELL_NOT_ENCODABLE",
  "STEPWELL_TOO_LARGE",
] satisfies ErrorCode[]);

/** Whether what the program gave is at fault; any other error is the store's. */
export function isRefusal(error: unknown): error is StepwellError {
  return error instanceof StepwellError && refusals.has(error.code);
}

/** Said of children that can't begin. */
export const nothingBegun = "Nothing of it has begun.";

/** A child that is to begin. */
export interface Entry {
  readonly key: string;
  readonly workflow: WorkflowDefinition;
  readonly input: unknown;
}

/** What a line keeps until its child begins. */
interface Kept extends SharedLaunch {
  readonly input: unknown;
  /** Left out: it is the input. */
  readonly state?: unknown;
  readonly queue?: Queueing;
}

interface Beginning {
  readonly lines: readonly StagedLine[];
  /** What all children share. Set: a line keeps its input alone. */
  readonly kin?: SharedLaunch;
}

/**
 * The lines of a list, checked: all of them, or none. An error that says why one can't begin names it, by key and position.
 *
 * @throws STEPWELL_INVALID_CHILDREN, STEPWELL_INVALID_INPUT, STEPWELL_INVALID_LIMIT_KEY, STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE
 */
export async function beginningOf(work: Work, list: WhichList, entries: readonly Entry[]): Promise<Beginning> {
  const { execution, host } = work;
  const { identity } = execution;
  await checkTree(work, new Set(entries.map(({ workflow }) => workflow.name)));
  const carried = new Map<string, string | null>();
  const rows: Row[] = [];
  for (const [position, { key, workflow, input }] of entries.entries()) {
    const registered = host.registeredAs(workflow.name, workflow.version);
    if (registered === undefined) {
      const message = `Child workflow "${workflow.name}" version "${workflow.version}" is not registered with this launcher.`;
      throw errorAbout(execution, "STEPWELL_INVALID_CHILDREN", message);
    }
    const id = childId(identity.id, list, key);
    // Asked once a list: what observers give is about the parent, not about each of thousands.
    if (!carried.has(workflow.name)) carried.set(workflow.name, carriedBy("child", identity, registered, host));
    let row;
    try {
      const prepared = prepareChild(registered, input, { id, priority: execution.position.priority }, host);
      row = prepared instanceof Promise ? await prepared : prepared;
    } catch (error) {
      throw refusal(execution, key, position, error);
    }
    rows.push({ key, row, kin: sharedLaunchOf(row, carried.get(workflow.name)!, workflow.steps[0]!.name) });
  }
  const kin = commonOf(rows);
  const lines = rows.map(({ key, row, kin: own }, position): StagedLine => {
    return { position, key, execution: row.id, launch: kin === undefined ? keptOf(row, own) : row.input };
  });
  return kin === undefined ? { lines } : { lines, kin };
}

/** A refusal that also says which child was refused, for the parent's history; any other error stays as it is. */
function refusal(execution: Work["execution"], key: string, position: number, error: unknown): unknown {
  if (!isRefusal(error)) return error;
  const which = `Step "${execution.position.step}": child "${key}" (position ${position}) is refused.`;
  return errorAbout(execution, error.code, `${which} ${nothingBegun} ${error.message}`, error.cause);
}

interface Row {
  readonly key: string;
  readonly row: Prepared;
  readonly kin: SharedLaunch;
}

function sharedLaunchOf(
  { workflow, version, fingerprint, position, deadlineInMs }: Prepared,
  carried: string | null,
  step: string,
): SharedLaunch {
  return { workflow, version, fingerprint, step, priority: position.priority, deadlineInMs, carried };
}

/** Mostly the children of a list differ in their inputs only. */
function commonOf(rows: readonly Row[]): SharedLaunch | undefined {
  const [first] = rows;
  const isCommon = rows.every(({ row, kin: { workflow, version } }) => {
    const isAlike = workflow === first!.kin.workflow && version === first!.kin.version;
    return isAlike && row.queue === undefined && row.state.isSame(row.input);
  });
  return isCommon ? first?.kin : undefined;
}

/** A workflow is never below itself, by its name: a limit of its own would wait for itself. */
async function checkTree(work: Work, names: ReadonlySet<string>): Promise<void> {
  const { execution, host } = work;
  const refuse = (problem: string): never => {
    throw errorAbout(
      execution,
      "STEPWELL_INVALID_CHILDREN",
      `Step "${execution.position.step}": ${problem} ${nothingBegun}`,
    );
  };
  const depth = (execution.line?.depth ?? 0) + 1;
  if (depth > deepestTree)
    refuse(
      `it would begin children at depth ${depth}, and at most ${deepestTree} generations stand below an execution.`,
    );
  let above: { readonly workflow: string; readonly parent: string | undefined } | undefined = {
    workflow: execution.identity.workflow,
    parent: execution.line?.parent,
  };
  while (above !== undefined) {
    if (names.has(above.workflow)) refuse(`workflow "${above.workflow}" would be below itself.`);
    const [record]: readonly (ExecutionRecord | undefined)[] =
      above.parent === undefined ? [] : await host.store.load([above.parent]);
    above = record && { workflow: record.workflow, parent: record.line?.parent };
  }
}

type Prepared = Omit<NewExecution, "owner">;

function keptOf({ input, state, queue }: Prepared, kin: SharedLaunch): Encoded {
  const kept: Kept = {
    ...{ ...kin, input: input.value },
    ...(!state.isSame(input) && { state: state.value }),
    ...(queue !== undefined && { queue: Object.freeze(queue) }),
  };
  return encode(Object.freeze(kept), { what: "The launch of a child", limit: Infinity });
}

/** Which workflow the child of a line will be of. */
export function workflowOf(
  { launch }: StagedLine,
  { kin }: Tally,
): { readonly name: string; readonly version: string } {
  const { workflow, version } = kin ?? (launch.value as Kept);
  return { name: workflow, version };
}

/** A child that is about to be created: who is to own it is said last. */
export interface NewChild extends NewExecution {
  owner: number | null;
}

/** The children of some lines, as they are created. */
export function createdOf(lines: readonly StagedLine[], list: string, tally: Tally): NewChild[] {
  const { kin, parent, root, depth } = tally;
  // One for all of them: nobody writes into it.
  const first = kin && beginningAt(kin);
  return lines.map(({ position, execution, launch }) => {
    const line = { list, position, parent, depth };
    if (kin !== undefined) return newChild(execution, kin, first!, { input: launch, state: launch, line, root });
    const { input, state, queue, ...own } = launch.value as Kept;
    const given = encode(input, { what: "The input", limit: Infinity });
    const begun = state === undefined ? given : encode(state, { what: "The state", limit: Infinity });
    return newChild(execution, own, beginningAt(own), { input: given, state: begun, queue, line, root });
  });
}

function beginningAt({ step, priority }: SharedLaunch): Position {
  const position = positionAt(initialFlow, step);
  return priority === undefined ? position : positionOf({ ...position, priority });
}

type Own = Pick<NewExecution, "input" | "state" | "queue" | "line" | "root">;

function newChild(
  id: string,
  kin: SharedLaunch,
  position: Position,
  { input, state, queue, line, root }: Own,
): NewChild {
  const { workflow, version, fingerprint, deadlineInMs, carried } = kin;
  return {
    id,
    workflow,
    version,
    fingerprint,
    tags: noTags,
    status: queue === undefined ? "running" : "scheduled",
    position,
    state,
    input,
    owner: null,
    dueInMs: 0,
    deadlineInMs,
    carried,
    queue,
    line,
    root,
  };
}

const noTags: readonly string[] = [];
