/** Previews: what a rollback would do, from committed rows alone. Nothing is stored, and no code of a workflow is called. */
import { previewOf, type StepPreview } from "../execution/preview.js";
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
}

export interface PreviewedStep extends StepPreview {
  /** Of a step of children: those that it has begun. Which of them go back, `what` says: of an irreversible step those under way. */
  readonly children?: PreviewedChildren;
}

export interface PreviewOptions {
  /** What a rewind to this step would do. Left out: what a rollback would. */
  readonly to?: string;
}

export interface RollbackPreview {
  readonly execution: string;
  /** Of a rewind: the step from which the execution then goes up again, and the round that it does so in. */
  readonly upAgain?: { readonly step: string; readonly round: number };
  /** What was looked at: give it as `ifRevision`, and what is done is what was shown, or the request is refused. */
  readonly revision: number;
  /** Why it would be refused, as `rollback` or `rewind` answers. Left out: it would be accepted. */
  readonly refused?: WhyRefused | Exclude<RefusedRewind, "step-not-found">;
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
  { to }: PreviewOptions = {},
): Promise<RollbackPreview> {
  const { id, workflow, version, fingerprint, revision, position, root } = record;
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
  const { steps: going, refused, held } = previewOf(record, steps, new Set(groups.keys()), host.storeNow(), to);
  const below = root === null && groups.size > 0 ? await store.count({ root: id }, countedTo) : null;
  return {
    ...at,
    ...(refused !== undefined &&
      (to === undefined ? refusedBy(refused as WhyRefused) : rewindRefusedBy(refused as RefusedRewind, to))),
    ...(to !== undefined && { upAgain: { step: to, round: (position.round ?? 0) + 1 } }),
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
