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
  /** What is below each root is looked for once in a call, where there is any. */
  const trees = (): ((row: Row) => readonly Row[] | undefined) => {
    let byRoot: ReadonlyMap<string, readonly Row[]> | undefined;
    return (row) => {
      if (data.lists.of(row.record.id).length === 0) return [];
      byRoot ??= rowsByRoot(rows.values());
      const tree = byRoot.get(row.record.id) ?? [];
      return [row, ...tree].some(({ record }) => data.lists.areWanting(record.id)) ? undefined : tree;
    };
  };
  return {
    prune: (options) => prune(rows.values(), options, data.now(), remove, trees()),
    topics: { prune: (forMs, limit) => topics.prune(data.now() - forMs, limit) },
  };
}

function rowsByRoot(rows: Iterable<Row>): ReadonlyMap<string, readonly Row[]> {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const { root } = row.record;
    if (root === null) continue;
    const below = found.get(root);
    if (below === undefined) found.set(root, [row]);
    else below.push(row);
  }
  return found;
}
