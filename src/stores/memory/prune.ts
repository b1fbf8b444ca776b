/** Forgets executions that have been at rest for long enough. */
import type { Store, TopicStore } from "../contract.js";
import { prune } from "../held.js";
import type { MemoryData } from "./shared.js";
import type { Row } from "./rows.js";

export function pruning(data: MemoryData): Pick<Store, "prune"> & { readonly topics: TopicStore } {
  const { rows, topics } = data;
  const remove = (row: Row): void => {
    topics.unsubscribe(row, "all");
    data.lists.forget(row.record.id);
    rows.delete(row.record.id);
  };
  const below = (row: Row): Row[] | undefined => {
    if (data.lists.of(row.record.id).length === 0) return [];
    const tree = [...rows.values()].filter(({ record }) => record.root === row.record.id);
    return [row, ...tree].some(({ record }) => data.lists.areWanting(record.id)) ? undefined : tree;
  };
  return {
    prune: (options) => prune(rows.values(), options, data.now(), remove, below),
    topics: { prune: (forMs, limit) => topics.prune(data.now() - forMs, limit) },
  };
}
