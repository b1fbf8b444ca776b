/** Previews: what a rollback would do, from committed rows alone. Nothing is stored, and no code of a workflow is called. */
import { previewOf, type StepPreview } from "../execution/preview.js";
import { keyNameOf } from "../execution/position.js";
import type { ExecutionRecord } from "../execution/records.js";
import { recallName } from "../execution/recall.js";
import { StepwellError } from "../errors.js";
import type { ClientHost } from "../session/client-host.js";
import { type Registered, registryKey } from "../session/registry.js";
import type { Store } from "../stores/contract.js";
import { refusedAnswer, type WhyRefused } from "./rollback.js";
import { childGroupsOf, childLinesOf, type ChildGroup, type ChildLine } from "./children.js";

/** The children of a step, as they stand. */
export interface PreviewedChildren extends Omit<ChildGroup, "step" | "number"> {
  /** The first 100. */
  readonly first: readonly ChildLine[];
}

export interface PreviewedStep extends StepPreview {
  /** Of a step of children: those that it has begun. Which of them go back, `what` says: of an irreversible step those under way. */
  readonly children?: PreviewedChildren;
}

export interface RollbackPreview {
  readonly execution: string;
  /** What was looked at: give it as `ifRevision`, and what is done is what was shown, or the request is refused. */
  readonly revision: number;
  /** Why a rollback would be refused, as `rollback` answers. Left out: it would be accepted. */
  readonly refused?: WhyRefused;
  /** The same, with a code, and what to do instead. */
  readonly error?: StepwellError;
  /** Its pivot runs: a request is held until it has ended, and refused where it has succeeded. */
  readonly held?: true;
  /** In the order in which it goes back. Refused, it is empty, save of one that goes back already: what is still to come. */
  readonly steps: readonly PreviewedStep[];
  /** Of the root of a tree: how many executions are below it, theirs included; at most 10,000 are counted. Left out: none is, or it is no root. */
  readonly below?: { readonly count: number; readonly more: boolean };
}

const countedTo = 10_000;

/** @param registry the workflows that are known in this process */
export async function rollbackPreview(
  record: ExecutionRecord,
  store: Store,
  host: Pick<ClientHost, "storeNow" | "listOf">,
  registry: ReadonlyMap<string, Registered>,
): Promise<RollbackPreview> {
  const { id, workflow, version, fingerprint, revision, position, root } = record;
  const at = { execution: id, revision };
  const registered = registry.get(registryKey(workflow, version));
  const refusedBy = (why: WhyRefused): Pick<RollbackPreview, "refused" | "error"> => {
    const { error } = refusedAnswer(record, why, registered);
    return { refused: why, error };
  };
  if (workflow === recallName) return { ...at, ...refusedBy("recall"), steps: [] };
  const kept = fingerprint === null ? undefined : await host.listOf(workflow, version, fingerprint);
  const steps = kept ?? registered?.stepList.outline;
  if (steps === undefined) {
    throw new StepwellError(
      "STEPWELL_UNKNOWN_WORKFLOW",
      `previewRollback: the steps of workflow "${workflow}" version "${version}" are not known in this store, nor here. Give this ` +
        `client the workflow, or start a launcher that has it.`,
      { workflow, execution: id },
    );
  }
  const groups = new Map((await childGroupsOf(store, id)).map((group) => [group.step, group]));
  const { steps: going, refused, held } = previewOf(record, steps, new Set(groups.keys()), host.storeNow());
  const below = root === null && groups.size > 0 ? await store.count({ root: id }, countedTo) : null;
  return {
    ...at,
    ...(refused !== undefined && refusedBy(refused)),
    ...(held !== undefined && { held }),
    steps: await Promise.all(going.map((step) => withChildren(step, groups.get(keyNameOf(step.step, position.keys))))),
    ...(below !== null && { below: { count: Math.min(below, countedTo), more: below > countedTo } }),
  };

  async function withChildren(step: StepPreview, group: ChildGroup | undefined): Promise<PreviewedStep> {
    if (group === undefined || step.what === "never-ran") return step;
    const { step: name, number, ...counts } = group;
    return { ...step, children: { ...counts, first: await childLinesOf(store, id, name, { number }) } };
  }
}
