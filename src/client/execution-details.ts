/** Where an execution stands, in full: for those who show it to people. Without what it holds, which may be large. */
import type { UndoRequest } from "../definition/contexts.js";
import type { StepOutline } from "../definition/outline.js";
import type { TurnRequest, Irreversible } from "../execution/position.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { ClientHost } from "../session/client-host.js";
import { type Registered, registryKey } from "../session/registry.js";
import type { Store } from "../stores/contract.js";
import { childGroupsOf, type ChildGroup } from "./children.js";
import { summaryOf, type ExecutionSummary } from "./execution-summary.js";

export interface ExecutionDetails extends ExecutionSummary {
  /** When the deadline of its workflow passes. Left out: it has none. */
  readonly deadlineAt?: Date;
  /** On the way down: the steps at or before the one where it turned that can't be undone. */
  readonly irreversible: readonly Irreversible[];
  /** The request for which it goes back, or has gone back, without its details. Left out: it does not, or nobody asked for it. */
  readonly request?: Omit<UndoRequest, "details">;
  /** The steps that were passed over on the way up, by index. */
  readonly passedOver: readonly number[];
  /**
   * Its steps, in order, in the version that it goes on with. Left out: no launcher that knows them has used this store yet, and no
   * workflow of that version was given here.
   */
  readonly steps?: readonly StepOutline[];
  /** The children of each step that has begun any. */
  readonly children: readonly ChildGroup[];
}

/** @param registry the workflows that are known in this process */
export async function detailsOf(
  record: ExecutionRecord,
  store: Pick<Store, "lists">,
  host: Pick<ClientHost, "storeNow" | "stepLists">,
  registry: ReadonlyMap<string, Registered>,
): Promise<ExecutionDetails> {
  const { id, workflow, version, fingerprint, position, deadlineAt } = record;
  const kept = fingerprint === null ? undefined : await host.stepLists.find(workflow, version, fingerprint);
  const steps = kept ?? registry.get(registryKey(workflow, version))?.stepList.outline;
  return {
    ...summaryOf(record, host.storeNow()),
    ...(deadlineAt !== null && { deadlineAt: new Date(deadlineAt) }),
    irreversible: position.irreversible ?? [],
    ...(position.request !== undefined && { request: withoutDetails(position.request) }),
    passedOver: position.passed ?? [],
    ...(steps !== undefined && { steps }),
    children: await childGroupsOf(store, id),
  };
}

function withoutDetails({ reason, by, to }: TurnRequest): Omit<UndoRequest, "details"> {
  return { reason, ...(by !== undefined && { by }), ...(to !== undefined && { to }) };
}
