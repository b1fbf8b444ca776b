/**
 * Lets executions of limited workflows through their gates, before a launcher claims what is due. Several launchers
 * do so at the same time: a gate's revision says whether another one was faster; then it is read again.
 */
import type { Store } from "../stores/store.js";
import { admissible, limitsOf, queryOf, type Limits } from "./admission.js";
import type { Registered } from "./host.js";

interface Gate {
  readonly name: string;
  /** Those that this launcher knows: what it could not work on it does not let through. */
  readonly versions: string[];
  readonly limits: Limits;
}

/** How often a gate is read again in one round; more of it waits for the next round. */
const mostReads = 8;

export class Gatekeeper {
  readonly #store: Store;
  readonly #gates: readonly Gate[];
  /** Which gate is first in the next round, so that none takes all the room. */
  #first = 0;

  constructor(store: Store, registry: ReadonlyMap<string, Registered>) {
    this.#store = store;
    this.#gates = gatesOf(registry);
  }

  get isNeeded(): boolean {
    return this.#gates.length > 0;
  }

  /**
   * Admits as many as there is room for here. What is admitted is due at once, for any launcher.
   *
   * @returns how long until more may be admitted; 0: there is more now. Null: only a place that is given back, or a launch, changes anything.
   */
  async admit(room: number): Promise<number | null> {
    const gates = [...this.#gates.slice(this.#first), ...this.#gates.slice(0, this.#first)];
    this.#first = (this.#first + 1) % this.#gates.length;
    let left = room;
    let soonest = Infinity;
    for (const gate of gates) {
      if (left <= 0) return 0;
      const { admitted, againInMs } = await this.#admitTo(gate, left);
      left -= admitted;
      if (againInMs !== null) soonest = Math.min(soonest, againInMs);
    }
    return soonest === Infinity ? null : soonest;
  }

  async #admitTo(gate: Gate, room: number): Promise<{ readonly admitted: number; readonly againInMs: number | null }> {
    const { name, versions, limits } = gate;
    let total = 0;
    for (let reads = 0; reads < mostReads; reads++) {
      const left = room - total;
      const query = queryOf(name, versions, limits, left);
      const state = await this.#store.gate(query);
      const chosen = admissible(state, limits, left);
      if (chosen.length === 0) return { admitted: total, againInMs: sooner(state.readyInMs, state.rateInMs) };
      const admission = { gate: name, revision: state.revision, ids: chosen.map(({ id }) => id) };
      const count = await this.#store.admit({ ...admission, perMs: limits.rate?.perMs ?? null });
      total += count ?? 0;
      if (total >= room) break;
    }
    return { admitted: total, againInMs: 0 };
  }
}

/** All versions of a workflow share one gate. */
function gatesOf(registry: ReadonlyMap<string, Registered>): readonly Gate[] {
  const gates = new Map<string, Gate>();
  for (const { definition } of registry.values()) {
    const { name, version, limits } = definition;
    if (limits === undefined) continue;
    const known = gates.get(name);
    if (known !== undefined) known.versions.push(version);
    else gates.set(name, { name, versions: [version], limits: limitsOf(limits) });
  }
  return [...gates.values()];
}

function sooner(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}
