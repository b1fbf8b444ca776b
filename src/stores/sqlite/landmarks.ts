/** Where parts of long histories end that were read from their end: so the part before need not be looked for from the latest entry on. */

/** So many are kept, of all histories. */
const most = 1_000;

/** What stands here may be out of date, so who uses it compares the entry that it finds. */
export class Landmarks {
  readonly #sequences = new Map<string, number>();

  /** The number of the entry with that revision. Undefined: it is not known. */
  get(id: string, revision: number): number | undefined {
    return this.#sequences.get(keyOf(id, revision));
  }

  set(id: string, revision: number, sequence: number): void {
    const key = keyOf(id, revision);
    this.#sequences.delete(key);
    this.#sequences.set(key, sequence);
    if (this.#sequences.size > most) this.#sequences.delete(this.#sequences.keys().next().value!);
  }
}

function keyOf(id: string, revision: number): string {
  return `${revision} ${id}`;
}
