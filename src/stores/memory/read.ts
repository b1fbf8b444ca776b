import type { Store } from "../contract.js";
import { countOf, listPage } from "../held.js";
import type { MemoryData } from "./shared.js";
import { historyOf, recordOf } from "./rows.js";

/** Nothing is saved by copying less. */
export function reading(data: MemoryData): Pick<Store, "load" | "list" | "count" | "history"> {
  const { rows } = data;
  return {
    load(ids) {
      data.mustBeOpen();
      return ids.map((id) => {
        const row = rows.get(id);
        return row === undefined ? undefined : recordOf(row);
      });
    },
    list(filter) {
      data.mustBeOpen();
      return listPage(rows.values(), filter);
    },
    count(conditions, upTo) {
      data.mustBeOpen();
      return countOf(rows.values(), conditions, upTo);
    },
    history(id, range) {
      data.mustBeOpen();
      const row = rows.get(id);
      return row === undefined ? [] : historyOf(row, range);
    },
  };
}
