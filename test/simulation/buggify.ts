/** Sizes and patience that are small in some processes, so that a handful of executions is as much as thousands. */
import fc from "fast-check";
import type { Store } from "../../src/stores/contract.js";
import { through, type Call } from "../../src/testing/faults/through.js";

/** Of a launcher, in milliseconds. */
export interface PatienceOfLauncher {
  readonly poll: number;
  readonly beat: readonly [interval: number, timeout: number];
  readonly grace: number;
}

/** The first is what most launchers have. */
export const patienceOfLauncher: fc.Arbitrary<PatienceOfLauncher> = fc.oneof(
  { withCrossShrink: true },
  { weight: 3, arbitrary: fc.constant<PatienceOfLauncher>({ poll: 1000, beat: [1000, 4000], grace: 500 }) },
  {
    weight: 1,
    arbitrary: fc.record({
      poll: fc.constantFrom(1000, 250),
      beat: fc.constantFrom([1000, 4000] as const, [300, 700] as const),
      grace: fc.constantFrom(500, 0, 2000),
    }),
  },
);

/** At once so many are claimed, admitted, looked at or deleted. */
export const mostAtOnce = fc.constantFrom(1, 1, 2);

const limited = new Set(["claim", "limits.read", "schedules.due", "prune"]);

export function shrunk(store: Store, most: number): Store {
  const less =
    (call: Call): Call =>
    (options) => {
      const { limit } = options as { readonly limit: number };
      return call({ ...(options as object), limit: Math.min(limit, most) });
    };
  return through(store, (call, name) => (limited.has(name) ? less(call) : call));
}
