/**
 * What has ended is deleted when it is due, and nothing else is. It is judged at the moment at which it goes; then its id is free, and
 * whoever launches it again begins a life of which the other side knows nothing.
 */
import fc from "fast-check";
import type { ExecutionRecord } from "../../src/execution/records.js";
import type { PruneOptions, Pruned, Store } from "../../src/stores/contract.js";
import type { RetentionPolicy } from "../../src/session/retention.js";
import type { Callers, Case } from "./callers.js";
import { violationsOf } from "./checks.js";
import { hasGroups } from "./families.js";
import { recallIds } from "./recalls.js";

export interface PruneAct {
  readonly act: "prune";
  readonly by: number;
  readonly ages: RetentionPolicy;
  readonly batch: number;
  readonly dryRun: boolean;
}

export const retentionPolicy: fc.Arbitrary<RetentionPolicy> = fc
  .subarray(["completed", "rolledBack", "stuck"] as const, { minLength: 1 })
  .chain((statuses) =>
    fc.constantFrom(0, 1000, 6000).map((age) => Object.fromEntries(statuses.map((status) => [status, age]))),
  );

export const pruneAct: fc.Arbitrary<PruneAct> = fc.record({
  act: fc.constant("prune" as const),
  by: fc.nat(5),
  ages: retentionPolicy,
  batch: fc.constantFrom(1, 2, 200),
  dryRun: fc.boolean(),
});

export const retentionSights = [
  ...(["completed", "rolledBack", "stuck"] as const).map((status) => `pruned: ${status}`),
  "pruned: a child",
  "pruned: launched again",
];

export class Retention {
  readonly #store: Store;
  readonly #callers: Callers;
  /** Told of each that goes. */
  readonly #forget: (id: string) => void;

  constructor(callers: Callers, forget: (id: string) => void) {
    this.#store = callers.scene.store;
    this.#callers = callers;
    this.#forget = forget;
  }

  act({ by, ages, batch, dryRun }: PruneAct): void {
    const { books } = this.#callers.scene;
    const place = this.#callers.able(by);
    if (place === undefined) return;
    const prune = async (): Promise<unknown> => {
      const due = this.#due(ages as Readonly<Record<string, number>>);
      const counts = await place.client.prune(ages, { batch, dryRun });
      for (const before of dryRun ? [] : due) {
        // What has children waits for them.
        if (hasGroups(this.#callers.cases.find(({ id }) => id === before.id)!.trip)) continue;
        const record = this.#record(before.id);
        if (record?.createdAt === before.createdAt && isSame(record, before))
          books.wrong(`${before.id} is ${before.status} for long enough, and is not pruned`);
      }
      return counts;
    };
    this.#callers.call(place, `prune ${JSON.stringify(ages)}`, prune);
  }

  #record(id: string): ExecutionRecord | undefined {
    return (this.#store.load([id]) as (ExecutionRecord | undefined)[])[0];
  }

  #due(ages: Readonly<Record<string, number>>): ExecutionRecord[] {
    const { clock } = this.#callers.scene;
    return this.#callers.cases.flatMap(({ id }) => {
      const record = this.#record(id);
      if (record === undefined) return [];
      const { status, owner, dueAt, updatedAt } = record;
      const age = ages[status];
      const isDue = age !== undefined && owner === null && dueAt === null && updatedAt <= clock.now() - age;
      return isDue ? [record] : [];
    });
  }

  /** The store deletes. */
  prune(call: (options: PruneOptions) => unknown, options: PruneOptions): Pruned {
    const { books, seen, families } = this.#callers.scene;
    const all = this.#callers.members.flatMap((it) => {
      const record = this.#record(it.id);
      return record === undefined ? [] : [{ it, record }];
    });
    const roots = new Set(this.#due(options.olderThanMs as Readonly<Record<string, number>>).map(({ id }) => id));
    const judged = new Map(
      all.flatMap(({ it, record: { id, root, status } }) => {
        if (!roots.has(root ?? id)) return [];
        return [[id, status === "stuck" ? [] : violationsOf(it, this.#store, books, families)] as const];
      }),
    );
    const recalled = recallIds.filter((id) => this.#record(id) !== undefined);
    const answer = call(options) as Pruned;
    for (const id of recalled) if (this.#record(id) === undefined) this.#forget(id);
    for (const { it, record } of all) {
      if (this.#record(it.id) !== undefined) continue;
      const { status, dueAt, owner, root } = record;
      if (options.dry) books.wrong(`${it.id} is deleted where it was to be counted only`);
      const violations = judged.get(it.id) ?? [`is pruned too soon: ${JSON.stringify({ status, dueAt, owner })}`];
      for (const what of violations) books.wrong(`${it.id} ${what}`);
      this.#gone(it);
      seen.note("sight", root === null ? `pruned: ${status}` : "pruned: a child");
    }
    return answer;
  }

  #gone(it: Case): void {
    const { books } = this.#callers.scene;
    const mail = this.#store.mail({ executions: [it.id] }) as readonly unknown[];
    const rows = this.#store.history(it.id) as readonly unknown[];
    if (mail.length + rows.length > 0) books.wrong(`${it.id} is pruned, and left something behind`);
    books.note(() => `${it.id} is pruned`);
    it.sent = [];
    it.requests = [];
    it.rewound = [];
    it.operated = [];
    it.outcomes = [];
    books.forget(it.id);
    this.#forget(it.id);
  }
}

function isSame(one: ExecutionRecord, other: ExecutionRecord): boolean {
  return one.revision === other.revision && one.owner === null && one.dueAt === null;
}
