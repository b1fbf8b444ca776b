/**
 * In which order the workflows of a launcher have their turn when it takes up what is due: first the one of
 * which it has the fewest in hand, then the one whose last turn was the longest ago. So none of them
 * keeps another one waiting, however long its queue is, and however little room there is.
 */
import type { ClaimOptions } from "../stores/contract.js";
import type { MigrationPath } from "../runtime/upgrade.js";
import { registryKey } from "../session/registry.js";

interface Place {
  readonly name: string;
  readonly version: string;
  inHand: number;
  /** Grows with each execution that was taken up; 0: none was yet. */
  lastTurn: number;
}

/** A workflow's identity in what is being worked on. */
interface Worked {
  readonly course: { readonly identity: { readonly workflow: string; readonly version: string } };
}

export class FairOrder {
  readonly #places = new Map<string, Place>();
  #turn = 0;

  constructor(ways: ReadonlyMap<string, MigrationPath>) {
    for (const [key, { name, version }] of ways) this.#places.set(key, { name, version, inHand: 0, lastTurn: 0 });
  }

  /** @param drives what the launcher has in hand */
  order(drives: Iterable<Worked>): ClaimOptions["workflows"] {
    const places = [...this.#places.values()];
    if (places.length === 1) return places;
    for (const place of places) place.inHand = 0;
    for (const { course } of drives) {
      const { workflow, version } = course.identity;
      this.#places.get(registryKey(workflow, version))!.inHand++;
    }
    return places.toSorted((one, other) => one.inHand - other.inHand || one.lastTurn - other.lastTurn);
  }

  /** One was taken up. */
  had(workflow: string, version: string): void {
    this.#places.get(registryKey(workflow, version))!.lastTurn = ++this.#turn;
  }
}
