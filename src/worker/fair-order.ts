/**
 * In which order the workflows of a launcher have their turn when it takes up due executions: first the workflow of
 * which the launcher drives the fewest executions, then the workflow whose last turn was the longest ago. So no workflow
 * keeps another one waiting, however long its queue is, and however little room there is.
 */
import type { MigrationPath } from "../runtime/upgrade.js";
import { registryKey } from "../session/registry.js";

export interface WorkflowTurn {
  readonly name: string;
  readonly version: string;
  /** How many of its executions the launcher drives. */
  driven: number;
  /** Grows with each execution that is taken up; 0: none was taken up yet. */
  lastTurn: number;
  /** When it had its turn last, nothing of it was due. */
  isIdle: boolean;
}

/** An execution in work, as far as this order is concerned. */
interface Driven {
  readonly execution: { readonly identity: { readonly workflow: string; readonly version: string } };
}

export class FairOrder {
  readonly #turns = new Map<string, WorkflowTurn>();
  #lastTurn = 0;

  constructor(paths: ReadonlyMap<string, MigrationPath>) {
    for (const [key, { name, version }] of paths)
      this.#turns.set(key, { name, version, driven: 0, lastTurn: 0, isIdle: false });
  }

  /** @param loops what the launcher drives */
  order(loops: Iterable<Driven>): readonly WorkflowTurn[] {
    const turns = [...this.#turns.values()];
    if (turns.length === 1) return turns;
    for (const turn of turns) turn.driven = 0;
    for (const { execution } of loops) {
      const { workflow, version } = execution.identity;
      this.#turns.get(registryKey(workflow, version))!.driven++;
    }
    return turns.toSorted((one, other) => one.driven - other.driven || one.lastTurn - other.lastTurn);
  }

  /**
   * Executions were taken up, one of each workflow in turn.
   *
   * @param order in which they had their turns
   */
  tookUp(
    order: readonly WorkflowTurn[],
    taken: readonly { readonly workflow: string; readonly version: string }[],
  ): void {
    const had = new Set<WorkflowTurn>();
    for (const { workflow, version } of taken) {
      const turn = this.#turns.get(registryKey(workflow, version))!;
      turn.lastTurn = ++this.#lastTurn;
      had.add(turn);
    }
    // The turn of those behind the last one may not have come.
    const last = order.findLastIndex((turn) => had.has(turn));
    for (const turn of order.slice(0, last + 1)) turn.isIdle = !had.has(turn);
  }
}
