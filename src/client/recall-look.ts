/** How those stand that a recall has asked. */
import { isStruggling } from "../execution/position.js";
import type { ArrivalStatus } from "../execution/records.js";
import { isUndecodable } from "../session/damaged-rows.js";
import type { ListedExecution, Store } from "../stores/contract.js";

/** `completed`: its request was not followed yet, or was refused. */
type Is = "notFound" | "damaged" | "rolledBack" | "stuck" | "completed" | "struggling" | "goes";

const atRest: ReadonlySet<Is> = new Set(["rolledBack", "stuck", "completed"]);

export interface Found {
  readonly id: string;
  readonly is: Is;
  /** Undefined: that was not asked. */
  readonly request: ArrivalStatus | undefined;
}

function standingOf(record: ListedExecution | undefined): Is {
  if (record === undefined) return "notFound";
  try {
    const { status, position } = record;
    if (status === "rolledBack" || status === "stuck" || status === "completed") return status;
    return isStruggling(status, position) ? "struggling" : "goes";
  } catch (error) {
    if (isUndecodable(error)) return "damaged";
    throw error;
  }
}

/**
 * Where each of them stands, and what became of the recall's request to it where that matters.
 *
 * @param key of its requests
 */
export async function foundOf(store: Store, ids: readonly string[], key: string): Promise<readonly Found[]> {
  const standing = (records: readonly (ListedExecution | undefined)[], of: readonly string[]): Map<string, Is> =>
    new Map(of.map((id, index) => [id, standingOf(records[index])]));
  const found = standing(await store.load(ids, "listed"), ids);
  const doubtful = ids.filter((id) => atRest.has(found.get(id)!));
  if (doubtful.length === 0) return ids.map((id) => ({ id, is: found.get(id)!, request: undefined }));
  const requests = await store.mail({ executions: doubtful, messageId: key });
  const statuses = new Map(requests.map(({ execution, status }) => [execution, status]));
  // Once more: what is said of the request must be older than what is said of the execution.
  const again = standing(await store.load(doubtful, "listed"), doubtful);
  return ids.map((id) => ({ id, is: again.get(id) ?? found.get(id)!, request: statuses.get(id) }));
}
