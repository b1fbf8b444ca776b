/**
 * Limits of trips. What holds whatever happens, burials by mistake included: an admission is one commit, and a place is given back by the
 * commit with which its execution comes to rest. So by what is committed there are never more under way than places, and never more
 * admissions in a period than the rate says. A launcher that was buried by mistake may still be in a function of one that has ended.
 */
import fc from "fast-check";
import type { NewExecution } from "../../src/stores/batch.js";
import type { ExecutionRecord, Transition } from "../../src/execution/records.js";
import type { Admission, GateState } from "../../src/stores/records.js";
import type { Store } from "../../src/stores/contract.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import type { CasePlan, Trip } from "./plan.js";
import type { Seen } from "./seen.js";

export interface LimitsPlan {
  readonly whole: number | null;
  readonly perKey: number | null;
  readonly rate: { readonly limit: number; readonly per: number; readonly isKeyed: boolean } | null;
  /** Executions more. */
  readonly crowd: readonly { readonly late: boolean; readonly priority: number }[];
}

/** What is launched late, and goes before what waits. */
const urgent = { late: true, priority: 1 };

export const limitsPlan: fc.Arbitrary<LimitsPlan> = fc
  .record({
    whole: fc.constantFrom(1, 2, null),
    perKey: fc.constantFrom(1, 2, null),
    rate: fc.option(
      fc.record({ limit: fc.constantFrom(1, 2), per: fc.constantFrom(700, 4000), isKeyed: fc.boolean() }),
      { nil: null, freq: 2 },
    ),
    crowd: fc.array(fc.record({ late: fc.boolean(), priority: fc.constantFrom(0, 0, 1) }), {
      maxLength: 3,
      size: "max",
    }),
  })
  .map(({ crowd, whole, ...it }) => {
    const isUnlimited = whole === null && it.perKey === null && it.rate === null;
    return { ...it, whole: isUnlimited ? 1 : whole, crowd: [urgent, ...crowd] };
  });

export const limitSights = ["all places are taken", "the places of a key are taken", "a rate is used up"].map(
  (what) => `limits: ${what}`,
);

/** As options of a workflow. */
export function limitsOf({ whole, perKey, rate }: LimitsPlan): object {
  const key = ({ lane }: { readonly lane: number }): string => `lane ${lane}`;
  const concurrency = [
    ...(whole === null ? [] : [{ limit: whole }]),
    ...(perKey === null ? [] : [{ limit: perKey, key }]),
  ];
  return {
    ...(concurrency.length > 0 && { concurrency }),
    ...(rate !== null && { rate: { limit: rate.limit, per: rate.per, ...(rate.isKeyed && { key }) } }),
  };
}

export function crowdOf(trips: readonly Trip[]): CasePlan[] {
  return trips.flatMap(({ limits }, trip) =>
    (limits?.crowd ?? []).map(({ late, priority }, number) => ({
      ...{ trip, launcher: number, delay: 0, value: number, from: null, late, usurps: false, priority },
    })),
  );
}

interface Waiting {
  readonly gate: string;
  readonly key: string | null;
  readonly rateKey: string | null;
}

const atRest = new Set<string>(["completed", "rolledBack", "stuck"]);

/** Sees who is let through the gates, and who leaves. */
export class Gates {
  readonly #limits: ReadonlyMap<string, LimitsPlan>;
  readonly #store: Store;
  readonly #clock: VirtualClock;
  readonly #seen: Seen;
  readonly #wrong: (what: string) => void;
  /** All that were launched under limits. */
  readonly #launched = new Map<string, Waiting>();
  readonly #under = new Map<string, Waiting>();
  readonly #admissions: (Waiting & { readonly id: string; readonly at: number })[] = [];

  /** @param limits by gate */
  constructor(
    limits: ReadonlyMap<string, LimitsPlan>,
    store: Store,
    clock: VirtualClock,
    seen: Seen,
    wrong: (what: string) => void,
  ) {
    this.#limits = limits;
    this.#store = store;
    this.#clock = clock;
    this.#seen = seen;
    this.#wrong = wrong;
  }

  created({ id, queue }: NewExecution): void {
    if (queue === undefined) return;
    this.#launched.set(id, queue);
    const { whole, perKey, rate } = this.#limits.get(queue.gate)!;
    const note = (what: string): void => this.#seen.note("sight", `limits: ${what}`);
    if (whole !== null && this.#held(queue, false) >= whole) note("all places are taken");
    if (perKey !== null && this.#held(queue, true) >= perKey) note("the places of a key are taken");
    if (rate !== null && this.#since(queue, rate.per).length >= rate.limit) note("a rate is used up");
  }

  #held({ gate, key }: Waiting, ofKey: boolean): number {
    return [...this.#under.values()].filter((it) => it.gate === gate && (!ofKey || it.key === key)).length;
  }

  #since({ gate, rateKey }: Waiting, per: number): string[] {
    const from = this.#clock.now() - per;
    return this.#admissions
      .filter((it) => it.gate === gate && it.rateKey === rateKey && it.at > from)
      .map(({ id }) => id);
  }

  /** The store has let some of these through. */
  admitted({ ids }: Admission): void {
    const records = this.#store.load(ids) as readonly (ExecutionRecord | undefined)[];
    for (const record of records) {
      if (record?.admission !== "admitted" || this.#under.has(record.id)) continue;
      const { id } = record;
      const waiting = this.#launched.get(id);
      if (waiting === undefined) {
        this.#wrong(`${id} is admitted, and did not wait`);
        continue;
      }
      this.#under.set(id, waiting);
      this.#admissions.push({ ...waiting, id, at: this.#clock.now() });
      const { whole, perKey, rate } = this.#limits.get(waiting.gate)!;
      if (whole !== null && this.#held(waiting, false) > whole) this.#wrong(`${id} is one too many: ${whole} may run`);
      if (perKey !== null && this.#held(waiting, true) > perKey)
        this.#wrong(`${id} is one too many of ${waiting.key}: ${perKey} may run`);
      if (rate !== null && this.#since(waiting, rate.per).length > rate.limit)
        this.#wrong(`${id} is admitted too soon: ${rate.limit} may begin in ${rate.per} ms`);
    }
  }

  took({ id, status, history }: Transition): void {
    const waiting = this.#launched.get(id);
    if (waiting === undefined) return;
    const hasBegun = this.#admissions.some((it) => it.id === id);
    // One that could not be migrated while it waited is parked, and waits no longer: what becomes of it then takes no place.
    if (!hasBegun && history.result === "STEPWELL_MIGRATION_FAILED") return void this.#launched.delete(id);
    // One that waits is migrated as well where it is looked at, and waits on.
    if (!hasBegun && status !== "rolledBack" && history.migration === undefined)
      this.#wrong(`${id} does ${history.step} ${history.result} unadmitted`);
    if (atRest.has(status)) this.left(id);
  }

  left(id: string): void {
    this.#under.delete(id);
  }

  /** It was deleted, and its id is free. */
  forget(id: string): void {
    this.left(id);
    this.#launched.delete(id);
  }

  /** When all is at rest, nobody waits at a gate, and all places are free. */
  wrongAtLast(): string[] {
    return [...new Set([...this.#launched.values()].map(({ gate }) => gate))].flatMap((gate) => {
      const query = { gate, versions: ["1", "2"], limit: 10, keyLimit: null, rate: null };
      const { held, candidates } = this.#store.limits!.read(query) as GateState;
      return held + candidates.length === 0 ? [] : [`${gate} has ${held} under way and ${candidates.length} that wait`];
    });
  }
}
