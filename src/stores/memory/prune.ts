/** Forgets executions that have been at rest for long enough. */
import type { Store, TopicStore } from "../contract.js";
import { prune } from "../held.js";
import type { MemoryData } from "./shared.js";
import type { Row } from "./rows.js";

export function pruning(data: MemoryData): Pick<Store, "prune"> & { readonly topics: TopicStore } {
  const { rows, topics } = data;
  const remove = (row: Row): void => {
    topics.unsubscribe(row, "all");
    rows.delete(row.record.id);
  };
  return {
    prune: (options) => prune(rows.values(), options, data.now(), remove),
    topics: { prune: (forMs, limit) => topics.prune(data.now() - forMs, limit) },
  };
}
