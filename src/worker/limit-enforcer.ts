/**
 * Lets executions of limited workflows through their gates, before a launcher claims what is due. Several launchers
 * do so at the same time: a gate's revision says whether another one was faster; then it is read again.
 */
import type { ClaimOptions, Overdue, Store } from "../stores/contract.js";
import { admissible, limitsOf, queryOf, type Limits } from "./admission.js";
import type { MigrationPath } from "../runtime/upgrade.js";

interface Gate {
  readonly name: string;
  /** Those that this launcher knows: what it could not work on it does not let through. */
  readonly versions: string[];
  readonly limits: Limits;
}

const noLimits: Limits = { concurrency: null, perKey: null, rate: null };

/** How often a gate is read again in one round; more of it waits for the next round. */
const mostReads = 8;

export class LimitEnforcer {
  readonly #store: Store;
  #gates: readonly Gate[];
  readonly #limited: readonly Gate[];
  /** Of workflows without limits: only who was launched under limits that they had before waits there. */
  readonly #unlimited: readonly Gate[];
  /** Of each gate who could have been admitted at the last look, by launchers that know its version. */
  #suspects = new Map<string, string>();
  /** Which gate is first in the next round, so that none takes all the room. */
  #first = 0;

  constructor(store: Store, ways: ReadonlyMap<string, MigrationPath>) {
    this.#store = store;
    const gates = gatesOf(ways);
    this.#limited = gates.filter(({ limits }) => limits !== noLimits);
    this.#unlimited = gates.filter(({ limits }) => limits === noLimits);
    this.#gates = this.#limited;
  }

  /** Asked now and then, so that workflows that never had limits cost nothing more. True: more is to be let through. */
  async lookForForgotten(): Promise<boolean> {
    if (this.#unlimited.length === 0) return false;
    const waitedAt = new Set(await this.#store.gates());
    const forgotten = this.#unlimited.filter(({ name }) => waitedAt.has(name));
    this.#gates = [...this.#limited, ...forgotten];
    return forgotten.length > 0;
  }

  get isNeeded(): boolean {
    return this.#gates.length > 0;
  }

  /**
   * Of which versions, unknown here, somebody could have been admitted already when this was asked last, and nobody
   * did: no launcher knows them. To be asked at intervals in which one would have.
   */
  async abandoned(): Promise<readonly Pick<Overdue, "name" | "version">[]> {
    const suspects = new Map<string, string>();
    const found: Pick<Overdue, "name" | "version">[] = [];
    for (const { name, versions, limits } of this.#limited) {
      const stored = await this.#store.definitions(name);
      const unknown = [...new Set(stored.map(({ version }) => version))].filter((it) => !versions.includes(it));
      if (unknown.length === 0) continue;
      const [first] = admissible(await this.#store.gate(queryOf(name, unknown, limits, 1)), limits, 1);
      if (first === undefined) continue;
      suspects.set(name, first.id);
      if (this.#suspects.get(name) !== first.id) continue;
      const [record] = await this.#store.load([first.id]);
      if (record?.admission === "queued") found.push({ name, version: record.version });
    }
    this.#suspects = suspects;
    return found;
  }

  /**
   * Admits as many as there is room for here. What is admitted is due at once, for any launcher.
   *
   * @param turns given where more is due than there is room for: the workflows in the order of their turns. Then only those
   * are admitted whose turn it is, since others would have to wait with a place, and who goes first would be settled too soon.
   * @returns how long until more may be admitted; 0: there is more now. Null: only a place that is given back, or a launch, changes anything.
   */
  async admit(room: number, turns?: ClaimOptions["workflows"]): Promise<number | null> {
    const gates = [...this.#gates.slice(this.#first), ...this.#gates.slice(0, this.#first)];
    this.#first = (this.#first + 1) % gates.length;
    let left = room;
    let soonest = Infinity;
    for (const gate of gates) {
      const share = Math.min(left, shareOf(gate, room, turns));
      if (share <= 0) {
        soonest = 0;
        continue;
      }
      const { admitted, againInMs } = await this.#admitTo(gate, share);
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

/** How many of a gate will be taken up of so many as there is room for. */
function shareOf({ name }: Gate, room: number, turns: ClaimOptions["workflows"] | undefined): number {
  if (turns === undefined) return room;
  const rounds = Math.floor(room / turns.length);
  return turns.reduce(
    (sum, it, index) => (it.name === name ? sum + rounds + Number(index < room % turns.length) : sum),
    0,
  );
}

/** All versions of a workflow share one gate. */
function gatesOf(ways: ReadonlyMap<string, MigrationPath>): readonly Gate[] {
  const gates = new Map<string, Gate>();
  for (const { name, version, registered } of ways.values()) {
    const { limits } = registered.definition;
    const known = gates.get(name);
    if (known !== undefined) known.versions.push(version);
    else gates.set(name, { name, versions: [version], limits: limits === undefined ? noLimits : limitsOf(limits) });
  }
  return [...gates.values()];
}

function sooner(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}
