import type { ScheduleRecord } from "../records.js";
import type { ClaimOptions, DueSchedules, Overdue, ScheduleChange, ScheduleStore, Store } from "../contract.js";
import type { MemoryData } from "./shared.js";

export class Schedules {
  readonly #rows = new Map<string, ScheduleRecord>();

  list(name?: string): ScheduleRecord[] {
    const rows = [...this.#rows.values()].filter((row) => name === undefined || row.name === name);
    return rows.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  }

  due({ workflows, limit }: Omit<ClaimOptions, "owner">, at: number): DueSchedules {
    const rows = this.list()
      .filter((row) => row.nextAt !== null)
      .filter((row) => workflows.some(({ name, version }) => name === row.workflow && version === row.version))
      .toSorted((one, other) => one.nextAt! - other.nextAt!);
    const due = rows.filter(({ nextAt }) => nextAt! <= at);
    const next = rows[Math.min(due.length, limit)];
    return {
      records: due.slice(0, limit),
      at,
      nextDueInMs: next === undefined ? null : Math.max(0, next.nextAt! - at),
    };
  }

  /** Of each workflow and version once. */
  overdue(before: number): readonly Overdue[] {
    const found = new Map<string, Overdue>();
    for (const { workflow: name, version, nextAt } of this.#rows.values()) {
      if (nextAt !== null && nextAt < before) found.set(`${name}\n${version}`, { what: "schedules", name, version });
    }
    return [...found.values()];
  }

  /** Undefined: it is not as expected. False: this very change has been made before. */
  change({ name, expected, schedule }: ScheduleChange): boolean | undefined {
    const row = this.#rows.get(name);
    if ((row?.revision ?? null) !== expected)
      return row !== undefined && row.revision === schedule?.revision ? false : undefined;
    if (schedule === null) this.#rows.delete(name);
    else this.#rows.set(name, schedule);
    return true;
  }
}

export function schedules(data: MemoryData, write: Store["write"]): ScheduleStore {
  return {
    find(name) {
      data.mustBeOpen();
      return data.schedules.list(name);
    },
    due: (options) => data.schedules.due(options, data.now()),
    change(change) {
      data.mustBeOpen();
      const changed = data.schedules.change(change);
      if (changed === true && change.creates.length > 0) {
        void write({ creates: change.creates, transitions: [], releases: [], arrivals: [] });
      }
      return changed !== undefined;
    },
  };
}
