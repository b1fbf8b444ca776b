/**
 * What is counted of the histories of executions. The first look at one counts its end; what came before is counted part by part when
 * it is asked for. So nobody waits for all of a long history, and nobody else is held up by it.
 */
import { systemClock } from "../../clock.js";
import type { Execution, HistoryRow } from "../../index.js";
import { joined, tallyOf, type Tally } from "../model/tally.js";

/** Of so many executions it is known what was counted. */
const mostKnown = 100;

/** So many transitions are read at a time, and so many times in answer to one question. */
const atOnce = 500;
const mostTimes = 10;

/** Which execution: one that was pruned, and launched anew under its id, is another one. */
interface Stand {
  readonly id: string;
  readonly createdAt: Date;
  readonly revision: number;
}

export class Counted {
  readonly #known = new Map<string, Tally>();

  /**
   * What is counted of an execution, and the newest rows of its history.
   *
   * @param page at least so many rows, where there are so many
   */
  async look(execution: Execution, stand: Stand, page: number) {
    const { revision } = stand;
    const known = this.#near(stand);
    const rows = await part(execution, revision - (known === undefined ? atOnce : page), revision);
    if (known === undefined) return { rows, tally: this.#keep(stand, tallyOf(rows)) };
    const unseen = rows.filter((row) => row.revision > known.revision);
    if (unseen.length === 0) return { rows, tally: this.#keep(stand, known) };
    let newer = tallyOf(unseen);
    while (newer.after > known.revision) newer = await withOlder(execution, newer, known.revision);
    return { rows, tally: this.#keep(stand, joined(known, newer)) };
  }

  /** Counts some more of what came before. */
  async further(execution: Execution, stand: Stand): Promise<Tally> {
    let { tally } = await this.look(execution, stand, 1);
    for (let times = 0; times < mostTimes && tally.after > 0; times++) tally = await withOlder(execution, tally, 0);
    return this.#keep(stand, tally);
  }

  /** What is known of it, unless it has gone on too far since. */
  #near(stand: Stand): Tally | undefined {
    const key = keyOf(stand);
    const known = this.#known.get(key);
    if (known === undefined || stand.revision - known.revision <= atOnce * mostTimes) return known;
    this.#known.delete(key);
    return undefined;
  }

  #keep(stand: Stand, tally: Tally): Tally {
    const key = keyOf(stand);
    const known = this.#known.get(key);
    // Another question has counted further meanwhile.
    if (known !== undefined && known.after < tally.after) return known;
    this.#known.delete(key);
    this.#known.set(key, tally);
    if (this.#known.size > mostKnown) this.#known.delete(this.#known.keys().next().value!);
    return tally;
  }
}

function keyOf({ id, createdAt }: Stand): string {
  return `${createdAt.getTime()} ${id}`;
}

/** Also of what came right before, and after that revision. */
async function withOlder(execution: Execution, tally: Tally, after: number): Promise<Tally> {
  // Others have their turn: some stores read on the thread of the caller.
  await new Promise<void>((resolve) => systemClock.soon(resolve));
  const older = await part(execution, Math.max(after, tally.after - atOnce), tally.after);
  return joined(tallyOf(older), tally);
}

/** What was committed after one revision, up to another one. */
async function part(execution: Execution, after: number, upTo: number): Promise<readonly HistoryRow[]> {
  const from = Math.max(0, after);
  return upTo <= from ? [] : execution.history({ from, limit: upTo - from });
}
