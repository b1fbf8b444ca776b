/** For which stuck child an execution waits. */
import type { Client, ExecutionSummary } from "../index.js";

/** So many that are stuck are read, however many there are. */
const mostRead = 1000;

/**
 * What is stuck below each of these that waits, however deep, by the id of the one that waits; of several, what has been stuck for the
 * longest. One read for all: where more are stuck than it gives, some may be missing.
 */
export async function stuckBelow(
  client: Client,
  executions: readonly ExecutionSummary[],
): Promise<ReadonlyMap<string, ExecutionSummary>> {
  const roots = new Map(executions.flatMap((it) => (it.status === "waiting" ? [[it.id, it.root ?? it.id]] : [])));
  const found = new Map<string, ExecutionSummary>();
  if (roots.size === 0) return found;
  const [root] = roots.values();
  const where = roots.size === 1 && root !== undefined ? { root } : { children: true };
  const stuck = await client.list({ ...where, status: "stuck", limit: mostRead });
  for (const child of stuck.executions.toSorted((one, other) => Number(one.updatedAt) - Number(other.updatedAt))) {
    if (child.root === undefined) continue;
    for (const id of idsAbove(child)) if (roots.get(id) === child.root && !found.has(id)) found.set(id, child);
  }
  return found;
}

/** The id of a child begins with its parent's, unless it would be too long. */
function idsAbove({ id, parent, root }: ExecutionSummary): string[] {
  const parts = id.split("/");
  return [parent, root, ...parts.map((_, count) => parts.slice(0, count).join("/"))].filter((it) => it !== undefined);
}
