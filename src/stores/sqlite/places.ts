/** Where rows stand that the launchers of this process have in work: so a transition need not look for its row. */
import type { Database } from "./database.js";

export interface Place {
  readonly sequence: number;
  readonly revision: number;
  /** The number of its latest entry in the history. */
  readonly latest: number | null;
  /** Where lists find it. */
  readonly shelf: string;
}

/** Who has more in work looks for rows. */
const most = 100_000;

/**
 * What stands here may be out of date, as after a transaction that was taken back. So a write names all of it: where the row
 * is another one, it changes nothing, and the row is looked for.
 */
export class Places {
  readonly #places = new Map<string, Place>();

  get(id: string, revision: number): Place | undefined {
    const place = this.#places.get(id);
    return place?.revision === revision ? place : undefined;
  }

  set(id: string, place: Place): void {
    if (this.#places.size >= most) this.#places.clear();
    this.#places.set(id, place);
  }

  forget(id: string): void {
    this.#places.delete(id);
  }
}

const find =
  "SELECT sequence, revision, latest, shelf FROM stepwell_executions WHERE id = ? AND owner = ? AND revision = ?";

/** Undefined: it has another owner, or another revision. */
export function findPlace(database: Database, id: string, owner: number, revision: number): Place | undefined {
  return database.statement(find).get(id, owner, revision) as Place | undefined;
}
