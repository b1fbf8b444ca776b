/** Previews: what a rollback would do, from committed rows alone. Nothing is stored, and no code of a workflow is called. */
import type { StepOutline } from "../definition/outline.js";
import { previewOf, type Asking, type ExecutionPreview, type StepPreview } from "../execution/preview.js";
import { keyNameOf } from "../execution/position.js";
import type { ExecutionRecord } from "../execution/records.js";
import { recallName } from "../execution/recall.js";
import { StepwellError } from "../errors.js";
import type { ClientHost } from "../session/client-host.js";
import { type Registered, registryKey } from "../session/registry.js";
import type { Store } from "../stores/contract.js";
import { shapeOf } from "../execution/definition-change.js";
import type { RefusedRewind } from "../execution/mail.js";
import { refusedRewind } from "./rewind.js";
import { refusedAnswer, type WhyRefused } from "./rollback.js";
import { childGroupsOf, childLinesOf, type ChildGroup, type ChildLine } from "./children.js";

/** The children of a step, as they stand. */
export interface PreviewedChildren extends Omit<ChildGroup, "step" | "number"> {
  /** The first 100. */
  readonly first: readonly ChildLine[];
  /** What would become of these, and of those below them: of a hundred in the whole tree. Left out: none of them goes back. */
  readonly previews?: readonly ChildPreview[];
}

/** What becomes of a child that goes back with its parent. */
export interface ChildPreview {
  readonly execution: string;
  /** Why it stays as it is. */
  readonly refused?: WhyRefused;
  /** The steps in the order in which the child goes back. */
  readonly steps: readonly PreviewedStep[];
}

export interface PreviewedStep extends StepPreview {
  /** The children that the step has begun. Which of them go back, `what` says: of an irreversible step those under way. */
  readonly children?: PreviewedChildren;
}

export interface PreviewOptions {
  /** Previews a rewind to this step. Left out: a rollback is previewed. */
  readonly to?: string;
}

export interface RollbackPreview {
  readonly execution: string;
  /** For a rewind: the step from which the execution then goes up again, and in which round. */
  readonly upAgain?: { readonly step: string; readonly round: number };
  /** The revision that was looked at. Given as `ifRevision`, what is done is what was shown, or the request is refused. */
  readonly revision: number;
  /** Why it would be refused, as `rollback` or `rewind` answers. Left out: it would be accepted. */
  readonly refused?: WhyRefused | Exclude<RefusedRewind, "step-not-found">;
  /** The refusal as an error, with a code, and what to do instead. */
  readonly error?: StepwellError;
  /** Its pivot runs: a request is held until it has ended, and refused where it has succeeded. */
  readonly held?: true;
  /**
   * The steps in the order in which the execution goes back. Empty where the request would be refused, unless the execution goes back
   * already: then the steps still to come.
   */
  readonly steps: readonly PreviewedStep[];
  /**
   * For the root of a tree: how many executions are below it, in all generations; at most 10,000 are counted. Left out: none is, or it is
   * no root.
   */
  readonly below?: { readonly count: number; readonly more: boolean };
}

const countedTo = 10_000;

/** The most executions of a tree that are previewed. */
const mostTold = 100;

/** @param registry the workflows that are known in this process */
export async function rollbackPreview(
  record: ExecutionRecord,
  store: Store,
  host: Pick<ClientHost, "storeNow" | "stepLists">,
  registry: ReadonlyMap<string, Registered>,
  { to }: PreviewOptions = {},
): Promise<RollbackPreview> {
  const { id, workflow, version, revision, position, root } = record;
  const at = { execution: id, revision };
  const registered = registry.get(registryKey(workflow, version));
  const refusedBy = (why: WhyRefused): Pick<RollbackPreview, "refused" | "error"> => {
    const { error } = refusedAnswer(record, why, registered);
    return { refused: why, error };
  };
  const rewindRefusedBy = (why: RefusedRewind, step: string): Pick<RollbackPreview, "refused" | "error"> => {
    const answer = refusedRewind(record, why, { to: step, reason: "", by: "" }, shapeOf(steps ?? []));
    return answer.accepted ? {} : { refused: answer.why as WhyRefused, error: answer.error };
  };
  if (workflow === recallName) return { ...at, ...refusedBy("recall"), steps: [] };
  const steps = await stepsOf(record, host, registry);
  if (steps === undefined) {
    throw new StepwellError(
      "STEPWELL_UNKNOWN_WORKFLOW",
      `previewRollback: the steps of workflow "${workflow}" version "${version}" are not known in this store, nor here. Give this ` +
        `client the workflow, or start a launcher that has it.`,
      { workflow, execution: id },
    );
  }
  const told = new Told(store, host, registry);
  const {
    steps: going,
    refused,
    held,
    hasChildren,
  } = await told.preview(record, steps, to === undefined ? "rollback" : { to });
  const below = root === null && hasChildren ? await store.count({ root: id }, countedTo) : null;
  return {
    ...at,
    ...(refused !== undefined &&
      (to === undefined ? refusedBy(refused as WhyRefused) : rewindRefusedBy(refused as RefusedRewind, to))),
    ...(to !== undefined && { upAgain: { step: to, round: (position.round ?? 0) + 1 } }),
    ...(held !== undefined && { held }),
    steps: going,
    ...(below !== null && { below: { count: Math.min(below, countedTo), more: below > countedTo } }),
  };
}

type Stepped = Omit<ExecutionPreview, "steps"> & {
  readonly steps: readonly PreviewedStep[];
  readonly hasChildren: boolean;
};

/** An execution and those below it, as far as they are told. */
class Told {
  readonly #store: Store;
  readonly #host: Pick<ClientHost, "storeNow" | "stepLists">;
  readonly #registry: ReadonlyMap<string, Registered>;
  #left = mostTold;

  constructor(
    store: Store,
    host: Pick<ClientHost, "storeNow" | "stepLists">,
    registry: ReadonlyMap<string, Registered>,
  ) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
  }

  async preview(record: ExecutionRecord, steps: readonly StepOutline[], asking: Asking): Promise<Stepped> {
    const isParent = steps.some(({ children }) => children !== undefined);
    const found = isParent ? await childGroupsOf(this.#store, record.id) : [];
    const groups = new Map(found.map((group) => [group.step, group]));
    const names = new Set(groups.keys());
    const { steps: going, ...rest } = previewOf(record, steps, names, this.#host.storeNow(), asking);
    const shown: PreviewedStep[] = [];
    for (const step of going)
      shown.push(await this.#withChildren(record.id, step, groups.get(keyNameOf(step.step, record.position.keys))));
    return { ...rest, steps: shown, hasChildren: groups.size > 0 };
  }

  async #withChildren(parent: string, step: StepPreview, group: ChildGroup | undefined): Promise<PreviewedStep> {
    if (group === undefined || step.what === "never-ran") return step;
    const { step: name, number, ...counts } = group;
    const first = await childLinesOf(this.#store, parent, name, { number });
    // Over an irreversible step only those go back that are under way.
    const goesBack = ({ status }: ChildLine): boolean =>
      status === "underWay" || status === "stuck" || (status === "completed" && step.what !== "irreversible");
    const previews = await this.#children(first.filter(goesBack).toReversed());
    return { ...step, children: { ...counts, first, ...(previews.length > 0 && { previews }) } };
  }

  async #children(lines: readonly ChildLine[]): Promise<ChildPreview[]> {
    const told = lines.slice(0, this.#left);
    this.#left -= told.length;
    const previews: ChildPreview[] = [];
    for (const child of told.length === 0 ? [] : await this.#store.load(told.map(({ id }) => id))) {
      const steps = child === undefined ? undefined : await stepsOf(child, this.#host, this.#registry);
      if (child === undefined || steps === undefined) continue;
      const { steps: going, refused } = await this.preview(child, steps, "parents");
      previews.push({
        execution: child.id,
        ...(refused !== undefined && { refused: refused as WhyRefused }),
        steps: going,
      });
    }
    return previews;
  }
}

/** Undefined: nobody has kept them. */
async function stepsOf(
  { workflow, version, fingerprint }: ExecutionRecord,
  host: Pick<ClientHost, "stepLists">,
  registry: ReadonlyMap<string, Registered>,
): Promise<readonly StepOutline[] | undefined> {
  const kept = fingerprint === null ? undefined : await host.stepLists.find(workflow, version, fingerprint);
  return kept ?? registry.get(registryKey(workflow, version))?.stepList.outline;
}
