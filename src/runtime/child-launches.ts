/** From the inputs of children to lines of a list, with all that is needed to create them; and back. */
import { deepestTree } from "../definition/children.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import { initialFlow } from "../execution/position.js";
import type { ExecutionRecord, StagedLine } from "../execution/records.js";
import { childId } from "../ids.js";
import { keyNameOf } from "../execution/position.js";
import type { NewExecution, Queueing } from "../stores/batch.js";
import { encode, type Encoded } from "../values/encode.js";
import { carriedBy } from "./engine-events.js";
import { prepareChild, positionAt } from "./launch.js";
import { errorAbout } from "./reports.js";
import type { Work } from "./work.js";

/** A child that is to begin. */
export interface Entry {
  readonly key: string;
  readonly workflow: WorkflowDefinition;
  readonly input: unknown;
}

/** What a line keeps until its child begins. */
interface Kept {
  readonly workflow: string;
  readonly version: string;
  readonly fingerprint: string | null;
  readonly step: string;
  readonly input: unknown;
  /** Left out: it is the input. */
  readonly state?: unknown;
  readonly deadlineInMs: number | null;
  readonly carried: string | null;
  readonly queue?: Queueing;
}

/**
 * The lines of a list, checked: all of them, or none.
 *
 * @throws STEPWELL_INVALID_CHILDREN, STEPWELL_INVALID_INPUT, STEPWELL_INVALID_LIMIT_KEY, STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE
 */
export async function beginningOf(work: Work, number: number, entries: readonly Entry[]): Promise<StagedLine[]> {
  const { execution, host } = work;
  const { identity, position } = execution;
  await checkTree(work, new Set(entries.map(({ workflow }) => workflow.name)));
  const step = keyNameOf(position.step, position.keys);
  const carried = new Map<string, string | null>();
  const lines: StagedLine[] = [];
  for (const [index, { key, workflow, input }] of entries.entries()) {
    const registered = host.registeredAs(workflow.name, workflow.version);
    if (registered === undefined) {
      const message = `Child workflow "${workflow.name}" version "${workflow.version}" is not registered with this launcher.`;
      throw errorAbout(execution, "STEPWELL_INVALID_CHILDREN", message);
    }
    const id = childId(identity.id, step, number, key);
    // Asked once a list: what observers give is about the parent, not about each of thousands.
    if (!carried.has(workflow.name)) carried.set(workflow.name, carriedBy("child", identity, registered, host));
    const row = await prepareChild(registered, input, id, host);
    const launch = keptOf(row, carried.get(workflow.name)!, workflow.steps[0]!.name);
    lines.push({ position: index, key, execution: id, launch });
  }
  return lines;
}

/** A workflow is never below itself, by its name: a limit of its own would wait for itself. */
async function checkTree(work: Work, names: ReadonlySet<string>): Promise<void> {
  const { execution, host } = work;
  const refuse = (problem: string): never => {
    throw errorAbout(
      execution,
      "STEPWELL_INVALID_CHILDREN",
      `Step "${execution.position.step}": ${problem} Nothing of it has begun.`,
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
    const record: ExecutionRecord | undefined = above.parent === undefined ? undefined : await host.load(above.parent);
    above = record && { workflow: record.workflow, parent: record.line?.parent };
  }
}

type Prepared = Omit<NewExecution, "owner">;

function keptOf(row: Prepared, carried: string | null, step: string): Encoded {
  const { workflow, version, fingerprint, input, state, deadlineInMs, queue } = row;
  const kept: Kept = {
    ...{ workflow, version, fingerprint, step, input: input.value, deadlineInMs, carried },
    ...(!state.isSame(input) && { state: state.value }),
    ...(queue !== undefined && { queue: Object.freeze(queue) }),
  };
  return encode(Object.freeze(kept), { what: "The launch of a child", limit: Infinity });
}

/** Which workflow the child of a line will be of. */
export function workflowOf({ launch }: StagedLine): { readonly name: string; readonly version: string } {
  const { workflow, version } = launch.value as Kept;
  return { name: workflow, version };
}

/** The child of a line, as it is created. */
export function createdOf(
  { position, execution, launch }: StagedLine,
  list: { readonly id: string; readonly parent: string; readonly root: string; readonly depth: number },
): NewExecution {
  const { workflow, version, fingerprint, step, input, state, deadlineInMs, carried, queue } = launch.value as Kept;
  const given = encode(input, { what: "The input", limit: Infinity });
  return {
    id: execution,
    ...{ owner: null, workflow, version, fingerprint, tags: [], deadlineInMs, carried },
    status: queue === undefined ? "running" : "scheduled",
    position: positionAt(initialFlow, step),
    state: state === undefined ? given : encode(state, { what: "The state", limit: Infinity }),
    input: given,
    dueInMs: 0,
    queue,
    line: { list: list.id, position, parent: list.parent, depth: list.depth },
    root: list.root,
  };
}
