/** How often each operation of a store has done what it was asked for, and how often it has said no. */

/** All that a store can be asked, apart from opening and closing it. */
export const operations: readonly string[] = [
  ...["create", "transition", "release", "arrival", "subscription", "publication"].map((it) => `write: ${it}`),
  ...["write", "register", "beat", "removeLaunchers", "begin", "deaths", "claim", "prune"],
  ...["load", "list", "count", "history", "mail", "deadMail", "countDeadMail", "countPending"],
  ...["keep", "of"].map((it) => `definitions: ${it}`),
  ...["read", "admit"].map((it) => `limits: ${it}`),
  ...["stage", "due", "advance", "find", "of", "news", "lines", "launches"].map((it) => `lists: ${it}`),
  ...["find", "due", "change"].map((it) => `schedules: ${it}`),
  "topics: prune",
  ...["run", "write", "load", "mail"].map((it) => `transactions: ${it}`),
];

export class Tally {
  readonly #wanted: number;
  readonly #succeeded = new Map<string, number>();
  readonly #refused = new Map<string, number>();

  /** @param wanted how often each must have succeeded; and it must have been refused at least once */
  constructor(wanted = 0) {
    this.#wanted = wanted;
  }

  /** @param isDone it did, or found, something; otherwise there was nothing to be done or found, or it was refused */
  count(operation: string, isDone: boolean): void {
    if (!operations.includes(operation)) throw new Error(`There is no operation "${operation}".`);
    const counts = isDone ? this.#succeeded : this.#refused;
    counts.set(operation, (counts.get(operation) ?? 0) + 1);
  }

  lacks(operation: string): boolean {
    return (this.#succeeded.get(operation) ?? 0) < this.#wanted || (this.#refused.get(operation) ?? 0) === 0;
  }

  /** In words, each operation that has not been seen often enough. */
  get lacking(): readonly string[] {
    return operations
      .filter((it) => this.lacks(it))
      .map(
        (it) => `${it}: succeeded ${this.#succeeded.get(it) ?? 0} times, refused ${this.#refused.get(it) ?? 0} times`,
      );
  }
}
