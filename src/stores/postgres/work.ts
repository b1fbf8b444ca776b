/**
 * What launchers have in work stands beside the executions, in `stepwell_work`: so who takes one up or lets it go writes no index
 * of theirs. A row has all that was taken up at once, and goes when the last of these was let go: what it says is where to
 * look, and the execution itself says whose it is. `stepwell_signalled` has what of it has an arrival that no commit has seen.
 */
import { doubleArray, integerArray } from "./arrays.js";

/**
 * What is taken up, or created by a launcher.
 *
 * @param from rows with `owner` and `id` @param number of the call, as SQL
 */
export const takenUp = (from: string, number: string): string => `,
working AS (
  INSERT INTO stepwell_work (owner, number, ids)
  SELECT owner, ${number}::bigint, array_agg(id ORDER BY id) FROM ${from} WHERE owner IS NOT NULL GROUP BY owner
  ON CONFLICT DO NOTHING
)`;

/** In the launchers' hands, as far as it is told here: `owner` and `id` of each. Some of it may be let go by now. */
export const inHand = (owners = ""): string =>
  `(SELECT DISTINCT w.owner, i.id FROM stepwell_work AS w CROSS JOIN LATERAL unnest(w.ids) AS i (id)${owners})`;

/** All that came for rows of `updated` was seen. */
export const heard = `,
heard AS (DELETE FROM stepwell_signalled AS s USING updated AS u WHERE s.owner = u.owner AND s.id = u.id)`;

/** Of what is taken up, arrivals from when it was nobody's that no commit has seen. Its column `unseen` says how many. */
export const unseen = (from: string): string => `,
signalling AS (
  INSERT INTO stepwell_signalled (owner, id) SELECT owner, id FROM ${from} WHERE unseen > 0 ORDER BY id ON CONFLICT DO NOTHING
)`;

/** `arrivals` came for rows of `raised`. */
export const signalled = `,
signalling AS (
  INSERT INTO stepwell_signalled (owner, id) SELECT owner, id FROM raised WHERE owner IS NOT NULL AND arrivals > 0 ORDER BY id
  ON CONFLICT DO NOTHING
)`;

/** What is over goes with the next claim, given what `WorkInHand.over` says. */
export const overAndDone = (owners: string, numbers: string): string => `,
over AS (
  DELETE FROM stepwell_work AS w USING unnest(${owners}::integer[], ${numbers}::float8[]) AS o (owner, number)
  WHERE w.owner = o.owner AND w.number = o.number::bigint
)`;

/** What was taken up by one call. */
interface Handful {
  readonly owner: number;
  readonly number: number;
  /** How many of it are still in work. */
  left: number;
}

/** Keys of rows, as arrays for PostgreSQL. */
interface Over {
  readonly owners: Buffer;
  readonly numbers: Buffer;
}

const none: Over = { owners: integerArray([]), numbers: doubleArray([]) };

/** What this process has in work, so that it knows which rows are over. */
export class WorkInHand {
  readonly #handfuls = new Map<string, Handful>();
  #over: Handful[] = [];

  took(owner: number, number: number, ids: readonly string[]): void {
    if (ids.length === 0) return;
    const handful = { owner, number, left: ids.length };
    for (const id of ids) {
      this.letGo(id);
      this.#handfuls.set(id, handful);
    }
  }

  /** This process has it no more, whoever has it now. */
  letGo(id: string): void {
    const handful = this.#handfuls.get(id);
    if (handful === undefined) return;
    this.#handfuls.delete(id);
    handful.left -= 1;
    if (handful.left === 0) this.#over.push(handful);
  }

  /** Which rows are over, said once. One that is not removed then stays until its launcher leaves: it only costs a look. */
  over(): Over {
    if (this.#over.length === 0) return none;
    const over = this.#over;
    this.#over = [];
    return {
      owners: integerArray(over.map(({ owner }) => owner)),
      numbers: doubleArray(over.map(({ number }) => number)),
    };
  }
}
