/** Who waits for a place and who has one, in memory. */
import type { Queueing } from "../batch.js";
import type { LimitStore } from "../contract.js";
import type { Admission, GateQuery, GateState } from "../records.js";
import type { MemoryData } from "./shared.js";

interface Waiting {
  readonly id: string;
  readonly version: string;
  readonly queueing: Queueing;
  readonly readyAt: number;
  /** Lower goes first, and at the same rank the lower sequence. */
  readonly rank: number;
  readonly sequence: number;
}

interface Start {
  readonly rateKey: string | null;
  readonly at: number;
}

class Gate {
  revision = 0;
  /** In the order of their turn. */
  readonly waiting: Waiting[] = [];
  /** The key of each execution that has a place. */
  readonly places = new Map<string, string | null>();
  starts: Start[] = [];
}

export class Gates {
  readonly #gates = new Map<string, Gate>();
  /** Of each execution that waits or has a place. */
  readonly #gateOf = new Map<string, Gate>();

  queue(id: string, version: string, sequence: number, queueing: Queueing, readyAt: number): void {
    const gate = this.#gate(queueing.gate);
    const one = { id, version, queueing, readyAt, rank: readyAt - queueing.leadMs, sequence };
    gate.waiting.splice(placeOf(gate.waiting, one), 0, one);
    this.#gateOf.set(id, gate);
  }

  waitedAt(): readonly string[] {
    return [...this.#gates].flatMap(([name, { waiting }]) => (waiting.length > 0 ? name : []));
  }

  leave(id: string): void {
    const gate = this.#gateOf.get(id);
    if (gate === undefined) return;
    this.#gateOf.delete(id);
    gate.places.delete(id);
    const index = gate.waiting.findIndex((it) => it.id === id);
    if (index >= 0) gate.waiting.splice(index, 1);
  }

  read(query: GateQuery, at: number, isFree: (id: string) => boolean): GateState {
    const gate = this.#gate(query.gate);
    const { keyLimit, rate } = query;
    const held = countsOf([...gate.places.values()].filter((key) => key !== null));
    const recent = rate === null ? [] : gate.starts.filter((start) => start.at > at - rate.perMs);
    const started = countsOf(recent.map(({ rateKey }) => rateKey));
    const isFull = (key: string | null): boolean => rate !== null && (started.get(key) ?? 0) >= rate.limit;
    const candidates: GateState["candidates"][number][] = [];
    let readyAt = Infinity;
    for (const { id, version, queueing, readyAt: from } of gate.waiting) {
      const { key, rateKey } = queueing;
      if (from > at) readyAt = Math.min(readyAt, from);
      if (from > at || !query.versions.includes(version)) continue;
      if (candidates.length >= query.limit || !isFree(id) || isFull(rateKey)) continue;
      const heldByKey = key === null ? 0 : (held.get(key) ?? 0);
      if (key !== null && keyLimit !== null && heldByKey >= keyLimit) continue;
      candidates.push({ id, key, rateKey, heldByKey, startedByKey: started.get(rateKey) ?? 0 });
    }
    const oldest = Math.min(...recent.filter(({ rateKey }) => isFull(rateKey)).map((start) => start.at));
    return {
      revision: gate.revision,
      held: gate.places.size,
      candidates,
      readyInMs: readyAt === Infinity ? null : readyAt - at,
      rateInMs: oldest === Infinity || rate === null ? null : Math.max(0, oldest + rate.perMs - at),
    };
  }

  /** @param take makes it due, if it is nobody's; false: it is somebody's */
  admit({ gate: name, revision, ids, perMs }: Admission, at: number, take: (id: string) => boolean): number | null {
    const gate = this.#gate(name);
    if (gate.revision !== revision) return null;
    gate.revision++;
    let count = 0;
    for (const id of ids) {
      const index = gate.waiting.findIndex((it) => it.id === id);
      if (index < 0 || !take(id)) continue;
      const { key, rateKey } = gate.waiting.splice(index, 1)[0]!.queueing;
      gate.places.set(id, key);
      if (perMs !== null) gate.starts.push({ rateKey, at });
      count++;
    }
    if (perMs !== null) gate.starts = gate.starts.filter((start) => start.at > at - perMs);
    return count;
  }

  #gate(name: string): Gate {
    let gate = this.#gates.get(name);
    if (gate === undefined) this.#gates.set(name, (gate = new Gate()));
    return gate;
  }
}

export function limits(data: MemoryData): LimitStore {
  const { rows, gates, dueQueue } = data;
  return {
    read: (query) => gates.read(query, data.now(), (id) => rows.get(id)?.record.owner === null),
    admit(admission) {
      const at = data.now();
      const count = gates.admit(admission, at, (id) => {
        const row = rows.get(id);
        if (row === undefined || row.record.owner !== null) return false;
        row.record.admission = "admitted";
        dueQueue.setDue(row, at);
        return true;
      });
      if (count !== null && count > 0) data.hints.tell([{ type: "due", inMs: 0 }]);
      return count;
    },
  };
}

/** Where it belongs in the queue. */
function placeOf(waiting: readonly Waiting[], one: Waiting): number {
  let low = 0;
  let high = waiting.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = waiting[middle]!;
    if (other.rank < one.rank || (other.rank === one.rank && other.sequence < one.sequence)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function countsOf<Key>(keys: readonly Key[]): Map<Key, number> {
  const counts = new Map<Key, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
