/** The launchers that live on a memory store. */
import type { Store } from "../contract.js";
import type { Death, Fate, LauncherRecord } from "../records.js";
import type { MemoryData } from "./shared.js";

interface Launcher {
  readonly host: string;
  readonly pid: number;
  beatAt: number;
}

export class Launchers {
  readonly #all = new Map<number, Launcher>();
  /** Who was removed without having left, and not heard of again. */
  readonly #removed = new Map<number, { readonly fate: Death["fate"]; readonly at: number }>();
  #last = 0;

  has(owner: number): boolean {
    return this.#all.has(owner);
  }

  register(
    { host, pid }: { readonly host: string; readonly pid: number },
    formerly: number | undefined,
    at: number,
  ): number {
    if (formerly !== undefined) this.#removed.delete(formerly);
    this.#all.set(++this.#last, { host, pid, beatAt: at });
    return this.#last;
  }

  beat(owner: number, at: number): { readonly alive: boolean; readonly others: readonly LauncherRecord[] } {
    const own = this.#all.get(owner);
    if (own !== undefined) own.beatAt = at;
    const others: LauncherRecord[] = [];
    for (const [number, { host, pid, beatAt }] of this.#all) {
      if (number !== owner) others.push({ owner: number, host, pid, silentMs: Math.max(0, at - beatAt) });
    }
    return { alive: own !== undefined, others };
  }

  /** Whose removal counts against what they owned. */
  remove(owners: Iterable<number>, fate: Fate | undefined, at: number): ReadonlySet<number> {
    const counted = new Set<number>();
    for (const owner of owners) {
      const wasThere = this.#all.delete(owner);
      if (fate === "left") this.#removed.delete(owner);
      else if (wasThere && fate !== undefined) {
        this.#removed.set(owner, { fate, at });
        counted.add(owner);
      }
    }
    return counted;
  }

  deaths(owners: readonly number[], at: number): Death[] {
    return owners.flatMap((owner) => {
      const removal = this.#removed.get(owner);
      return removal === undefined ? [] : { fate: removal.fate, sinceMs: Math.max(0, at - removal.at) };
    });
  }
}

export function launchers(data: MemoryData): Pick<Store, "register" | "beat" | "removeLaunchers" | "begin" | "deaths"> {
  const { rows, dueQueue } = data;
  return {
    register: (launcher, formerly) => data.launchers.register(launcher, formerly, data.now()),
    beat(owner, overdueForMs) {
      const at = data.now();
      const { alive, others } = data.launchers.beat(owner, at);
      if (overdueForMs === undefined) return { alive, others };
      const before = at - overdueForMs;
      const executions = dueQueue
        .overdue(before)
        .map(({ record: { workflow: name, version } }) => ({ what: "executions" as const, name, version }));
      const overdue = [...executions, ...data.schedules.overdue(before)];
      return { alive, others, waiting: { overdue, gates: data.gates.waitedAt() } };
    },
    removeLaunchers(owners, fate) {
      const at = data.now();
      const gone = new Set(owners);
      const counted = data.launchers.remove(gone, fate, at);
      let freed = 0;
      for (const row of rows.values()) {
        const { owner, revision } = row.record;
        if (owner === null || !gone.has(owner)) continue;
        if (counted.has(owner)) {
          if (row.deaths?.revision !== revision) row.deaths = { revision, owners: [owner] };
          else if (row.begun === owner) row.deaths = { revision, owners: [...row.deaths.owners, owner] };
        }
        dueQueue.free(row, at);
        freed++;
      }
      if (freed > 0) data.hints.tell([{ type: "due", inMs: 0 }]);
      return freed;
    },
    begin(id, owner) {
      data.mustBeOpen();
      const row = rows.get(id);
      if (row === undefined || row.record.owner !== owner) return false;
      row.begun = owner;
      return true;
    },
    deaths(id) {
      const at = data.now();
      const row = rows.get(id);
      if (row?.deaths === undefined || row.deaths.revision !== row.record.revision) return [];
      return data.launchers.deaths(row.deaths.owners, at);
    },
  };
}
