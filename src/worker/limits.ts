/**
 * The limits of workflows: which waiting executions are admitted. What limits mean is decided by `admissible`, a pure function.
 * Several launchers admit at the same time: the revision of a workflow's queue says whether another one was faster. Then the
 * queue is read again.
 */
import type { LimitsDefinition } from "../definition/limits.js";
import type { MigrationPath } from "../runtime/upgrade.js";
import { needed } from "../session/capabilities.js";
import type { LimitStore, Overdue, Store } from "../stores/contract.js";
import type { WorkflowTurn } from "./fair-order.js";
import type { Candidate, GateQuery, GateState } from "../stores/records.js";

/** The limits of a workflow, as numbers. Null: no limit. */
export interface Limits {
  readonly concurrency: number | null;
  readonly perKey: number | null;
  readonly rate: { readonly limit: number; readonly perMs: number } | null;
}

export function limitsOf({ concurrency, perKey, rate }: LimitsDefinition): Limits {
  return {
    concurrency,
    perKey: perKey?.limit ?? null,
    rate: rate === null ? null : { limit: rate.limit, perMs: rate.per },
  };
}

/** The store is never asked for more waiting executions at once. */
const mostCandidates = 256;

/** @param room how many more executions the launcher could work on */
export function queryOf(workflow: string, versions: readonly string[], limits: Limits, room: number): GateQuery {
  const limit = Math.min(room, limits.concurrency ?? Infinity, mostCandidates);
  return { gate: workflow, versions, limit, keyLimit: limits.perKey, rate: limits.rate };
}

/**
 * The candidates that every limit has a slot for, in their order. A candidate whose key has no slot left is passed over by
 * the candidates behind it.
 */
export function admissible(
  { candidates, held }: Pick<GateState, "candidates" | "held">,
  { concurrency, perKey, rate }: Limits,
  room: number,
): readonly Candidate[] {
  let left = Math.min(room, concurrency === null ? Infinity : concurrency - held);
  const heldByKey = new Map<string, number>();
  const admittedByKey = new Map<string | null, number>();
  const admitted: Candidate[] = [];
  for (const candidate of candidates) {
    if (left <= 0) break;
    const { key, rateKey } = candidate;
    const slots = key === null ? 0 : (heldByKey.get(key) ?? candidate.heldByKey);
    const admissions = admittedByKey.get(rateKey) ?? candidate.startedByKey;
    if (key !== null && perKey !== null && slots >= perKey) continue;
    if (rate !== null && admissions >= rate.limit) continue;
    if (key !== null) heldByKey.set(key, slots + 1);
    admittedByKey.set(rateKey, admissions + 1);
    admitted.push(candidate);
    left--;
  }
  return admitted;
}

interface LimitedWorkflow {
  readonly name: string;
  /** The versions that this launcher can drive: it admits no execution of another version. */
  readonly versions: string[];
  readonly limits: Limits;
}

const noLimits: Limits = { concurrency: null, perKey: null, rate: null };

/** How often the queue of a workflow is read again in one round; what is left of the queue waits for the next round. */
const mostReads = 8;

export class LimitEnforcer {
  readonly #store: Store;
  #admitted: readonly LimitedWorkflow[];
  readonly #limited: readonly LimitedWorkflow[];
  /** Executions of these wait only where they were launched under limits that their workflow does not have any more. */
  readonly #unlimited: readonly LimitedWorkflow[];
  /** By workflow: the execution that some launcher could have admitted when `unadmitted` was asked last. */
  #admissibleBefore = new Map<string, string>();
  /** Which workflow is first in the next round, so that none takes all the room. */
  #first = 0;

  constructor(store: Store, paths: ReadonlyMap<string, MigrationPath>) {
    this.#store = store;
    const workflows = workflowsOf(paths);
    this.#limited = workflows.filter(({ limits }) => limits !== noLimits);
    this.#unlimited = workflows.filter(({ limits }) => limits === noLimits);
    this.#admitted = this.#limited;
  }

  /**
   * Looks for executions that wait for limits which their workflow does not have any more. Workflows that never had limits cost
   * nothing more. True: there are some, and `admit` admits them.
   *
   * @param gates at which executions wait, as a heartbeat says
   */
  lookForRemovedLimits(gates: readonly string[]): boolean {
    const stillQueued = this.#unlimited.filter(({ name }) => gates.includes(name));
    this.#admitted = [...this.#limited, ...stillQueued];
    return stillQueued.length > 0;
  }

  /** An execution that waits for a limit waits in a store that keeps limits. */
  get #limits(): LimitStore {
    return needed(this.#store, "limits", "An execution that waits for a limit");
  }

  get isNeeded(): boolean {
    return this.#admitted.length > 0;
  }

  /**
   * Versions that no launcher knows: an execution of such a version could have been admitted when this was asked last, and still
   * waits. To be asked at intervals in which a launcher that knows the version would have admitted it.
   */
  async unadmitted(): Promise<readonly Pick<Overdue, "name" | "version">[]> {
    const admissibleNow = new Map<string, string>();
    const found: Pick<Overdue, "name" | "version">[] = [];
    for (const { name, versions, limits } of this.#limited) {
      const stored = (await this.#store.definitions?.of(name)) ?? [];
      const unknown = [...new Set(stored.map(({ version }) => version))].filter((it) => !versions.includes(it));
      if (unknown.length === 0) continue;
      const [first] = admissible(await this.#limits.read(queryOf(name, unknown, limits, 1)), limits, 1);
      if (first === undefined) continue;
      admissibleNow.set(name, first.id);
      if (this.#admissibleBefore.get(name) !== first.id) continue;
      const [record] = await this.#store.load([first.id]);
      if (record?.admission === "queued") found.push({ name, version: record.version });
    }
    this.#admissibleBefore = admissibleNow;
    return found;
  }

  /**
   * Admits as many executions as this launcher has room for. An admitted execution is due at once, for any launcher.
   *
   * @param turns given where more is due than there is room for: the workflows in the order of their turns. Then only executions
   * of a workflow whose turn it is are admitted. Others would hold a slot without being worked on, and an execution of a higher
   * priority that is launched meanwhile could not go before them.
   * @returns how long until more may be admitted, in milliseconds; 0: more may be admitted now. Null: nothing changes until a slot
   * is given back or an execution is launched.
   */
  async admit(room: number, turns?: readonly WorkflowTurn[]): Promise<number | null> {
    const workflows = [...this.#admitted.slice(this.#first), ...this.#admitted.slice(0, this.#first)];
    this.#first = (this.#first + 1) % workflows.length;
    let left = room;
    let soonest = Infinity;
    for (const workflow of workflows) {
      const share = Math.min(left, shareOf(workflow, room, turns));
      if (share <= 0) {
        soonest = 0;
        continue;
      }
      const { admitted, againInMs } = await this.#admitOf(workflow, share);
      left -= admitted;
      if (againInMs !== null) soonest = Math.min(soonest, againInMs);
    }
    return soonest === Infinity ? null : soonest;
  }

  async #admitOf(
    workflow: LimitedWorkflow,
    room: number,
  ): Promise<{ readonly admitted: number; readonly againInMs: number | null }> {
    const { name, versions, limits } = workflow;
    let total = 0;
    for (let reads = 0; reads < mostReads; reads++) {
      const left = room - total;
      const query = queryOf(name, versions, limits, left);
      const state = await this.#limits.read(query);
      const chosen = admissible(state, limits, left);
      if (chosen.length === 0) return { admitted: total, againInMs: sooner(state.readyInMs, state.rateInMs) };
      const admission = { gate: name, revision: state.revision, ids: chosen.map(({ id }) => id) };
      const count = await this.#limits.admit({ ...admission, perMs: limits.rate?.perMs ?? null });
      total += count ?? 0;
      if (total >= room) break;
    }
    return { admitted: total, againInMs: 0 };
  }
}

/** How many executions of the workflow get a turn when there is room for so many of all workflows of which something is due. */
function shareOf({ name }: LimitedWorkflow, room: number, all: readonly WorkflowTurn[] | undefined): number {
  if (all === undefined) return room;
  const turns = all.filter((turn) => turn.name === name || !turn.isIdle);
  const rounds = Math.floor(room / turns.length);
  return turns.reduce(
    (sum, it, index) => (it.name === name ? sum + rounds + Number(index < room % turns.length) : sum),
    0,
  );
}

/** All versions of a workflow share its limits. */
function workflowsOf(paths: ReadonlyMap<string, MigrationPath>): readonly LimitedWorkflow[] {
  const workflows = new Map<string, LimitedWorkflow>();
  for (const { name, version, registered } of paths.values()) {
    const { limits } = registered.definition;
    const known = workflows.get(name);
    if (known !== undefined) known.versions.push(version);
    else workflows.set(name, { name, versions: [version], limits: limits === undefined ? noLimits : limitsOf(limits) });
  }
  return [...workflows.values()];
}

function sooner(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}
