/**
 * What one process was not told: its call was done, and the answer got lost. The engine asks again with the same rows, the very same
 * objects, and is told then what became of them, as by the PostgreSQL store; see "Lost answers" in ARCHITECTURE.md.
 */
import type { ExecutionRecord } from "../../execution/records.js";
import type { Batch, BatchResult, CreateResult, NewExecution } from "../../stores/batch.js";
import type { Advance } from "../../stores/lists.js";
import type { Claimed, ClaimOptions, MaybePromise, Store } from "../../stores/contract.js";

const kinds = ["creates", "transitions", "releases", "arrivals", "subscriptions", "publications"] as const;

/** How soon a claim may look again that has to wait for a release. */
const heldPause = 50;

export class LostAnswers {
  readonly #store: Store;
  /** By row: what became of it. */
  #answers = new WeakMap<object, unknown>();
  /** Rows of which nobody has asked again: of releases. */
  readonly #releases = new Set<object>();
  /** Ids of what its launcher may own without knowing. */
  #stranded = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Tells of the rows that are known, and writes the others. */
  write(batch: Batch): MaybePromise<BatchResult> {
    const isKnown = (row: object): boolean => this.#answers.has(row);
    if (!kinds.some((kind) => (batch[kind] ?? []).some(isKnown))) return this.#store.write(batch);
    const others = Object.fromEntries(kinds.map((kind) => [kind, (batch[kind] ?? []).filter((row) => !isKnown(row))]));
    const together = (written: BatchResult): BatchResult => this.#together(batch, written);
    const written = this.#store.write(others as unknown as Batch);
    return written instanceof Promise ? written.then(together) : together(written);
  }

  #together(batch: Batch, written: BatchResult): BatchResult {
    const merged = kinds.map((kind) => {
      const rest = [...written[kind]];
      return [kind, (batch[kind] ?? []).map((row) => this.#known(row) ?? rest.shift())];
    });
    return { ...(Object.fromEntries(merged) as unknown as BatchResult), at: written.at };
  }

  #known(row: object): unknown {
    const answer = this.#answers.get(row);
    this.#answers.delete(row);
    this.#releases.delete(row);
    return answer;
  }

  /** The answer to this call got lost. */
  lost(name: string, [given]: readonly unknown[], answer: unknown): void {
    if (name === "write") this.#lostWrite(given as Batch, answer as BatchResult);
    else if (name === "claim") for (const { id } of (answer as Claimed).records) this.#stranded.add(id);
    // They are not asked for again.
    else if (name === "lists.advance") {
      const answers = answer as readonly (readonly CreateResult[] | null)[];
      for (const [index, { begins }] of (given as readonly Advance[]).entries())
        for (const [at, { id }] of begins.entries()) this.#strands(id, answers[index]?.[at]);
    }
  }

  #lostWrite(batch: Batch, answer: BatchResult): void {
    for (const kind of kinds) {
      for (const [index, row] of (batch[kind] ?? []).entries()) this.#answers.set(row, answer[kind][index]);
    }
    for (const release of batch.releases) this.#releases.add(release);
  }

  /** Nobody will ask for it again: a claim gives it out. */
  abandon(create: NewExecution): void {
    const answer = this.#answers.get(create) as CreateResult | undefined;
    this.#answers.delete(create);
    this.#strands(create.id, answer);
  }

  /** What was there before, its launcher may know and drive. */
  #strands(id: string, answer: CreateResult | undefined): void {
    if (answer?.created === true && answer.owned) this.#stranded.add(id);
  }

  claim(options: ClaimOptions): MaybePromise<Claimed> {
    if (this.#releases.size > 0) {
      const held = this.#store.claim({ ...options, limit: 0 });
      return held instanceof Promise ? held.then(isHeld) : isHeld(held);
    }
    const claimed = this.#store.claim(options);
    if (this.#stranded.size === 0 || options.limit === 0) return claimed;
    return claimed instanceof Promise
      ? claimed.then((it) => this.#withStranded(it, options.owner))
      : this.#withStranded(claimed, options.owner);
  }

  #withStranded(claimed: Claimed, owner: number): MaybePromise<Claimed> {
    const ids = [...this.#stranded];
    const found = this.#store.load(ids);
    const give = (records: readonly (ExecutionRecord | undefined)[]): Claimed => {
      this.#stranded = new Set();
      const known = new Set(claimed.records.map(({ id }) => id));
      const own = records.flatMap((it) => (it !== undefined && it.owner === owner && !known.has(it.id) ? [it] : []));
      return {
        ...claimed,
        records: [...own, ...claimed.records],
        dueSince: [...own.map(() => claimed.at), ...claimed.dueSince],
      };
    };
    return found instanceof Promise ? found.then(give) : give(found);
  }
}

function isHeld(claimed: Claimed): Claimed {
  return { ...claimed, nextDueInMs: heldPause };
}
