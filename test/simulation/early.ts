/**
 * What waits for the first requests of processes: it is set before anything is launched, since most executions have done most of what they
 * do by the time of the first act.
 */
import fc from "fast-check";
import { hasGroups } from "./families.js";
import { crowdOf } from "./limits.js";
import type { Act, LauncherPlan, Operation, Plan } from "./plan.js";

/** A request is under way for longer than a caller waits, or its answer is; its launcher may be taken for dead meanwhile. */
export interface StallAct {
  readonly act: "stall";
  readonly launcher: number;
  readonly operation: Operation;
  readonly nth: number;
  readonly milliseconds: number;
  /** What was asked for is done, and the answer is late. */
  readonly isAnswer: boolean;
}

/** What is set for a request that comes some time. */
export type Trap = Extract<Act, { readonly act: "crashAt" | "failAt" | "meet" | "stall" }>;

export function stallAct(operation: fc.Arbitrary<Operation>, nth: fc.Arbitrary<number>): fc.Arbitrary<StallAct> {
  return fc.record({
    act: fc.constant("stall" as const),
    launcher: fc.nat(4),
    // The work of a transaction runs in its process: it can't be under way.
    operation: operation.map((it) => (it === "transactions.run" ? "write" : it)),
    nth,
    milliseconds: fc.constantFrom(6000, 2000, 14_000),
    isAnswer: fc.boolean(),
  });
}

/** What some plans have besides. */
export interface Rush {
  readonly second: LauncherPlan;
  /** A launcher dies when it has begun children, or before. */
  readonly begins: Extract<Trap, { readonly act: "crashAt" }> | null;
  readonly meets: readonly {
    readonly launcher: number;
    readonly nth: number;
    readonly which: number;
    readonly by: number;
    readonly isSlow: boolean;
  }[];
}

export function rush(second: fc.Arbitrary<LauncherPlan>): fc.Arbitrary<Rush> {
  const meet = fc.record({
    ...{ launcher: fc.nat(1), nth: fc.constantFrom(1, 1, 2, 3), which: fc.nat(4), by: fc.nat(5), isSlow: fc.boolean() },
  });
  const begins = fc
    .record({ launcher: fc.nat(1), nth: fc.constantFrom(1, 1, 2), applied: fc.boolean() })
    .map((it) => ({ act: "crashAt" as const, operation: "lists.advance" as const, ...it }));
  return fc.record({
    second,
    begins: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: begins }),
    meets: fc.array(meet, { minLength: 1, maxLength: 2, size: "max" }),
  });
}

/** Of what seldom comes together by itself, that which the trips allow. */
export function withRush(plan: Plan, { second, begins, meets }: Rush): Plan {
  const early = begins !== null && plan.trips.some(hasGroups) ? [...plan.early, begins] : plan.early;
  if (plan.trips.every(({ limits }) => limits === null)) return { ...plan, early };
  const launchers = plan.launchers.length > 1 ? plan.launchers : [...plan.launchers, second];
  return { ...plan, launchers, early: [...early, ...rushes(plan, meets)] };
}

/**
 * While a launcher is about to admit an execution, somebody launches another one that may go before it; or its request is slow, and another
 * launcher looks who waits as that one comes.
 */
function rushes({ cases, trips }: Plan, meets: Rush["meets"]): Trap[] {
  const urgent = crowdOf(trips).flatMap(({ late, priority = 0 }, at) =>
    late && priority > 0 ? cases.length + at : [],
  );
  return meets.flatMap(({ launcher, nth, which, by, isSlow }): Trap[] => {
    const it = { act: "launch", case: urgent[which % urgent.length]!, by } as const;
    if (!isSlow) return [{ act: "meet", launcher, operation: "limits.admit", nth, it }];
    return [
      { act: "stall", launcher, operation: "limits.admit", nth: 1, milliseconds: 2000, isAnswer: false },
      { act: "meet", launcher: 1 - launcher, operation: "limits.read", nth, it },
    ];
  });
}
