/**
 * In which order the workflows of a launcher have their turn when it takes up due executions: first the workflow of
 * which the launcher drives the fewest executions, then the workflow whose last turn was the longest ago. So no workflow
 * keeps another one waiting, however long its queue is, and however little room there is.
 */
import type { ClaimOptions } from "../stores/contract.js";
import type { MigrationPath } from "../runtime/upgrade.js";
import { registryKey } from "../session/registry.js";

interface WorkflowTurn {
  readonly name: string;
  readonly version: string;
  /** How many of its executions the launcher drives. */
  driven: number;
  /** Grows with each execution that is taken up; 0: none was taken up yet. */
  lastTurn: number;
}

/** An execution in work, as far as this order is concerned. */
interface Driven {
  readonly execution: { readonly identity: { readonly workflow: string; readonly version: string } };
}

export class FairOrder {
  readonly #turns = new Map<string, WorkflowTurn>();
  #lastTurn = 0;

  constructor(paths: ReadonlyMap<string, MigrationPath>) {
    for (const [key, { name, version }] of paths) this.#turns.set(key, { name, version, driven: 0, lastTurn: 0 });
  }

  /** @param loops what the launcher drives */
  order(loops: Iterable<Driven>): ClaimOptions["workflows"] {
    const turns = [...this.#turns.values()];
    if (turns.length === 1) return turns;
    for (const turn of turns) turn.driven = 0;
    for (const { execution } of loops) {
      const { workflow, version } = execution.identity;
      this.#turns.get(registryKey(workflow, version))!.driven++;
    }
    return turns.toSorted((one, other) => one.driven - other.driven || one.lastTurn - other.lastTurn);
  }

  /** An execution of the workflow was taken up. */
  tookUp(workflow: string, version: string): void {
    this.#turns.get(registryKey(workflow, version))!.lastTurn = ++this.#lastTurn;
  }
}
