/** The workflow of a recall, which every launcher brings: it works in slices until all that it asked are at rest. */
import type { AnyWorkflow } from "../definition/bag.js";
import { pause, type Pause } from "../definition/outcome.js";
import { ownSchema } from "../definition/schema.js";
import { workflow } from "../definition/workflow.js";
import { acted, newRecall, recallName, type RecallPlan, type RecallState } from "../execution/recall.js";
import type { Registered } from "../session/registry.js";
import { named } from "../session/damaged-rows.js";
import { notFound } from "../session/not-found.js";
import type { ClientHost } from "../session/client-host.js";
import type { Store } from "../stores/contract.js";
import { recallSlice, type RecallParts } from "./recall-slice.js";
import { RollbackRequests } from "./rollback.js";

export interface RecallInput {
  readonly plan: RecallPlan;
  /** The ids stay in the input, and are no part of the state. */
  readonly ids?: readonly string[];
}

/** Who acts on a recall, and why. */
export interface RecallMessage {
  readonly by: string;
  readonly reason?: string;
}

/** What a launcher gives the recalls that it drives. It has it once it is made itself. */
export class RecallEngine {
  readonly workflow: AnyWorkflow = recallWorkflow(() => this.#parts!);
  #parts: RecallParts | undefined;

  bind(store: Store, host: ClientHost, registry: ReadonlyMap<string, Registered>): void {
    const rollbacks = new RollbackRequests(store, host, registry);
    this.#parts = { store, host, rollbacks, idsOf: remembered((recall) => idsIn(store, recall)) };
  }
}

async function idsIn(store: Store, recall: string): Promise<readonly string[]> {
  const [record] = await store.load([recall]);
  if (record === undefined) throw notFound(recall);
  return (named(record, "input", () => record.input.value) as RecallInput).ids ?? [];
}

/** So many recalls keep the ids that they were given in memory. */
const mostRemembered = 4;

/** Each slice wants them, and they may be many. */
function remembered(read: RecallParts["idsOf"]): RecallParts["idsOf"] {
  const known = new Map<string, readonly string[]>();
  return async (recall) => {
    const ids = known.get(recall) ?? (await read(recall));
    known.delete(recall);
    known.set(recall, ids);
    if (known.size > mostRemembered) known.delete([...known.keys()][0]!);
    return ids;
  };
}

/** @param parts of the launcher that drives it; never asked for where it is only launched */
export function recallWorkflow(parts: () => RecallParts): AnyWorkflow {
  return workflow(recallName, { input })
    .step("begin", {
      // Nothing turns it after that.
      pivot: true,
      irreversible: "what a recall has asked for stays asked for",
      run: () => undefined,
    })
    .step("undo", {
      messages: { pause: act, resume: act, stop: act },
      run: () => goOn({}, 0),
      onMessage: ({ state, message }) => {
        const by = { at: parts().host.storeNow(), ...message.payload };
        return goOn(changesIn(state, acted(state, message.name, by)), 0);
      },
      onTimeout: async ({ state, execution, signal }) => {
        const { state: after, inMs } = await recallSlice(state, execution.id, parts(), signal);
        const patch = changesIn(state, after);
        return inMs === undefined ? patch : goOn(patch, inMs);
      },
      irreversible: "what a recall has undone stays undone",
    });
}

function goOn(patch: Partial<RecallState>, timeout: number | null): Pause<Partial<RecallState>> {
  return pause(patch, { timeout });
}

function changesIn(before: RecallState, after: RecallState): Partial<RecallState> {
  const fields = Object.entries(after).filter(([name, value]) => before[name as keyof RecallState] !== value);
  return Object.fromEntries(fields);
}

const input = ownSchema(({ plan }: RecallInput) => newRecall(plan));

const act = ownSchema((message: RecallMessage) => message);
